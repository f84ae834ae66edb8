#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints whose config.json and weights disagree, judged by transformers' own reading of the same folder.

What we convert computes what transformers computes from that folder; where transformers does not read it as it stands (a size that
differs, a wrapper's prefix, no model_type), what it computes from the folder said in the ordinary way: the same weights, the right
config. What we refuse, transformers does not read whole either: it raises, or reports missing, mismatched or unexpected weights;
the exceptions are named in the case, with the reason. Every exit code is the one that the case expects."""

import copy
import json
import os
import shutil

import numpy as np
import torch
import transformers
from _oracle import Run, Worst, make_inputs, redraw, run_reference, session, write_checkpoint

SMALL = {
    "bert": {"vocab_size": 90, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
             "max_position_embeddings": 40, "type_vocab_size": 2},
    "albert": {"vocab_size": 90, "embedding_size": 16, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 48,
               "max_position_embeddings": 40, "type_vocab_size": 2},
}  # fmt: skip
PREFIX = {"bert": "Bert", "albert": "Albert"}
HEAD = {"bert": "cls.predictions", "albert": "predictions"}
POOLER = {"bert": "bert.pooler.dense.weight", "albert": "albert.pooler.weight"}
TASKS = {"Model": "feature-extraction", "ForMaskedLM": "fill-mask", "ForSequenceClassification": "text-classification",
         "ForTokenClassification": "token-classification"}  # fmt: skip
CONFIGS = {"bert": transformers.BertConfig, "albert": transformers.AlbertConfig}


class Case:
    """A model of ours (family, class), and what is done to its config and its tensors. expects: 0, or the exit code of a refusal.
    ordinary: transformers is given the unchanged config and names. alone: a refusal that transformers does not share, and why."""

    def __init__(self, name, cls="Model", config=None, state=None, args=(), expects=0, ordinary=False, alone=None, read_as=None, note=None, made_with=None,
                 only=tuple(SMALL)):
        self.name, self.cls, self.config, self.state, self.args, self.expects = name, cls, config or {}, state or (lambda s, f: s), list(args), expects
        self.ordinary, self.alone, self.read_as, self.note, self.made_with = ordinary, alone, read_as or cls, note, made_with or {}
        self.only = only


def bare(state, family):
    return {k.removeprefix(family + "."): v for k, v in state.items()}


def below(prefix):
    return lambda state, family: {prefix + k: v for k, v in state.items()}


def without(part):
    return lambda state, family: {k: v for k, v in state.items() if part.format(f=family, head=HEAD[family], pooler=POOLER[family].rsplit(".", 1)[0]) not in k}


def more(name, *shape):
    def change(state, family):
        value = torch.randn(*shape, generator=torch.Generator().manual_seed(7))
        return {**state, name.format(f=family, head=HEAD[family]): value}

    return change


def padded(rows):
    """Every tensor with a row a token gets rows more of them; ties stay ties."""

    def change(state, family):
        vocab = SMALL[family]["vocab_size"]
        g = torch.Generator().manual_seed(8)
        return {k: torch.cat([v, torch.randn(rows, *v.shape[1:], generator=g)]) if v.shape[:1] == (vocab,) else v for k, v in state.items()}

    return change


def decoder(shift):
    """The decoder's own copy of the embeddings, moved by so much."""
    return lambda state, family: {**state, HEAD[family] + ".decoder.weight": state[family + ".embeddings.word_embeddings.weight"] + shift}


def half_prefixed(state, family):
    return {(k.removeprefix(family + ".") if "word_embeddings" in k else k): v for k, v in state.items()}


THREE = {"0": "A", "1": "B", "2": "C"}
CASES = [
    Case("nothing is wrong"),
    Case("no model_type, no class", config={"model_type": None, "architectures": None}, ordinary=True, note="the tensors are those of"),
    Case("no model_type, prefixed", "ForMaskedLM", {"model_type": None, "architectures": None}, args=["--task", "fill-mask"], ordinary=True,
         note="the tensors are those of"),
    Case("no model_type, a class", "ForMaskedLM", {"model_type": None}, ordinary=True, note="is one of"),
    Case("no class", "ForSequenceClassification", {"architectures": None}, args=["--task", "text-classification"], note="names no class"),
    Case("no class, other task", "ForSequenceClassification", {"architectures": None}, args=["--task", "fill-mask"], expects=12, read_as="ForMaskedLM"),
    Case("labels: none said, 3 in the weights", "ForSequenceClassification", {"id2label": None, "label2id": None, "num_labels": None},
         ordinary=True, note="3 rows", made_with={"num_labels": 3}),
    Case("labels: num_labels 3, id2label 2", "ForTokenClassification", {"id2label": {"0": "A", "1": "B"}, "num_labels": 3}, ordinary=True,
         note="3 rows", made_with={"num_labels": 3}),
    Case("labels: num_labels 2, id2label 3", "ForSequenceClassification", {"id2label": THREE, "num_labels": 2}, note="3 rows", made_with={"num_labels": 3}),
    Case("labels: 7 and 1", "ForSequenceClassification", {"id2label": {"0": "A"}, "num_labels": 7}, ordinary=True, note="3 rows", made_with={"num_labels": 3}),
    Case("vocabulary padded to 96", config={"vocab_size": 90}, state=padded(6), ordinary=True, note="padded"),
    Case("vocabulary padded to 128, with its head", "ForMaskedLM", {"vocab_size": 90}, padded(38), ordinary=True, note="padded"),
    Case("vocabulary with a token more", config={"vocab_size": 90}, state=padded(1), expects=11),
    Case("vocabulary of another model", "ForMaskedLM", {"vocab_size": 90}, padded(133), expects=11),
    Case("vocabulary shorter than said", config={"vocab_size": 96}, expects=11),
    Case("hidden_size 48 said", config={"hidden_size": 48}, expects=11),
    Case("a layer more said", config={"num_hidden_layers": 3}, expects=12, only=("bert",)),
    Case("a layer less said", config={"num_hidden_layers": 1}, expects=12, only=("bert",)),
    Case("a group more said", config={"num_hidden_groups": 2}, expects=12, only=("albert",)),
    Case("a strange class", "ForMaskedLM", {"architectures": ["OfMine"]}, more("head.of.mine", 3, 3), args=["--task", "feature-extraction"], read_as="Model",
         note="outside the base model"),
    Case("a strange class, its own task", "ForMaskedLM", {"architectures": ["OfMine"]}, expects=6,
         alone="from_pretrained is told the class, and reads whatever it is told to"),
    Case("a strange tensor", "ForMaskedLM", state=more("head.of.mine", 3, 3), expects=12),
    Case("a strange tensor of the base model", "ForTokenClassification", state=more("{f}.encoder.mine.weight", 3, 3), expects=12),
    Case("heads of other tasks", "ForMaskedLM", state=more("qa_outputs.weight", 2, 32), note="head of another task"),
    Case("no pooler, features", state=without("pooler")),
    Case("no pooler, classifier", "ForSequenceClassification", state=without("{pooler}"), expects=12),
    Case("masked model, features", "ForMaskedLM", args=["--task", "feature-extraction"], read_as="Model", note="head of another task"),
    Case("masked model, features, its class given away", "ForMaskedLM", {"architectures": None}, read_as="Model", note="fill-mask"),
    Case("without the base prefix", "ForTokenClassification", {"architectures": None}, read_as="Model",
         state=lambda s, f: {k: v for k, v in bare(s, f).items() if "classifier" not in k}),
    Case("head beside bare names", "ForMaskedLM", state=bare, ordinary=True),
    Case("half with the base prefix", state=lambda s, f: half_prefixed(below(f + ".")(s, f), f), expects=12),
    Case("below module.", "ForMaskedLM", state=below("module."), ordinary=True, note="module."),
    Case("below _orig_mod.", state=below("_orig_mod."), ordinary=True, note="_orig_mod."),
    Case("tied decoder, equal", "ForMaskedLM", state=decoder(0)),
    Case("tied decoder, other values", "ForMaskedLM", state=decoder(1), expects=11,
         alone="transformers takes the embeddings and forgets the decoder; nobody can know which of the two is right"),
    Case("untied, no decoder", "ForMaskedLM", {"tie_word_embeddings": False}, expects=12),
    Case("architectures is no list", config={"architectures": "Model"}, expects=10, alone="from_pretrained is told the class"),
]  # fmt: skip


def make(run, case, family, seed):
    """(folder as the case has it, folder said in the ordinary way, tensors, config)"""
    name = PREFIX[family] + case.cls
    config = CONFIGS[family](**{**SMALL[family], **case.made_with})
    model = getattr(transformers, name)(config)
    redraw(model, torch.Generator().manual_seed(seed))
    tied = {HEAD[family] + ".decoder.weight", HEAD[family] + ".decoder.bias"}
    state = {k: v.detach().float() for k, v in model.state_dict().items() if k not in tied and "position_ids" not in k and "token_type_ids" not in k}
    ordinary_config = {**config.to_dict(), "architectures": [name]}
    changed = copy.deepcopy(ordinary_config)
    changed.update(case.config)
    if "vocab_size" in case.config and case.ordinary:
        ordinary_config["vocab_size"] += 6 if "96" in case.name else 38
    changed = {k: v for k, v in changed.items() if v is not None}
    other = case.state(state, family)
    folder, ordinary = run.folder("disagree"), run.folder("ordinary")
    write_checkpoint(folder, changed, other)
    pad = padded(6 if "96" in case.name else 38)
    write_checkpoint(ordinary, ordinary_config, pad(state, family) if "vocabulary padded" in case.name else state)
    return folder, ordinary, ordinary_config


def read(folder, cls):
    """(model, what its reading lacked) of transformers; (None, the error)."""
    try:
        model, info = cls.from_pretrained(folder, dtype=torch.float64, output_loading_info=True, attn_implementation="eager")
    except (RuntimeError, ValueError, TypeError, OSError, KeyError) as e:
        return None, f"raises {type(e).__name__}"
    kinds = ("missing_keys", "mismatched_keys", "unexpected_keys")
    lacks = {k: sorted(n for n in map(str, info[k]) if "pooler" not in n or "Classification" in cls.__name__) for k in kinds}
    return model.eval(), ", ".join(f"{k}: {v[0]}" for k, v in lacks.items() if v)


def compare(model, path, config, seed):
    outputs = [o.name for o in session(path).get_outputs()]
    worst, ours = Worst(outputs), session(path)
    single = copy.deepcopy(model).float()
    rng = np.random.default_rng(seed)
    for shape, padding in (((1, 1), "none"), ((3, 17), "right"), ((2, 40), "left")):
        inputs = make_inputs(rng, shape, 90, config["type_vocab_size"], padding)
        worst.add(ours.run(outputs, inputs), run_reference(single, inputs, outputs), run_reference(model, inputs, outputs), inputs["attention_mask"])
    return worst.figures()


def judge(run, case, family, seed):
    folder, ordinary, config = make(run, case, family, seed)
    cls = getattr(transformers, PREFIX[family] + case.read_as)
    out = folder + "-out"
    code, stdout, stderr = run.onnxgate("convert", folder, "--output", out, "--json", *case.args)
    said = json.loads(stdout)["error"]["message"] if code and stdout.startswith("{") else ""
    label = f"{family}, {case.name}"
    if code != case.expects:
        return run.check(False, f"{label}: exit code {code}, expected {case.expects}: {said or stderr.strip()[-300:]}")
    model, lacks = read(folder, cls)
    if case.expects:
        opinion = f"transformers: {lacks}" if lacks else f"alone: {case.alone}"
        return run.check(bool(lacks) or bool(case.alone), f"{label}: {code}, {said[:120]} ({opinion})")
    notes = json.loads(stdout)["notes"]
    if case.note and not any(case.note in n for n in notes):
        return run.check(False, f"{label}: no note says {case.note!r}: {notes}")
    if case.ordinary:
        model, lacks = read(ordinary, cls)
    if model is None or "missing" in lacks or "mismatched" in lacks:
        return run.check(False, f"{label}: the reference is not whole: {lacks}")
    ours, theirs, share = compare(model, os.path.join(out, "model.onnx"), config, seed)
    run.check(share <= 1, f"{label}: {ours:.1e} ({theirs:.1e} of PyTorch in float32)" + (", of the ordinary folder" if case.ordinary else ""))
    for path in (folder, ordinary, out):
        shutil.rmtree(path, ignore_errors=True)


def main():
    run = Run(__doc__)
    print(f"seed {run.seed}")
    for i, case in enumerate(CASES):
        for family in SMALL:
            if family in case.only and run.wants(f"{family}, {case.name}"):
                judge(run, case, family, 1000 + i + run.seed % 1000)
    run.finish()


if __name__ == "__main__":
    main()
