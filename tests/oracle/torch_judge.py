#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""PyTorch's files read by us and by PyTorch: random state dicts (dtype × shape × strides × offsets × sharing × nesting) written by
every writer that there is, and for each tensor the same name, dtype, shape and bytes; none more and none less.

Ours is `onnxgate inspect FILE --digests --json`, whose digest is of the elements side by side; PyTorch's is what was saved, after
torch.load(weights_only=True) has read it back where it can."""

import argparse
import collections
import hashlib
import json
import os
import pickle
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor

import torch
from safetensors.torch import save_file

from _oracle import ROOT, seed_option

F8 = [torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz, torch.float8_e8m0fnu]
DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.bool,
          torch.complex64, torch.complex128, torch.uint16, torch.uint32, torch.uint64, *F8]
OLD = DTYPES[:12]  # what has a storage class of its own: all that the legacy writer and TorchScript spell
OURS = {torch.bool: "bool", torch.float8_e4m3fn: "float8_e4m3fn", torch.float8_e5m2: "float8_e5m2", torch.float8_e4m3fnuz: "float8_e4m3fnuz",
        torch.float8_e5m2fnuz: "float8_e5m2fnuz", torch.float8_e8m0fnu: "float8_e8m0"}


def name_of(dtype):
    return OURS.get(dtype, str(dtype).removeprefix("torch."))


def bytes_of(t):
    """The elements side by side, in row-major order."""
    t = t.detach().clone(memory_format=torch.contiguous_format).reshape(-1)
    return t.view(torch.uint8).numpy().tobytes() if t.numel() else b""


# ---- random state dicts ------------------------------------------------------------------------------------------------


def fresh(rng, dtype, shape):
    n = 1
    for d in shape:
        n *= d
    width = torch.empty(0, dtype=dtype).element_size()
    raw = torch.tensor([rng.randrange(2 if dtype == torch.bool else 256) for _ in range(n * width)], dtype=torch.uint8)
    return raw.view(dtype).reshape(shape) if n else torch.empty(shape, dtype=dtype)


def strided(rng, t):
    """A view of t as programs make them: transposed, sliced, expanded, a diagonal, a window of a larger storage."""
    kind = rng.randrange(8)
    if kind == 0 and t.dim() >= 2:
        a, b = rng.sample(range(t.dim()), 2)
        return t.transpose(a, b)
    if kind == 1 and t.dim() >= 1:
        d = rng.randrange(t.dim())
        step = rng.randint(1, 3)
        first = rng.randint(0, max(t.shape[d] - 1, 0))
        return t[(slice(None),) * d + (slice(first, None, step),)]
    if kind == 2:
        return t.unsqueeze(0).expand(rng.randint(1, 4), *t.shape)
    if kind == 3 and t.dim() >= 2:
        return torch.diagonal(t)
    if kind == 4 and t.numel():
        return t.reshape(-1)[rng.randrange(t.numel())]
    if kind == 5 and t.dim() >= 2:
        return t.permute(*rng.sample(range(t.dim()), t.dim()))
    if kind == 6 and t.numel() > 1:
        n = t.numel()
        size = [rng.randint(1, 4), rng.randint(1, 4)]
        stride = [rng.randint(0, max(1, n // 5)), rng.randint(0, max(1, n // 5))]
        last = sum((s - 1) * k for s, k in zip(size, stride))
        if last < n:
            return torch.as_strided(t.reshape(-1), size, stride, rng.randint(0, n - 1 - last))
    return t


def random_state(rng, dtypes):
    """A flat dict of tensors, some of them sharing storages."""
    state, pool = collections.OrderedDict() if rng.random() < 0.7 else {}, []
    for i in range(rng.randint(1, 8)):
        if pool and rng.random() < 0.35:
            base = rng.choice(pool)
        else:
            base = fresh(rng, rng.choice(dtypes), [rng.choice((0, 1, 2, 3, 5, 8, 17)) for _ in range(rng.choice((0, 1, 1, 2, 2, 2, 3, 4)))])
            pool.append(base)
        t = strided(rng, base) if rng.random() < 0.6 else base
        if t.is_floating_point() and t.dtype in (torch.float32, torch.float64, torch.float16) and rng.random() < 0.2:
            t = torch.nn.Parameter(t, requires_grad=rng.random() < 0.5)
        state[f"{rng.choice(('encoder', 'head', 'layer.0', 'ключ'))}.{i}.{rng.choice(('weight', 'bias', 'running_mean'))}"] = t
    return state


def nested(rng, state):
    """(what is saved, the names that we must give): wrappers, prefixes, nesting in dicts and lists."""
    kind = rng.randrange(9)
    plain = dict(state)
    if kind == 0:
        return {"state_dict": state, "epoch": 3, "lr": 0.5, "name": "run"}, plain
    if kind == 1:
        return {"model": state, "optimizer": {"state": {}, "param_groups": [{"lr": 1e-3, "betas": (0.9, 0.999)}]}, "args": None}, plain
    if kind == 2:
        prefixed = type(state)((f"module.{k}", v) for k, v in state.items())
        return prefixed, dict(prefixed)
    if kind == 3:
        values = list(state.values())
        return {"stack": values, "deep": {"a": {"b": values[0]}}}, {**{f"stack.{i}": v for i, v in enumerate(values)}, "deep.a.b": values[0]}
    if kind == 4:
        values = tuple(state.values())
        return values if len(values) > 1 else list(values), {str(i): v for i, v in enumerate(values)}
    if kind == 5:
        return {**state, "step": 7, "flag": True, "nothing": None, "big": 1 << 80, "text": "ä" * 300}, plain
    return state, plain


# ---- writers ---------------------------------------------------------------------------------------------------------


def write_zip(rng, path, saved):
    torch.save(saved, path, pickle_protocol=rng.choice((2, 2, 2, 3, 4, 5)))


def write_legacy(rng, path, saved):
    torch.save(saved, path, _use_new_zipfile_serialization=False, pickle_protocol=rng.choice((2, 2, 3, 4)))


def repack(path, compression, big=False):
    """The same archive by Python's zipfile; big: as a big-endian machine would have written it."""
    other = path + ".zip"
    with zipfile.ZipFile(path) as z, zipfile.ZipFile(other, "w", compression) as o:
        for info in z.infolist():
            data = z.read(info)
            if big and info.filename.endswith("/byteorder"):
                data = b"big"
            o.writestr(info.filename, data)
    os.replace(other, path)


def write_stored(rng, path, saved):
    write_zip(rng, path, saved)
    repack(path, zipfile.ZIP_STORED)


def write_deflated(rng, path, saved):
    write_zip(rng, path, saved)
    repack(path, zipfile.ZIP_DEFLATED)


def write_big(rng, path, saved):
    write_zip(rng, path, saved)
    repack(path, zipfile.ZIP_STORED, big=True)


class Holder(torch.nn.Module):
    def forward(self, x):
        return x


def write_script(rng, path, saved):
    root = Holder()
    for name, t in saved.items():
        module = root
        *parents, leaf = name.split(".")
        for p in parents:
            p = "m" + p if p[0].isdigit() else p
            if not hasattr(module, p):
                module.add_module(p, Holder())
            module = getattr(module, p)
        if isinstance(t, torch.nn.Parameter):
            module.register_parameter(leaf, t)
        else:
            module.register_buffer(leaf, t)
    torch.jit.save(torch.jit.script(root), path)
    return {".".join("m" + p if p[0].isdigit() else p for p in name.split(".")): t for name, t in saved.items()}


def swapped(t):
    """What a little-endian reader must see of bytes that a big-endian file holds: each number turned round."""
    width = t.element_size() // (2 if t.is_complex() else 1)
    raw = torch.frombuffer(bytearray(bytes_of(t)), dtype=torch.uint8) if t.numel() else torch.empty(0, dtype=torch.uint8)
    return raw.reshape(-1, width).flip(1).contiguous().reshape(-1).numpy().tobytes()


# ---- judging ---------------------------------------------------------------------------------------------------------


class Judge:
    def __init__(self, args):
        self.program = os.path.join(os.path.abspath(args.build), "onnxgate")
        os.makedirs(os.path.join(ROOT, "build/tmp"), exist_ok=True)
        self.scratch = tempfile.mkdtemp(prefix="torch-judge-", dir=os.path.join(ROOT, "build/tmp"))
        self.passed = self.failed = self.tensors = 0
        self.counts = collections.Counter()

    def ours(self, path):
        done = subprocess.run([self.program, "inspect", path, "--digests", "--json", "--offline"], capture_output=True, text=True, timeout=60, check=False,
                              env=dict(os.environ, ONNXGATE_HOME=os.path.join(self.scratch, "home")))
        if done.returncode:
            return f"exit code {done.returncode}: {done.stderr.strip()[:400]}"
        return {t["name"]: (t["dtype"], t["shape"], t["sha256"]) for t in json.loads(done.stdout)["tensors"]}

    def case(self, name, path, expected, found):
        ok, why = found == expected, ""
        if isinstance(found, str):
            why = found
        elif not ok:
            keys = sorted(set(expected) | set(found), key=lambda k: (expected.get(k) == found.get(k), k))
            why = f"{keys[0]!r}: expected {expected.get(keys[0])}, found {found.get(keys[0])}"
        self.passed, self.failed = self.passed + ok, self.failed + (not ok)
        self.tensors += len(expected)
        if ok:
            os.unlink(path)
            return
        kept = os.path.join(ROOT, "build/tmp", f"torch-judge-failed-{self.failed}.bin")
        shutil.move(path, kept)
        print(f"FAILED  {name}: {why}\n        kept as {kept}", flush=True)


def rows(tensors, to_bytes=bytes_of):
    return {k: (name_of(t.dtype), list(t.shape), hashlib.sha256(to_bytes(t)).hexdigest()) for k, t in tensors.items()}


def make(rng, path, writer):
    """Writes one file; what must be read from it."""
    old = writer in ("legacy", "script")
    state = random_state(rng, OLD if old else [t for t in DTYPES if t != torch.complex128] if writer == "safetensors" else DTYPES)
    if writer == "script":
        return rows(write_script(rng, path, state))
    if writer == "safetensors":
        plain = {k: v.detach().contiguous().clone() for k, v in state.items()}
        save_file(plain, path)
        return rows(plain)
    saved, tensors = nested(rng, state)
    {"zip": write_zip, "legacy": write_legacy, "stored": write_stored, "deflated": write_deflated, "big": write_big}[writer](rng, path, saved)
    if writer == "big":
        return rows(tensors, swapped)
    check_torch(path, tensors)
    return rows(tensors)


def check_torch(path, tensors):
    """PyTorch reads back what was meant: else the case is wrong, not the reader."""
    found = []
    try:
        loaded = torch.load(path, weights_only=True)
    except pickle.UnpicklingError:  # its restricted reader does not know protocol 4; the file is our own
        loaded = torch.load(path, weights_only=False)

    def walk(o):
        if isinstance(o, torch.Tensor):
            found.append(o)
        elif isinstance(o, dict):
            for v in o.values():
                walk(v)
        elif isinstance(o, (list, tuple)):
            for v in o:
                walk(v)

    walk(loaded)
    wanted = sorted((name_of(t.dtype), list(t.shape), bytes_of(t)) for t in tensors.values())
    assert sorted((name_of(t.dtype), list(t.shape), bytes_of(t)) for t in found) == wanted, "PyTorch itself reads something else"


WRITERS = ["zip"] * 6 + ["legacy"] * 6 + ["stored", "deflated", "deflated", "big", "script", "script", "safetensors"]


def share(judge, name, seed, count):
    rng = random.Random(seed)
    made = []
    for i in range(count):
        writer = rng.choice(WRITERS)
        path = os.path.join(judge.scratch, f"{name}-{i}.bin")
        made.append((f"{name} {i}, {writer}", path, make(rng, path, writer)))
        judge.counts[writer] += 1
    with ThreadPoolExecutor(2) as pool:
        for (case, path, expected), found in zip(made, pool.map(judge.ours, [m[1] for m in made])):
            judge.case(case, path, expected, found)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=os.path.join(ROOT, "build"), help="folder of the built program")
    seed_option(p)
    p.add_argument("--files", type=int, default=1000, help="files of the fixed share, and as many of the random one")
    args = p.parse_args()
    seed, start = args.seed, time.monotonic()
    torch.set_num_threads(1)
    print(f"torch {torch.__version__}; random share: --seed {seed}")
    judge = Judge(args)
    share(judge, "fixed", 1, args.files)
    share(judge, "random", seed, args.files)
    shutil.rmtree(judge.scratch, ignore_errors=True)
    print(f"note: {judge.tensors} tensors in {2 * args.files} files, by writer: " + ", ".join(f"{k} {n}" for k, n in sorted(judge.counts.items())))
    print(f"torch_judge: {time.monotonic() - start:.0f} s")
    print(f"{judge.passed} passed, {judge.failed} failed")
    return 1 if judge.failed or not judge.passed else 0


if __name__ == "__main__":
    sys.exit(main())
