#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The image encoders of _image_families.py against transformers: every task and switch, several batch sizes and kinds of image. Errors and
their limit are _numeric.py's."""

import sys

import numpy as np
from _image_families import FAMILIES, TASKS
from _numeric import ACTIVATIONS, Kind, main


def sizes_of(config):
    """(channels, height, width)."""
    image = config["image_size"]
    return (config.get("num_channels", 3), *(image if isinstance(image, list) else (image, image)))


def make_images(rng, batch, shape):
    """As a preprocessor leaves them, about −2 to 2; the last of a batch is of one colour."""
    pixels = rng.uniform(-2, 2, (batch, *shape)).astype(np.float32)
    if batch > 1:
        pixels[-1] = rng.uniform(-2, 2, (shape[0], 1, 1))
    return {"pixel_values": pixels}


class Image(Kind):
    families, tasks, absent, runs = FAMILIES, TASKS, "image-classification", "batches"
    refused = (
        ("hidden_act prelu", {"hidden_act": "prelu"}, (6,)),
        ("hidden_act unheard_of", {"hidden_act": "unheard_of"}, (6,)),
        ("is_decoder true", {"is_decoder": True}, (6,)),
        ("image_size of three", {"image_size": [24, 24, 24]}, (10,)),
        ("image_size as text", {"image_size": "24"}, (10,)),
        ("patch_size 0", {"patch_size": 0}, (10,)),
        ("a patch larger than the image", {"image_size": 5}, (6,)),
        ("image_size of another table of positions", {"image_size": 30}, (11,)),
        ("patch_size of another kernel", {"patch_size": 5}, (11,)),
        ("num_channels of another kernel", {"num_channels": 4}, (11,), "image-classification"),
        ("num_attention_heads that does not divide", {"num_attention_heads": 7}, (6,), "image-classification"),
        ("encoder_stride of another decoder", {"encoder_stride": 5}, (11,), "masked-im"),
        ("qkv_bias false, and biases in the file", {"qkv_bias": False}, (12,), "image-classification"),
        ("patches that make no square", {"image_size": [24, 30]}, (6,), "masked-im"),
        ("more layers than the file has", {"num_hidden_layers": 4}, (12,), "image-classification"),
        ("fewer layers than the file has", {"num_hidden_layers": 2}, (12,), "image-classification"),
    )

    def fixed_cases(self, family):
        """Of one family: each task as it comes and in each form, then each switch."""
        stem = FAMILIES[family]["stem"]

        def of(name, task, config=None, seed=0, **form):
            return self.case(family, name, task, config, seed, **form)

        for i, task in enumerate(TASKS):
            yield of(task, task, seed=100 + i)
            yield of("sharded, fp16", task, seed=110 + i, shards=3, dtype="float16")
            yield of("bf16", task, seed=120 + i, dtype="bfloat16")
            yield of("qkv_bias false", task, {"qkv_bias": False}, seed=130 + i)
            yield of("one channel", task, {"num_channels": 1}, seed=140 + i)
            yield of("5 channels", task, {"num_channels": 5}, seed=150 + i)
            yield of("sizes as lists", task, {"image_size": [24, 24], "patch_size": [6, 6]}, seed=160 + i)
            yield of("high image", task, {"image_size": [32, 8], "patch_size": 4}, seed=170 + i)
            yield of("wide patches", task, {"image_size": [24, 36], "patch_size": [4, 6]}, seed=180 + i)
            yield of("patches that do not fill the image", task, {"image_size": 29, "patch_size": 6}, seed=190 + i)
            yield of("one patch", task, {"image_size": 8, "patch_size": 8, "encoder_stride": 8}, seed=200 + i)
            yield of("patches of one pixel", task, {"image_size": 4, "patch_size": 1, "encoder_stride": 1}, seed=210 + i)
            yield of("12 layers", task, {"num_hidden_layers": 12}, seed=220 + i)
            yield of("one layer, one head, one unit", task, {"num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 1}, seed=230 + i)
            yield of("heads of width 1", task, {"hidden_size": 12, "num_attention_heads": 12}, seed=240 + i)
            yield of("odd sizes", task, {"hidden_size": 33, "num_attention_heads": 3, "intermediate_size": 37, "image_size": 35, "patch_size": 7}, seed=250 + i)
            yield of("square everywhere", task, {"hidden_size": 48, "intermediate_size": 48, "image_size": 48, "patch_size": 4}, seed=260 + i)
            for k, eps in enumerate((1e-12, 1e-5, 0.1)):
                yield of(f"layer_norm_eps {eps}", task, {"layer_norm_eps": eps}, seed=270 + 10 * i + k)
        for i, act in enumerate(ACTIVATIONS):
            yield of(f"hidden_act {act}", list(TASKS)[i % 3], {"hidden_act": act}, seed=300 + i)
        for n in (1, 2, 7, 1000):
            yield of(f"num_labels {n}", "image-classification", {"num_labels": n}, seed=400 + n)
        for n in (1, 2, 3, 16):
            yield of(f"encoder_stride {n}", "masked-im", {"encoder_stride": n}, seed=1500 + n)
            yield of(f"encoder_stride {n}, 2 channels", "masked-im", {"encoder_stride": n, "num_channels": 2}, seed=1520 + n)
        yield of("wide, not square", "feature-extraction", {"image_size": [12, 30], "patch_size": [4, 6]}, seed=1540)
        yield of("wide, not square", "image-classification", {"image_size": [12, 30], "patch_size": [4, 6]}, seed=1541)
        yield of("another pooler", "feature-extraction", {"pooler_act": "relu", "pooler_output_size": 17}, seed=1542)
        yield of("base model with its prefix", "feature-extraction", seed=1543, prefixed=True)
        for i, task in enumerate(TASKS):
            if task != "feature-extraction":
                yield of(f"encoder of {self.class_name(family, task)}", "feature-extraction", seed=1550 + i, saved_as=self.class_name(family, task))
        for i, (ending, task) in enumerate(FAMILIES[family]["classes"]):
            for k, config in enumerate(({}, {"num_labels": 1}, {"num_labels": 11, "qkv_bias": False}, {"image_size": [12, 30], "patch_size": [4, 6]})):
                yield of(f"{ending} {config}", task, config, seed=1560 + 10 * i + k, saved_as=stem + ending)
            yield of(f"encoder of {ending}", "feature-extraction", seed=1569 + 10 * i, saved_as=stem + ending)
        yield of("224 × 224, patches of 16", "image-classification", {"image_size": 224, "patch_size": 16, "hidden_size": 64}, seed=1590)
        yield of("384 × 384, patches of 16", "feature-extraction", {"image_size": 384, "patch_size": 16, "hidden_size": 32}, seed=1591)

    def random_case(self, family, rng, pick):
        task, heads = pick(list(TASKS)), int(rng.integers(1, 7))
        rows = int(rng.integers(1, 6))
        columns = rows if task == "masked-im" else int(rng.integers(1, 6))
        patch = [int(v) for v in rng.integers(1, 9, 2)]
        image = [n * p + int(rng.integers(p)) for n, p in zip((rows, columns), patch)]
        config = {
            "num_attention_heads": heads,
            "hidden_size": heads * int(rng.integers(3, 24)),
            "intermediate_size": int(rng.integers(1, 150)),
            "num_hidden_layers": int(rng.integers(1, 6)),
            "image_size": image,
            "patch_size": patch,
            "num_channels": int(rng.integers(1, 5)),
            "encoder_stride": int(rng.integers(1, 9)),
            "qkv_bias": bool(rng.integers(2)),
            "hidden_act": pick(ACTIVATIONS),
            "layer_norm_eps": pick([1e-12, 1e-6, 1e-3]),
            "num_labels": int(rng.integers(1, 9)),
        }
        saved = [None] + [FAMILIES[family]["stem"] + ending for ending, t in FAMILIES[family]["classes"] if t == task]
        return task, config, {"saved_as": pick(saved)}

    def reference_class(self, c):
        """That of the file, unless another task was asked of it."""
        own = c["saved_as"] and c["task"] != "feature-extraction"
        return c["saved_as"] if own else self.class_name(c["family"], c["task"])

    def ports(self, c):
        return [("pixel_values", ["batch_size", *sizes_of(c["config"])])]

    def inputs(self, c, rng):
        for batch in (1, 2, 5):
            yield make_images(rng, batch, sizes_of(c["config"]))


IMAGE = Image()

if __name__ == "__main__":
    sys.exit(main(IMAGE, __doc__))
