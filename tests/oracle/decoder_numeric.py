#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The decoders of _decoder_families.py against transformers: every task and switch; prompts at once, in two pieces and step by step over a
cache, on both sides of each length at which something changes, padded left and right. Errors and their limit are _numeric.py's."""

import os
import sys

import numpy as np
import torch
import transformers
from _decoder_families import FAMILIES, ON_REQUEST, TASKS, sizes
from _numeric import ACTIVATIONS, Kind, by_position, judge_dims, main
from _oracle import Worst, load_reference, run_reference, session


def positions_of(mask, last):
    """As generate() counts them: padding is passed over."""
    return np.where(mask == 1, mask.cumsum(-1) - 1, min(1, last)).astype(np.int64)


def make_mask(rng, batch, pieces, padding):
    """Of prompts of unequal length, the first piece; row 0 is full. What follows is there."""
    mask = np.ones((batch, sum(pieces)), dtype=np.int64)
    for row in mask[1:] if padding != "none" else ():
        n = int(rng.integers(1, pieces[0])) if pieces[0] > 1 else 0
        if padding == "left":
            row[:n] = 0
        else:
            row[pieces[0] - n : pieces[0]] = 0
    return mask


def forget(module, args):
    """A rope that follows the length keeps the longest that it has seen: each pass is to be as the first."""
    module.inv_freq, module.max_seq_len_cached = module.original_inv_freq, module.original_max_seq_len


def all_cases(kind, family):
    row = FAMILIES[family]
    n = row["names"]
    tasks = [t for t in TASKS if t not in row["lacks"]]
    generation, main_task = "text-generation-with-past", "text-generation-with-past"

    def of(name, task, config=None, seed=0, **form):
        return kind.case(family, name, task, config, seed, **form)

    for i, task in enumerate(tasks):
        yield of(task, task, seed=100 + i)
        yield of("sharded, fp16", task, seed=110 + i, shards=3, dtype="float16")
        yield of("bf16", task, seed=120 + i, dtype="bfloat16")
        odd = {"vocab_size": 97, n["hidden"]: 18, n["heads"]: 3, n["ffn"]: 37, n["layers"]: 1, n["positions"]: 23}
        yield of("odd sizes", task, {**odd, **row.get("odd", {})}, seed=130 + i)
    for i, act in enumerate(ACTIVATIONS):
        yield of(f"activation {act}", main_task, {n["act"]: act}, seed=200 + i)
    for i, eps in enumerate((1e-12, 1e-6, 1e-3, 0.1)):
        yield of(f"epsilon {eps}", generation, {n["eps"]: eps}, seed=220 + i)
    for k in (1, 2, 7):
        for task in ("text-classification", "token-classification"):
            if task in tasks:
                yield of(f"num_labels {k}", task, {"num_labels": k}, seed=230 + k)
    for i, tied in enumerate((True, False)):
        yield of(f"tied {tied}", generation, {"tie_word_embeddings": tied}, seed=240 + i)
        yield of(f"tied {tied}, bf16, sharded", generation, {"tie_word_embeddings": tied}, seed=242 + i, dtype="bfloat16", shards=2)
    yield of("tied head, copy in the file", generation, {"tie_word_embeddings": True}, seed=244, keep_tied=True)
    yield of("decoder of a language model", "feature-extraction", seed=245, saved_as=kind.class_name(family, generation))
    yield of("decoder of a classifier", "feature-extraction", {"num_labels": 5}, seed=246, saved_as=kind.class_name(family, "text-classification"))
    yield of("base model with its prefix", "feature-extraction", seed=247, prefixed=True)
    yield of("names without the prefix", generation, {"tie_word_embeddings": True}, seed=248, bare=True)
    yield of("buffers of old files", generation, seed=249, buffers=True)
    yield of("one layer, one head", generation, {n["layers"]: 1, n["heads"]: 1, **row.get("one head", {})}, seed=250)
    yield of("12 layers", generation, {n["layers"]: 12}, seed=251)
    yield of("pad_token_id of the first token", "text-classification", {"pad_token_id": 0}, seed=252)
    for i, (name, config, *task) in enumerate(row["cases"]()):
        for j, one in enumerate(task or (generation, "feature-extraction")):
            yield of(name, one, config, seed=400 + 2 * i + j)


class Decoder(Kind):
    families, tasks, absent = FAMILIES, TASKS, "text-classification"
    # keep_tied: both names of a tied weight; bare: no prefix, as the oldest files; buffers: what they hold beside the weights.
    forms = {"keep_tied": False, "bare": False, "buffers": False}
    runs = "runs"

    def fixed_cases(self, family):
        return all_cases(self, family)

    def random_case(self, family, rng, pick):
        row = FAMILIES[family]
        n = row["names"]
        heads = int(rng.integers(1, 7))
        config = {
            "vocab_size": int(rng.integers(12, 400)), n["heads"]: heads,
            n["hidden"]: heads * 2 * int(rng.integers(-(-8 // heads), 12)),
            n["ffn"]: int(rng.integers(1, 150)), n["layers"]: int(rng.integers(1, 5)), n["positions"]: int(rng.integers(8, 60)),
            n["act"]: pick(ACTIVATIONS), n["eps"]: pick([1e-6, 1e-5, 1e-3]), "tie_word_embeddings": bool(rng.integers(2)),
            "pad_token_id": int(rng.integers(0, 9)),
        }  # fmt: skip
        config.update(row["random"](rng, pick))
        if config[n["hidden"]] > 8 * heads and "scale_attn_weights" in config:
            config["scale_attn_weights"] = True  # unscaled scores of wide heads choose one key, and what rounding does to which grows from layer to layer
        return pick([t for t in TASKS if t not in row["lacks"]]), config, {}

    def case(self, family, name, task, config=None, seed=0, **form):
        if task in ON_REQUEST:
            form.setdefault("options", ("--task", task))
        return super().case(family, name, task, config, seed, **form)

    def class_name(self, family, task):
        row = FAMILIES[family]
        return row["stem"] + row.get("endings", {}).get(TASKS[task][0], TASKS[task][0])

    def outputs(self, c):
        layers, _, _ = sizes(c["family"], c["config"])
        caches = [f"present.{i}.{kind}" for i in range(layers) for kind in ("key", "value")] if c["task"].endswith("-with-past") else []
        return TASKS[c["task"]][1] + caches

    def document(self, c, config):
        """As older releases wrote it, without layer_types where the case does not give them: other keys then say which layers have a window."""
        return {k: v for k, v in config.items() if k != "layer_types" or k in c["config"]}

    def state(self, c, model, saved):
        row, state = FAMILIES[c["family"]], dict(model.state_dict())
        if model.config.tie_word_embeddings and not c["keep_tied"]:
            state.pop("lm_head.weight", None)
        if c["buffers"]:
            layers, _, head = sizes(c["family"], c["config"])
            for i in range(layers):
                if c["family"] == "gpt2":
                    state |= {f"transformer.h.{i}.attn.bias": torch.ones(1, 1, 8, 8), f"transformer.h.{i}.attn.masked_bias": torch.tensor(-1e4)}
                else:
                    state[f"model.layers.{i}.self_attn.rotary_emb.inv_freq"] = torch.ones(head // 2)
        return {k.removeprefix(row["prefix"]): v for k, v in state.items()} if c["bare"] else state

    # ---- inputs

    def takes_positions(self, c):
        return not c["task"].endswith("classification")

    def ports(self, c):
        layers, kv, head = sizes(c["family"], c["config"])
        batch, length = "batch_size", "sequence_length"
        past = c["task"] == "text-generation-with-past"
        caches = [(f"past_key_values.{i}.{k}", [batch, kv, "past_sequence_length", head]) for i in range(layers) for k in ("key", "value")] if past else []
        mask = ("attention_mask", [batch, "past_sequence_length + sequence_length" if past else length])
        positions = [("position_ids", [batch, length])] if self.takes_positions(c) else []
        first = FAMILIES[c["family"]].get("cache_first")
        return [("input_ids", [batch, length]), *(caches if first else []), mask, *positions, *([] if first else caches)]

    def shapes(self, c):
        """(batch, pieces, padding): what is read at once, and what after it over the cache."""
        row, config = FAMILIES[c["family"]], c["config"]
        last = config[row["names"]["positions"]]
        limit = last if row.get("limited") else last + 6
        marks = [m for m in row["switches"](config) if m > 1]
        for n in sorted({1, 2, 7, limit, *(m + d for m in marks for d in (-1, 0, 1))}):
            yield 1 + n % 2, [min(n, limit)], "none"
        for padding in ("left", "right"):
            yield 3, [min(9, limit)], padding
            yield 4, [limit], padding
        if c["task"] != "text-generation-with-past":
            return
        half = max(1, limit // 2)
        for pieces in ([1] * min(8, limit), [half, limit - half] if limit > 1 else [1], [3, 1, 1, 2] if limit > 6 else [1]):
            yield 2, pieces, "none"
        if limit > 9:
            for padding in ("left", "right"):
                yield 3, [5, 1, 1, 1], padding
                yield 3, [4, 5], padding
        for m in (m for m in marks if 1 < m < limit - 2):
            yield 2, [m - 1, 1, 1, 1], "none"
            yield 3, [m - 1, 1, 1, 1], "left"
            yield 1, [max(1, m // 2), m - max(1, m // 2) + 1, 1], "none"

    def text(self, c, rng, batch, pieces, padding):
        """ids, mask and positions of all the pieces together."""
        last = c["config"][FAMILIES[c["family"]]["names"]["positions"]] - 1
        mask = make_mask(rng, batch, pieces, padding)
        ids = rng.integers(0, c["config"]["vocab_size"], mask.shape, dtype=np.int64)
        if c["task"] == "text-classification":
            ids[mask == 0] = c["config"]["pad_token_id"]
        inputs = {"input_ids": ids, "attention_mask": mask}
        return {**inputs, "position_ids": positions_of(mask, last)} if self.takes_positions(c) else inputs

    def valid(self, c, output, inputs):
        return None if c["task"] == "text-classification" else inputs["attention_mask"]

    def attention_mask(self, inputs):
        return inputs["attention_mask"]

    # ---- runs

    def reference(self, c, folder, dtype):
        model = load_reference(getattr(transformers, self.reference_class(c)), folder, dtype)
        if dtype == torch.float64 and not FAMILIES[c["family"]].get("eager"):
            model.set_attn_implementation("sdpa")  # eager casts its scores to single precision, where the mask's lowest number is -inf: NaN
        for module in model.modules():
            if dtype == torch.float64 and hasattr(module, "reorder_and_upcast_attn"):
                module.reorder_and_upcast_attn = False  # it can do single precision alone; the other order computes the same
            if hasattr(module, "original_inv_freq"):
                module.register_forward_pre_hook(forget)
        return model

    def passes(self, c, s, models, whole, pieces):
        """For each piece: found, and what each model gives; over the caches that each has made itself."""
        outputs, begin, caches, given = self.outputs(c), 0, [transformers.DynamicCache() for _ in models], {}
        past = c["task"] == "text-generation-with-past"
        layers, kv, head = sizes(c["family"], c["config"])
        if past:
            given = {f"past_key_values.{i}.{k}": np.zeros((len(whole["input_ids"]), kv, 0, head), np.float32) for i in range(layers) for k in ("key", "value")}
        for n in pieces:
            piece = {k: v[:, : begin + n] if k == "attention_mask" else v[:, begin : begin + n] for k, v in whole.items()}
            found = s.run(outputs, self.fed(c, {**piece, **given}))
            judge_dims(s, {**piece, **given}, found)
            if past:
                given = {o.replace("present", "past_key_values"): v for o, v in zip(outputs, found) if o.startswith("present")}
            wanted = [self.reference_pass(c, m, cache, piece) for m, cache in zip(models, caches)]
            yield piece, found, wanted
            begin += n

    def reference_pass(self, c, model, cache, piece):
        outputs = self.outputs(c)
        if len(outputs) == 1:
            return run_reference(model, piece, outputs)
        with torch.no_grad():
            result = model(**{k: torch.from_numpy(v) for k, v in piece.items()}, past_key_values=cache, use_cache=True)
        layers = [t.double().numpy() for layer in cache.layers for t in (layer.keys, layer.values)]
        return [result[outputs[0]].double().numpy(), *layers]

    def compare(self, c, folder, converted):
        exact, single = (self.reference(c, folder, dtype) for dtype in (torch.float64, self.single(c)))
        path = os.path.join(converted, "model.onnx")
        self.judge_weights(c, path, exact)
        s, outputs = session(path), self.outputs(c)
        self.judge_ports(c, s)
        worst, focus, runs, rng = Worst(outputs), 0.0, 0, np.random.default_rng(c["seed"])
        for batch, pieces, padding in self.shapes(c):
            whole = self.text(c, rng, batch, pieces, padding)
            for piece, found, (mine, theirs) in self.passes(c, s, (exact, single), whole, pieces):
                n = piece["input_ids"].shape[1]
                masks = [self.valid(c, o, piece) for o in outputs]
                masks = [m if o.startswith("present") or m is None else m[:, -n:] for o, m in zip(outputs, masks)]
                worst.add(*([by_position(o, v) for o, v in zip(outputs, vs)] for vs in (found, theirs, mine)), masks)
                runs += 1
            focus = max(focus, self.attention_focus(single, whole))
        ours, theirs, share = worst.figures()
        return {"ours": ours, "theirs": theirs, "share": share, "focus": focus, "runs": runs}


DECODER = Decoder()

if __name__ == "__main__":
    sys.exit(main(DECODER, __doc__))
