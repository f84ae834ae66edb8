# SPDX-License-Identifier: Apache-2.0
"""The text encoders that text_numeric.py and text_optimum.py judge: what of their checkpoints differs from family to family.
A new family is one more row of FAMILIES; every case that both scripts make for one they make for all."""

TASKS = {  # task: ending of the class name, outputs
    "feature-extraction": ("Model", ["last_hidden_state"]),
    "fill-mask": ("ForMaskedLM", ["logits"]),
    "text-classification": ("ForSequenceClassification", ["logits"]),
    "token-classification": ("ForTokenClassification", ["logits"]),
    "question-answering": ("ForQuestionAnswering", ["start_logits", "end_logits"]),
    "multiple-choice": ("ForMultipleChoice", ["logits"]),
}
SMALL = {
    "vocab_size": 131, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 80,
    "max_position_embeddings": 40, "type_vocab_size": 2,
}  # fmt: skip


def bert_others(h):
    """Shapes of tensors that a file may hold beside those of its masked language model."""
    return {"bert.pooler.dense.weight": (h, h), "bert.pooler.dense.bias": (h,), "cls.seq_relationship.weight": (2, h), "cls.seq_relationship.bias": (2,)}


def albert_others(h):
    return {"albert.pooler.weight": (h, h), "albert.pooler.bias": (h,), "sop_classifier.classifier.weight": (2, h), "sop_classifier.classifier.bias": (2,)}


def albert_cases():
    # 18 passes through 14 groups: the reference divides in floating point, and pass 9 takes group 6 although 9 × 14 / 18 is 7.
    for layers, groups, inner in ((1, 1, 1), (12, 1, 1), (12, 12, 1), (12, 5, 2), (7, 3, 1), (6, 2, 3), (4, 1, 4), (18, 14, 1)):
        yield f"{layers} passes, {groups} groups of {inner}", {"num_hidden_layers": layers, "num_hidden_groups": groups, "inner_group_num": inner}
    for width in (2, 48, 67):
        yield f"embedding_size {width}", {"embedding_size": width}


def albert_random(rng):
    layers = int(rng.integers(1, 9))
    groups = int(rng.integers(1, layers + 1))
    return {
        "num_hidden_layers": layers, "num_hidden_groups": groups, "inner_group_num": int(rng.integers(1, layers // groups + 1)),
        "embedding_size": int(rng.integers(2, 90)),
    }  # fmt: skip


FAMILIES = {
    "bert": {
        "stem": "Bert",  # how class names begin
        "decoder": "cls.predictions.decoder",  # tied: weight to the word embeddings, bias to the bias beside it
        "others": bert_others,
        "small": SMALL,
        "odd": {},  # sizes of its own in the case of odd sizes
        "cases": lambda: (("12 layers", {"num_hidden_layers": 12}),),  # beside those of every family: name, config
        "random": lambda rng: {},  # its own share of a random config
        "refused": (("more layers than the file has", {"num_hidden_layers": 4}, (12,)),),  # name, change of the config, exit codes
    },
    "albert": {
        "stem": "Albert",
        "decoder": "predictions.decoder",
        "others": albert_others,
        "small": {**SMALL, "embedding_size": 28, "num_hidden_groups": 2, "inner_group_num": 1},
        "odd": {"num_hidden_groups": 1, "embedding_size": 13},
        "cases": albert_cases,
        "random": albert_random,
        "refused": (
            ("more groups than the file has", {"num_hidden_groups": 3}, (12,)),
            ("fewer groups than the file has", {"num_hidden_groups": 1}, (12,)),
            ("more inner layers than the file has", {"num_hidden_groups": 1, "inner_group_num": 2}, (12,)),
            ("more groups than layers", {"num_hidden_groups": 4}, (6,)),
            ("more inner layers than a group has passes", {"inner_group_num": 2}, (6,)),
            ("embedding_size of another width", {"embedding_size": 29}, (11,)),
        ),
    },
}


def class_name(family, task):
    return FAMILIES[family]["stem"] + TASKS[task][0]
