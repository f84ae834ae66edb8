#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""sentence-transformers models against that library itself and Optimum's export of them, over the cases of sentence.py: inputs, outputs, their
order and dims, opset, companion files, the numbers of both files, and those of SentenceTransformer in float64.

Meant differences: the width of an output is a number where Optimum leaves a name that the exporter made up."""

import json
import os
import sys

import numpy as np
import torch
from _oracle import LIMIT, Run, make_inputs, over_valid, session
from _optimum import same_facts
from optimum.exporters.onnx import main_export
from sentence import OUTPUTS, cases, write_modules
from sentence_transformers import SentenceTransformer
from text_numeric import TEXT
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

SYMBOLS = ("batch_size", "sequence_length")


def write_tokenizer(folder, vocab):
    """Any: that library does not load a model without one."""
    words = {"[UNK]": 0, "[PAD]": 1, **{f"w{i}": i for i in range(2, vocab)}}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", model_max_length=32).save_pretrained(folder)
    with open(os.path.join(folder, "config_sentence_transformers.json"), "w", encoding="utf-8") as f:
        json.dump({"__version__": {"sentence_transformers": "5.7.0"}, "similarity_fn_name": "cosine"}, f)


def own_numbers(folder, inputs):
    model = SentenceTransformer(folder, device="cpu", model_kwargs={"attn_implementation": "eager"}).double().eval()
    with torch.no_grad():
        result = model({k: torch.from_numpy(v) for k, v in inputs.items()})
    return [result[name].numpy() for name in OUTPUTS]


def judge(run, title, c, modules, form):
    checkpoint, theirs = TEXT.make_checkpoint(run, c), run.folder("theirs")
    write_modules(checkpoint, modules, form)
    write_tokenizer(checkpoint, c["config"]["vocab_size"])
    main_export(checkpoint, output=theirs, task="feature-extraction", device="cpu", do_validation=False, library_name="sentence_transformers")
    ours, _ = run.convert(checkpoint)
    inputs = make_inputs(np.random.default_rng(c["seed"]), (3, 9), c["config"]["vocab_size"], 1, "right")
    inputs = {k: inputs[k] for k in ("input_ids", "attention_mask")}
    want = own_numbers(checkpoint, inputs)
    files = [session(os.path.join(f, "model.onnx")).run(OUTPUTS, inputs) for f in (ours, theirs)]
    shapes = dict(zip(OUTPUTS, (v.shape for v in files[1])))

    def meant(what, ports):
        return [(n, t, [d if isinstance(d, int) or d in SYMBOLS else shapes[n][k] for k, d in enumerate(dims)]) for n, t, dims in ports]

    same_facts(run, title, ours, theirs, meant)
    for who, other in (("Optimum's file", files[1]), ("SentenceTransformer in float64", want)):
        masks = [inputs["attention_mask"], None]
        error = max(np.divide(*over_valid(a, b.astype(np.float64), mask)) for a, b, mask in zip(files[0], other, masks))
        run.check(error <= LIMIT, f"{title}: against {who}, difference {error:.1e}")


def main():
    run = Run(__doc__.split("\n", maxsplit=1)[0])
    for i, (family, name, modules, form) in enumerate(cases()):
        title = f"{family}: {name}"
        if not run.wants(title):
            continue
        try:
            judge(run, title, TEXT.case(family, name, "feature-extraction", seed=500 + i), modules, form)
        except Exception as e:  # whatever it is, it is this case's
            run.check(False, f"{title}: {type(e).__name__}: {e}")
    run.finish()


if __name__ == "__main__":
    sys.exit(main())
