# SPDX-License-Identifier: Apache-2.0
"""The encoders of sound that audio_numeric.py and audio_optimum.py judge. A new family is one more row of FAMILIES; every case that both
scripts make for one they make for all that have its task and its keys."""

TASKS = {  # task: ending of the class name, outputs
    "feature-extraction": ("Model", ["last_hidden_state"]),
    "automatic-speech-recognition": ("ForCTC", ["logits"]),
    "audio-classification": ("ForSequenceClassification", ["logits"]),
    "audio-frame-classification": ("ForAudioFrameClassification", ["logits"]),
    "audio-xvector": ("ForXVector", ["logits", "embeddings"]),
}
SMALL = {
    "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 80, "vocab_size": 29, "classifier_proj_size": 20,
    "conv_dim": [24, 28, 32], "conv_kernel": [10, 3, 2], "conv_stride": [5, 2, 2], "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip
SPEAKER = {"tdnn_dim": [18, 22, 26], "tdnn_kernel": [3, 2, 1], "tdnn_dilation": [1, 2, 1], "xvector_output_dim": 14}
ADAPTER = ("add_adapter", "num_adapter_layers", "adapter_kernel_size", "adapter_stride", "output_hidden_size")

FAMILIES = {
    "wav2vec2": {
        "stem": "Wav2Vec2",  # how class names begin
        "small": {**SMALL, **SPEAKER},
        "tasks": tuple(TASKS),
        "lacks": ("feat_proj_layer_norm", "conv_pos_batch_norm"),  # keys of others
        "classes": (("ForPreTraining", "feature-extraction"),),  # beside those of TASKS: ending of the class name, task
    },
    "hubert": {
        "stem": "Hubert",
        "small": SMALL,
        "tasks": tuple(TASKS)[:3],
        "lacks": (*ADAPTER, *SPEAKER),
        "classes": (),
    },
}
