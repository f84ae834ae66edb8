#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""BERT against transformers: every task and switch, several batch sizes, lengths and paddings.

The error of an output is max |ours − reference| / max |reference| over valid positions of all the runs of a checkpoint; the
reference is transformers in float64. The limit is 1e-5, or twice the error of transformers in float32 where that is larger (it is shown beside ours).
A fixed share of cases has fixed seeds; the rest is drawn from --seed, which is printed."""

import json
import multiprocessing
import os
import sys

import numpy as np
import torch
import transformers
from _oracle import ROOT, Run, Worst, load_reference, make_inputs, redraw, run_reference, session, write_checkpoint

RUN = None  # made by main(), seen by its forked workers
TASKS = {  # task: class, outputs
    "feature-extraction": ("BertModel", ["last_hidden_state"]),
    "fill-mask": ("BertForMaskedLM", ["logits"]),
    "text-classification": ("BertForSequenceClassification", ["logits"]),
    "token-classification": ("BertForTokenClassification", ["logits"]),
    "question-answering": ("BertForQuestionAnswering", ["start_logits", "end_logits"]),
    "multiple-choice": ("BertForMultipleChoice", ["logits"]),
}
SMALL = {
    "vocab_size": 131, "hidden_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 80,
    "max_position_embeddings": 40, "type_vocab_size": 2,
}  # fmt: skip
LEARNED = ("prelu", "xielu")
ACTIVATIONS = sorted(set(transformers.activations.ACT2CLS) - set(LEARNED))
# How a checkpoint is written, beside its config: see build_state().
FORMS = {"dtype": "float32", "shards": 1, "legacy": False, "keep_tied": False, "extras": False, "saved_as": None}


def case(name, task, config=None, seed=0, **form):
    unknown = set(form) - set(FORMS)
    assert not unknown, unknown
    return {"name": name, "task": task, "config": {**SMALL, **(config or {})}, "seed": seed, **FORMS, **form}


def fixed_cases():
    for i, task in enumerate(TASKS):
        yield case(task, task, seed=100 + i)
        yield case(f"{task}, sharded, fp16", task, seed=110 + i, shards=3, dtype="float16")
        yield case(f"{task}, bf16, old names", task, seed=120 + i, dtype="bfloat16", legacy=True)
        for kind in ("relative_key", "relative_key_query"):
            yield case(f"{task}, {kind}", task, {"position_embedding_type": kind}, seed=130 + i)
    for i, act in enumerate(ACTIVATIONS):
        yield case(f"hidden_act {act}", "fill-mask", {"hidden_act": act}, seed=200 + i)
    for i, eps in enumerate((1e-12, 1e-7, 1e-5, 0.1)):
        yield case(f"layer_norm_eps {eps}", "feature-extraction", {"layer_norm_eps": eps}, seed=300 + i)
    for n in (1, 2, 3):
        yield case(f"type_vocab_size {n}", "token-classification", {"type_vocab_size": n}, seed=310 + n)
    for n in (1, 2, 7):
        yield case(f"num_labels {n}", "text-classification", {"num_labels": n}, seed=320 + n)
        yield case(f"num_labels {n}", "token-classification", {"num_labels": n}, seed=330 + n)
    yield case("untied head", "fill-mask", {"tie_word_embeddings": False}, seed=340)
    yield case("untied head, bf16, sharded", "fill-mask", {"tie_word_embeddings": False}, seed=341, dtype="bfloat16", shards=2)
    yield case("tied head, copy in the file", "fill-mask", seed=342, keep_tied=True)
    yield case("tensors of other heads in the file", "fill-mask", seed=343, extras=True)
    yield case("pretraining checkpoint", "fill-mask", seed=347, saved_as="BertForPreTraining", keep_tied=True)
    yield case("encoder of a masked model", "feature-extraction", seed=344, saved_as="BertForMaskedLM")
    yield case("encoder of a classifier", "feature-extraction", {"num_labels": 5}, seed=345, saved_as="BertForSequenceClassification")
    yield case("encoder with its prefix", "feature-extraction", seed=346, saved_as="prefixed BertModel")
    odd = {"vocab_size": 97, "hidden_size": 33, "num_attention_heads": 3, "intermediate_size": 37, "num_hidden_layers": 1, "max_position_embeddings": 23}
    for i, task in enumerate(TASKS):
        yield case(f"{task}, odd sizes", task, odd, seed=350 + i)
    one = {"hidden_size": 16, "num_attention_heads": 1, "intermediate_size": 1, "num_hidden_layers": 2, "max_position_embeddings": 2}
    yield case("one head, one unit", "feature-extraction", one, seed=360)
    yield case("heads of width 1", "feature-extraction", {"hidden_size": 12, "num_attention_heads": 12}, seed=361)
    yield case("square everywhere", "fill-mask", {"hidden_size": 64, "intermediate_size": 64, "vocab_size": 64, "max_position_embeddings": 64}, seed=362)
    yield case("12 layers", "feature-extraction", {"num_hidden_layers": 12}, seed=363)
    yield case("512 positions", "question-answering", {"max_position_embeddings": 512, "num_hidden_layers": 2}, seed=364)


def random_cases(seed, count):
    rng = np.random.default_rng(seed)

    def pick(values):
        return values[int(rng.integers(len(values)))]

    for i in range(count):
        heads = int(rng.integers(1, 7))
        task = pick(list(TASKS))
        config = {
            "vocab_size": int(rng.integers(3, 400)),
            "num_attention_heads": heads,
            "hidden_size": heads * int(rng.integers(3, 24)),
            "intermediate_size": int(rng.integers(1, 150)),
            "num_hidden_layers": int(rng.integers(1, 6)),
            "max_position_embeddings": int(rng.integers(2, 70)),
            "type_vocab_size": int(rng.integers(1, 4)),
            "hidden_act": pick(ACTIVATIONS),
            "layer_norm_eps": pick([1e-12, 1e-6, 1e-3]),
            "position_embedding_type": pick(["absolute", "relative_key", "relative_key_query"]),
            "num_labels": 2 if task == "question-answering" else int(rng.integers(1, 9)),
            "tie_word_embeddings": bool(rng.integers(2)),
        }
        yield case(
            f"random {i}", task, config, seed=int(rng.integers(2**31)), dtype=pick(["float32", "float16", "bfloat16"]),
            shards=int(rng.integers(1, 4)), legacy=bool(rng.integers(2)), extras=bool(rng.integers(2)),
        )  # fmt: skip


def build_state(c, model, architecture):
    """The tensors as a file of this form names them."""
    state = dict(model.state_dict())
    if "cls.predictions.decoder.weight" in state and not c["keep_tied"]:
        if model.config.tie_word_embeddings:
            del state["cls.predictions.decoder.weight"]
        del state["cls.predictions.decoder.bias"]
    if c["extras"] and architecture == "BertForMaskedLM":
        h = model.config.hidden_size
        state |= {"bert.pooler.dense.weight": torch.ones(h, h), "bert.pooler.dense.bias": torch.ones(h)}
        state |= {"cls.seq_relationship.weight": torch.ones(2, h), "cls.seq_relationship.bias": torch.ones(2)}
    if c["extras"]:
        prefix = "bert." if architecture != "BertModel" else ""
        state[prefix + "embeddings.position_ids"] = torch.arange(model.config.max_position_embeddings).unsqueeze(0)
    if c["saved_as"] == "prefixed BertModel":
        state = {"bert." + k: v for k, v in state.items()}
    if c["legacy"]:
        state = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in state.items()}
    return state


def make_checkpoint(run, c):
    cls, _ = TASKS[c["task"]]
    saved = c["saved_as"] if hasattr(transformers, str(c["saved_as"])) else cls
    config = transformers.BertConfig(**c["config"])
    model = getattr(transformers, saved)._from_config(config, attn_implementation="eager")
    redraw(model, torch.Generator().manual_seed(c["seed"]))
    model.tie_weights()
    document = json.loads(config.to_json_string(use_diff=True))
    document["architectures"] = [saved]
    folder = run.folder(f"bert-{c['seed']}")
    write_checkpoint(folder, document, build_state(c, model, saved), getattr(torch, c["dtype"]), c["shards"])
    return folder


def attention_focus(model, inputs, mask):
    """Mean over valid queries of the largest attention weight, relative to a uniform one: 1 means uniform."""
    base = getattr(model, "bert", model)
    flat = {k: torch.from_numpy(v.reshape(-1, v.shape[-1])) for k, v in inputs.items()}
    with torch.no_grad():
        weights = base(**flat, output_attentions=True).attentions
    valid = torch.from_numpy(mask.reshape(-1, mask.shape[-1]).astype(bool))
    lengths = valid.sum(-1, keepdim=True).float()
    return float(torch.stack([(a.amax(-1).mean(1) * lengths)[valid].mean() for a in weights]).mean())


def shapes_of(config, task):
    longest = config["max_position_embeddings"]
    middle = max(2, longest // 2 + 1)
    choices = [(1,), (3,)] if task == "multiple-choice" else [()]
    for batch, length, padding in (
        (1, 1, "none"), (4, 1, "none"), (2, 2, "none"), (3, 2, "right"), (1, middle, "none"), (3, middle, "right"),
        (3, middle, "left"), (1, longest, "none"), (2, longest, "left"), (5, longest, "right"),
    ):  # fmt: skip
        for c in choices:
            yield (batch, *c, min(length, longest)), padding


def compare(run, c, folder, converted):
    """The largest error over all shapes, ours and that of transformers in float32, and the figures beside them."""
    cls, outputs = TASKS[c["task"]]
    exact = load_reference(getattr(transformers, cls), folder, torch.float64)
    single = load_reference(getattr(transformers, cls), folder, torch.float32)
    s = session(os.path.join(converted, "model.onnx"))
    names = [i.name for i in s.get_inputs()]
    assert names == ["input_ids", "attention_mask", "token_type_ids"], names
    assert [o.name for o in s.get_outputs()] == outputs, [o.name for o in s.get_outputs()]
    rng = np.random.default_rng(c["seed"])
    worst, focus, runs = Worst(outputs), 0.0, 0
    for shape, padding in shapes_of(c["config"], c["task"]):
        inputs = make_inputs(rng, shape, c["config"]["vocab_size"], c["config"]["type_vocab_size"], padding)
        mask = inputs["attention_mask"]
        worst.add(s.run(outputs, inputs), run_reference(single, inputs, outputs), run_reference(exact, inputs, outputs), mask)
        if shape[-1] > 4:
            focus = max(focus, attention_focus(exact, inputs, mask))
        runs += 1
    ours, theirs, share = worst.figures()
    return {"ours": ours, "theirs": theirs, "share": share, "focus": focus, "runs": runs}


def run_case(c):
    """(passed, line to print, figure or None); whatever goes wrong is this case's."""
    title = f"{c['task']}: {c['name']}" if c["name"] != c["task"] else c["task"]
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
    code, stdout, stderr = run.onnxgate("convert", folder, "--output", out, "--json")
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


def refusals(run):
    """What must not be converted, with the exit code that says why."""
    c = case("refused", "feature-extraction", seed=900)
    for name, change, extra, wanted in (
        ("hidden_act prelu", {"hidden_act": "prelu"}, [], (6,)),
        ("hidden_act xielu", {"hidden_act": "xielu"}, [], (6,)),
        ("hidden_act unheard_of", {"hidden_act": "unheard_of"}, [], (6,)),
        ("position_embedding_type rotary", {"position_embedding_type": "rotary"}, [], (6,)),
        ("is_decoder true", {"is_decoder": True}, [], (6,)),
        ("hidden_size of the wrong width", {"hidden_size": 52}, [], (11,)),
        ("num_attention_heads that does not divide", {"num_attention_heads": 7}, [], (6, 10)),
        ("a head that the file lacks", {}, ["--task", "text-classification"], (6, 12)),
        ("more layers than the file has", {"num_hidden_layers": 4}, [], (12,)),
    ):
        folder = make_checkpoint(run, c)
        path = os.path.join(folder, "config.json")
        with open(path, encoding="utf-8") as f:
            document = {**json.load(f), **change}
        with open(path, "w", encoding="utf-8") as f:
            json.dump(document, f)
        out = folder + ".refused"
        code, _, stderr = run.onnxgate("convert", folder, "--output", out, *extra)
        left = os.path.exists(os.path.join(out, "model.onnx"))
        lines = [line for line in stderr.strip().split("\n") if line]
        run.check(code in wanted and not left, f"refused: {name}: exit code {code} (expected {wanted}): {lines[0] if lines else ''}")


def main():
    global RUN
    RUN = Run(__doc__.split("\n", maxsplit=1)[0])
    print(f"seed {RUN.seed}: of the {RUN.args.random} random cases (--seed {RUN.seed} repeats them)")
    figures = []
    cases = [*fixed_cases(), *random_cases(RUN.seed, RUN.args.random)]
    run_cases([c for c in cases if RUN.wants(f"{c['task']}: {c['name']}")], figures)
    if RUN.wants("all-MiniLM-L6-v2"):
        minilm(RUN, figures)
    if RUN.wants("refused"):
        refusals(RUN)
    if figures:
        ours, theirs, where = max(figures)
        print(f"largest error of ours: {ours:.1e} ({where}; transformers in float32 there: {theirs:.1e}) over {len(figures)} checkpoints")
    RUN.finish()


if __name__ == "__main__":
    sys.exit(main())
