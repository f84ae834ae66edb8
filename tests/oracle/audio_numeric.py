#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The encoders of sound of _audio_families.py against transformers: every task and switch, several batches and lengths (the fewest samples that a
file can do with, one more, one before and at the next frame, many), without an attention_mask as Optimum's files are, and with one and whatever
was left over under it: then each row is to be what transformers gives for its samples alone. (transformers with a mask is not: its norms over
time, its adapter and its count of a speaker's frames see padding.) Errors and their limit are _numeric.py's."""

import sys

import numpy as np
import onnx
from _audio_families import ADAPTER, FAMILIES, SPEAKER, TASKS
from _numeric import ACTIVATIONS, Kind, main

MASK = ("--with-mask",)
POOLED = ("audio-classification", "audio-frame-classification", "audio-xvector")  # tasks that can read a weighted sum of layers
NORMED = 4  # frames over which the first layer's channels are normalised at least: of fewer float32 cannot tell the deviation


# ---- lengths -----------------------------------------------------------------------------------------------------------


def after(n, convs):
    """How many windows fit, layer by layer: [] when one does not."""
    counts = []
    for kernel, stride in convs:
        n = (n - kernel) // stride + 1
        if n < 1:
            return []
        counts.append(n)
    return counts


def stack_of(config):
    return list(zip(config["conv_kernel"], config["conv_stride"]))


def adapter_of(config):
    """Its windows, as they would be without the padding of one on each side."""
    layers = config.get("num_adapter_layers", 3) if config.get("add_adapter") else 0
    return [(config.get("adapter_kernel_size", 3) - 2, config.get("adapter_stride", 2))] * layers


def is_enough(c, n):
    """Can the model compute something of n samples that float32 can decide?"""
    config = c["config"]
    frames = after(n, stack_of(config))
    if not frames or (config.get("feat_extract_norm", "group") == "group" and frames[0] < NORMED):
        return False
    speaker = c["task"] == "audio-xvector"
    left = [frames[-1], *after(frames[-1], adapter_of(config))]
    if len(left) <= len(adapter_of(config)):
        return False
    seen = left[0] if config.get("use_weighted_layer_sum") else left[-1]
    reach = sum((k - 1) * d for k, d in zip(config["tdnn_kernel"], config["tdnn_dilation"])) if speaker else 0
    return not speaker or seen - reach >= 2


def least_of(c):
    return next(n for n in range(1, 100000) if is_enough(c, n))


def lengths_of(inputs):
    return inputs["attention_mask"].sum(1)


def frames_of(config, n):
    return after(n, stack_of(config))[-1]


# ---- the kind ----------------------------------------------------------------------------------------------------------


def make_sound(rng, lengths, samples, masked):
    """As a feature extractor leaves it, or nearly; the last of a batch of three is silent. What stands behind a row's end is noise."""
    x = rng.standard_normal((len(lengths), samples)).astype(np.float32)
    if len(lengths) > 2:
        x[-1, : lengths[-1]] = 0
    mask = (np.arange(samples) < np.array(lengths)[:, None]).astype(np.int64)
    return {"input_values": x, **({"attention_mask": mask} if masked else {})}


class Audio(Kind):
    families, tasks, absent, runs = FAMILIES, TASKS, "automatic-speech-recognition", "batches"
    forms = {"old_names": False}
    refused = (
        ("hidden_act prelu", {"hidden_act": "prelu"}, (6,)),
        ("feat_extract_activation unheard_of", {"feat_extract_activation": "unheard_of"}, (6,)),
        ("feat_extract_norm batch", {"feat_extract_norm": "batch"}, (6,)),
        ("is_decoder true", {"is_decoder": True}, (6,)),
        ("conv_dim as a number", {"conv_dim": 24}, (10,)),
        ("conv_kernel with a 0", {"conv_kernel": [10, 0, 2]}, (10,)),
        ("conv_stride empty", {"conv_stride": []}, (10,)),
        ("conv_stride of 33", {"conv_stride": [1] * 33}, (10,)),
        ("conv_kernel of another length", {"conv_kernel": [10, 3]}, (6,)),
        ("conv_kernel of other weights", {"conv_kernel": [10, 3, 3]}, (11,)),
        ("conv_dim of other weights", {"conv_dim": [24, 29, 32]}, (11,)),
        ("conv_bias true, and no biases in the file", {"conv_bias": True}, (12,)),
        ("layer norms that the file lacks", {"feat_extract_norm": "layer"}, (12,)),
        ("positions of another kernel", {"num_conv_pos_embeddings": 17}, (11,)),
        ("groups that do not divide", {"num_conv_pos_embedding_groups": 5}, (6,)),
        ("groups of other weights", {"num_conv_pos_embedding_groups": 8}, (11,)),
        ("num_attention_heads that does not divide", {"num_attention_heads": 7}, (6,)),
        ("more layers than the file has", {"num_hidden_layers": 4}, (12,)),
        ("fewer layers than the file has", {"num_hidden_layers": 2}, (12,)),
        ("small layers that the file lacks", {"adapter_attn_dim": 8, "do_stable_layer_norm": True}, (12,)),
        ("an adapter that the file lacks", {"add_adapter": True}, (12,)),
        ("an adapter before classes", {"add_adapter": True}, (6,), "audio-classification"),
        ("vocab_size of another head", {"vocab_size": 30}, (11,), "automatic-speech-recognition"),
        ("classifier_proj_size of another head", {"classifier_proj_size": 21}, (11,), "audio-classification"),
        ("weights of layers that the file lacks", {"use_weighted_layer_sum": True}, (12,), "audio-classification"),
        ("tdnn_kernel of another length", {"tdnn_kernel": [3, 2]}, (6,), "audio-xvector"),
        ("tdnn_kernel of other weights", {"tdnn_kernel": [3, 3, 1]}, (11,), "audio-xvector"),
        ("conv_pos_batch_norm, and a weight norm in the file", {"conv_pos_batch_norm": True}, (12,)),
        ("feat_proj_layer_norm false, and one in the file", {"feat_proj_layer_norm": False}, (12,)),
    )

    def switches(self):
        """name, config, and the tasks that it means something to (None: all)."""
        for i, (norm, stable) in enumerate((("group", True), ("layer", False), ("layer", True))):
            yield f"{norm} norm, stable {stable}", {"feat_extract_norm": norm, "do_stable_layer_norm": stable}, None
            both = {"feat_extract_norm": norm, "do_stable_layer_norm": stable, "use_weighted_layer_sum": True}
            yield f"{norm} norm, stable {stable}, weighted sum", both, POOLED
        yield "weighted sum", {"use_weighted_layer_sum": True}, POOLED
        yield "weighted sum of one layer", {"use_weighted_layer_sum": True, "num_hidden_layers": 1}, POOLED
        yield "biases", {"conv_bias": True}, None
        yield "biases, layer norm", {"conv_bias": True, "feat_extract_norm": "layer"}, None
        for kernel, groups in ((15, 4), (1, 4), (2, 1), (3, 48), (128, 16)):
            yield f"positions of {kernel} in {groups} groups", {"num_conv_pos_embeddings": kernel, "num_conv_pos_embedding_groups": groups}, None
        yield "small layers", {"adapter_attn_dim": 7, "do_stable_layer_norm": True, "feat_extract_norm": "layer", "layer_norm_eps": 1e-3}, None
        yield "small layers, not stable", {"adapter_attn_dim": 7}, None
        yield "small layers, weighted sum", {"adapter_attn_dim": 7, "do_stable_layer_norm": True, "use_weighted_layer_sum": True}, POOLED
        for name, dims, kernels, strides in (
            ("one convolution", [24], [12], [7]),
            ("seven convolutions", [24, 26, 24, 24, 28, 24, 32], [10, 3, 3, 3, 3, 2, 2], [5, 2, 2, 2, 2, 2, 2]),
            ("strides of 1", [24, 24, 24], [3, 1, 2], [1, 1, 1]),
            ("strides beyond kernels", [24, 28], [2, 3], [3, 5]),
            ("windows that do not meet", [24, 28], [4, 3], [4, 3]),
        ):
            for norm in ("group", "layer"):
                yield f"{name}, {norm} norm", {"conv_dim": dims, "conv_kernel": kernels, "conv_stride": strides, "feat_extract_norm": norm}, None
        yield "odd sizes", {"hidden_size": 33, "num_attention_heads": 3, "intermediate_size": 37, "num_conv_pos_embedding_groups": 3}, None
        yield "square everywhere", {"hidden_size": 32, "intermediate_size": 32, "conv_dim": [32, 32, 32], "classifier_proj_size": 32}, None
        yield "one layer, one head, one unit", {"num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 1}, None
        yield "12 layers, stable", {"num_hidden_layers": 12, "do_stable_layer_norm": True}, None
        for eps in (1e-12, 0.1):
            yield f"layer_norm_eps {eps}", {"layer_norm_eps": eps}, None
        yield "nothing normalised before the projection", {"feat_proj_layer_norm": False}, None
        yield "a batch norm before the positions", {"conv_pos_batch_norm": True}, None
        yield "a batch norm, nothing else, stable", {"conv_pos_batch_norm": True, "feat_proj_layer_norm": False, "do_stable_layer_norm": True}, None
        adapted = ("feature-extraction", "automatic-speech-recognition", "audio-xvector")
        for layers, kernel, stride, width in ((3, 3, 2, None), (1, 3, 2, 20), (2, 1, 1, 31), (2, 2, 3, 20), (2, 5, 2, None)):
            change = dict(zip(ADAPTER, (True, layers, kernel, stride, width)))
            yield f"adapter {layers} × {kernel}, stride {stride}, width {width}", change, adapted[: 3 if width is None else 2]
        yield "adapter, stable, small layers", {"add_adapter": True, "do_stable_layer_norm": True, "adapter_attn_dim": 7}, adapted
        yield "adapter beside a weighted sum", {"add_adapter": True, "num_adapter_layers": 1, "use_weighted_layer_sum": True}, adapted
        for dims, kernels, dilations in (([18], [1], [1]), ([18], [4], [3]), ([24, 20], [1, 5], [7, 2]), ([20] * 5, [5, 3, 3, 1, 1], [1, 2, 3, 1, 1])):
            yield f"neighbours {kernels} × {dilations}", {**dict(zip(SPEAKER, (dims, kernels, dilations))), "xvector_output_dim": 11}, ("audio-xvector",)
            if dilations[-1] == 1:
                change = {**dict(zip(SPEAKER, (dims, kernels, dilations))), "feat_extract_norm": "layer"}
                yield f"neighbours {kernels} × {dilations}, layer norm", change, ("audio-xvector",)

    def fixed_cases(self, family):
        """Of one family: each task as it comes and in each form, then each switch, each with a mask and without."""
        own, serial = FAMILIES[family], 0

        def of(name, task, config=None, **form):
            nonlocal serial
            serial += 2
            for masked in (False, True):
                more = {"options": MASK} if masked else {}
                yield self.case(family, name + (", masked" if masked else ""), task, config, 100 + serial + masked, **form, **more)

        for task in own["tasks"]:
            yield from of(task, task)
            yield from of("sharded, fp16", task, shards=3, dtype="float16")
            yield from of("bf16", task, dtype="bfloat16")
            yield from of("old names", task, old_names=True)
        for name, config, tasks in self.switches():
            if not self.lacks(family, config):
                for task in tasks or own["tasks"]:
                    if task in own["tasks"]:
                        yield from of(name, task, config)
        for i, act in enumerate(ACTIVATIONS):
            yield from of(f"hidden_act {act}", own["tasks"][i % len(own["tasks"])], {"hidden_act": act})
            yield from of(f"feat_extract_activation {act}", own["tasks"][i % len(own["tasks"])], {"feat_extract_activation": act})
        for n in (1, 7, 400):
            for task in POOLED[:2]:
                if task in own["tasks"]:
                    yield from of(f"num_labels {n}", task, {"num_labels": n})
        yield from of("base model with its prefix", "feature-extraction", prefixed=True)
        yield from of("base model with its prefix, old names", "feature-extraction", prefixed=True, old_names=True)
        saved = [self.class_name(family, task) for task in own["tasks"][1:]] + [own["stem"] + ending for ending, _ in own["classes"]]
        for name in saved:
            yield from of(f"encoder of {name}", "feature-extraction", saved_as=name)

    def random_case(self, family, rng, pick):
        own = FAMILIES[family]
        task, heads, layers = pick(own["tasks"]), int(rng.integers(1, 7)), int(rng.integers(1, 5))
        groups = int(rng.integers(1, 4))
        wide = heads * groups * (24 // (heads * groups) + int(rng.integers(1, 8)))
        config = {
            "num_attention_heads": heads,
            "hidden_size": wide,
            "intermediate_size": int(rng.integers(1, 150)),
            "num_hidden_layers": int(rng.integers(1, 6)),
            "vocab_size": int(rng.integers(2, 60)),
            "num_labels": int(rng.integers(1, 9)),
            "classifier_proj_size": int(rng.integers(6, 40)),
            "conv_dim": [int(v) for v in rng.integers(24, 48, layers)],
            "conv_kernel": [int(v) for v in rng.integers(1, 9, layers)],
            "conv_stride": [int(v) for v in rng.integers(1, 5, layers)],
            "conv_bias": bool(rng.integers(2)),
            "feat_extract_norm": pick(["group", "layer"]),
            "feat_extract_activation": pick(["gelu", "gelu_new", "silu", "mish", "tanh"]),
            "num_conv_pos_embeddings": int(rng.integers(1, 30)),
            "num_conv_pos_embedding_groups": groups,
            "do_stable_layer_norm": bool(rng.integers(2)),
            "use_weighted_layer_sum": bool(rng.integers(2)),
            "adapter_attn_dim": pick([None, None, 5, 16]),
            "hidden_act": pick(ACTIVATIONS),
            "layer_norm_eps": pick([1e-12, 1e-6, 1e-3]),
            "feat_proj_layer_norm": bool(rng.integers(2)),
            "conv_pos_batch_norm": bool(rng.integers(2)),
        }
        config = {k: v for k, v in config.items() if not self.lacks(family, {k: v})}
        if not self.lacks(family, SPEAKER):
            many = int(rng.integers(1, 4))
            sizes = ([int(v) for v in rng.integers(*ends, many)] for ends in ((16, 40), (1, 5), (1, 4)))
            config.update(zip(SPEAKER, (*sizes, int(rng.integers(6, 30)))))
        if not self.lacks(family, {"add_adapter": True}) and task not in POOLED[:2] and rng.integers(2):
            width = None if task == "audio-xvector" else pick([None, 24, 37])
            config.update(zip(ADAPTER, (True, int(rng.integers(1, 4)), int(rng.integers(1, 6)), int(rng.integers(1, 4)), width)))
        form = {"options": pick([(), MASK]), "old_names": bool(rng.integers(2))}
        return task, config, form

    def state(self, c, model, saved):
        """Weight norm as PyTorch called its two parameters before it had parametrizations, and most files still do."""
        pairs = (("parametrizations.weight.original0", "weight_g"), ("parametrizations.weight.original1", "weight_v"))
        state = super().state(c, model, saved)
        for new, old in pairs if c["old_names"] else ():
            state = {k.replace(new, old): v for k, v in state.items()}
        return state

    def document(self, c, config):
        """What is the default in config.json, too: a size that must fit the weights is said."""
        return {**config, **{k: v for k, v in c["config"].items() if k != "num_labels"}}

    def unused(self, c, name):
        lost = name.endswith("conv_layers.0.conv.bias") and c["config"].get("feat_extract_norm", "group") == "group"  # a norm takes it away again
        mixed = c["task"] in POOLED and c["config"].get("use_weighted_layer_sum") and c["config"].get("add_adapter")  # before the adapter
        return lost or any(part in name for part in ("masked_spec_embed", "parametrizations", "objective.", *((".adapter.",) if mixed else ())))

    def judge_weights(self, c, path, model):
        super().judge_weights(c, path, model)
        assert any(i.name.endswith("pos_conv_embed.conv.weight") for i in onnx.load(path).graph.initializer), "the folded weight has another name"

    def ports(self, c):
        names = ("input_values", *(("attention_mask",) if "--with-mask" in c["options"] else ()))
        return [(name, ["batch_size", "sequence_length"]) for name in names]

    def reference(self, model, inputs, outputs):
        """Under a mask each row alone; where others have more frames, nothing is said of them."""
        if "attention_mask" not in inputs:
            return super().reference(model, inputs, outputs)
        rows = [super(Audio, self).reference(model, {"input_values": x[None, :n]}, outputs) for x, n in zip(inputs["input_values"], lengths_of(inputs))]
        longest = [max(parts, key=lambda p: p.shape[1]).shape[1:] for parts in zip(*rows)]
        return [np.concatenate([np.pad(p, [(0, 0), *((0, most - n) for most, n in zip(shape, p.shape[1:]))]) for p in parts])
                for shape, parts in zip(longest, zip(*rows))]  # fmt: skip

    def valid(self, c, output, inputs):
        """Of the outputs that have frames."""
        if "attention_mask" not in inputs or c["task"] not in ("feature-extraction", "automatic-speech-recognition", "audio-frame-classification"):
            return None
        config = c["config"]
        adapted = [] if c["task"] == "audio-frame-classification" else adapter_of(config)
        frames = [[frames_of(config, n), *after(frames_of(config, n), adapted)][-1] for n in lengths_of(inputs)]
        return np.arange(max(frames)) < np.array(frames)[:, None]

    def attention_mask(self, inputs):
        return None

    def attentions(self, model, inputs):
        return model(inputs["input_values"], output_attentions=True).attentions

    def inputs(self, c, rng):
        least, masked = least_of(c), "--with-mask" in c["options"]
        step = int(np.prod(c["config"]["conv_stride"]))
        for batch, samples in ((2, least), (1, least + 1), (2, least + step - 1), (3, least + step), (3, least + 7 * step + 3), (1, least + 5 * step)):
            lengths = [samples, *(int(n) for n in rng.integers(least, samples + 1, batch - 1))]
            yield make_sound(rng, lengths if masked else [samples] * batch, samples, masked)


AUDIO = Audio()

if __name__ == "__main__":
    sys.exit(main(AUDIO, __doc__))
