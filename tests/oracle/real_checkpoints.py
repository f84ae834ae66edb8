#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Published weights (scripts/get_real.sh, scripts/get_minilm.sh): what we list against what PyTorch and safetensors load, the
ALBERT of rxnmapper converted and run against transformers in float64, and silero-vad's six ONNX files checked."""

import hashlib
import json
import os
import re
import shutil

import numpy as np
import torch
import transformers
from _oracle import LIMIT, ROOT, Run, Worst, load_reference, run_reference, session
from safetensors.torch import load_file
from torch_judge import rows

REAL = os.path.join(ROOT, "build/real")
RXN = os.path.join(REAL, "rxnmapper/rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k")
SILERO = os.path.join(REAL, "silero-vad/silero_vad/data")
FACENET = os.path.join(REAL, "facenet-pytorch/facenet_pytorch/data")
# What that model was trained on: reactions, in its vocabulary. On token ids drawn at random, and on reactions of 500 tokens, its twelve passes
# through one layer amplify rounding: ONNX Runtime is off by up to 5e-5 there with Optimum's file as with ours, PyTorch by up to 2e-5.
REACTIONS = (
    "CC(=O)O.OCC>>CC(=O)OCC",
    "CC(C)S.CN(C)C=O.Fc1cccnc1F.O=C([O-])[O-].[K+].[K+]>>CC(C)Sc1ncccc1F",
    "C1COCCN1.Brc1ccccc1.[Na+].CC(C)(C)[O-]>>c1ccc(N2CCOCC2)cc1",
    "OB(O)c1ccccc1.Brc1ccncc1.[Na+].[Na+].O=C([O-])[O-].C1COCCO1.O>>c1ccc(-c2ccncc2)cc1",
    "CC(=O)Cl.Nc1ccc(O)cc1.ClCCl>>CC(=O)Nc1ccc(O)cc1",
    "C[C@H](N)C(=O)O.O=C(OCc1ccccc1)Cl.[Na+].[OH-]>>C[C@H](NC(=O)OCc1ccccc1)C(=O)O",
    "CCO.O=C(O)c1ccccc1O.OS(=O)(=O)O>>CCOC(=O)c1ccccc1O",
    "O=Cc1ccccc1.NCc1ccccc1.[BH4-].[Na+].CO>>c1ccc(CNCc2ccccc2)cc1",
    "CS(=O)(=O)Cl.OCCc1ccc(F)cc1.CCN(CC)CC>>CS(=O)(=O)OCCc1ccc(F)cc1",
)
SMILES = re.compile(r"\[[^\]]+\]|Br?|Cl?|>>|%[0-9]{2}|.")
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


def reactions(rng, vocabulary, rows, parts):
    """A padded batch: each row some reactions one beside the other, a token in ten masked."""
    texts = []
    for _ in range(rows):
        chosen = [REACTIONS[i].split(">>") for i in rng.integers(0, len(REACTIONS), parts)]
        tokens = SMILES.findall(".".join(c[0] for c in chosen) + ">>" + ".".join(c[1] for c in chosen))
        ids = [vocabulary[t] for t in ("[CLS]", *tokens, "[SEP]")][:512]
        texts.append([vocabulary["[MASK]"] if rng.random() < 0.1 else i for i in ids])
    shape = (rows, max(len(t) for t in texts))
    ids, mask, left = np.zeros(shape, np.int64), np.zeros(shape, np.int64), rng.random() < 0.5
    for row, valid, t in zip(ids, mask, texts):
        place = slice(shape[1] - len(t), None) if left else slice(len(t))
        row[place], valid[place] = t, 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros(shape, np.int64)}


def convert_albert(run):
    folder = run.folder("rxnmapper")
    for name in ("config.json", "pytorch_model.bin", "vocab.txt"):
        shutil.copy(os.path.join(RXN, name), folder)
    out, document = run.convert(folder)
    run.check(document["model_type"] == "albert" and document["task"] == "fill-mask", f"rxnmapper: {document['model_type']}, {document['task']}")
    model = session(os.path.join(out, "model.onnx"))
    cls = transformers.AlbertForMaskedLM
    exact, single = load_reference(cls, folder, torch.float64), load_reference(cls, folder, torch.float32)
    with open(os.path.join(RXN, "vocab.txt"), encoding="utf-8") as f:
        vocabulary = {line.rstrip("\n"): i for i, line in enumerate(f)}
    worst = Worst(["logits"])
    for rng in (np.random.default_rng(1), np.random.default_rng(run.seed)):
        for rows, parts in ((1, 1), (3, 1), (4, 1), (2, 2), (3, 2), (4, 3), (1, 5), (2, 5)):
            inputs = reactions(rng, vocabulary, rows, parts)
            found, single_found, expected = model.run(["logits"], inputs), *(run_reference(m, inputs, ["logits"]) for m in (single, exact))
            worst.add(found, single_found, expected, inputs["attention_mask"])
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
