# SPDX-License-Identifier: Apache-2.0
"""The decoders that decoder_numeric.py and decoder_optimum.py judge: what of their checkpoints differs from family to family.
A new family is one more row of FAMILIES; every case that both scripts make for one they make for all."""

TASKS = {  # task: ending of the class name, outputs beside the caches
    "text-generation-with-past": ("ForCausalLM", ["logits"]),
    "text-generation": ("ForCausalLM", ["logits"]),
    "feature-extraction": ("Model", ["last_hidden_state"]),
    "feature-extraction-with-past": ("Model", ["last_hidden_state"]),
    "text-classification": ("ForSequenceClassification", ["logits"]),
    "token-classification": ("ForTokenClassification", ["logits"]),
}
ON_REQUEST = ("text-generation", "feature-extraction-with-past")  # not what their class means by itself
GPT2_SMALL = {"vocab_size": 131, "n_embd": 48, "n_layer": 3, "n_head": 4, "n_inner": 80, "n_positions": 40, "pad_token_id": 7}


def gpt2_cases():
    yield "n_inner null", {"n_inner": None}
    yield "scale_attn_by_inverse_layer_idx", {"scale_attn_by_inverse_layer_idx": True}
    yield "scale_attn_weights false", {"scale_attn_weights": False}
    yield "both scales otherwise", {"scale_attn_weights": False, "scale_attn_by_inverse_layer_idx": True}
    yield "reorder_and_upcast_attn", {"reorder_and_upcast_attn": True}
    yield "reorder_and_upcast_attn, scaled by layer", {"reorder_and_upcast_attn": True, "scale_attn_by_inverse_layer_idx": True}
    yield "head of the summary's own keys", {"summary_type": "last", "summary_use_proj": False}


LLAMA_NAMES = {"hidden": "hidden_size", "layers": "num_hidden_layers", "heads": "num_attention_heads", "kv_heads": "num_key_value_heads",
               "ffn": "intermediate_size", "positions": "max_position_embeddings", "act": "hidden_act", "eps": "rms_norm_eps"}  # fmt: skip
LLAMA_SMALL = {"vocab_size": 131, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 80,
               "max_position_embeddings": 40, "pad_token_id": 7, "rope_theta": 10000.0}  # fmt: skip
HALF = 6  # of a head of LLAMA_SMALL


def factors(low, high, n=HALF):
    return [low + (high - low) * i / max(1, n - 1) for i in range(n)]


def rope_cases():
    """Every kind with every key; lengths around each switch are made of it by rope_switches()."""
    yield "rope default", {"rope_scaling": {"rope_type": "default"}}
    yield "rope linear", {"rope_scaling": {"rope_type": "linear", "factor": 3.0}}
    yield "rope linear by its old name", {"rope_scaling": {"type": "linear", "factor": 2.5}}
    yield "rope linear by both names", {"rope_scaling": {"type": "linear", "rope_type": "linear", "factor": 4.0}}
    yield "rope_theta 500000", {"rope_theta": 500000.0}
    yield "rope_theta a whole number", {"rope_theta": 1000000}
    yield "rope_theta 10", {"rope_theta": 10.0}
    for positions, factor in ((16, 2.0), (13, 1.7), (40, 8.0)):
        yield f"rope dynamic, {positions} positions", {"max_position_embeddings": positions, "rope_scaling": {"rope_type": "dynamic", "factor": factor}}
    wave = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    yield "rope llama3", {"rope_scaling": wave, "rope_theta": 500.0}
    other = {"factor": 3.5, "low_freq_factor": 0.7, "high_freq_factor": 2.3, "original_max_position_embeddings": 400}
    yield "rope llama3 otherwise", {"rope_scaling": {**wave, **other}}
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
    yield "rope yarn", {"rope_scaling": yarn, "max_position_embeddings": 128}
    yield "rope yarn without an original length", {"rope_scaling": {"rope_type": "yarn", "factor": 2.0}, "max_position_embeddings": 64}
    yield "rope yarn, attention_factor", {"rope_scaling": {**yarn, "attention_factor": 1.3}}
    yield "rope yarn, attention_factor 0.5", {"rope_scaling": {**yarn, "attention_factor": 0.5}}
    yield "rope yarn, betas", {"rope_scaling": {**yarn, "beta_fast": 4.0, "beta_slow": 0.5}, "rope_theta": 100.0}
    yield "rope yarn, no truncation", {"rope_scaling": {**yarn, "truncate": False, "beta_fast": 3.0}, "rope_theta": 50.0}
    yield "rope yarn, mscale", {"rope_scaling": {**yarn, "mscale": 1.2, "mscale_all_dim": 0.6}}
    yield "rope yarn, mscale alone", {"rope_scaling": {**yarn, "mscale": 1.2}}
    yield "rope yarn, factor 1", {"rope_scaling": {**yarn, "factor": 1.0}}
    long = {"rope_type": "longrope", "short_factor": factors(1.0, 1.4), "long_factor": factors(1.5, 6.0)}
    yield "rope longrope", {"rope_scaling": {**long, "factor": 4.0}, "max_position_embeddings": 12}
    yield "rope longrope, original length beside", {"rope_scaling": long, "original_max_position_embeddings": 12, "max_position_embeddings": 40}
    yield "rope longrope, original length and factor", {"rope_scaling": {**long, "factor": 9.0}, "original_max_position_embeddings": 15}
    yield "rope longrope, attention_factor", {"rope_scaling": {**long, "attention_factor": 1.25}, "original_max_position_embeddings": 9}
    within = {**long, "factor": 2.0, "original_max_position_embeddings": 5}
    yield "rope longrope, an original length that is not read", {"rope_scaling": within, "max_position_embeddings": 14}


def rope_switches(c):
    kind = (c.get("rope_scaling") or {}).get("rope_type")
    if kind == "longrope":
        return (c.get("original_max_position_embeddings") or c["max_position_embeddings"],)
    return (c["max_position_embeddings"],) if kind == "dynamic" else ()


def gated_cases():
    """Of LLaMA and those of its kind."""
    for heads, kv in ((4, 4), (4, 1), (6, 3), (6, 2)):
        yield f"{heads} heads, {kv} of keys", {"num_attention_heads": heads, "num_key_value_heads": kv}
    yield "num_key_value_heads null", {"num_key_value_heads": None}
    for head in (4, 20, 64):
        yield f"head_dim {head}", {"head_dim": head}
    yield "head_dim 16, one head of keys", {"head_dim": 16, "num_key_value_heads": 1}
    yield from rope_cases()


def gated_random(rng, pick):
    kv, groups, half = int(rng.integers(1, 4)), int(rng.integers(1, 4)), int(rng.integers(2, 12))
    rope = pick([None, "linear", "dynamic", "yarn", "longrope", "llama3"])
    f = float(rng.uniform(1, 6))
    scaling = {
        None: None,
        "linear": {"rope_type": "linear", "factor": f},
        "dynamic": {"rope_type": "dynamic", "factor": f},
        "yarn": {"rope_type": "yarn", "factor": f, "original_max_position_embeddings": int(rng.integers(8, 90)), "beta_fast": float(rng.uniform(2, 40))},
        "longrope": {"rope_type": "longrope", "factor": f, "short_factor": rng.uniform(1, 2, half).tolist(), "long_factor": rng.uniform(1, 8, half).tolist()},
        "llama3": {"rope_type": "llama3", "factor": f, "low_freq_factor": 1.0, "high_freq_factor": float(rng.uniform(1.5, 6)),
                   "original_max_position_embeddings": int(rng.integers(8, 200))},
    }[rope]  # fmt: skip
    return {
        "num_key_value_heads": kv, "num_attention_heads": kv * groups, "head_dim": 2 * half, "hidden_size": int(rng.integers(12, 80)),
        "rope_scaling": scaling, "rope_theta": float(pick([50.0, 10000.0, 500000.0])), "max_position_embeddings": int(rng.integers(8, 40)),
    }  # fmt: skip


ROPE_REFUSED = (
    ("rope_scaling of an unknown kind", {"rope_scaling": {"rope_type": "su", "factor": 2.0}}, (6,)),
    ("rope_scaling without a kind", {"rope_scaling": {"factor": 2.0}}, (10,)),
    ("rope_scaling by two names that differ", {"rope_scaling": {"rope_type": "linear", "type": "dynamic", "factor": 2.0}}, (6,)),
    ("rope_scaling without a factor", {"rope_scaling": {"rope_type": "linear"}}, (10,)),
    ("rope_scaling with a strange key", {"rope_scaling": {"rope_type": "linear", "factor": 2.0, "shift": 1}}, (6,)),
    ("longrope with too few factors", {"rope_scaling": {"rope_type": "longrope", "factor": 2.0, "short_factor": [1.0], "long_factor": [1.0]}}, (6,)),
    ("llama3 without its frequencies", {"rope_scaling": {"rope_type": "llama3", "factor": 2.0, "original_max_position_embeddings": 8}}, (10,)),
    ("rope_theta 1", {"rope_theta": 1.0}, (6,)),
    ("partial_rotary_factor", {"partial_rotary_factor": 0.5}, (6,)),
    ("heads of keys that do not divide", {"num_key_value_heads": 3}, (6, 11)),
    ("more layers than the file has", {"num_hidden_layers": 4}, (6, 12)),  # 6: than layer_types has names
    ("hidden_act xielu", {"hidden_act": "xielu"}, (6,)),
)  # fmt: skip


def llama_cases():
    yield from gated_cases()
    yield "attention_bias", {"attention_bias": True}
    yield "mlp_bias", {"mlp_bias": True}
    yield "both biases", {"attention_bias": True, "mlp_bias": True}
    yield "pretraining_tp 2", {"pretraining_tp": 2}
    yield "hidden_size that heads do not divide", {"hidden_size": 50}


def windows(*changes):
    """Sliding windows: each change is tried with windows of 1, of 5 and of more than any text."""
    for change in changes:
        for n in (1, 5, 100):
            yield f"sliding_window {n}, {change}" if change else f"sliding_window {n}", {**change, "sliding_window": n}


def window_switches(c):
    used = c.get("use_sliding_window", True)
    return (*rope_switches(c), *([c["sliding_window"]] if used and c.get("sliding_window") else []))


def mistral_cases():
    yield from gated_cases()
    yield from windows({}, {"head_dim": 20, "num_key_value_heads": 1})
    yield "no sliding_window", {"sliding_window": None}
    yield "a window across a switch of longrope", {"sliding_window": 6, "rope_scaling": {
        "rope_type": "longrope", "factor": 2.0, "short_factor": factors(1.0, 1.4), "long_factor": factors(1.5, 6.0)}, "max_position_embeddings": 12}
    yield "layer_types, which the class does not read", {"layer_types": ["full_attention"] * 3, "sliding_window": 5}


def qwen_cases():
    yield from gated_cases()
    used = {"use_sliding_window": True}
    yield from windows(used, {**used, "max_window_layers": 0}, {**used, "max_window_layers": 1}, {**used, "max_window_layers": 3}, {"max_window_layers": 0})
    full, window = "full_attention", "sliding_attention"
    yield "layer_types", {**used, "sliding_window": 5, "layer_types": [window, full, window]}
    yield "layer_types, a window everywhere", {**used, "sliding_window": 4, "layer_types": [window] * 3, "max_window_layers": 2}
    yield "layer_types, no window anywhere", {**used, "sliding_window": 4, "layer_types": [full] * 3, "max_window_layers": 0}
    yield "sliding_window null", {**used, "sliding_window": None, "max_window_layers": 0}


def qwen3_cases():
    yield from qwen_cases()
    yield "attention_bias", {"attention_bias": True}


def window_random(rng, pick):
    return {
        **gated_random(rng, pick), "sliding_window": int(rng.integers(1, 20)), "use_sliding_window": bool(rng.integers(2)),
        "max_window_layers": int(rng.integers(0, 4)),
    }  # fmt: skip


WINDOW_REFUSED = (
    *ROPE_REFUSED,
    ("layer_types of another length", {"layer_types": ["full_attention"] * 2}, (6,)),
    ("layer_types of an unknown kind", {"layer_types": ["full_attention"] * 2 + ["chunked_attention"]}, (6,)),
    ("layer_types with a window that is not used", {"layer_types": ["full_attention"] * 2 + ["sliding_attention"]}, (6,)),
    ("sliding_window 0", {"sliding_window": 0}, (10,)),
)


def gated(stem, **more):
    """A family of LLaMA's kind."""
    return {
        "stem": stem,
        "lacks": ("token-classification",),
        "names": LLAMA_NAMES,
        "prefix": "model.",
        "tied": False,
        "small": LLAMA_SMALL,
        "odd": {"num_key_value_heads": 1},
        "one head": {"num_key_value_heads": 1},
        "switches": rope_switches,
        "cases": gated_cases,
        "random": gated_random,
        "refused": ROPE_REFUSED,
        **more,
    }


# Keys of a row. stem: how class names begin; endings: where a task's class ends otherwise; lacks: tasks that it does not have; names: its keys
# for sizes, activation and epsilon; cache_first: the caches stand before the mask; eager: the form of attention that the reference must have
# in double precision, too; limited: no position beyond the table; switches(config): lengths at which something changes; cases: beside those
# of every family; odd, one head: what else changes in the cases of these names; optimum: the second config beside Optimum's export.
FAMILIES = {
    "gpt2": {
        "stem": "GPT2",
        "endings": {"ForCausalLM": "LMHeadModel"},
        "lacks": (),
        "names": {"hidden": "n_embd", "layers": "n_layer", "heads": "n_head", "kv_heads": "n_head", "ffn": "n_inner", "positions": "n_positions",
                  "act": "activation_function", "eps": "layer_norm_epsilon"},
        "prefix": "transformer.",
        "tied": True,
        "cache_first": True,
        "eager": True,  # its other forms of attention do not read the scales
        "limited": True,
        "small": GPT2_SMALL,
        "switches": lambda c: (),
        "cases": gpt2_cases,
        "random": lambda rng, pick: {
            "scale_attn_weights": bool(rng.integers(2)), "scale_attn_by_inverse_layer_idx": bool(rng.integers(2)),
            "reorder_and_upcast_attn": bool(rng.integers(2)),
        },
        "refused": (
            ("n_head that does not divide", {"n_head": 7}, (6,)),
            ("add_cross_attention", {"add_cross_attention": True}, (6,)),
            ("n_embd of another width", {"n_embd": 52}, (11,)),
            ("more layers than the file has", {"n_layer": 4}, (12,)),
            ("n_inner of another width", {"n_inner": 81}, (11,)),
            ("activation_function xielu", {"activation_function": "xielu"}, (6,)),
        ),
    },
    "llama": gated(
        "Llama", cases=llama_cases,
        random=lambda rng, pick: {**gated_random(rng, pick), "attention_bias": bool(rng.integers(2)), "mlp_bias": bool(rng.integers(2))},
    ),
    "mistral": gated(
        "Mistral", small={**LLAMA_SMALL, "head_dim": 12, "sliding_window": 4096}, cases=mistral_cases, switches=window_switches,
        random=lambda rng, pick: {**gated_random(rng, pick), "sliding_window": int(rng.integers(1, 20))}, optimum={"sliding_window": 5, "num_labels": 5},
        refused=(*ROPE_REFUSED, ("sliding_window 0", {"sliding_window": 0}, (10,))),
    ),
    "qwen2": gated(
        "Qwen2", lacks=(), small={**LLAMA_SMALL, "use_sliding_window": False}, cases=qwen_cases, switches=window_switches, random=window_random,
        refused=WINDOW_REFUSED,
        optimum={"sliding_window": 5, "use_sliding_window": True, "max_window_layers": 1, "num_labels": 5},
    ),
    "qwen3": gated(
        "Qwen3", small={**LLAMA_SMALL, "head_dim": 12, "use_sliding_window": False}, cases=qwen3_cases, switches=window_switches, refused=WINDOW_REFUSED,
        random=lambda rng, pick: {**window_random(rng, pick), "attention_bias": bool(rng.integers(2))},
        optimum={"sliding_window": 5, "use_sliding_window": True, "max_window_layers": 1, "num_labels": 5},
    ),
}  # fmt: skip


def sizes(family, config):
    """layers, heads of the cache, head size."""
    row = FAMILIES[family]
    names = row["names"]
    heads = config[names["heads"]]
    kv = config.get(names["kv_heads"]) or heads
    head = config.get("head_dim") or row.get("head_dim") or config[names["hidden"]] // heads
    return config[names["layers"]], kv, head
