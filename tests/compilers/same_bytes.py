#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The same input gives the same bytes, whatever compiler built the program: same_bytes.py ONNXGATE OTHER_ONNXGATE.

Each configuration below tests/golden/, for every class of its type that has it, in each set of files: weights of zeros are converted by both
programs and the folders compared. In C the arguments of a call are evaluated in any order; nodes are appended in the one that the
compiler chose where two of them append some."""

import filecmp
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")


def run(program, *args):
    done = subprocess.run([program, *args, "--offline", "--json"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout) if done.stdout else {"error": done.stderr}, done.returncode


def write_weights(program, folder, model_type, task):
    """Zeros for every tensor that the task wants. False: this configuration has no such task."""
    doc, code = run(program, "archs", model_type, "--config", os.path.join(folder, "config.json"), "--task", task)
    if code:
        return False
    header, at = {}, 0
    for row in doc["rows"]:
        shape = json.loads(row["shape"])
        size = 4 * math.prod(shape)
        header[row["tensor"]] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + bytes(at))
    return True


def compare(programs, folder, more):
    """"" for equal, None for files that this class does not have, else what differs."""
    outs = []
    for i, program in enumerate(programs):
        outs.append(f"{folder}-out{i}{''.join(more[2:])}{more[1]}")
        doc, code = run(program, "convert", folder, "--output", outs[i], "--validate", "none", "--force", "--allow-unknown-keys", *more)
        if code:
            return None if code == 6 else f"exit code {code}: {doc}"
    names = sorted(n for n in os.listdir(outs[0]) if n.endswith((".onnx", ".onnx_data")))
    differ = filecmp.cmpfiles(*outs, names, shallow=False)
    return ", ".join(differ[1] + differ[2]) if names else "no ONNX file"


def main():
    programs = [os.path.abspath(p) for p in sys.argv[1:3]]
    rows, passed, failed = run(programs[0], "archs")[0]["rows"], 0, 0
    for model_type in sorted(os.listdir(GOLDEN)):
        with open(os.path.join(GOLDEN, model_type, "config.json"), encoding="utf-8") as f:
            config = json.load(f)
        for row in (r for r in rows if r["model_type"] == model_type):
            with tempfile.TemporaryDirectory() as top:
                folder = os.path.join(top, "model")
                os.mkdir(folder)
                with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
                    json.dump(config | {"architectures": [row["class"]]}, f)
                if not write_weights(programs[0], folder, model_type, row["task"]):
                    continue
                for more in [[], *([v.split(":")[0]] for v in row["on_request"].split("; ") if v)]:
                    differs = compare(programs, folder, ["--task", row["task"], *more])
                    if differs is None:
                        continue
                    passed, failed = passed + (not differs), failed + bool(differs)
                    if differs:
                        print(f"{model_type} {row['class']} {row['task']} {' '.join(more)}: {differs}")
    print(f"same bytes: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
