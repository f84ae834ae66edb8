# SPDX-License-Identifier: Apache-2.0
"""The models that compare texts and images, and their image encoders alone, which dual_numeric.py and dual_optimum.py judge. A new family
is one more row of FAMILIES. Keys of a config are written with dots where they are in a document of their own."""

SCORES = ["logits_per_image", "logits_per_text", "text_embeds", "image_embeds"]
TASKS = {  # task: ending of the class name, outputs
    "zero-shot-image-classification": ("Model", SCORES),
    "feature-extraction": ("Model", SCORES),
    "image-classification": ("ForImageClassification", ["logits"]),
}
IMAGES = {"hidden_size": 36, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 50, "image_size": 24, "patch_size": 6}
TEXTS = {
    "vocab_size": 99, "hidden_size": 40, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 56, "max_position_embeddings": 18,
    "bos_token_id": 97, "eos_token_id": 98, "pad_token_id": 98,
}  # fmt: skip


def below(name, config):
    return {f"{name}.{key}": value for key, value in config.items()}


TEXTS_REFUSED = (  # change of the config, exit codes that are right: as `refused` of _numeric.py
    ("hidden_act prelu of texts", {"text_config.hidden_act": "prelu"}, (6,)),
    ("fewer positions of texts than the file has", {"text_config.max_position_embeddings": 9}, (11,)),
    ("another vocabulary", {"text_config.vocab_size": 77}, (11,)),
    ("pruned heads of texts", {"text_config.pruned_heads": {"1": [0]}}, (6,)),
    ("text_config as a list", {"text_config": [1]}, (10,)),
    ("vision_config as text", {"vision_config": "none"}, (10,)),
)

FAMILIES = {
    "clip": {
        "stem": "CLIP",  # how class names begin
        "tasks": tuple(TASKS),
        "small": {**below("text_config", TEXTS), **below("vision_config", IMAGES), "projection_dim": 28},
        "images": "batch_size",  # how the file calls their number
        "towers": {"text_model": "CLIPTextModelWithProjection", "vision_model": "CLIPVisionModelWithProjection"},  # files of --split
        "embeds": {"text_model": ["text_embeds"], "vision_model": ["image_embeds"]},
        "refused": (
            *TEXTS_REFUSED,
            ("eos_token_id as a list", {"text_config.eos_token_id": [1, 2]}, (10,)),
            ("projection_dim of another projection", {"projection_dim": 29}, (11,)),
            ("text_config_dict as a list", {"text_config_dict": [1]}, (10,)),
            ("text_config_dict that is empty, which means every default", {"text_config_dict": {}}, (11,)),
        ),
    },
    "clip_vision_model": {
        "stem": "CLIPVision",
        "tasks": ("feature-extraction",),
        "small": IMAGES,
        "images": "batch_size",
        "outputs": ["last_hidden_state", "pooler_output"],
    },
    "siglip": {
        "stem": "Siglip",
        "tasks": ("zero-shot-image-classification", "feature-extraction"),
        "small": {**below("text_config", TEXTS), **below("vision_config", IMAGES), "text_config.projection_size": 36},
        "images": "image_batch_size",
        "no_mask": True,
        "towers": {"text_model": "SiglipTextModel", "vision_model": "SiglipVisionModel"},
        "embeds": {"text_model": ["last_hidden_state", "pooler_output"], "vision_model": ["last_hidden_state", "pooler_output"]},
        "refused": (
            *TEXTS_REFUSED,
            ("projection_size of another head", {"text_config.projection_size": 35}, (6,)),
            ("vision_use_head false", {"vision_config.vision_use_head": False}, (6,)),
        ),
    },
}
SECTIONS = ("text_config", "vision_config")


def has_texts(family):
    return "towers" in FAMILIES[family]


def key_of(family, side, key):
    """A key of one side ("text" or "vision") as the family's document has it."""
    return f"{side}_config.{key}" if has_texts(family) else key


def nested(config, onto=None):
    """A config of dotted keys as a document, or on top of one."""
    document = {k: dict(v) if k in SECTIONS and isinstance(v, dict) else v for k, v in (onto or {}).items()}
    for key, value in config.items():
        section, _, name = key.rpartition(".")
        if section:
            document.setdefault(section, {})[name] = value
        else:
            document[key] = value
    return document
