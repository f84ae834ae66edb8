# SPDX-License-Identifier: Apache-2.0
"""The image encoders that image_numeric.py and image_optimum.py judge. A new family is one more row of FAMILIES; every case that both
scripts make for one they make for all."""

TASKS = {  # task: ending of the class name, outputs
    "feature-extraction": ("Model", ["last_hidden_state"]),
    "image-classification": ("ForImageClassification", ["logits"]),
    "masked-im": ("ForMaskedImageModeling", ["reconstruction"]),
}
SMALL = {
    "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 80, "image_size": 24, "patch_size": 6, "encoder_stride": 6,
}  # fmt: skip

FAMILIES = {
    "vit": {
        "stem": "ViT",  # how class names begin
        "small": SMALL,
        "classes": (),  # beside those of TASKS: ending of the class name, task
    },
    "deit": {
        "stem": "DeiT",
        "small": SMALL,
        "classes": (("ForImageClassificationWithTeacher", "image-classification"),),
    },
}
