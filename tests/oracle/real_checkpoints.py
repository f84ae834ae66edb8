#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Published weights (scripts/get_real.sh, scripts/get_minilm.sh): what we list against what PyTorch and safetensors load, the
ALBERT of rxnmapper converted and run against transformers in float64, and silero-vad's six ONNX files checked."""

import hashlib
import json
import os
import shutil

import numpy as np
import torch
import transformers
from _oracle import LIMIT, ROOT, Run, Worst, load_reference, make_inputs, run_reference, session
from safetensors.torch import load_file
from torch_judge import rows

REAL = os.path.join(ROOT, "build/real")
RXN = os.path.join(REAL, "rxnmapper/rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k")
SILERO = os.path.join(REAL, "silero-vad/silero_vad/data")
FACENET = os.path.join(REAL, "facenet-pytorch/facenet_pytorch/data")
MINILM = os.path.join(ROOT, "build/hub/sentence-transformers/all-MiniLM-L6-v2/model.safetensors")


def listing(run, path):
    code, stdout, stderr = run.onnxgate("inspect", path, "--digests", "--json")
    if code:
        return f"exit code {code}: {stderr.strip()[:400]}"
    return {t["name"]: (t["dtype"], t["shape"], t["sha256"]) for t in json.loads(stdout)["tensors"]}


def same_tensors(run, path, state):
    name, found, expected = os.path.relpath(path, ROOT), listing(run, path), rows(dict(state))
    differ = found if isinstance(found, str) else sorted(k for k in set(found) | set(expected) if found.get(k) != expected.get(k))[:5]
    run.check(found == expected, f"{name}: {len(expected)} tensors" + (f": differ: {differ}" if differ else ""))


def read_them(run):
    for version in ("v0.0", "v0.1"):
        for net in ("alex", "squeeze", "vgg"):
            path = os.path.join(REAL, "lpips/lpips/weights", version, net + ".pth")
            same_tensors(run, path, torch.load(path, weights_only=True, map_location="cpu"))
    for net in ("pnet", "rnet", "onet"):
        path = os.path.join(FACENET, net + ".pt")
        state = torch.load(path, weights_only=True)
        run.check(any(not t.is_contiguous() for t in state.values()), f"{net}.pt holds tensors that are not contiguous")
        same_tensors(run, path, state)
    path = os.path.join(RXN, "pytorch_model.bin")
    same_tensors(run, path, torch.load(path, weights_only=True, map_location="cpu"))
    path = os.path.join(SILERO, "silero_vad_16k.safetensors")
    same_tensors(run, path, load_file(path))
    same_tensors(run, MINILM, load_file(MINILM))


def silero(run):
    path = os.path.join(SILERO, "silero_vad.jit")
    module = torch.jit.load(path, map_location="cpu")
    state, found = rows(module.state_dict()), listing(run, path)
    ok = not isinstance(found, str) and all(found.get(k) == v for k, v in state.items())
    run.check(ok, f"silero_vad.jit: the {len(state)} tensors of its state dict" + (f": {found}" if isinstance(found, str) else ""))
    for name in sorted(os.listdir(SILERO)):
        if name.endswith(".onnx"):
            code, stdout, stderr = run.onnxgate("check", os.path.join(SILERO, name), "--validate", "structure", "--json")
            verdict = json.loads(stdout)["verdict"] if stdout.startswith("{") else None
            run.check(code == 0 and verdict == "pass", f"check {name}: exit code {code}, {verdict} {stderr.strip()[:300]}")


def refuse_trainer(run):
    code, _, stderr = run.onnxgate("inspect", os.path.join(RXN, "training_args.bin"))
    run.check(code == 7 and "argparse Namespace" in stderr and "offset" in stderr, f"training_args.bin: exit code {code}: {stderr.strip()[:300]}")


def convert_albert(run):
    folder = run.folder("rxnmapper")
    for name in ("config.json", "pytorch_model.bin"):
        shutil.copy(os.path.join(RXN, name), folder)
    out, document = run.convert(folder)
    run.check(document["model_type"] == "albert" and document["task"] == "fill-mask", f"rxnmapper: {document['model_type']}, {document['task']}")
    model = session(os.path.join(out, "model.onnx"))
    cls = transformers.AlbertForMaskedLM
    exact, single = load_reference(cls, folder, torch.float64), load_reference(cls, folder, torch.float32)
    worst, rng = Worst(["logits"]), np.random.default_rng(run.seed)
    for shape, padding in (((1, 1), "none"), ((2, 2), "none"), ((3, 17), "right"), ((3, 17), "left"), ((2, 128), "right"), ((1, 512), "none")):
        inputs = make_inputs(rng, shape, 591, 2, padding)
        given = {i.name: inputs[i.name] for i in model.get_inputs()}
        worst.add(model.run(["logits"], given), run_reference(single, inputs, ["logits"]), run_reference(exact, inputs, ["logits"]), inputs["attention_mask"])
    ours, theirs, share = worst.figures()
    run.check(share <= 1, f"rxnmapper converted: error {ours:.1e} (transformers fp32 {theirs:.1e}, limit {LIMIT:.0e})")
    print(f"largest error of ours: {ours:.1e} (rxnmapper's ALBERT, published weights)")
    size, weights = os.path.getsize(os.path.join(out, "model.onnx")), os.path.getsize(os.path.join(RXN, "pytorch_model.bin"))
    run.check(size < 1.1 * weights, f"shared layers are written once: {size} bytes of {weights}")
    digest = hashlib.sha256(open(os.path.join(out, "model.onnx"), "rb").read()).hexdigest()
    again, _ = run.convert(folder)
    run.check(digest == hashlib.sha256(open(os.path.join(again, "model.onnx"), "rb").read()).hexdigest(), "the same bytes a second time")


def main():
    run = Run(__doc__)
    print(f"seed {run.seed}")
    for part in (read_them, silero, refuse_trainer, convert_albert):
        if run.wants(part.__name__):
            part(run)
    run.finish()


if __name__ == "__main__":
    main()
