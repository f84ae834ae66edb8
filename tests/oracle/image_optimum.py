#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The export folder of an image encoder against Optimum's of the same checkpoint: inputs, outputs, their order, dims and dtypes, opset
and IR version, companion files; and Optimum's own ORTModelFor… classes load ours and agree with transformers.

One difference is meant: Optimum calls the sizes of pixel_values num_channels, height and width, although its file runs at the trained ones
only (another size fails at the addition of the positions, and one with as many patches in another shape gives wrong numbers without a
word). Ours are numbers, so that a runtime refuses the image by its size. Names that the exporter made up for outputs are numbers too."""

import json
import os
import shutil
import sys

import numpy as np
import onnxruntime as ort
import torch
import transformers
from _image_families import FAMILIES, TASKS
from _oracle import LIMIT, Run, load_reference, over_valid, run_reference, session
from image_numeric import case, make_checkpoint, make_images, reference_class, sizes_of, title_of
from optimum import onnxruntime as optimum_ort
from optimum.exporters.onnx import main_export
from text_optimum import facts

ORT_CLASSES = {"feature-extraction": "ORTModelForFeatureExtraction", "image-classification": "ORTModelForImageClassification"}
MEANT = {"num_channels": 0, "height": 1, "width": 2}
SYMBOLS = ("batch_size",)


def with_numbers(values, sizes, shapes):
    """Optimum's ports with the numbers that its other symbols stand for: those of the config, or what a run gave."""
    return [
        (name, kind, [sizes[MEANT[d]] if d in MEANT else d if isinstance(d, int) or d in SYMBOLS else shapes[name][k] for k, d in enumerate(dims)])
        for name, kind, dims in values
    ]


def compare_folders(run, title, c, ours, theirs):
    mine, other = facts(os.path.join(ours, "model.onnx")), facts(os.path.join(theirs, "model.onnx"))
    sizes, outputs = sizes_of(c["config"]), TASKS[c["task"]][1]
    images = make_images(np.random.default_rng(1), 2, sizes)
    shapes = {n: v.shape for n, v in zip(outputs, session(os.path.join(theirs, "model.onnx")).run(outputs, images))}
    for what in ("inputs", "outputs"):
        other[what] = with_numbers(other[what], sizes, shapes)
    for what, expected in other.items():
        run.check(mine[what] == expected, f"{title}: {what}" + ("" if mine[what] == expected else f": expected {expected}, found {mine[what]}"))
    lacking = set(os.listdir(theirs)) - set(os.listdir(ours))
    run.check(not lacking, f"{title}: companion files" + (f": {sorted(lacking)} missing" if lacking else ""))
    results = [session(os.path.join(f, "model.onnx")).run(outputs, images) for f in (ours, theirs)]
    error = max(np.divide(*over_valid(a, b.astype(np.float64), np.ones((0, 0)))) for a, b in zip(*results))
    run.check(error <= LIMIT, f"{title}: against Optimum's file, difference {error:.1e}")


def loads_and_agrees(run, title, c, checkpoint, ours):
    """Optimum has no class for masked-im, so onnxruntime itself loads that one."""
    outputs, rng = TASKS[c["task"]][1], np.random.default_rng(c["seed"])
    reference = load_reference(getattr(transformers, reference_class(c)), checkpoint, torch.float64)
    inputs = make_images(rng, 3, sizes_of(c["config"]))
    name = ORT_CLASSES.get(c["task"], "onnxruntime")
    if c["task"] in ORT_CLASSES:
        result = getattr(optimum_ort, name).from_pretrained(ours)(**{k: torch.from_numpy(v) for k, v in inputs.items()})
        found = [result[o].numpy() for o in outputs]
    else:
        found = session(os.path.join(ours, "model.onnx")).run(outputs, inputs)
    worst = 0.0
    for got, want in zip(found, run_reference(reference, {k: v.astype(np.float64) for k, v in inputs.items()}, outputs)):
        error, scale = over_valid(got, want, np.ones((0, 0)))
        worst = max(worst, error / scale)
    run.check(worst <= LIMIT, f"{title}: {name} loads it, error {worst:.1e}")


def refuses_other_sizes(run, title, c, ours):
    """What the difference in dims is for."""
    channels, height, width = sizes_of(c["config"])
    s, refused = session(os.path.join(ours, "model.onnx")), 0
    others = [(channels, height // 2, width * 2), (channels, height + 1, width), (channels + 1, height, width)]
    for shape in others:
        try:
            s.run(None, make_images(np.random.default_rng(0), 1, shape))
        except ort.capi.onnxruntime_pybind11_state.InvalidArgument:
            refused += 1
    run.check(refused == len(others), f"{title}: images of other sizes are refused by their size ({refused} of {len(others)})")


def made_cases():
    changes = ({}, {"qkv_bias": False, "num_labels": 5}, {"image_size": [24, 36], "patch_size": [4, 6], "num_channels": 1}, {"hidden_act": "quick_gelu"})
    for family in FAMILIES:
        for i, task in enumerate(TASKS):
            for j, change in enumerate(changes):
                yield case(family, str(change or task), task, change, seed=700 + 10 * i + j)
        for i, (ending, task) in enumerate(FAMILIES[family]["classes"]):
            yield case(family, ending, task, {"num_labels": 7}, seed=780 + i, saved_as=FAMILIES[family]["stem"] + ending)


def write_preprocessor(folder, c):
    """The file that stands beside every image model on the Hub, and that both exports copy."""
    _, height, width = sizes_of(c["config"])
    size = {"height": height, "width": width}
    document = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": size, "image_mean": [0.5], "image_std": [0.5]}
    with open(os.path.join(folder, "preprocessor_config.json"), "w", encoding="utf-8") as f:
        json.dump(document, f)


def published(run, title, theirs, checkpoint):
    """Optimum's file, as somebody published it: its symbolic sizes are tried at those of the config."""
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copy(os.path.join(checkpoint, name), theirs)
    code, stdout, stderr = run.onnxgate("check", os.path.join(theirs, "model.onnx"))
    run.check(code == 0, f"{title}: Optimum's file passes the checks, exit code {code} {(stderr or stdout).strip()[-300:] if code else ''}")


def main():
    run = Run(__doc__.split("\n", maxsplit=1)[0])
    for c in made_cases():
        title = title_of(c)
        if not run.wants(title):
            continue
        try:
            checkpoint = make_checkpoint(run, c)
            write_preprocessor(checkpoint, c)
            theirs = run.folder("theirs")
            main_export(checkpoint, output=theirs, task=c["task"], device="cpu", do_validation=False, library_name="transformers")
            ours, _ = run.convert(checkpoint)
            compare_folders(run, title, c, ours, theirs)
            loads_and_agrees(run, title, c, checkpoint, ours)
            refuses_other_sizes(run, title, c, ours)
            published(run, title, theirs, checkpoint)
        except Exception as e:  # whatever it is, it is this case's
            run.check(False, f"{title}: {type(e).__name__}: {e}")
    run.finish()


if __name__ == "__main__":
    sys.exit(main())
