#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our export folder of a decoder against Optimum's of the same checkpoint, Optimum's own classes, which load ours and agree with
transformers, and generate(), which gives transformers' tokens."""

import json
import os
import sys

import numpy as np
import torch
from _decoder_families import FAMILIES, sizes
from _optimum import Optimum, main
from _oracle import LIMIT
from decoder_numeric import DECODER
from optimum import onnxruntime as optimum_ort

PAST, NEW = 3, 12  # positions in the caches of the run that is compared; tokens that generate() adds


class DecoderOptimum(Optimum):
    kind = DECODER
    classes = {"text-classification": "ORTModelForSequenceClassification", "token-classification": "ORTModelForTokenClassification"}

    def cases(self):
        for family, row in FAMILIES.items():
            tasks = [t for t in DECODER.tasks if t not in row["lacks"]]
            for i, task in enumerate(tasks):
                for j, change in enumerate(({}, row.get("optimum", {"tie_word_embeddings": not row["tied"], "num_labels": 5}))):
                    if task == "feature-extraction-with-past" and "sliding_window" in change:
                        change = {**change, "sliding_window": 50}  # the caches of that file are cut to the window, and then those of no text
                    yield DECODER.case(family, str(change or task), task, change, seed=700 + 10 * i + j)

    def prepare(self, checkpoint, c):
        """Optimum writes it anew where it is missing."""
        if c["task"].startswith("text-generation"):
            with open(os.path.join(checkpoint, "generation_config.json"), "w", encoding="utf-8") as f:
                json.dump({"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": c["config"]["pad_token_id"], "do_sample": False}, f)

    def inputs(self, c, rng):
        past = c["task"] == "text-generation-with-past"
        padding = "none" if c["task"] == "feature-extraction-with-past" else "left"  # whose caches nobody would look at
        whole = DECODER.text(c, rng, 3, [PAST, 6] if past else [9], padding)
        if not past:
            return whole
        layers, kv, head = sizes(c["family"], c["config"])
        caches = {f"past_key_values.{i}.{k}": rng.normal(size=(3, kv, PAST, head)).astype(np.float32) for i in range(layers) for k in ("key", "value")}
        return {k: v if k == "attention_mask" else v[:, PAST:] for k, v in whole.items()} | caches

    def reference(self, c, checkpoint):
        return DECODER.reference(c, checkpoint, torch.float64)

    def meant(self, c, what, ports, shapes):
        """Without a past the caches are as long as the text; and a dim that Optimum's trace lost is the number that it is."""
        if what == "inputs":
            return ports
        ours = []
        for name, dtype, dims in ports:
            if name.startswith("present"):
                dims = [dims[0], dims[1], "sequence_length" if c["task"].startswith("feature") else dims[2], sizes(c["family"], c["config"])[2]]
            ours.append((name, dtype, dims))
        return ours

    def loads_and_agrees(self, run, title, c, checkpoint, ours):
        if c["task"] in self.classes or not c["task"].startswith("text-generation"):
            if c["task"] != "feature-extraction-with-past":  # no class loads that
                super().loads_and_agrees(run, title, c, checkpoint, ours)
            return
        self.generates(run, title, c, checkpoint, ours)

    def generates(self, run, title, c, checkpoint, ours):
        """The tokens of a batch of unequal prompts, as far as the best two of the reference are further apart than rounding goes."""
        reference = self.reference(c, checkpoint)
        model = optimum_ort.ORTModelForCausalLM.from_pretrained(ours, use_cache=c["task"].endswith("-with-past"))
        whole = DECODER.text(c, np.random.default_rng(c["seed"]), 3, [7], "left")
        given = {k: torch.from_numpy(whole[k]) for k in ("input_ids", "attention_mask")}
        options = {"max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False, "pad_token_id": c["config"]["pad_token_id"]}
        wanted = reference.generate(**given, **options, return_dict_in_generate=True, output_logits=True)
        found = model.generate(**given, **options, use_cache=c["task"].endswith("-with-past"))
        same, compared = 0, 0
        for row in range(3):
            for i, logits in enumerate(wanted.logits):
                best = logits[row].topk(2).values
                if float(best[0] - best[1]) <= LIMIT * float(logits.abs().max()):
                    break
                compared += 1
                if found[row, 7 + i] != wanted.sequences[row, 7 + i]:
                    break
                same += 1
        run.check(same == compared and same >= NEW, f"{title}: ORTModelForCausalLM.generate(): {same} of {compared} tokens are transformers'")


if __name__ == "__main__":
    sys.exit(main(DecoderOptimum(), __doc__))
