#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The encoders with a decoder of _seq2seq_families.py against transformers: every task, file and switch; a text decoded at once, in pieces and
step by step, by the two decoders and by both branches of the merged one, over the states and caches that our own files gave. Errors and
their limit are _numeric.py's."""

import os
import sys

import numpy as np
import onnx
import torch
import transformers
from _numeric import Kind, by_position, judge_dims, main
from _oracle import Worst, as_default, load_reference, run_reference, session
from _seq2seq import cache_names, decode, encode
from _seq2seq_families import FAMILIES, ON_REQUEST, TASKS

GENERATION = "text2text-generation-with-past"
OWN, CROSS = ("decoder.key", "decoder.value"), ("encoder.key", "encoder.value")
FILES = {"-with-past": ("encoder_model", "decoder_model", "decoder_with_past_model", "decoder_model_merged"), "": ("encoder_model", "decoder_model")}


def files_of(task):
    return ("model",) if task == "feature-extraction" else FILES["-with-past" if task.endswith("-with-past") else ""]


def all_cases(kind, family):
    row = FAMILIES[family]

    def of(name, task, config=None, seed=0, **form):
        return kind.case(family, name, task, config, seed, **form)

    for i, task in enumerate(TASKS):
        yield of(task, task, seed=100 + i)
        yield of("sharded, fp16", task, seed=110 + i, shards=3, dtype="float16")
        yield of("bf16", task, seed=120 + i, dtype="bfloat16")
        yield of("odd sizes", task, row["odd"], seed=130 + i)
        yield of("one layer, one head", task, row["one"], seed=140 + i)
    yield of("24 layers", GENERATION, row["deep"], seed=150)
    for i, tied in enumerate((True, False)):
        yield of(f"tied {tied}", GENERATION, {"tie_word_embeddings": tied}, seed=160 + i)
        yield of(f"tied {tied}, copies in the file", GENERATION, {"tie_word_embeddings": tied}, seed=162 + i, keep_tied=True, shards=2)
    yield of("base of a model that generates", "feature-extraction", seed=170, saved_as=kind.class_name(family, GENERATION))
    yield of("tensors of old files", GENERATION, seed=171, old=True)
    for i, (name, config) in enumerate(row["cases"]()):
        for j, task in enumerate((GENERATION, "feature-extraction")):
            yield of(name, task, config, seed=400 + 2 * i + j)


class Seq2Seq(Kind):
    families, tasks, absent = FAMILIES, TASKS, "text2text-generation"
    forms = {"keep_tied": False, "old": False}  # all names of a tied weight; what old files hold besides
    runs = "runs"

    def fixed_cases(self, family):
        return all_cases(self, family)

    def random_case(self, family, rng, pick):
        return pick(list(TASKS)), FAMILIES[family]["random"](rng, pick), {}

    def case(self, family, name, task, config=None, seed=0, **form):
        if task in ON_REQUEST:
            form.setdefault("options", ("--task", task))
        return super().case(family, name, task, config, seed, **form)

    def sizes(self, c):
        return FAMILIES[c["family"]]["sizes"](c["config"])

    def state(self, c, model, saved):
        row, state = FAMILIES[c["family"]], dict(model.state_dict())
        if not c["keep_tied"]:
            for name in row["copies"]:
                state.pop(name, None)
            if model.config.tie_word_embeddings:
                state.pop("lm_head.weight", None)
        return state | ({n: torch.ones(shape) for n, shape in row["old"].items()} if c["old"] else {})

    def attentions(self, model, inputs):
        given = {k: inputs[k] for k in ("input_ids", "attention_mask")}
        return model.get_encoder()(**given, output_attentions=True).attentions

    def attention_mask(self, inputs):
        return inputs["attention_mask"]

    # ---- what the files are

    def file_ports(self, c, file):
        """(inputs, names of outputs)"""
        layers, heads, head, hidden = self.sizes(c)
        batch, enc, dec, past = "batch_size", "encoder_sequence_length", "decoder_sequence_length", "past_decoder_sequence_length"
        ids, mask = ("input_ids", [batch, enc]), ("attention_mask", [batch, enc])
        if file in ("encoder_model", "model"):
            return [ids, mask, *([("decoder_input_ids", [batch, dec])] if file == "model" else [])], ["last_hidden_state"]
        inputs = [("encoder_attention_mask", [batch, enc]), ("input_ids", [batch, dec])]
        if file != "decoder_with_past_model":
            inputs.append(("encoder_hidden_states", [batch, enc, hidden]))
        if file in ("decoder_with_past_model", "decoder_model_merged"):
            inputs += [(n, [batch, heads, enc if "encoder" in n else past, head]) for n in cache_names(layers, "past_key_values")]
        if file == "decoder_model_merged":
            inputs.append(("use_cache_branch", [1]))
        kinds = OWN if file == "decoder_with_past_model" else OWN + CROSS
        return inputs, TASKS[c["task"]][1] + (cache_names(layers, "present", kinds) if c["task"].endswith("-with-past") else [])

    def judge_files(self, c, folder, sessions, model):
        assert {f for f in os.listdir(folder) if f.endswith(".onnx")} == {f + ".onnx" for f in sessions}, sorted(os.listdir(folder))
        names = set()
        for file, s in sessions.items():
            inputs, outputs = self.file_ports(c, file)
            found = [(i.name, i.shape) for i in s.get_inputs()]
            assert found == inputs, f"{file}: inputs {found}, expected {inputs}"
            assert [o.name for o in s.get_outputs()] == outputs, f"{file}: {[o.name for o in s.get_outputs()]}"
            stored = [i for i in onnx.load(os.path.join(folder, file + ".onnx")).graph.initializer if "constants/" not in i.name]
            assert len({i.name for i in stored}) == len(stored)
            names |= {i.name for i in stored}
        lacking = {n for n, _ in model.named_parameters()} - names
        assert not lacking, f"weights under other names: {sorted(lacking)[:5]}"

    # ---- runs

    def shapes(self, c):
        """(batch, encoder's length, pieces of the decoder's text, padding)"""
        n = FAMILIES[c["family"]]["longest"](c["config"])
        for batch, enc, pieces, padding in ((1, 1, [1], "none"), (2, 2, [2], "none"), (1, 9, [7], "none"), (3, 8, [5], "right"), (3, 7, [4], "left")):
            yield batch, min(enc, n), [min(p, n) for p in pieces], padding
        yield 2, n, [n], "none"
        if c["task"].endswith("-with-past"):
            yield 2, min(6, n), [1] * min(8, n), "none"
            yield 3, min(9, n), [min(3, n - 3), 1, 1, 1], "right"
            yield 2, 3, [n - 5, 4, 1], "none"
            yield 3, n, [2, n - 4, 1, 1], "left"

    def texts(self, c, rng, batch, enc, length, padding):
        mask = np.ones((batch, enc), dtype=np.int64)
        for row in mask[1:] if padding != "none" and enc > 1 else ():
            n = int(rng.integers(1, enc))
            row[slice(0, n) if padding == "left" else slice(enc - n, enc)] = 0
        words = c["config"]["vocab_size"]
        return {
            "input_ids": rng.integers(0, words, (batch, enc), dtype=np.int64), "attention_mask": mask,
            "decoder_input_ids": rng.integers(0, words, (batch, length), dtype=np.int64),
        }  # fmt: skip

    def one_run(self, c, sessions, models, text, pieces, worst):
        mask, ids = text["attention_mask"], text["decoder_input_ids"]
        if "model" in sessions:
            found = sessions["model"].run(None, text)
            judge_dims(sessions["model"], text, found)
            single, exact = (run_reference(m, text, ["last_hidden_state"]) for m in models)
            worst["model"].add(found, single, exact, None)
            return 1
        given = {"input_ids": text["input_ids"], "attention_mask": mask}
        (states,) = sessions["encoder_model"].run(None, given)
        judge_dims(sessions["encoder_model"], given, [states])
        theirs = [self.reference_states(m, given) for m in models]
        worst["encoder_model"].add([states], *([t.double().numpy()] for t in theirs), mask)
        begin, given, pasts = 0, {"encoder_attention_mask": mask, "encoder_hidden_states": states}, [(), ()]
        for n in pieces:
            step = ids[:, begin : begin + n]
            results = [self.reference_step(m, step, t, mask, p) for m, t, p in zip(models, theirs, pasts)]
            pasts = [present for _, present in results]
            self.steps(c, sessions, {**given, "input_ids": step}, results, worst, begin > 0)
            begin += n
        return len(pieces)

    def reference_states(self, model, given):
        with as_default(model.dtype):
            return encode(model, *(torch.from_numpy(given[n]) for n in ("input_ids", "attention_mask")))

    def reference_step(self, model, step, states, mask, past):
        with as_default(model.dtype):
            return decode(model, torch.from_numpy(step), states, torch.from_numpy(mask), past)

    def steps(self, c, sessions, given, results, worst, later):
        """One piece through each decoder that can take it; caches are kept in `given` of the session, by its own name."""
        layers, heads, head, _ = self.sizes(c)
        presents = cache_names(layers, "present")
        wanted = [dict(zip(TASKS[c["task"]][1] + presents, [r, *present])) for r, present in results]
        for file in ("decoder_with_past_model" if later else "decoder_model", "decoder_model_merged"):
            s = sessions.get(file)
            if not s:
                continue
            chain = "merged" if "merged" in file else "two files"
            empty = {n: np.zeros((given["input_ids"].shape[0], heads, 0, head), np.float32) for n in cache_names(layers, "past_key_values")}
            caches = self.caches[chain] if later else empty
            full = {**given, **caches, "use_cache_branch": np.array([later])}
            fed = {i.name: full[i.name] for i in s.get_inputs()}
            names = [o.name for o in s.get_outputs()]
            found = dict(zip(names, s.run(names, self.fed(c, fed))))
            kept = [n for n in names if not (later and "encoder" in n)]
            assert all(found[n].size == 0 for n in names if n not in kept), f"{file}: caches of the encoder's in the branch that takes them"
            if kept == names:  # else some are empty by intent
                length = given["encoder_hidden_states"].shape[1]  # which the caches would have that are not there yet
                full = {k: np.zeros((*v.shape[:2], length, head)) if ".encoder." in k else v for k, v in fed.items()}
                judge_dims(s, full, list(found.values()))
            self.caches[chain] = {**caches, **{n.replace("present", "past_key_values"): found[n] for n in kept if n.startswith("present")}}
            rows = [[by_position(n, v[n] if isinstance(v[n], np.ndarray) else v[n].double().numpy()) for n in kept] for v in (found, *wanted)]
            masks = [given["encoder_attention_mask"] if "encoder" in n else None for n in kept]
            worst[f"{file}, later" if later else file].add(*rows, masks)

    def compare(self, c, folder, converted):
        cls = getattr(transformers, self.reference_class(c))
        exact, single = (load_reference(cls, folder, dtype) for dtype in (torch.float64, self.single(c)))
        sessions = {f: session(os.path.join(converted, f + ".onnx")) for f in files_of(c["task"])}
        self.judge_files(c, converted, sessions, exact)
        worst = {f: Worst(self.file_ports(c, f)[1]) for f in sessions}
        layers = self.sizes(c)[0]
        later = TASKS[c["task"]][1] + cache_names(layers, "present", OWN)
        worst |= {f"{f}, later": Worst(later) for f in ("decoder_with_past_model", "decoder_model_merged")}
        focus, runs, rng = 0.0, 0, np.random.default_rng(c["seed"])
        for batch, enc, pieces, padding in self.shapes(c):
            self.caches = {}
            text = self.texts(c, rng, batch, enc, sum(pieces), padding)
            runs += self.one_run(c, sessions, (single, exact), text, pieces, worst)
            focus = max(focus, self.attention_focus(single, text))
        used = [w for w in worst.values() if all(row[2] for row in w.rows.values())]
        ours, theirs, share = max((w.figures() for w in used), key=lambda f: f[2])
        return {"ours": ours, "theirs": theirs, "share": share, "focus": focus, "runs": runs}


SEQ2SEQ = Seq2Seq()

if __name__ == "__main__":
    sys.exit(main(SEQ2SEQ, __doc__))
