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
INPUTS = ["input_ids", "attention_mask", "token_type_ids"]


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
    """At most eight passes through layers: each of these wide draws amplifies rounding, and after twenty of them PyTorch in float32 is off by 6e-5."""
    layers = int(rng.integers(1, 9))
    groups = int(rng.integers(1, layers + 1))
    return {
        "num_hidden_layers": layers, "num_hidden_groups": groups, "inner_group_num": int(rng.integers(1, min(layers // groups, 8 // layers) + 1)),
        "embedding_size": int(rng.integers(2, 90)),
    }  # fmt: skip


def distilbert_others(h):
    return {"pre_classifier.weight": (h, h), "pre_classifier.bias": (h,), "qa_outputs.weight": (2, h), "qa_outputs.bias": (2,)}


def electra_others(h):
    names = {"dense": h, "dense_prediction": 1}
    return {
        f"discriminator_predictions.{name}.{kind}": (rows, h) if kind == "weight" else (rows,) for name, rows in names.items() for kind in ("weight", "bias")
    }


def electra_cases():
    for width in (2, 48, 67):
        yield f"embedding_size {width}", {"embedding_size": width}
    for kind in ("relative_key", "relative_key_query"):
        yield f"{kind}, embedding_size 48", {"embedding_size": 48, "position_embedding_type": kind}
    yield "no projection", {"summary_use_proj": False}, "multiple-choice"
    yield "no activation", {"summary_activation": None}, "multiple-choice"
    yield "neither", {"summary_use_proj": False, "summary_activation": None}, "multiple-choice"
    yield "summary_type last, where it is not read", {"summary_type": "last"}, "text-classification"
    for summary in ("last", "mean"):
        for change in ({}, {"summary_use_proj": False}, {"summary_activation": "tanh"}, {"summary_proj_to_labels": True, "num_labels": 48}):
            yield f"summary_type {summary} {change}", {"summary_type": summary, **change}, "multiple-choice"
    for act in ("", "tanh", "relu", "gelu_new", "silu"):
        yield f"summary_activation {act!r}", {"summary_activation": act}, "multiple-choice"
    yield "projection to as many labels as hidden_size", {"summary_proj_to_labels": True, "num_labels": 48}, "multiple-choice"
    dropouts = {"summary_first_dropout": 0.5, "summary_last_dropout": 0.5, "classifier_dropout": 0.5}
    yield "dropouts", dropouts, "multiple-choice"
    for task in ("text-classification", "fill-mask"):  # their activation is gelu, whatever hidden_act says
        yield f"hidden_act relu: {task}", {"hidden_act": "relu", "embedding_size": 48}, task


def electra_random(rng):
    return {
        "embedding_size": int(rng.integers(2, 90)), "summary_use_proj": bool(rng.integers(2)), "summary_type": ("first", "last", "mean")[int(rng.integers(3))],
        "summary_activation": (None, "gelu", "tanh", "mish")[int(rng.integers(4))],
    }  # fmt: skip


def mpnet_others(h):
    return {"mpnet.pooler.dense.weight": (h, h), "mpnet.pooler.dense.bias": (h,)}


def mpnet_cases():
    # Distances in a bucket of their own, on every border between two, and beyond the last.
    for n in (1, 2, 7, 8, 9, 17, 64, 91, 92, 129, 200):
        yield f"texts of {n}", {"max_position_embeddings": n, "num_hidden_layers": 1}
    yield "rows that no bucket takes", {"relative_attention_num_buckets": 57}
    yield "pad_token_id 5, which the class does not ask for", {"pad_token_id": 5}
    yield "hidden_act relu, which the head does not follow", {"hidden_act": "relu"}


def roberta(stem):
    """Of RoBERTa and those that are RoBERTa by another name."""
    return {
        "stem": stem,
        "decoder": "lm_head.decoder",
        "others": lambda h: {"roberta.pooler.dense.weight": (h, h), "roberta.pooler.dense.bias": (h,)},
        "small": {**SMALL, "type_vocab_size": 1, "pad_token_id": 1},
        "odd": {},
        "inputs": INPUTS[:2],
        # Relative positions begin with the first token.
        "behind": lambda c: c["pad_token_id"] + 1 if c.get("position_embedding_type", "absolute") == "absolute" else 0,
        "cases": lambda: (
            *((f"pad_token_id {n}", {"pad_token_id": n}) for n in (0, 0, 2, 2, 37, 37)),
            *((f"pad_token_id {n}, {kind}", {"pad_token_id": n, "position_embedding_type": kind})
              for n in (0, 5) for kind in ("relative_key", "relative_key_query")),
            ("a text of one token", {"max_position_embeddings": 1}),
            ("every other token is padding", {"vocab_size": 2}),
        ),
        "random": lambda rng: {
            "pad_token_id": int(rng.integers(0, 3)), "type_vocab_size": int(rng.integers(1, 3)), "max_position_embeddings": int(rng.integers(3, 70)),
        },
        "refused": (
            ("more layers than the file has", {"num_hidden_layers": 4}, (12,)),
            ("pad_token_id null", {"pad_token_id": None}, (10,)),
            ("pad_token_id -1", {"pad_token_id": -1}, (10,)),
            ("pad_token_id beyond the vocabulary", {"pad_token_id": 131}, (6,)),
            ("pad_token_id that leaves no position", {"pad_token_id": 41}, (6,)),
            ("one kind of segment more than the file has", {"type_vocab_size": 2}, (11,)),
        ),
    }


# Keys of a row where a family is not as most are. inputs: which it has; names: its own spelling of keys; lacks: keys of the others that
# its config class does not have; also: other spellings that it understands; behind: rows of the table of positions that no token of a
# text takes, a number or a function of the config; own_bias: its decoder's bias has no other name; pretraining: the task of its class
# ForPreTraining.
FAMILIES = {
    "bert": {
        "stem": "Bert",  # how class names begin
        "decoder": "cls.predictions.decoder",  # tied: weight to the word embeddings, bias to the bias beside it
        "others": bert_others,
        "small": SMALL,
        "odd": {},  # sizes of its own in the case of odd sizes
        "cases": lambda: (("12 layers", {"num_hidden_layers": 12}),),  # beside those of every family: name, config, task (or two in turn)
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
    "distilbert": {
        "stem": "DistilBert",
        "inputs": INPUTS[:2],
        "names": {"hidden_size": "dim", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads", "intermediate_size": "hidden_dim",
                  "hidden_act": "activation"},
        "lacks": {"type_vocab_size", "position_embedding_type", "layer_norm_eps"},
        "also": {"dim": "hidden_size", "n_layers": "num_hidden_layers", "n_heads": "num_attention_heads"},
        "decoder": "vocab_projector",
        "own_bias": True,
        "others": distilbert_others,
        "small": SMALL,
        "odd": {},
        "cases": lambda: (("12 layers", {"num_hidden_layers": 12}), ("sinusoidal_pos_embds", {"sinusoidal_pos_embds": True})),
        "random": lambda rng: {"sinusoidal_pos_embds": bool(rng.integers(2))},
        "refused": (("more layers than the file has", {"num_hidden_layers": 4}, (12,)),),
    },
    "electra": {
        "stem": "Electra",
        "pretraining": "feature-extraction",
        "decoder": "generator_lm_head",
        "own_bias": True,
        "others": electra_others,
        "small": {**SMALL, "embedding_size": 28},
        "odd": {"embedding_size": 13},
        "cases": electra_cases,
        "random": electra_random,
        "refused": (
            ("more layers than the file has", {"num_hidden_layers": 4}, (12,)),
            ("embedding_size of another width", {"embedding_size": 29}, (11,)),
            ("embedding_size of hidden_size", {"embedding_size": 48}, (11, 12)),
            ("summary_type cls_index", {"summary_type": "cls_index"}, (6,), "multiple-choice"),
            ("summary_type attn", {"summary_type": "attn"}, (6,), "multiple-choice"),
            ("summary_activation prelu", {"summary_activation": "prelu"}, (6,)),
            ("summary_activation unheard_of", {"summary_activation": "unheard_of"}, (6,)),
        ),
    },
    "mpnet": {
        "stem": "MPNet",
        "decoder": "lm_head.decoder",
        "others": mpnet_others,
        "small": SMALL,
        "odd": {"relative_attention_num_buckets": 33},
        "inputs": INPUTS[:2],
        "lacks": {"type_vocab_size", "position_embedding_type"},
        "behind": 2,
        "cases": mpnet_cases,
        "random": lambda rng: {"relative_attention_num_buckets": int(rng.integers(32, 50))},
        "refused": (
            ("more layers than the file has", {"num_hidden_layers": 4}, (12,)),
            ("fewer rows than buckets", {"relative_attention_num_buckets": 31}, (6,)),
            ("more rows than the file has", {"relative_attention_num_buckets": 33}, (11,)),
            ("no position for a token", {"max_position_embeddings": 2}, (6,)),
            ("a vocabulary without the pad token", {"vocab_size": 1}, (6,)),
        ),
    },
    "roberta": roberta("Roberta"),
    "xlm-roberta": roberta("XLMRoberta"),
    "camembert": roberta("Camembert"),
}


def input_names(family):
    return FAMILIES[family].get("inputs", INPUTS)


def behind(family, config):
    """Rows of the table of positions that no token of a text takes."""
    rows = FAMILIES[family].get("behind", 0)
    return rows(config) if callable(rows) else rows


def longest_text(family, config):
    return config["max_position_embeddings"] - behind(family, config)


def spelled(family, config):
    """A config, or a change of one, with the family's own spelling of keys."""
    return {FAMILIES[family].get("names", {}).get(k, k): v for k, v in config.items()}
