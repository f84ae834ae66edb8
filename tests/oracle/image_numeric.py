#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The image encoders of _image_families.py against transformers: every task and switch, several batch sizes and kinds of image.

The error of an output is max |ours − reference| / max |reference| over all the runs of a checkpoint; the reference is transformers in
float64. The limit is 1e-5, or twice the error of transformers in float32 where that is larger (it is shown beside ours).
A fixed share of cases has fixed seeds; the rest is drawn from --seed, which is printed."""

import json
import multiprocessing
import os
import sys

import numpy as np
import onnx
import torch
import transformers
from _image_families import FAMILIES, TASKS, class_name
from _oracle import Run, Worst, load_reference, redraw, run_reference, session, write_checkpoint

RUN = None  # made by main(), seen by its forked workers
LEARNED = ("prelu", "xielu")
ACTIVATIONS = sorted(set(transformers.activations.ACT2CLS) - set(LEARNED))
# How a checkpoint is written, beside its config. prefixed: names of a base model begin with the family's prefix.
FORMS = {"dtype": "float32", "shards": 1, "saved_as": None, "prefixed": False}


def case(family, name, task, config=None, seed=0, **form):
    unknown = set(form) - set(FORMS)
    assert not unknown, unknown
    return {"family": family, "name": name, "task": task, "config": {**FAMILIES[family]["small"], **(config or {})}, "seed": seed, **FORMS, **form}


def title_of(c):
    return f"{c['family']}: {c['task']}" + (f": {c['name']}" if c["name"] != c["task"] else "")


def fixed_cases(family):
    """Of one family: each task as it comes and in each form, then each switch."""
    stem = FAMILIES[family]["stem"]

    def of(name, task, config=None, seed=0, **form):
        return case(family, name, task, config, seed, **form)

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
            yield of(f"encoder of {class_name(family, task)}", "feature-extraction", seed=1550 + i, saved_as=class_name(family, task))
    for i, (ending, task) in enumerate(FAMILIES[family]["classes"]):
        for k, config in enumerate(({}, {"num_labels": 1}, {"num_labels": 11, "qkv_bias": False}, {"image_size": [12, 30], "patch_size": [4, 6]})):
            yield of(f"{ending} {config}", task, config, seed=1560 + 10 * i + k, saved_as=stem + ending)
        yield of(f"encoder of {ending}", "feature-extraction", seed=1569 + 10 * i, saved_as=stem + ending)
    yield of("224 × 224, patches of 16", "image-classification", {"image_size": 224, "patch_size": 16, "hidden_size": 64}, seed=1590)
    yield of("384 × 384, patches of 16", "feature-extraction", {"image_size": 384, "patch_size": 16, "hidden_size": 32}, seed=1591)


def random_cases(family, seed, count):
    rng = np.random.default_rng([seed, list(FAMILIES).index(family)])

    def pick(values):
        return values[int(rng.integers(len(values)))]

    for i in range(count):
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
        yield case(
            family, f"random {i}", task, config, seed=int(rng.integers(2**31)), dtype=pick(["float32", "float16", "bfloat16"]),
            shards=int(rng.integers(1, 4)), saved_as=pick(saved),
        )  # fmt: skip


def make_checkpoint(run, c):
    saved = c["saved_as"] or class_name(c["family"], c["task"])
    config = transformers.AutoConfig.for_model(c["family"], **c["config"])
    model = getattr(transformers, saved)._from_config(config, attn_implementation="eager")
    redraw(model, torch.Generator().manual_seed(c["seed"]))
    document = json.loads(config.to_json_string(use_diff=True))
    document["architectures"] = [saved]
    folder = run.folder(f"{c['family']}-{c['seed']}")
    state = model.state_dict()
    if c["prefixed"]:
        state = {f"{model.base_model_prefix}.{k}": v for k, v in state.items()}
    write_checkpoint(folder, document, state, getattr(torch, c["dtype"]), c["shards"])
    return folder


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


def reference_class(c):
    """The class whose numbers are wanted: that of the file, unless another task was asked of it."""
    ending = TASKS[c["task"]][0]
    own = c["saved_as"] and c["task"] != "feature-extraction"
    return c["saved_as"] if own else FAMILIES[c["family"]]["stem"] + ending


def attention_focus(model, inputs):
    """Mean over queries of the largest attention weight, relative to a uniform one: 1 means uniform."""
    with torch.no_grad():
        weights = model.base_model(pixel_values=torch.from_numpy(inputs["pixel_values"]).to(model.dtype), output_attentions=True).attentions
    return float(torch.stack([a.amax(-1).mean() * a.shape[-1] for a in weights]).mean())


def compare(c, folder, converted):
    """The largest error over all runs, ours and that of transformers in float32, and the figures beside them."""
    cls, outputs = getattr(transformers, reference_class(c)), TASKS[c["task"]][1]
    exact, single = (load_reference(cls, folder, dtype) for dtype in (torch.float64, torch.float32))
    path = os.path.join(converted, "model.onnx")
    names = {n for n, _ in exact.named_parameters() if "pooler" not in n and "mask_token" not in n}
    stored = {i.name for i in onnx.load(path).graph.initializer}
    bare = {n.removeprefix(exact.base_model_prefix + ".") for n in names}
    assert bare <= {n.removeprefix(exact.base_model_prefix + ".") for n in stored}, f"weights under other names: {sorted(names - stored)[:5]}"
    s = session(path)
    shape = sizes_of(c["config"])
    assert [(i.name, i.shape) for i in s.get_inputs()] == [("pixel_values", ["batch_size", *shape])], [(i.name, i.shape) for i in s.get_inputs()]
    assert [o.name for o in s.get_outputs()] == outputs, [o.name for o in s.get_outputs()]
    rng = np.random.default_rng(c["seed"])
    worst, focus, runs = Worst(outputs), 0.0, 0
    for batch in (1, 2, 5):
        inputs = make_images(rng, batch, shape)
        found, want = s.run(outputs, inputs), run_reference(exact, {k: v.astype(np.float64) for k, v in inputs.items()}, outputs)
        dims = [batch if d == "batch_size" else d for d in s.get_outputs()[0].shape]
        assert list(found[0].shape) == dims, f"declared {dims}, found {found[0].shape}"
        worst.add(found, run_reference(single, inputs, outputs), want, np.ones((0, 0)))
        focus = max(focus, attention_focus(exact, inputs))
        runs += 1
    ours, theirs, share = worst.figures()
    return {"ours": ours, "theirs": theirs, "share": share, "focus": focus, "runs": runs}


def run_case(c):
    """(passed, line to print, figure or None); whatever goes wrong is this case's."""
    title = title_of(c)
    try:
        folder = make_checkpoint(RUN, c)
        converted, document = RUN.convert(folder, "--task", c["task"]) if c["saved_as"] else RUN.convert(folder)
        assert document["task"] == c["task"], f"task {document['task']}, expected {c['task']}"
        f = compare(c, folder, converted)
    except Exception as e:
        return False, f"{title}: {type(e).__name__}: {e} (seed {c['seed']}, {c['config']})", None
    detail = f"error {f['ours']:.1e} (transformers fp32 {f['theirs']:.1e}), {f['runs']} batches, attention {f['focus']:.1f} × uniform"
    seed = f", seed {c['seed']}, {json.dumps(c['config'])}" if f["share"] > 1 or c["name"].startswith("random") else ""
    return f["share"] <= 1, f"{title}: {detail}{seed}", (f["ours"], f["theirs"], title)


def run_cases(cases, figures):
    """One process a processor, each with one thread: the models are tiny."""
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for passed, line, figure in pool.imap(run_case, cases):
            RUN.check(passed, line)
            figures += [figure] if figure else []


REFUSED = (  # of every family: name, task, change of the config, exit codes that are right
    ("hidden_act prelu", "feature-extraction", {"hidden_act": "prelu"}, (6,)),
    ("hidden_act unheard_of", "feature-extraction", {"hidden_act": "unheard_of"}, (6,)),
    ("is_decoder true", "feature-extraction", {"is_decoder": True}, (6,)),
    ("image_size of three", "feature-extraction", {"image_size": [24, 24, 24]}, (10,)),
    ("image_size as text", "feature-extraction", {"image_size": "24"}, (10,)),
    ("patch_size 0", "feature-extraction", {"patch_size": 0}, (10,)),
    ("a patch larger than the image", "feature-extraction", {"image_size": 5}, (6,)),
    ("image_size of another table of positions", "feature-extraction", {"image_size": 30}, (11,)),
    ("patch_size of another kernel", "feature-extraction", {"patch_size": 5}, (11,)),
    ("num_channels of another kernel", "image-classification", {"num_channels": 4}, (11,)),
    ("num_attention_heads that does not divide", "image-classification", {"num_attention_heads": 7}, (6,)),
    ("encoder_stride of another decoder", "masked-im", {"encoder_stride": 5}, (11,)),
    ("qkv_bias false, and biases in the file", "image-classification", {"qkv_bias": False}, (12,)),
    ("patches that make no square", "masked-im", {"image_size": [24, 30]}, (6,)),
    ("more layers than the file has", "image-classification", {"num_hidden_layers": 4}, (12,)),
    ("fewer layers than the file has", "image-classification", {"num_hidden_layers": 2}, (12,)),
)


def refusals(run, family):
    """What must not be converted, with the exit code that says why."""
    extra = ("a head that the file lacks", "feature-extraction", {}, (6, 12))
    for name, task, change, wanted in (*REFUSED, extra):
        folder = make_checkpoint(run, case(family, "refused", task, seed=900))
        path = os.path.join(folder, "config.json")
        with open(path, encoding="utf-8") as f:
            document = {**json.load(f), **change}
        with open(path, "w", encoding="utf-8") as f:
            json.dump(document, f)
        out = folder + ".refused"
        code, _, stderr = run.onnxgate("convert", folder, "--output", out, *(() if change else ("--task", "image-classification")))
        left = os.path.exists(os.path.join(out, "model.onnx"))
        lines = [line for line in stderr.strip().split("\n") if line]
        run.check(code in wanted and not left, f"{family}: refused: {name}: exit code {code} (expected {wanted}): {lines[0] if lines else ''}")


def main():
    global RUN
    RUN = Run(__doc__.split("\n", maxsplit=1)[0])
    print(f"seed {RUN.seed}: of the {RUN.args.random} random cases of each family (--seed {RUN.seed} repeats them)")
    figures = []
    cases = [c for family in FAMILIES for c in (*fixed_cases(family), *random_cases(family, RUN.seed, RUN.args.random))]
    run_cases([c for c in cases if RUN.wants(title_of(c))], figures)
    for family in FAMILIES:
        if RUN.wants(f"{family}: refused"):
            refusals(RUN, family)
    if figures:
        ours, theirs, where = max(figures)
        print(f"largest error of ours: {ours:.1e} ({where}; transformers in float32 there: {theirs:.1e}) over {len(figures)} checkpoints")
    RUN.finish()


if __name__ == "__main__":
    sys.exit(main())
