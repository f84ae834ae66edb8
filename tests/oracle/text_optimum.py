#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The export folder of a text encoder against Optimum's of the same checkpoint, and in Optimum's own classes: what _optimum.py compares;
real weights with their tokenizer besides."""

import os
import sys

import numpy as np
import torch
import transformers
from _optimum import Optimum, main, same_facts
from _oracle import LIMIT, ROOT, over_valid
from optimum import onnxruntime as optimum_ort
from optimum.exporters.onnx import main_export
from text_numeric import TEXT


class TextOptimum(Optimum):
    kind = TEXT
    classes = {
        "feature-extraction": "ORTModelForFeatureExtraction",
        "fill-mask": "ORTModelForMaskedLM",
        "text-classification": "ORTModelForSequenceClassification",
        "token-classification": "ORTModelForTokenClassification",
        "question-answering": "ORTModelForQuestionAnswering",
        "multiple-choice": "ORTModelForMultipleChoice",
    }

    def cases(self):
        for family in TEXT.families:
            for i, task in enumerate(TEXT.tasks):
                labels = {"num_labels": 2 if task == "question-answering" else 5}
                for j, change in enumerate(({}, {"position_embedding_type": "relative_key", **labels}, {"type_vocab_size": 3}, labels)):
                    # The labels alone where the second case, which changes them too, is none of the family's.
                    if not TEXT.lacks(family, change) and (change != labels or TEXT.lacks(family, ["position_embedding_type"])):
                        yield TEXT.case(family, str(change or task), task, change, seed=700 + 10 * i + j)

    def inputs(self, c, rng):
        return TEXT.text(c, rng, (3, 2, 9) if c["task"] == "multiple-choice" else (3, 9), "right")


def minilm(run):
    """Real weights with their tokenizer: the same text through both files."""
    checkpoint = os.path.join(ROOT, "build/hub/sentence-transformers/all-MiniLM-L6-v2")
    theirs, ours = run.folder("minilm-theirs"), os.path.join(run.scratch, "minilm-ours")
    main_export(checkpoint, output=theirs, task="feature-extraction", device="cpu", do_validation=False, library_name="transformers")
    code, _, stderr = run.onnxgate("convert", checkpoint, "--output", ours, "--plain")
    if not run.check(code == 0, f"all-MiniLM-L6-v2: convert, exit code {code} {stderr.strip()[-300:]}"):
        return
    same_facts(run, "all-MiniLM-L6-v2", ours, theirs)
    tokenizers = [transformers.AutoTokenizer.from_pretrained(f) for f in (ours, theirs)]
    text = ["Is this the same file?", "Yes."]
    tokens = [t(text, padding=True, return_tensors="pt") for t in tokenizers]
    run.check(all(torch.equal(tokens[0][k], tokens[1][k]) for k in tokens[1]), "all-MiniLM-L6-v2: the tokenizer beside our file gives the same ids")
    results = [optimum_ort.ORTModelForFeatureExtraction.from_pretrained(f)(**tokens[0]).last_hidden_state.numpy() for f in (ours, theirs)]
    error, scale = over_valid(results[0], results[1].astype(np.float64), tokens[0]["attention_mask"].numpy())
    run.check(error / scale <= LIMIT, f"all-MiniLM-L6-v2: against Optimum's file, difference {error / scale:.1e}")


if __name__ == "__main__":
    sys.exit(main(TextOptimum(), __doc__, ("all-MiniLM-L6-v2", minilm)))
