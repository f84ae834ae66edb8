# SPDX-License-Identifier: Apache-2.0
"""Listing and reading 500 MB of each kind of weights file, beside Python's own readers in the same run."""

import json
import os
import subprocess
import sys

from _measure import BUILD, ROOT, VENV, WORK, environment, show, spread, timed

KINDS = ("safetensors", "torch zip", "torch legacy", "TorchScript")
PYTHON = r"""
import json, sys, time, torch
from safetensors import safe_open
folder, runs = sys.argv[1], int(sys.argv[2])
def list_safetensors():
    with safe_open(folder + "/safetensors.bin", "pt") as f:
        return [(k, f.get_slice(k).get_shape()) for k in f.keys()]
def read_safetensors():
    with safe_open(folder + "/safetensors.bin", "pt") as f:
        for k in f.keys():
            f.get_tensor(k).view(torch.uint8).view(torch.int32).sum()
def list_torch():
    return [(k, v.shape) for k, v in torch.load(folder + "/torch-zip.bin", mmap=True, weights_only=True).items()]
def read_torch():
    for v in torch.load(folder + "/torch-zip.bin", mmap=True, weights_only=True).values():
        v.view(torch.int32).sum()
out = {}
for f in (list_safetensors, read_safetensors, list_torch, read_torch):
    f()
    times = []
    for _ in range(runs):
        start = time.perf_counter(); f(); times.append(time.perf_counter() - start)
    out[f.__name__] = times
print(json.dumps(out))
"""


def measure(runs):
    """(lines for RESULTS.md, rows for the summary)"""
    folder, python = os.path.join(WORK, "formats"), os.path.join(VENV, "python")
    if not os.path.exists(folder + "/complete"):
        os.makedirs(folder, exist_ok=True)
        print("making 500 MB of each kind …", file=sys.stderr)
        subprocess.run([python, "-W", "ignore", os.path.join(ROOT, "bench/make_weights.py"), folder], check=True)
        with open(folder + "/complete", "w", encoding="ascii"):
            pass
    subprocess.run(["ninja", "-C", BUILD, "bench/read_tensors"], check=True, stdout=subprocess.DEVNULL)
    program, reader = os.path.join(BUILD, "onnxgate"), os.path.join(BUILD, "bench/read_tensors")
    lines = [f"## Listing and reading a weights file of 500 MB (400 tensors, in the page cache), {runs} alternating runs", "",
             "| file | list: `onnxgate inspect FILE --tensors`, the whole process (aim ≤ 10 ms) | read every byte (`read_tensors`) | `cat FILE` | "
             "share of `cat`'s speed (aim ≥ 90 %) |",
             "|---|---|---|---|---|"]
    worst_list, worst_read = (0, ""), (9, "")
    for kind in KINDS:
        path = os.path.join(folder, kind.replace(" ", "-") + ".bin")
        timed(["cat", path], environment())
        lists, reads, cats = [], [], []
        for _ in range(runs):
            lists.append(timed([program, "inspect", path, "--tensors", "--offline"], environment()))
            cats.append(timed(["cat", path], environment()))
            reads.append(timed([reader, path], environment()))
        shares = [c / r for c, r in zip(cats, reads)]
        worst_list = max(worst_list, (spread(lists)[0], show(lists, "ms", 1e3, 1)))
        worst_read = min(worst_read, (spread(shares)[0], show(shares, "%", 100, 0)))
        lines.append(f"| {kind} | {show(lists, 'ms', 1e3, 1)} | {show(reads, 'ms', 1e3, 0)} | {show(cats, 'ms', 1e3, 0)} | {show(shares, '%', 100, 0)} |")
    peer = json.loads(subprocess.run([python, "-W", "ignore", "-c", PYTHON, folder, str(runs)], check=True, capture_output=True, text=True).stdout)
    lines += ["", "Python in the same run, imports (1 s and more) not counted:", "", "| reader | list | read every byte |", "|---|---|---|"]
    for name, label in (("safetensors", "`safetensors.safe_open`"), ("torch", "`torch.load(mmap=True, weights_only=True)` of the zip")):
        lines.append(f"| {label} | {show(peer['list_' + name], 'ms', 1e3, 1)} | {show(peer['read_' + name], 'ms', 1e3, 0)} |")
    return lines, [("list the tensors of a 500 MB file, the slowest kind, whole process", worst_list[1], "≤ 10 ms"),
                   ("read every byte of it, as a share of `cat`'s speed, the slowest kind", worst_read[1], "≥ 90 %")]
