#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our export folder of an encoder with a decoder against Optimum's of the same checkpoint, file by file, and Optimum's own class, which loads
ours: generate() gives transformers' tokens, greedily and by beams."""

import json
import os
import sys

import numpy as np
import torch
from _optimum import Optimum, facts, main
from _oracle import LIMIT, over_valid, session
from _seq2seq import cache_names
from _seq2seq_families import FAMILIES
from optimum import onnxruntime as optimum_ort
from seq2seq_numeric import SEQ2SEQ, files_of

NEW = 12  # tokens that generate() adds
ALL = "past_decoder_sequence_length + decoder_sequence_length"


class Seq2SeqOptimum(Optimum):
    kind = SEQ2SEQ

    def cases(self):
        for family, row in FAMILIES.items():
            for i, task in enumerate(SEQ2SEQ.tasks):
                for j, change in enumerate(({}, row["optimum"])):
                    yield SEQ2SEQ.case(family, str(change or task), task, change, seed=700 + 10 * i + j)

    def prepare(self, checkpoint, c):
        """Optimum writes it anew where it is missing."""
        if c["task"].startswith("text2text"):
            keys = ("decoder_start_token_id", "pad_token_id", "eos_token_id", "bos_token_id", "forced_eos_token_id", "forced_bos_token_id")
            document = {k: c["config"][k] for k in keys if k in c["config"]}
            with open(os.path.join(checkpoint, "generation_config.json"), "w", encoding="utf-8") as f:
                json.dump({**document, "do_sample": False}, f)

    def inputs(self, c, rng):
        """Of every file, by its inputs' names; caches and states are random."""
        layers, heads, head, hidden = SEQ2SEQ.sizes(c)
        text = SEQ2SEQ.texts(c, rng, 3, 7, 4, "right")
        caches = {n: (3, heads, 7 if "encoder" in n else 3, head) for n in cache_names(layers, "past_key_values")}
        return {
            "encoder": text,
            "decoder": {
                "encoder_attention_mask": text["attention_mask"], "input_ids": text["decoder_input_ids"],
                "encoder_hidden_states": rng.normal(size=(3, 7, hidden)).astype(np.float32),
                **{n: rng.normal(size=shape).astype(np.float32) for n, shape in caches.items()},
            },
        }  # fmt: skip

    def meant_dims(self, file, name, dims):
        """A file without a past has caches as long as the text; Optimum calls a length "1" that is the text's."""
        if file == "decoder_model" and name.startswith("present"):
            return ["decoder_sequence_length" if d == ALL else d for d in dims]
        return ["decoder_sequence_length" if d == "1" and file == "decoder_with_past_model" else d for d in dims]

    def compare_folders(self, run, title, c, ours, theirs):
        given = self.inputs(c, np.random.default_rng(1))
        for file in files_of(c["task"]):
            mine, other = (facts(os.path.join(f, file + ".onnx")) for f in (ours, theirs))
            other["outputs"] = [(n, t, self.meant_dims(file, n, dims)) for n, t, dims in other["outputs"]]
            if "merged" in file:  # Optimum joins two graphs
                other |= {"graph name": mine["graph name"], "ir_version": mine["ir_version"]}
            for what, expected in other.items():
                run.check(mine[what] == expected, f"{title}: {file}: {what}" + ("" if mine[what] == expected else f": expected {expected}, found {mine[what]}"))
            for cached in (False, True) if "merged" in file else (False,):
                values = {**given["encoder" if file in ("model", "encoder_model") else "decoder"], "use_cache_branch": np.array([cached])}
                if file == "decoder_with_past_model" or cached:  # whose trace takes one position
                    values["input_ids"] = values["input_ids"][:, :1]
                sessions = [session(os.path.join(f, file + ".onnx")) for f in (ours, theirs)]
                fed = {i.name: values[i.name] for i in sessions[0].get_inputs()}
                names = [o.name for o in sessions[0].get_outputs() if not (cached and "encoder" in o.name)]
                results = [s.run(names, fed) for s in sessions]
                mask = values["attention_mask"] if file == "encoder_model" else None
                error = max(np.divide(*over_valid(a, b.astype(np.float64), mask)) for a, b in zip(*results))
                run.check(error <= LIMIT, f"{title}: {file}{' with caches' if cached else ''}: against Optimum's, difference {error:.1e}")
        lacking = set(os.listdir(theirs)) - set(os.listdir(ours))
        run.check(not lacking, f"{title}: companion files" + (f": {sorted(lacking)} missing" if lacking else ""))

    def loads_and_agrees(self, run, title, c, checkpoint, ours):
        if not c["task"].startswith("text2text"):
            return
        past = c["task"].endswith("-with-past")
        reference = self.reference(c, checkpoint)
        for merged in (True, False) if past else (False,):
            form = {"use_cache": past, "use_merged": merged} if past else {"use_cache": False}
            model = optimum_ort.ORTModelForSeq2SeqLM.from_pretrained(ours, **form)
            text = SEQ2SEQ.texts(c, np.random.default_rng(c["seed"]), 3, 7, 1, "right")
            given = {k: torch.from_numpy(text[k]) for k in ("input_ids", "attention_mask")}
            self.generates(run, f"{title}{': merged' if merged else ''}", reference, model, given, past)

    def generates(self, run, title, reference, model, given, past):
        """As far as the best two of the reference are further apart than rounding goes; beams, whose sums decide, have no such margin."""
        options = {"max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False}
        wanted = reference.generate(**given, **options, return_dict_in_generate=True, output_logits=True)
        found = model.generate(**given, **options, use_cache=past)
        same, compared = 0, 0
        for row in range(given["input_ids"].shape[0]):
            for i, logits in enumerate(wanted.logits):
                best = logits[row].topk(2).values
                if float(best[0] - best[1]) <= LIMIT * float(logits.abs().max()):
                    break
                compared += 1
                if found[row, 1 + i] != wanted.sequences[row, 1 + i]:
                    break
                same += 1
        run.check(same == compared and same >= NEW, f"{title}: ORTModelForSeq2SeqLM.generate(): {same} of {compared} tokens are transformers'")
        beams = [m.generate(**given, **options, num_beams=3, **more) for m, more in ((reference, {}), (model, {"use_cache": past}))]
        run.check(torch.equal(*beams), f"{title}: generate() by three beams: the same tokens")


if __name__ == "__main__":
    sys.exit(main(Seq2SeqOptimum(), __doc__))
