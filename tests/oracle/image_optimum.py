#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The export folder of an image encoder against Optimum's of the same checkpoint, and in Optimum's own classes: what _optimum.py compares.

One difference is meant: Optimum calls the sizes of pixel_values num_channels, height and width, although its file runs at the trained ones
only (another size fails at the addition of the positions, and one with as many patches in another shape gives wrong numbers without a
word). Ours are numbers, so that a runtime refuses the image by its size. Names that the exporter made up for outputs are numbers too."""

import json
import os
import shutil
import sys

import numpy as np
import onnxruntime as ort
from _image_families import FAMILIES, TASKS
from _optimum import Optimum, main
from _oracle import session
from image_numeric import IMAGE, make_images, sizes_of

MEANT = {"num_channels": 0, "height": 1, "width": 2}
SYMBOLS = ("batch_size",)


def with_numbers(values, sizes, shapes, symbols=SYMBOLS):
    """Optimum's ports with the numbers that its other symbols stand for: those of the config, or what a run gave."""
    return [
        (name, kind, [sizes[MEANT[d]] if d in MEANT else d if isinstance(d, int) or d in symbols else shapes[name][k] for k, d in enumerate(dims)])
        for name, kind, dims in values
    ]


def refuses_other_sizes(run, title, sizes, ours, beside=None):
    """What the difference in dims is for. beside: inputs that are no images."""
    channels, height, width = sizes
    s, refused = session(os.path.join(ours, "model.onnx")), 0
    others = [(channels, height // 2, width * 2), (channels, height + 1, width), (channels + 1, height, width)]
    for shape in others:
        try:
            s.run(None, {**(beside or {}), **make_images(np.random.default_rng(0), 1, shape)})
        except ort.capi.onnxruntime_pybind11_state.InvalidArgument:
            refused += 1
    run.check(refused == len(others), f"{title}: images of other sizes are refused by their size ({refused} of {len(others)})")


def write_preprocessor(checkpoint, sizes):
    """The file that stands beside every image model on the Hub."""
    _, height, width = sizes
    size = {"height": height, "width": width}
    document = {"image_processor_type": "ViTImageProcessor", "do_resize": True, "size": size, "image_mean": [0.5], "image_std": [0.5]}
    with open(os.path.join(checkpoint, "preprocessor_config.json"), "w", encoding="utf-8") as f:
        json.dump(document, f)


def published(run, title, theirs, checkpoint):
    """Optimum's file, as somebody published it: its symbolic sizes are tried at those of the config."""
    for name in ("config.json", "preprocessor_config.json"):
        shutil.copy(os.path.join(checkpoint, name), theirs)
    code, stdout, stderr = run.onnxgate("check", os.path.join(theirs, "model.onnx"))
    run.check(code == 0, f"{title}: Optimum's file passes the checks, exit code {code} {(stderr or stdout).strip()[-300:] if code else ''}")


class ImageOptimum(Optimum):
    kind = IMAGE
    classes = {"feature-extraction": "ORTModelForFeatureExtraction", "image-classification": "ORTModelForImageClassification"}

    def cases(self):
        changes = ({}, {"qkv_bias": False, "num_labels": 5}, {"image_size": [24, 36], "patch_size": [4, 6], "num_channels": 1}, {"hidden_act": "quick_gelu"})
        for family in FAMILIES:
            for i, task in enumerate(TASKS):
                for j, change in enumerate(changes):
                    yield IMAGE.case(family, str(change or task), task, change, seed=700 + 10 * i + j)
            for i, (ending, task) in enumerate(FAMILIES[family]["classes"]):
                yield IMAGE.case(family, ending, task, {"num_labels": 7}, seed=780 + i, saved_as=FAMILIES[family]["stem"] + ending)

    def inputs(self, c, rng):
        return make_images(rng, 3, sizes_of(c["config"]))

    def prepare(self, checkpoint, c):
        write_preprocessor(checkpoint, sizes_of(c["config"]))

    def meant(self, c, what, ports, shapes):
        return with_numbers(ports, sizes_of(c["config"]), shapes)

    def judge(self, run, title, c, checkpoint, ours, theirs):
        refuses_other_sizes(run, title, sizes_of(c["config"]), ours)
        published(run, title, theirs, checkpoint)


if __name__ == "__main__":
    sys.exit(main(ImageOptimum(), __doc__))
