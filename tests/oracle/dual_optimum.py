#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Export folders of the models of _dual_families.py against Optimum's. What differs in the inputs' and outputs' dims:

channels, height, width  numbers with us: the positions are a table, and no other size can be run
image_batch_size         of CLIP's outputs is batch_size with us, since that is what its input calls the same number
Add…_dim_1, …            names that PyTorch made up for numbers that are known"""

import sys

import numpy as np
from _dual_families import FAMILIES, has_texts, key_of
from _optimum import Optimum, main
from dual_numeric import DUAL
from image_numeric import make_images
from image_optimum import published, refuses_other_sizes, with_numbers, write_preprocessor


def sizes_of(c):
    """(channels, height, width)."""
    channels, side = (c["config"].get(key_of(c["family"], "vision", k), d) for k, d in (("num_channels", 3), ("image_size", 224)))
    return channels, side, side


class DualOptimum(Optimum):
    kind = DUAL
    classes = {
        "zero-shot-image-classification": "ORTModelForZeroShotImageClassification",
        "image-classification": "ORTModelForImageClassification",
    }

    def class_of(self, c):
        """ORTModelForFeatureExtraction gives last_hidden_state alone, which a file of both encoders does not have."""
        if c["family"] == "clip_vision_model":
            return "ORTModelForFeatureExtraction", ["last_hidden_state"]
        return super().class_of(c)

    def cases(self):
        for family in FAMILIES:
            of = DUAL.of(family)
            for i, task in enumerate(FAMILIES[family]["tasks"]):
                yield of(task, task, seed=800 + i)
                yield of("other images", task, {key_of(family, "vision", k): v for k, v in (("image_size", 26), ("num_channels", 1))}, seed=810 + i)
                if has_texts(family) and task != "image-classification":
                    for j, eos in enumerate((2, 98, 97)):
                        changes = {"text_config.eos_token_id": eos, "text_config.hidden_act": "gelu", "vision_config.hidden_act": "quick_gelu"}
                        yield of(f"eos_token_id {eos}", task, changes, seed=820 + 10 * i + j)
                if task == "image-classification":
                    yield of("7 labels", task, {"num_labels": 7}, seed=850)

    def inputs(self, c, rng):
        images = make_images(rng, 3, sizes_of(c))
        if len(DUAL.ports(c)) == 1:
            return images
        return {**DUAL.texts(c, rng, (4, 11), "right", "once"), **images}

    def prepare(self, checkpoint, c):
        write_preprocessor(checkpoint, sizes_of(c))

    def meant(self, c, what, ports, shapes):
        images = FAMILIES[c["family"]]["images"]
        ports = [(name, kind, [images if d == "image_batch_size" else d for d in dims]) for name, kind, dims in ports]
        return with_numbers(ports, sizes_of(c), shapes, ("batch_size", "text_batch_size", "image_batch_size", "sequence_length"))

    def judge(self, run, title, c, checkpoint, ours, theirs):
        inputs = self.inputs(c, np.random.default_rng(2))
        refuses_other_sizes(run, title, sizes_of(c), ours, {k: v for k, v in inputs.items() if k != "pixel_values"})
        published(run, title, theirs, checkpoint)


if __name__ == "__main__":
    sys.exit(main(DualOptimum(), __doc__))
