#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The text encoders of _families.py against transformers: every task and switch, several batch sizes, lengths and paddings. Errors and
their limit are _numeric.py's, over valid positions."""

import json
import os
import sys

import numpy as np
import torch
import transformers
from _families import FAMILIES, TASKS, behind, input_names, longest_text, spelled
from _numeric import ACTIVATIONS, Kind, main
from _oracle import ROOT, Worst, load_reference, make_inputs, run_reference, session


def all_cases(kind, family):
    stem = FAMILIES[family]["stem"]

    def of(name, task, config=None, seed=0, **form):
        return config or {}, kind.case(family, name, task, config, seed, **form)

    for i, task in enumerate(TASKS):
        yield of(task, task, seed=100 + i)
        yield of("sharded, fp16", task, seed=110 + i, shards=3, dtype="float16")
        yield of("bf16, old names", task, seed=120 + i, dtype="bfloat16", legacy=True)
        for positions in ("relative_key", "relative_key_query"):
            yield of(positions, task, {"position_embedding_type": positions}, seed=130 + i)
    for i, act in enumerate(ACTIVATIONS):
        yield of(f"hidden_act {act}", "fill-mask", {"hidden_act": act}, seed=200 + i)
    for i, eps in enumerate((1e-12, 1e-7, 1e-5, 0.1)):
        yield of(f"layer_norm_eps {eps}", "feature-extraction", {"layer_norm_eps": eps}, seed=300 + i)
        yield of(f"layer_norm_eps {eps}", "fill-mask", {"layer_norm_eps": eps}, seed=305 + i)
    for n in (1, 2, 3):
        yield of(f"type_vocab_size {n}", "token-classification", {"type_vocab_size": n}, seed=310 + n)
    for n in (1, 2, 7):
        yield of(f"num_labels {n}", "text-classification", {"num_labels": n}, seed=320 + n)
        yield of(f"num_labels {n}", "token-classification", {"num_labels": n}, seed=330 + n)
    yield of("untied head", "fill-mask", {"tie_word_embeddings": False}, seed=340)
    yield of("untied head, bf16, sharded", "fill-mask", {"tie_word_embeddings": False}, seed=341, dtype="bfloat16", shards=2)
    yield of("tied head, copy in the file", "fill-mask", seed=342, keep_tied=True)
    yield of("tensors of other heads in the file", "fill-mask", seed=343, extras=True)
    yield of("pretraining checkpoint", FAMILIES[family].get("pretraining", "fill-mask"), seed=347, saved_as=f"{stem}ForPreTraining", keep_tied=True)
    if "also" in FAMILIES[family]:
        yield of("keys by other names", "feature-extraction", seed=348, renamed=True)
    yield of("encoder of a masked model", "feature-extraction", seed=344, saved_as=f"{stem}ForMaskedLM")
    yield of("encoder of a classifier", "feature-extraction", {"num_labels": 5}, seed=345, saved_as=f"{stem}ForSequenceClassification")
    yield of("encoder with its prefix", "feature-extraction", seed=346, prefixed=True)
    odd = {"vocab_size": 97, "hidden_size": 33, "num_attention_heads": 3, "intermediate_size": 37, "num_hidden_layers": 1, "max_position_embeddings": 23}
    for i, task in enumerate(TASKS):
        yield of("odd sizes", task, {**odd, **FAMILIES[family]["odd"]}, seed=350 + i)
    one = {"hidden_size": 16, "num_attention_heads": 1, "intermediate_size": 1, "num_hidden_layers": 2, "max_position_embeddings": 2}
    yield of("one head, one unit", "feature-extraction", one, seed=360)
    yield of("heads of width 1", "feature-extraction", {"hidden_size": 12, "num_attention_heads": 12}, seed=361)
    yield of("square everywhere", "fill-mask", {"hidden_size": 64, "intermediate_size": 64, "vocab_size": 64, "max_position_embeddings": 64}, seed=362)
    yield of("512 positions", "question-answering", {"max_position_embeddings": 512, "num_hidden_layers": 2}, seed=364)
    for i, (name, config, *task) in enumerate(FAMILIES[family]["cases"]()):
        yield of(name, task[0] if task else ("feature-extraction", "fill-mask")[i % 2], config, seed=370 + i)


class Text(Kind):
    families, tasks, absent = FAMILIES, TASKS, "text-classification"
    # legacy: the names of LayerNorm as old files spell them; keep_tied: both names of a tied weight; extras: tensors of other heads;
    # renamed: keys of the config by other names.
    forms = {"legacy": False, "keep_tied": False, "extras": False, "renamed": False}
    refused = (
        ("hidden_act prelu", {"hidden_act": "prelu"}, (6,)),
        ("hidden_act xielu", {"hidden_act": "xielu"}, (6,)),
        ("hidden_act unheard_of", {"hidden_act": "unheard_of"}, (6,)),
        ("position_embedding_type rotary", {"position_embedding_type": "rotary"}, (6,)),
        ("is_decoder true", {"is_decoder": True}, (6,)),
        ("hidden_size of the wrong width", {"hidden_size": 52}, (11,)),
        ("num_attention_heads that does not divide", {"num_attention_heads": 7}, (6, 10)),
    )

    def fixed_cases(self, family):
        """Those whose switch and class the family has."""
        for change, c in all_cases(self, family):
            if not self.lacks(family, change) and (not c["saved_as"] or hasattr(transformers, c["saved_as"])):
                yield c

    def random_case(self, family, rng, pick):
        heads = int(rng.integers(1, 7))
        narrow = -(-16 // heads)  # a norm over a handful of elements is a switch, and amplifies rounding without bound
        task = pick(list(TASKS))
        config = {
            "vocab_size": int(rng.integers(3, 400)),
            "num_attention_heads": heads,
            "hidden_size": heads * int(rng.integers(narrow, 24)),
            "intermediate_size": int(rng.integers(1, 150)),
            "num_hidden_layers": int(rng.integers(1, 6)),
            "max_position_embeddings": int(rng.integers(2, 70)),
            "type_vocab_size": int(rng.integers(1, 4)),
            "hidden_act": pick(ACTIVATIONS),
            "layer_norm_eps": pick([1e-12, 1e-6, 1e-3]),
            "position_embedding_type": pick(["absolute", "relative_key", "relative_key_query"]),
            "num_labels": 2 if task == "question-answering" else int(rng.integers(1, 9)),
            "tie_word_embeddings": bool(rng.integers(2)),
            **FAMILIES[family]["random"](rng),
        }
        return task, config, {"legacy": bool(rng.integers(2)), "extras": bool(rng.integers(2))}

    def config_of(self, family, change):
        """In `change` max_position_embeddings is the length of the longest text."""
        config = {k: v for k, v in super().config_of(family, change).items() if not self.lacks(family, [k])}
        return {**config, "max_position_embeddings": config["max_position_embeddings"] + behind(family, config)}

    def spelled(self, family, config):
        return spelled(family, config)

    def document(self, c, config):
        return {FAMILIES[c["family"]]["also"].get(k, k): v for k, v in config.items()} if c["renamed"] else config

    def state(self, c, model, saved):
        family, state = FAMILIES[c["family"]], dict(model.state_dict())
        decoder = family["decoder"]
        if decoder + ".weight" in state and not c["keep_tied"]:
            if model.config.tie_word_embeddings:
                del state[decoder + ".weight"]
            if not family.get("own_bias"):
                del state[decoder + ".bias"]
        if c["extras"] and saved.endswith("ForMaskedLM"):
            state |= {name: torch.ones(shape) for name, shape in family["others"](model.config.hidden_size).items()}
        if c["extras"]:
            prefix = "" if saved.endswith("Model") else model.base_model_prefix + "."
            state[prefix + "embeddings.position_ids"] = torch.arange(model.config.max_position_embeddings).unsqueeze(0)
        if c["legacy"]:
            state = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in state.items()}
        return state

    def ports(self, c):
        dims = ["batch_size", *(["num_choices"] if c["task"] == "multiple-choice" else []), "sequence_length"]
        return [(name, dims) for name in input_names(c["family"])]

    def inputs(self, c, rng):
        longest = longest_text(c["family"], c["config"])
        middle = max(2, longest // 2 + 1)
        for batch, length, padding in (
            (1, 1, "none"), (4, 1, "none"), (2, 2, "none"), (3, 2, "right"), (1, middle, "none"), (3, middle, "right"),
            (3, middle, "left"), (1, longest, "none"), (2, longest, "left"), (5, longest, "right"),
        ):  # fmt: skip
            for choices in [(1,), (3,)] if c["task"] == "multiple-choice" else [()]:
                yield self.text(c, rng, (batch, *choices, min(length, longest)), padding)

    def text(self, c, rng, shape, padding):
        inputs = make_inputs(rng, shape, c["config"]["vocab_size"], c["config"].get("type_vocab_size", 1), padding)
        return {name: inputs[name] for name in input_names(c["family"])}

    def valid(self, c, output, inputs):
        return None if c["task"] in ("text-classification", "multiple-choice") else inputs["attention_mask"]

    def unused(self, c, name):
        relative = c["config"].get("position_embedding_type", "absolute") != "absolute"
        return "pooler" in name or (relative and "position_embeddings" in name)

    def attentions(self, model, inputs):
        return model(**{k: v.reshape(-1, v.shape[-1]) for k, v in inputs.items()}, output_attentions=True).attentions

    def attention_mask(self, inputs):
        return inputs["attention_mask"].reshape(-1, inputs["attention_mask"].shape[-1])


TEXT = Text()


def minilm(run, figures):
    """The published all-MiniLM-L6-v2 weights, with sentences that its own tokenizer made."""
    folder = os.path.join(ROOT, "build/hub/sentence-transformers/all-MiniLM-L6-v2")
    if not os.path.isdir(folder):
        run.check(False, f"all-MiniLM-L6-v2: {folder} is missing: run scripts/get_minilm.sh")
        return
    out = os.path.join(run.scratch, "minilm")
    code, stdout, stderr = run.onnxgate("convert", folder, "--output", out, "--json", "--plain")
    if not run.check(code == 0 and json.loads(stdout)["verdict"] == "pass", f"all-MiniLM-L6-v2: convert, exit code {code} {stderr.strip()[-300:]}"):
        return
    exact = load_reference(transformers.BertModel, folder, torch.float64)
    single = load_reference(transformers.BertModel, folder, torch.float32)
    s = session(os.path.join(out, "model.onnx"))
    text = ["A man is eating food.", "The quick brown fox jumps over the lazy dog, twice.", "ONNX", "x " * 300, "Überraschung: 東京は雨です。"]
    worst, outputs = Worst(["last_hidden_state"]), ["last_hidden_state"]
    for side in ("right", "left"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side=side, model_max_length=512)
        for batch in ([text[0]], text[:3], text):
            inputs = {k: v.astype(np.int64) for k, v in tokenizer(batch, padding=True, truncation=True, return_tensors="np").items()}
            mask = inputs["attention_mask"]
            worst.add(s.run(outputs, inputs), run_reference(single, inputs, outputs), run_reference(exact, inputs, outputs), mask)
    ours, theirs, share = worst.figures()
    figures.append((ours, theirs, "all-MiniLM-L6-v2"))
    run.check(share <= 1, f"all-MiniLM-L6-v2: error {ours:.1e} (transformers fp32 {theirs:.1e}), sentences of 3 to 512 tokens")


if __name__ == "__main__":
    sys.exit(main(TEXT, __doc__, ("all-MiniLM-L6-v2", minilm)))
