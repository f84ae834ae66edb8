#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The export folder against Optimum's of the same checkpoint: inputs, outputs, their order, dims and dtypes, opset and IR version,
companion files; and Optimum's own ORTModelFor… classes load ours and agree with transformers."""

import os
import sys

import numpy as np
import onnx
import torch
import transformers
from _families import FAMILIES, TASKS, class_name, input_names, lacks
from _oracle import LIMIT, ROOT, Run, load_reference, make_inputs, over_valid, run_reference
from optimum import onnxruntime as optimum_ort
from optimum.exporters.onnx import main_export
from text_numeric import case, make_checkpoint, title_of

ORT_CLASSES = {
    "feature-extraction": "ORTModelForFeatureExtraction",
    "fill-mask": "ORTModelForMaskedLM",
    "text-classification": "ORTModelForSequenceClassification",
    "token-classification": "ORTModelForTokenClassification",
    "question-answering": "ORTModelForQuestionAnswering",
    "multiple-choice": "ORTModelForMultipleChoice",
}


def signature(values):
    return [(v.name, v.type.tensor_type.elem_type, [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]) for v in values]


def facts(path):
    model = onnx.load(path, load_external_data=False)
    onnx.checker.check_model(path, full_check=True)
    return {
        "inputs": signature(model.graph.input),
        "outputs": signature(model.graph.output),
        "opset": [(o.domain, o.version) for o in model.opset_import],
        "ir_version": model.ir_version,
        "graph name": model.graph.name,
    }


def compare_folders(run, title, ours, theirs):
    mine, other = facts(os.path.join(ours, "model.onnx")), facts(os.path.join(theirs, "model.onnx"))
    for what, expected in other.items():
        run.check(mine[what] == expected, f"{title}: {what}" + ("" if mine[what] == expected else f": expected {expected}, found {mine[what]}"))
    lacking = set(os.listdir(theirs)) - set(os.listdir(ours))
    run.check(not lacking, f"{title}: companion files" + (f": {sorted(lacking)} missing" if lacking else ""))


def loads_and_agrees(run, title, c, checkpoint, ours):
    cls, outputs = class_name(c["family"], c["task"]), TASKS[c["task"]][1]
    model = getattr(optimum_ort, ORT_CLASSES[c["task"]]).from_pretrained(ours)
    reference = load_reference(getattr(transformers, cls), checkpoint, torch.float64)
    shape = (3, 2, 9) if c["task"] == "multiple-choice" else (3, 9)
    rng = np.random.default_rng(c["seed"])
    inputs = make_inputs(rng, shape, c["config"]["vocab_size"], c["config"].get("type_vocab_size", 1), "right")
    inputs = {name: inputs[name] for name in input_names(c["family"])}
    result = model(**{k: torch.from_numpy(v) for k, v in inputs.items()})
    worst = 0.0
    for name, want in zip(outputs, run_reference(reference, inputs, outputs)):
        error, scale = over_valid(result[name].numpy(), want, inputs["attention_mask"])
        worst = max(worst, error / scale)
    run.check(worst <= LIMIT, f"{title}: {type(model).__name__} loads it, error {worst:.1e}")


def made_cases():
    for family in FAMILIES:
        for i, task in enumerate(TASKS):
            labels = 2 if task == "question-answering" else 5
            for j, change in enumerate(({}, {"position_embedding_type": "relative_key", "num_labels": labels}, {"type_vocab_size": 3}, {"num_labels": labels})):
                if lacks(family, change) or (change == {"num_labels": labels} and not lacks(family, ["position_embedding_type"])):
                    continue
                yield case(family, str(change or task), task, change, seed=700 + 10 * i + j)


def made(run):
    for c in made_cases():
        title = title_of(c)
        if not run.wants(title):
            continue
        try:
            checkpoint = make_checkpoint(run, c)
            theirs = run.folder("theirs")
            main_export(checkpoint, output=theirs, task=c["task"], device="cpu", do_validation=False, library_name="transformers")
            ours, _ = run.convert(checkpoint)
            compare_folders(run, title, ours, theirs)
            loads_and_agrees(run, title, c, checkpoint, ours)
        except Exception as e:  # whatever it is, it is this case's
            run.check(False, f"{title}: {type(e).__name__}: {e}")


def minilm(run):
    """Real weights with their tokenizer: the same text through both files."""
    checkpoint = os.path.join(ROOT, "build/hub/sentence-transformers/all-MiniLM-L6-v2")
    theirs, ours = run.folder("minilm-theirs"), os.path.join(run.scratch, "minilm-ours")
    main_export(checkpoint, output=theirs, task="feature-extraction", device="cpu", do_validation=False, library_name="transformers")
    code, _, stderr = run.onnxgate("convert", checkpoint, "--output", ours, "--plain")
    if not run.check(code == 0, f"all-MiniLM-L6-v2: convert, exit code {code} {stderr.strip()[-300:]}"):
        return
    compare_folders(run, "all-MiniLM-L6-v2", ours, theirs)
    tokenizers = [transformers.AutoTokenizer.from_pretrained(f) for f in (ours, theirs)]
    text = ["Is this the same file?", "Yes."]
    tokens = [t(text, padding=True, return_tensors="pt") for t in tokenizers]
    run.check(all(torch.equal(tokens[0][k], tokens[1][k]) for k in tokens[1]), "all-MiniLM-L6-v2: the tokenizer beside our file gives the same ids")
    results = [optimum_ort.ORTModelForFeatureExtraction.from_pretrained(f)(**tokens[0]).last_hidden_state.numpy() for f in (ours, theirs)]
    error, scale = over_valid(results[0], results[1].astype(np.float64), tokens[0]["attention_mask"].numpy())
    run.check(error / scale <= LIMIT, f"all-MiniLM-L6-v2: against Optimum's file, difference {error / scale:.1e}")


def main():
    run = Run(__doc__.split("\n", maxsplit=1)[0])
    made(run)
    if run.wants("all-MiniLM-L6-v2"):
        minilm(run)
    run.finish()


if __name__ == "__main__":
    sys.exit(main())
