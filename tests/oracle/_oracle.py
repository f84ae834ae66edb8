# SPDX-License-Identifier: Apache-2.0
"""What the oracle scripts share: made checkpoints, our conversion, ONNX Runtime, errors, and the count at the end.

A made checkpoint has every parameter redrawn (biases, norms and pad rows included) at a scale that makes attention far from
uniform: what stays at 0 or 1 hides mistakes. It is written with safetensors in the form that a case asks for (dtype, shards,
names as old files spell them), and the reference is loaded by transformers from that same folder, in float64."""

import argparse
import contextlib
import glob
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnxruntime as ort
import torch
from safetensors.torch import save_file

warnings.filterwarnings("ignore")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import transformers  # noqa: E402

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
LIMIT = 1e-5
QUERIES_AND_KEYS = (".query.", ".key.", ".q_lin.", ".k_lin.", ".q.", ".k.", ".q_proj.", ".k_proj.", ".in_proj_", ".c_attn.")
NORMS = (torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.BatchNorm1d)
torch.set_num_threads(1)


# ---- seeds -------------------------------------------------------------------------------------------------------------


def code_seed():
    """A digest of what is judged and of what judges it: the files below src/ and these scripts. So every change of the code draws
    other cases, and one tree draws the same ones on every machine and at every hour: what a run showed, the next run shows again."""
    digest = hashlib.sha256()
    below = glob.glob("src/**", root_dir=ROOT, recursive=True) + glob.glob("tests/oracle/*.py", root_dir=ROOT)
    for name in sorted(n.replace(os.sep, "/") for n in below if os.path.isfile(os.path.join(ROOT, n))):
        with open(os.path.join(ROOT, name), "rb") as f:
            data = f.read()
        digest.update(b"%s\0%d\0" % (os.fsencode(name), len(data)) + data)
    return int.from_bytes(digest.digest()[:8], "big") % 1_000_000_007


def seed_option(parser):
    """--seed N, --seed clock, or nothing, which is code_seed(); the parsed option is a number."""

    def seed(text):
        return int(time.time()) % 1_000_000_007 if text == "clock" else int(text)

    parser.add_argument("--seed", type=seed, default=code_seed(), help="of the random share: a number, or 'clock' (default: a digest of the code; printed)")


class Run:
    """Options, a scratch folder, and the count of what passed."""

    def __init__(self, description):
        p = argparse.ArgumentParser(description=description)
        p.add_argument("--build", default=os.path.join(ROOT, "build"), help="folder of the built program")
        seed_option(p)
        p.add_argument("--random", type=int, default=12, help="cases of the random share")
        p.add_argument("--only", default="", help="cases whose name contains this")
        self.args = p.parse_args()
        self.seed = self.args.seed
        self.program = os.path.join(os.path.abspath(self.args.build), "onnxgate")
        scratch = os.path.join(ROOT, "build/tmp")
        os.makedirs(scratch, exist_ok=True)
        self.scratch = tempfile.mkdtemp(prefix="oracle-", dir=scratch)
        self.passed = self.failed = 0
        self.started = time.monotonic()

    def wants(self, name):
        return self.args.only in name

    def check(self, ok, text):
        self.passed, self.failed = self.passed + bool(ok), self.failed + (not ok)
        print(("ok      " if ok else "FAILED  ") + text, flush=True)
        return ok

    def folder(self, name):
        return tempfile.mkdtemp(prefix=name + "-", dir=self.scratch)

    def onnxgate(self, *args):
        """(exit code, stdout, stderr) of our program; its caches and its database are scratch."""
        env = dict(os.environ, ONNXGATE_HOME=os.path.join(self.scratch, "home"), HF_HUB_OFFLINE="1")
        done = subprocess.run([self.program, *args], capture_output=True, text=True, env=env, timeout=600, check=False)
        return done.returncode, done.stdout, done.stderr

    def convert(self, checkpoint, *args):
        """The folder that `onnxgate convert` made of a checkpoint; its document says passed."""
        out = checkpoint.rstrip("/") + ".onnx-folder"
        shutil.rmtree(out, ignore_errors=True)
        code, stdout, stderr = self.onnxgate("convert", checkpoint, "--output", out, "--json", *args)
        if code != 0:
            raise AssertionError(f"onnxgate convert: exit code {code}: {(stderr or stdout).strip()[-600:]}")
        document = json.loads(stdout)
        if document["verdict"] != "pass":
            raise AssertionError(f"onnxgate convert: verdict {document['verdict']}")
        return out, document

    def finish(self):
        shutil.rmtree(self.scratch, ignore_errors=True)
        print(f"{os.path.basename(sys.argv[0])}: {time.monotonic() - self.started:.0f} s")
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed or not self.passed else 0)


# ---- made checkpoints ------------------------------------------------------------------------------------------------


def redraw(model, generator):
    """Every parameter anew, and what a batch norm has seen. Queries and keys are drawn wider: scores then have a deviation of several units."""
    owners = {id(p): module for module in model.modules() for p in module.parameters(recurse=False)}
    with torch.no_grad():
        for name, p in model.named_parameters():
            noise = torch.randn(p.shape, generator=generator, dtype=torch.float64)
            owner = owners[id(p)]
            if (isinstance(owner, NORMS) or type(owner).__name__.endswith("RMSNorm")) and name.endswith("weight"):
                value = 1 + 0.3 * noise
            elif p.dim() < 2:
                value = 0.4 * noise
            elif isinstance(owner, torch.nn.Embedding):
                value = noise * (0.5 if "distance" in name else 1.0)
            elif p.shape[0] == 1 and p.dim() == 3:  # tokens and positions that are parameters of their own
                value = noise
            else:
                wide = 1.8 if any(part in name for part in QUERIES_AND_KEYS) else 1.0
                fan_in = p.shape[0] if type(owner).__name__ == "Conv1D" else p[0].numel()  # stored [in, out]
                value = noise * wide / fan_in**0.5
            p.copy_(value.to(p.dtype))
        for name, p in model.named_buffers():
            if name.endswith(("running_mean", "running_var")):
                noise = torch.randn(p.shape, generator=generator, dtype=torch.float64)
                p.copy_(noise if name.endswith("mean") else 0.5 + noise.abs())


def write_checkpoint(folder, config, state, dtype=torch.float32, shards=1, metadata=None):
    """config.json and safetensors with exactly these names; several files and their index when shards > 1."""
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f, indent=2)
    state = {k: (v.to(dtype) if v.is_floating_point() else v).contiguous().clone() for k, v in state.items()}
    metadata = metadata or {"format": "pt"}
    if shards == 1:
        save_file(state, os.path.join(folder, "model.safetensors"), metadata=metadata)
        return
    names = sorted(state)
    index = {"metadata": {"total_size": sum(v.numel() * v.element_size() for v in state.values())}, "weight_map": {}}
    for i in range(shards):
        part = {k: state[k] for k in names[i::shards]}
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        save_file(part, os.path.join(folder, file), metadata=metadata)
        index["weight_map"].update({k: file for k in part})
    with open(os.path.join(folder, "model.safetensors.index.json"), "w", encoding="utf-8") as f:
        json.dump(index, f, indent=2)


def load_reference(cls, folder, dtype):
    """transformers' own reading of the folder; a weight that it would invent is an error."""
    model, info = cls.from_pretrained(folder, dtype=dtype, output_loading_info=True, attn_implementation="eager")
    missing = [k for k in info["missing_keys"] if "pooler" not in k]
    if missing or info["mismatched_keys"]:
        raise AssertionError(f"the reference lacks weights: {missing} {info['mismatched_keys']}")
    return model.eval()


# ---- running and comparing ---------------------------------------------------------------------------------------------


def session(path, threads=1):
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def make_inputs(rng, shape, vocab, types, padding):
    """ids, mask and types of a shape whose last dim is the sequence; each row keeps at least one valid position."""
    length = shape[-1]
    mask = np.ones(shape, dtype=np.int64)
    if padding != "none" and length > 1:
        rows = mask.reshape(-1, length)
        for i, row in enumerate(rows):
            n = int(rng.integers(1, length)) if i or len(rows) == 1 else 0
            if n and padding == "right":
                row[length - n :] = 0
            elif n:
                row[:n] = 0
    return {
        "input_ids": rng.integers(0, vocab, shape, dtype=np.int64),
        "attention_mask": mask,
        "token_type_ids": rng.integers(0, types, shape, dtype=np.int64),
    }


@contextlib.contextmanager
def as_default(dtype):
    """Some of the reference's masks are made in torch's default dtype, in which the lowest float64 is not a number."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def run_reference(model, inputs, outputs):
    """Outputs of the reference by name; inputs in floating point are given to it in its own dtype."""
    given = {k: torch.from_numpy(v) for k, v in inputs.items()}
    with torch.no_grad(), as_default(model.dtype):
        result = model(**{k: v.to(model.dtype) if v.is_floating_point() else v for k, v in given.items()})
    return [result[name].double().numpy() for name in outputs]


def over_valid(found, reference, mask):
    """(max |difference|, max |reference|) over valid positions where the output has a position axis; without a mask over all of it."""
    if found.shape != reference.shape:
        raise AssertionError(f"shape {found.shape}, expected {reference.shape}")
    if mask is not None and found.ndim >= 2 and found.shape[:2] == mask.shape:
        valid = mask.astype(bool)
        found, reference = found[valid], reference[valid]
    if not np.isfinite(reference).all():  # a NaN would win no comparison, and pass
        raise AssertionError("the reference is not finite")
    if not np.isfinite(found).all():
        return float("inf"), 1.0
    return float(np.abs(found.astype(np.float64) - reference).max()), float(np.abs(reference).max())


class Worst:
    """Largest error of each output, relative to that output's largest reference over all the runs of a case."""

    def __init__(self, outputs):
        self.rows = {name: [0.0, 0.0, 0.0] for name in outputs}

    def add(self, ours, theirs, reference, masks):
        """One run; masks: one for each output (or None), or one for all of them."""
        masks = masks if isinstance(masks, list) else [masks] * len(ours)
        for row, g, n, w, mask in zip(self.rows.values(), ours, theirs, reference, masks):
            mine, scale = over_valid(g, w, mask)
            other, _ = over_valid(n, w, mask)
            row[:] = max(row[0], mine), max(row[1], other), max(row[2], scale)

    def figures(self):
        """(ours, theirs, share of the limit), of the output that is nearest to its limit."""
        return max(((m / s, o / s, m / s / max(LIMIT, 2 * o / s)) for m, o, s in self.rows.values()), key=lambda f: f[2])
