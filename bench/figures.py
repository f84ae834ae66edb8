#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The figures of the README: bench/figures.py [--write] [--runs N] [SECTION…].

Sections: numeric emission memory convert determinism latency formats. Each ratio comes from runs that alternate with what it is compared with,
inside one process; the median and the lowest and highest are shown. --write puts the tables into bench/RESULTS.md and the
summary into the README; the section of bench/export.py, which takes some 20 minutes by itself, stays as it is there. 'numeric', 'convert' and
'formats' need scripts/oracle_env.sh, 'latency' scripts/get_minilm.sh (they are run)."""

import argparse
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import export
import formats
import make_checkpoint
from _measure import BUILD, ROOT, VENV, WORK, environment, fresh, host, mib, show, timed, watched

PROGRAM = os.path.join(BUILD, "onnxgate")
CHECKPOINT = os.path.join(WORK, "bert-base")
WEIGHTS = os.path.join(CHECKPOINT, "model.safetensors")


def convert_argv(out, *options):
    return [PROGRAM, "convert", CHECKPOINT, "--output", out, "-q", *options]


def run_convert(*options, **env):
    return timed(convert_argv(fresh("out"), *options), environment(**env))


def run_copy():
    target = fresh("copy")
    return timed(["sh", "-c", f"cp --reflink=never '{WEIGHTS}' '{target}' && sync '{target}'"])


def run_openssl():
    return timed(["openssl", "dgst", "-sha256", WEIGHTS])


def numeric(_runs):
    """The largest error against transformers, from the oracle itself."""
    subprocess.run([os.path.join(ROOT, "scripts/oracle_env.sh")], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([os.path.join(ROOT, "scripts/get_minilm.sh")], check=True, stdout=subprocess.DEVNULL)
    argv = [os.path.join(VENV, "python"), os.path.join(ROOT, "tests/oracle/text_numeric.py"), "--build", BUILD, "--seed", "1"]
    done = watched(argv, environment(HF_HUB_OFFLINE="1"), interval=0.1)
    error, where, count = re.search(r"largest error of ours: (\S+) \((.*)\) over (\d+) checkpoints", done.output).groups()
    minilm = re.search(r"all-MiniLM-L6-v2: error (\S+) ", done.output).group(1)
    return [
        f"## Error against transformers in float64, {count} checkpoints (every task and switch of every text encoder)",
        "",
        "| what | max abs difference / max abs reference |",
        "|---|---|",
        f"| **the largest** (limit 1e-5): {where} | **{error}** |",
        f"| all-MiniLM-L6-v2, the published weights | {minilm} |",
    ], [(f"largest error against transformers over {count} random and real checkpoints", error, "≤ 1e-5")]


def emission(runs):
    """Emission as a multiple of copying the weights."""
    rows = {"plain": [], "copy": [], "digest": [], "openssl": []}
    run_copy(), run_convert("--validate", "none", "--digest", "none")  # everything into the page cache
    for _ in range(runs):
        rows["plain"].append(run_convert("--validate", "none", "--digest", "none"))
        rows["copy"].append(run_copy())
        rows["digest"].append(run_convert("--validate", "none"))
        rows["openssl"].append(run_openssl())
    slower = [max(c, o) for c, o in zip(rows["copy"], rows["openssl"])]
    plain = [a / b for a, b in zip(rows["plain"], rows["copy"])]
    digest = [a / b for a, b in zip(rows["digest"], slower)]
    size = os.path.getsize(WEIGHTS)
    return [
        f"## Emission of a BERT-base sized checkpoint ({size / 1e6:.0f} MB, random weights), {runs} alternating runs",
        "",
        "| what | time, median (lowest–highest) |",
        "|---|---|",
        f"| `onnxgate convert --validate none --digest none` | {show(rows['plain'])} |",
        f"| `cp --reflink=never` of the weights, then `sync` of the copy | {show(rows['copy'])} |",
        f"| `onnxgate convert --validate none` (with SHA-256) | {show(rows['digest'])} |",
        f"| `openssl dgst -sha256` of the weights | {show(rows['openssl'])} |",
        f"| **emission as a multiple of the copy** (aim ≤ 1.5) | **{show(plain, '×')}** |",
        f"| **with digest, as a multiple of the slower of copy and openssl** (aim ≤ 1.3) | **{show(digest, '×')}** |",
    ], [
        ("emission of a 438 MB checkpoint, as a multiple of `cp` and `sync`", show(plain, "×"), "≤ 1.5"),
        ("the same with SHA-256, as a multiple of the slower of `cp` and `openssl dgst`", show(digest, "×"), "≤ 1.3"),
    ]


def memory(runs):
    """Peak resident memory of the process itself, file pages included; its children apart."""
    emit = [watched(convert_argv(fresh("out"), "--validate", "none"), environment()) for _ in range(runs)]
    full = [watched(convert_argv(fresh("out")), environment()) for _ in range(runs)]
    child = max(d.children.get("onnxgate-runtim", 0) for d in full)
    return [
        f"## Peak resident memory for the same checkpoint, {runs} runs, the highest",
        "",
        "| what | peak |",
        "|---|---|",
        f"| `onnxgate convert --validate none`, the process itself (aim ≤ 64 MB) | {mib(max(d.peak for d in emit))} |",
        f"| `onnxgate convert` with validation, the process itself | {mib(max(d.peak for d in full))} |",
        f"| the runtime child (ONNX Runtime holds the model) | {mib(child)} |",
    ], [("peak memory of the process during emission (the runtime child apart)", mib(max(d.peak for d in emit)), "≤ 64 MB")]


def convert(runs):
    """The default convert, validation included, against Optimum's export of the same checkpoint."""
    subprocess.run([os.path.join(ROOT, "scripts/oracle_env.sh")], check=True, stdout=subprocess.DEVNULL)
    cli = os.path.join(VENV, "optimum-cli")
    offline = environment(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", PATH=VENV + ":" + os.environ["PATH"])
    export = [cli, "export", "onnx", "--model", CHECKPOINT, "--task", "feature-extraction", "--library-name", "transformers"]
    ours, theirs = [], []
    for i in range(runs + 1):
        times = run_convert(), timed([*export, fresh("out-optimum")], offline)
        if i:  # the first fills the page cache with both programs
            ours.append(times[0]), theirs.append(times[1])
    ratio = [b / a for a, b in zip(ours, theirs)]
    # Memory in runs of its own: watching costs time.
    mine, other = watched(convert_argv(fresh("out")), environment()), watched([*export, fresh("out-optimum")], offline, interval=0.02)
    return [
        f"## The default `convert`, validation included, against `optimum-cli export onnx`, {runs} alternating runs",
        "",
        "| what | time, median (lowest–highest) | peak memory |",
        "|---|---|---|",
        f"| `onnxgate convert` (structure and runtime checks) | {show(ours)} | {mib(mine.peak)}, runtime child {mib(max(mine.children.values(), default=0))} |",
        f"| `optimum-cli export onnx` (its own validation) | {show(theirs)} | {mib(other.peak)} |",
        f"| **times faster** (aim ≥ 10) | **{show(ratio, '×', digits=1)}** | |",
    ], [("the default `convert`, validated, against `optimum-cli export onnx`", show(ratio, "× faster", digits=1), "≥ 10 × faster")]


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def determinism(_runs):
    """Threads and place change nothing."""
    found = {}
    for threads in ("1", "2", "4"):
        run_convert("--validate", "none", ONNXGATE_THREADS=threads)
        found[f"{threads} threads"] = sha256(os.path.join(WORK, "out/model.onnx"))
    moved = fresh("another folder")
    shutil.copytree(CHECKPOINT, moved)
    out = fresh("out")
    timed([PROGRAM, "convert", moved, "--output", out, "-q", "--validate", "none"], environment())
    found["another folder"] = sha256(os.path.join(out, "model.onnx"))
    shutil.rmtree(moved)
    same = len(set(found.values())) == 1
    return [
        "## The same bytes every time",
        "",
        "| conversion with | SHA-256 of `model.onnx` |",
        "|---|---|",
        *[f"| {k} | `{v}` |" for k, v in found.items()],
        "",
        "All equal." if same else "**They differ.**",
    ], [("the same SHA-256 with 1, 2, 4 threads and from another folder", "yes" if same else "**no**", "yes")]


def start_hub():
    subprocess.run([os.path.join(ROOT, "scripts/get_minilm.sh")], check=True, stdout=subprocess.DEVNULL)
    port_file = fresh("port")
    argv = [sys.executable, os.path.join(ROOT, "tests/hub/hub.py"), "--root", os.path.join(BUILD, "hub"), "--port-file", port_file]
    hub = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
    for _ in range(200):
        if os.path.exists(port_file) and os.path.getsize(port_file):
            break
        time.sleep(0.1)
    with open(port_file, encoding="ascii") as f:
        return hub, f"http://127.0.0.1:{f.readline().strip()}"


def latency(runs):
    """A verify that is served from the cache, offline, and the start of the program."""
    repo = "sentence-transformers/all-MiniLM-L6-v2"
    fresh("home"), fresh("hf")
    hub, endpoint = start_hub()
    try:
        first = timed([PROGRAM, "verify", repo, "-q"], environment(HF_ENDPOINT=endpoint))
    finally:
        hub.send_signal(signal.SIGTERM)
        hub.wait()
    cached = [timed([PROGRAM, "verify", repo, "--offline", "-q"], environment()) for _ in range(max(30, runs))]
    version = [timed([PROGRAM, "--version"], environment()) for _ in range(100)]
    nothing = [timed(["/bin/true"], environment()) for _ in range(100)]
    return [
        "## Latency (all-MiniLM-L6-v2)",
        "",
        "| what | time, median (lowest–highest) |",
        "|---|---|",
        f"| the first `onnxgate verify`: download from a Hub on loopback, convert, validate, publish, record | {first:.2f} s |",
        f"| `onnxgate verify --offline`, served from the cache, {len(cached)} runs (aim ≤ 20 ms) | {show(cached, 'ms', 1000, 1)} |",
        f"| `onnxgate --version`, 100 runs (aim ≤ 5 ms) | {show(version, 'ms', 1000, 1)} |",
        f"| `/bin/true`, for comparison, 100 runs | {show(nothing, 'ms', 1000, 1)} |",
    ], [
        ("a repeated `verify`, from the cache, offline", show(cached, "ms", 1000, 1), "≤ 20 ms"),
        ("`onnxgate --version`", show(version, "ms", 1000, 1), "≤ 5 ms"),
    ]


def file_formats(runs):
    subprocess.run([os.path.join(ROOT, "scripts/oracle_env.sh")], check=True, stdout=subprocess.DEVNULL)
    return formats.measure(runs)


SECTIONS = {  # name: function, runs
    "numeric": (numeric, 1), "emission": (emission, 9), "memory": (memory, 3), "convert": (convert, 3), "determinism": (determinism, 1),
    "latency": (latency, 30),
    "formats": (file_formats, 9),
}  # fmt: skip
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"


def write_readme(summary):
    """The summary between its two marks."""
    path = os.path.join(ROOT, "README.md")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if BEGIN not in text or END not in text:
        sys.exit(f"README.md: expected the marks {BEGIN} and {END}")
    rows = ["| what | median (lowest–highest) | aim |", "|---|---|---|", *[f"| {a} | {b} | {c} |" for a, b, c in summary]]
    head, tail = text[: text.index(BEGIN) + len(BEGIN)], text[text.index(END) :]
    with open(path, "w", encoding="utf-8") as f:
        f.write(head + "\n" + "\n".join(rows) + f"\n\nMachine: {host()}.\n" + tail)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    p.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {' '.join(SECTIONS)}; default: all")
    p.add_argument("--write", action="store_true", help="write bench/RESULTS.md")
    p.add_argument("--runs", type=int, help="instead of each section's own number")
    args = p.parse_args()
    for name in args.sections:
        if name not in SECTIONS:
            p.error(f"no section '{name}'; there are {', '.join(SECTIONS)}")
    if args.write and args.sections:
        p.error("--write writes all sections: name none")
    os.makedirs(WORK, exist_ok=True)
    subprocess.run([os.path.join(ROOT, "scripts/build.sh")], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([os.path.join(ROOT, "scripts/get_runtime.sh")], check=True, stdout=subprocess.DEVNULL)
    if not os.path.exists(WEIGHTS):
        print("making the checkpoint …", file=sys.stderr)
        make_checkpoint.make(CHECKPOINT)
    text = ["# Figures", "", "Written by `python3 bench/figures.py --write`; nothing here is typed by hand.", "", f"Machine: {host()}.", ""]
    summary = []
    for name in args.sections or SECTIONS:
        measure, runs = SECTIONS[name]
        print(f"measuring: {name} …", file=sys.stderr, flush=True)
        lines, figures = measure(args.runs or runs)
        print("\n".join(lines) + "\n", flush=True)
        text += [*lines, ""]
        summary += figures
    for name in ("out", "out-optimum", "copy"):
        fresh(name)
    if args.write:
        kept = export.section()
        with open(os.path.join(ROOT, "bench/RESULTS.md"), "w", encoding="utf-8") as f:
            f.write("\n".join([*text, kept]).rstrip("\n") + "\n")
        write_readme(summary)
    for row in summary:
        print("%s: %s (aim: %s)" % row)


if __name__ == "__main__":
    main()
