# SPDX-License-Identifier: Apache-2.0
"""The encoders with a decoder that seq2seq_numeric.py and seq2seq_optimum.py judge: what of their checkpoints differs from family to
family. A new family is one more row of FAMILIES; every case that both scripts make for one they make for all."""

TASKS = {  # task: ending of the class name, the decoder's first output
    "text2text-generation-with-past": ("ForConditionalGeneration", ["logits"]),
    "text2text-generation": ("ForConditionalGeneration", ["logits"]),
    "feature-extraction": ("Model", ["last_hidden_state"]),
    "feature-extraction-with-past": ("Model", ["last_hidden_state"]),
}
ON_REQUEST = ("text2text-generation", "feature-extraction-with-past")  # not what their class means by itself
BUCKETS = ((32, 128), (8, 20), (16, 40), (4, 5), (64, 256), (10, 30))  # where single precision decides as it does in Python


def t5_cases():
    yield "num_decoder_layers 3", {"num_decoder_layers": 3}
    yield "num_decoder_layers null", {"num_decoder_layers": None}
    yield "more layers of the encoder", {"num_layers": 4, "num_decoder_layers": 1}
    for i, (n, far) in enumerate(BUCKETS):
        yield f"{n} buckets to distance {far}", {"relative_attention_num_buckets": n, "relative_attention_max_distance": far}
    for name in ("relu", "gated-gelu", "gated-silu", "gelu", "gated-relu", "silu", "gated-gelu_new", "gelu_new"):
        yield f"feed_forward_proj {name}", {"feed_forward_proj": name}
    yield "d_kv 1", {"d_kv": 1}
    yield "d_kv of more than d_model", {"d_kv": 40}
    for eps in (1e-12, 1e-3, 0.1):
        yield f"epsilon {eps}", {"layer_norm_epsilon": eps}


def t5_random(rng, pick):
    n, far = pick(BUCKETS)
    return {
        "vocab_size": int(rng.integers(12, 300)), "d_model": int(rng.integers(4, 60)), "d_kv": int(rng.integers(1, 20)), "d_ff": int(rng.integers(1, 90)),
        "num_layers": int(rng.integers(1, 4)), "num_decoder_layers": pick([None, 1, 2, 3]), "num_heads": int(rng.integers(1, 6)),
        "relative_attention_num_buckets": n, "relative_attention_max_distance": far, "layer_norm_epsilon": pick([1e-8, 1e-6, 1e-3]),
        "feed_forward_proj": pick(["relu", "gated-gelu", "gated-silu", "gelu_new"]), "tie_word_embeddings": bool(rng.integers(2)),
    }  # fmt: skip


def t5_sizes(c):
    return c.get("num_decoder_layers") or c["num_layers"], c["num_heads"], c["d_kv"], c["d_model"]


def t5(stem, **more):
    return {
        "stem": stem,
        "small": {"vocab_size": 131, "d_model": 36, "d_kv": 9, "d_ff": 50, "num_layers": 2, "num_heads": 4, "num_decoder_layers": 2,
                  "decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": 1, "feed_forward_proj": "relu", "tie_word_embeddings": True},
        "copies": {"encoder.embed_tokens.weight": "shared.weight", "decoder.embed_tokens.weight": "shared.weight"},
        "old": {"decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight": (32, 4)},
        "sizes": t5_sizes,
        "longest": lambda c: 40,
        "odd": {"d_model": 17, "d_kv": 5, "d_ff": 23, "num_heads": 3, "num_decoder_layers": 1},
        "one": {"num_layers": 1, "num_decoder_layers": 1, "num_heads": 1},
        "deep": {"num_layers": 2, "num_decoder_layers": 24},
        "cases": t5_cases,
        "random": t5_random,
        "optimum": {"num_decoder_layers": 1, "feed_forward_proj": "gated-gelu", "tie_word_embeddings": False},
        "refused": (
            ("feed_forward_proj of an unknown activation", {"feed_forward_proj": "gated-xielu"}, (6,)),
            ("feed_forward_proj of two words", {"feed_forward_proj": "very-gelu"}, (6,)),
            ("dense_act_fn that is no text", {"dense_act_fn": 1}, (10,)),
            ("too few buckets", {"relative_attention_num_buckets": 2}, (6, 11)),
            ("a farthest distance among the near", {"relative_attention_max_distance": 8}, (6,)),
            ("more layers than the file has", {"num_decoder_layers": 3}, (12,)),
            ("d_ff of another width", {"d_ff": 51}, (11,)),
            ("tie_encoder_decoder", {"tie_encoder_decoder": True}, (6,)),
        ),
        **more,
    }  # fmt: skip


# Keys of a row. stem: how class names begin; small: a config; copies: names under which the file may have a tied tensor once more; old: what
# old files hold besides (name: shape); sizes(config): layers, heads, head size of the decoder's caches, and the width of the encoder's
# states; longest: no text is longer; odd, one, deep: changes for the cases of these names; cases, random: beside those of every family;
# optimum: the second config beside Optimum's export.
FAMILIES = {
    "t5": t5("T5"),
    "mt5": t5("MT5"),
}
