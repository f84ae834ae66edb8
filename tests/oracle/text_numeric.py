#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The text encoders of _families.py against transformers: every task and switch, several batch sizes, lengths and paddings.

The error of an output is max |ours − reference| / max |reference| over valid positions of all the runs of a checkpoint; the
reference is transformers in float64. The limit is 1e-5, or twice the error of transformers in float32 where that is larger (it is shown beside ours).
A fixed share of cases has fixed seeds; the rest is drawn from --seed, which is printed."""

import json
import multiprocessing
import os
import sys

import numpy as np
import onnx
import torch
import transformers
from _families import FAMILIES, TASKS, class_name, config_of, input_names, lacks, longest_text, spelled
from _oracle import ROOT, Run, Worst, load_reference, make_inputs, redraw, run_reference, session, write_checkpoint

RUN = None  # made by main(), seen by its forked workers
LEARNED = ("prelu", "xielu")
ACTIVATIONS = sorted(set(transformers.activations.ACT2CLS) - set(LEARNED))
PREFIXED = "the encoder, its names with the prefix"
# How a checkpoint is written, beside its config: see build_state().
FORMS = {"dtype": "float32", "shards": 1, "legacy": False, "keep_tied": False, "extras": False, "saved_as": None, "renamed": False}


def case(family, name, task, config=None, seed=0, **form):
    unknown = set(form) - set(FORMS)
    assert not unknown, unknown
    return {"family": family, "name": name, "task": task, "config": config_of(family, config or {}), "seed": seed, **FORMS, **form}


def title_of(c):
    return f"{c['family']}: {c['task']}" + (f": {c['name']}" if c["name"] != c["task"] else "")


def fixed_cases(family):
    """Of one family: each task as it comes and in each form, then each switch that it has."""
    for change, c in all_cases(family):
        saved = str(c["saved_as"])
        if not lacks(family, change) and (saved in ("None", PREFIXED) or hasattr(transformers, saved)):
            yield c


def all_cases(family):
    stem = FAMILIES[family]["stem"]

    def of(name, task, config=None, seed=0, **form):
        return config or {}, case(family, name, task, config, seed, **form)

    for i, task in enumerate(TASKS):
        yield of(task, task, seed=100 + i)
        yield of("sharded, fp16", task, seed=110 + i, shards=3, dtype="float16")
        yield of("bf16, old names", task, seed=120 + i, dtype="bfloat16", legacy=True)
        for kind in ("relative_key", "relative_key_query"):
            yield of(kind, task, {"position_embedding_type": kind}, seed=130 + i)
    for i, act in enumerate(ACTIVATIONS):
        yield of(f"hidden_act {act}", "fill-mask", {"hidden_act": act}, seed=200 + i)
    for i, eps in enumerate((1e-12, 1e-7, 1e-5, 0.1)):
        yield of(f"layer_norm_eps {eps}", "feature-extraction", {"layer_norm_eps": eps}, seed=300 + i)
        yield of(f"layer_norm_eps {eps}", "fill-mask", {"layer_norm_eps": eps}, seed=305 + i)
    for n in (1, 2, 3):
        yield of(f"type_vocab_size {n}", "token-classification", {"type_vocab_size": n}, seed=310 + n)
    for n in (1, 2, 7):
        yield of(f"num_labels {n}", "text-classification", {"num_labels": n}, seed=320 + n)
        yield of(f"num_labels {n}", "token-classification", {"num_labels": n}, seed=330 + n)
    yield of("untied head", "fill-mask", {"tie_word_embeddings": False}, seed=340)
    yield of("untied head, bf16, sharded", "fill-mask", {"tie_word_embeddings": False}, seed=341, dtype="bfloat16", shards=2)
    yield of("tied head, copy in the file", "fill-mask", seed=342, keep_tied=True)
    yield of("tensors of other heads in the file", "fill-mask", seed=343, extras=True)
    yield of("pretraining checkpoint", FAMILIES[family].get("pretraining", "fill-mask"), seed=347, saved_as=f"{stem}ForPreTraining", keep_tied=True)
    if "also" in FAMILIES[family]:
        yield of("keys by other names", "feature-extraction", seed=348, renamed=True)
    yield of("encoder of a masked model", "feature-extraction", seed=344, saved_as=f"{stem}ForMaskedLM")
    yield of("encoder of a classifier", "feature-extraction", {"num_labels": 5}, seed=345, saved_as=f"{stem}ForSequenceClassification")
    yield of("encoder with its prefix", "feature-extraction", seed=346, saved_as=PREFIXED)
    odd = {"vocab_size": 97, "hidden_size": 33, "num_attention_heads": 3, "intermediate_size": 37, "num_hidden_layers": 1, "max_position_embeddings": 23}
    for i, task in enumerate(TASKS):
        yield of("odd sizes", task, {**odd, **FAMILIES[family]["odd"]}, seed=350 + i)
    one = {"hidden_size": 16, "num_attention_heads": 1, "intermediate_size": 1, "num_hidden_layers": 2, "max_position_embeddings": 2}
    yield of("one head, one unit", "feature-extraction", one, seed=360)
    yield of("heads of width 1", "feature-extraction", {"hidden_size": 12, "num_attention_heads": 12}, seed=361)
    yield of("square everywhere", "fill-mask", {"hidden_size": 64, "intermediate_size": 64, "vocab_size": 64, "max_position_embeddings": 64}, seed=362)
    yield of("512 positions", "question-answering", {"max_position_embeddings": 512, "num_hidden_layers": 2}, seed=364)
    for i, (name, config, *task) in enumerate(FAMILIES[family]["cases"]()):
        yield of(name, task[0] if task else ("feature-extraction", "fill-mask")[i % 2], config, seed=370 + i)


def random_cases(family, seed, count):
    rng = np.random.default_rng([seed, list(FAMILIES).index(family)])

    def pick(values):
        return values[int(rng.integers(len(values)))]

    for i in range(count):
        heads = int(rng.integers(1, 7))
        narrow = -(-16 // heads)  # a norm over a handful of elements is a switch, and amplifies rounding without bound
        task = pick(list(TASKS))
        config = {
            "vocab_size": int(rng.integers(3, 400)),
            "num_attention_heads": heads,
            "hidden_size": heads * int(rng.integers(narrow, 24)),
            "intermediate_size": int(rng.integers(1, 150)),
            "num_hidden_layers": int(rng.integers(1, 6)),
            "max_position_embeddings": int(rng.integers(2, 70)),
            "type_vocab_size": int(rng.integers(1, 4)),
            "hidden_act": pick(ACTIVATIONS),
            "layer_norm_eps": pick([1e-12, 1e-6, 1e-3]),
            "position_embedding_type": pick(["absolute", "relative_key", "relative_key_query"]),
            "num_labels": 2 if task == "question-answering" else int(rng.integers(1, 9)),
            "tie_word_embeddings": bool(rng.integers(2)),
            **FAMILIES[family]["random"](rng),
        }
        yield case(
            family, f"random {i}", task, config, seed=int(rng.integers(2**31)), dtype=pick(["float32", "float16", "bfloat16"]),
            shards=int(rng.integers(1, 4)), legacy=bool(rng.integers(2)), extras=bool(rng.integers(2)),
        )  # fmt: skip


def build_state(c, model, architecture):
    """The tensors as a file of this form names them."""
    family, base = FAMILIES[c["family"]], model.base_model_prefix + "."
    decoder = family["decoder"]
    state = dict(model.state_dict())
    if decoder + ".weight" in state and not c["keep_tied"]:
        if model.config.tie_word_embeddings:
            del state[decoder + ".weight"]
        if not family.get("own_bias"):
            del state[decoder + ".bias"]
    if c["extras"] and architecture.endswith("ForMaskedLM"):
        state |= {name: torch.ones(shape) for name, shape in family["others"](model.config.hidden_size).items()}
    if c["extras"]:
        prefix = "" if architecture.endswith("Model") else base
        state[prefix + "embeddings.position_ids"] = torch.arange(model.config.max_position_embeddings).unsqueeze(0)
    if c["saved_as"] == PREFIXED:
        state = {base + k: v for k, v in state.items()}
    if c["legacy"]:
        state = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in state.items()}
    return state


def make_checkpoint(run, c):
    saved = c["saved_as"] if hasattr(transformers, str(c["saved_as"])) else class_name(c["family"], c["task"])
    config = transformers.AutoConfig.for_model(c["family"], **spelled(c["family"], c["config"]))
    model = getattr(transformers, saved)._from_config(config, attn_implementation="eager")
    redraw(model, torch.Generator().manual_seed(c["seed"]))
    model.tie_weights()
    document = json.loads(config.to_json_string(use_diff=True))
    document["architectures"] = [saved]
    if c["renamed"]:
        document = {FAMILIES[c["family"]]["also"].get(k, k): v for k, v in document.items()}
    folder = run.folder(f"{c['family']}-{c['seed']}")
    write_checkpoint(folder, document, build_state(c, model, saved), getattr(torch, c["dtype"]), c["shards"])
    return folder


def attention_focus(model, inputs, mask):
    """Mean over valid queries of the largest attention weight, relative to a uniform one: 1 means uniform."""
    flat = {k: torch.from_numpy(v.reshape(-1, v.shape[-1])) for k, v in inputs.items()}
    with torch.no_grad():
        weights = model.base_model(**flat, output_attentions=True).attentions
    valid = torch.from_numpy(mask.reshape(-1, mask.shape[-1]).astype(bool))
    lengths = valid.sum(-1, keepdim=True).float()
    return float(torch.stack([(a.amax(-1).mean(1) * lengths)[valid].mean() for a in weights]).mean())


def shapes_of(family, config, task):
    longest = longest_text(family, config)
    middle = max(2, longest // 2 + 1)
    choices = [(1,), (3,)] if task == "multiple-choice" else [()]
    for batch, length, padding in (
        (1, 1, "none"), (4, 1, "none"), (2, 2, "none"), (3, 2, "right"), (1, middle, "none"), (3, middle, "right"),
        (3, middle, "left"), (1, longest, "none"), (2, longest, "left"), (5, longest, "right"),
    ):  # fmt: skip
        for c in choices:
            yield (batch, *c, min(length, longest)), padding


def each_matrix_once(path, model):
    """A layer that is run several times has its weights in the file once."""
    stored = [i.name for i in onnx.load(path).graph.initializer if len(i.dims) > 1]
    weights = [n for n, p in model.named_parameters() if p.dim() > 1]
    assert len(stored) <= len(weights), f"{len(stored)} matrices in the file, the model has {len(weights)}"


def compare(run, c, folder, converted):
    """The largest error over all shapes, ours and that of transformers in float32, and the figures beside them."""
    cls, outputs = getattr(transformers, class_name(c["family"], c["task"])), TASKS[c["task"]][1]
    exact, single = (load_reference(cls, folder, dtype) for dtype in (torch.float64, torch.float32))
    each_matrix_once(os.path.join(converted, "model.onnx"), exact)
    s = session(os.path.join(converted, "model.onnx"))
    names = [i.name for i in s.get_inputs()]
    assert names == input_names(c["family"]), names
    assert [o.name for o in s.get_outputs()] == outputs, [o.name for o in s.get_outputs()]
    rng = np.random.default_rng(c["seed"])
    worst, focus, runs = Worst(outputs), 0.0, 0
    for shape, padding in shapes_of(c["family"], c["config"], c["task"]):
        inputs = make_inputs(rng, shape, c["config"]["vocab_size"], c["config"].get("type_vocab_size", 1), padding)
        inputs = {name: inputs[name] for name in names}
        mask = inputs["attention_mask"]
        worst.add(s.run(outputs, inputs), run_reference(single, inputs, outputs), run_reference(exact, inputs, outputs), mask)
        if shape[-1] > 4:
            focus = max(focus, attention_focus(exact, inputs, mask))
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
        f = compare(RUN, c, folder, converted)
    except Exception as e:
        return False, f"{title}: {type(e).__name__}: {e} (seed {c['seed']}, {c['config']})", None
    detail = f"error {f['ours']:.1e} (transformers fp32 {f['theirs']:.1e}), {f['runs']} shapes, attention {f['focus']:.1f} × uniform"
    seed = f", seed {c['seed']}, {json.dumps(c['config'])}" if f["share"] > 1 or c["name"].startswith("random") else ""
    return f["share"] <= 1, f"{title}: {detail}{seed}", (f["ours"], f["theirs"], title)


def run_cases(cases, figures):
    """One process a processor, each with one thread: the models are tiny. They write to one database, which is meant to stand it."""
    with multiprocessing.get_context("fork").Pool(os.cpu_count()) as pool:
        for passed, line, figure in pool.imap(run_case, cases):
            RUN.check(passed, line)
            figures += [figure] if figure else []


def minilm(run, figures):
    """The published all-MiniLM-L6-v2 weights, with sentences that its own tokenizer made."""
    folder = os.path.join(ROOT, "build/hub/sentence-transformers/all-MiniLM-L6-v2")
    if not os.path.isdir(folder):
        run.check(False, f"all-MiniLM-L6-v2: {folder} is missing: run scripts/get_minilm.sh")
        return
    out = os.path.join(run.scratch, "minilm")
    code, stdout, stderr = run.onnxgate("convert", folder, "--output", out, "--json", "--plain")
    if not run.check(code == 0 and json.loads(stdout)["verdict"] == "pass", f"all-MiniLM-L6-v2: convert, exit code {code} {stderr.strip()[-300:]}"):
        return
    exact = load_reference(transformers.BertModel, folder, torch.float64)
    single = load_reference(transformers.BertModel, folder, torch.float32)
    s = session(os.path.join(out, "model.onnx"))
    text = ["A man is eating food.", "The quick brown fox jumps over the lazy dog, twice.", "ONNX", "x " * 300, "Überraschung: 東京は雨です。"]
    worst, outputs = Worst(["last_hidden_state"]), ["last_hidden_state"]
    for side in ("right", "left"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side=side, model_max_length=512)
        for batch in ([text[0]], text[:3], text):
            inputs = {k: v.astype(np.int64) for k, v in tokenizer(batch, padding=True, truncation=True, return_tensors="np").items()}
            mask = inputs["attention_mask"]
            worst.add(s.run(outputs, inputs), run_reference(single, inputs, outputs), run_reference(exact, inputs, outputs), mask)
    ours, theirs, share = worst.figures()
    figures.append((ours, theirs, "all-MiniLM-L6-v2"))
    run.check(share <= 1, f"all-MiniLM-L6-v2: error {ours:.1e} (transformers fp32 {theirs:.1e}), sentences of 3 to 512 tokens")


REFUSED = (  # of every family: name, change of the config, exit codes that are right
    ("hidden_act prelu", {"hidden_act": "prelu"}, (6,)),
    ("hidden_act xielu", {"hidden_act": "xielu"}, (6,)),
    ("hidden_act unheard_of", {"hidden_act": "unheard_of"}, (6,)),
    ("position_embedding_type rotary", {"position_embedding_type": "rotary"}, (6,)),
    ("is_decoder true", {"is_decoder": True}, (6,)),
    ("hidden_size of the wrong width", {"hidden_size": 52}, (11,)),
    ("num_attention_heads that does not divide", {"num_attention_heads": 7}, (6, 10)),
)


def refusals(run, family):
    """What must not be converted, with the exit code that says why."""
    c = case(family, "refused", "feature-extraction", seed=900)
    rows = [(name, change, [], wanted) for name, change, wanted in (*REFUSED, *FAMILIES[family]["refused"]) if not lacks(family, change)]
    for name, change, extra, wanted in (*rows, ("a head that the file lacks", {}, ["--task", "text-classification"], (6, 12))):
        folder = make_checkpoint(run, c)
        path = os.path.join(folder, "config.json")
        with open(path, encoding="utf-8") as f:
            document = {**json.load(f), **spelled(family, change)}
        with open(path, "w", encoding="utf-8") as f:
            json.dump(document, f)
        out = folder + ".refused"
        code, _, stderr = run.onnxgate("convert", folder, "--output", out, *extra)
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
    if RUN.wants("all-MiniLM-L6-v2"):
        minilm(RUN, figures)
    for family in FAMILIES:
        if RUN.wants(f"{family}: refused"):
            refusals(RUN, family)
    if figures:
        ours, theirs, where = max(figures)
        print(f"largest error of ours: {ours:.1e} ({where}; transformers in float32 there: {theirs:.1e}) over {len(figures)} checkpoints")
    RUN.finish()


if __name__ == "__main__":
    sys.exit(main())
