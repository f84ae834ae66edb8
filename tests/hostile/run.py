#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hostile and honest weight files, each given to `onnxgate inspect`: run.py [--build DIR] [-k PART] [--slow FACTOR].

A hostile one must be refused with the right exit code and one clear line, within a second and 64 MB of memory, and nothing in it may
have run (no canary file appears). An honest one must be read. Ends with 'N passed, N failed'."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, "../.."))
sys.path.insert(0, HERE)
sys.dont_write_bytecode = True

SECONDS, MEGABYTES = 1.0, 64


class Ran:
    def __init__(self, code, out, err, seconds, peak):
        self.code, self.out, self.err, self.seconds, self.peak = code, out, err, seconds, peak


class Launcher:
    """Starts programs from a process that was forked while it was small: the peak that the system reports of a program includes its
    parent's size at the time of the start."""

    def __init__(self):
        (r1, w1), (r2, w2) = os.pipe(), os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(w1), os.close(r2)
            self.serve(os.fdopen(r1), os.fdopen(w2, "w"))
        os.close(r1), os.close(w2)
        self.requests, self.answers = os.fdopen(w1, "w"), os.fdopen(r2)

    def serve(self, requests, answers):
        for line in requests:
            argv, env, limit = json.loads(line)
            with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
                start = time.monotonic()
                p = subprocess.Popen(argv, stdout=out, stderr=err, env=env)
                timer = threading.Timer(limit, p.kill)
                timer.start()
                _, status, usage = os.wait4(p.pid, 0)
                seconds = time.monotonic() - start
                p.returncode = os.waitstatus_to_exitcode(status)
                timer.cancel()
                texts = []
                for f in (out, err):
                    f.seek(0)
                    texts.append(f.read(1 << 20).decode(errors="replace"))
            answers.write(json.dumps([p.returncode, *texts, seconds, usage.ru_maxrss * 1024]) + "\n")
            answers.flush()
        os._exit(0)

    def run(self, argv, env, limit):
        self.requests.write(json.dumps([argv, env, limit]) + "\n")
        self.requests.flush()
        return Ran(*json.loads(self.answers.readline()))


class Runner:
    def __init__(self, a, launcher):
        self.launcher = launcher
        self.program = os.path.join(os.path.abspath(a.build), "onnxgate")
        os.makedirs(os.path.join(ROOT, "build/tmp"), exist_ok=True)
        self.scratch = tempfile.mkdtemp(prefix="hostile-", dir=os.path.join(ROOT, "build/tmp"))
        self.canary = os.path.join(self.scratch, "canary")
        self.slow, self.only = a.slow, a.k
        self.env = dict(os.environ, ONNXGATE_HOME=os.path.join(self.scratch, "home"), HF_HOME=os.path.join(self.scratch, "hf"), TMPDIR=self.scratch)
        self.passed = self.failed = 0
        self.worst = {"seconds": (0.0, ""), "memory": (0.0, "")}

    def inspect(self, path, *options):
        return self.launcher.run([self.program, "inspect", path, "--offline", *options], self.env, 30 * self.slow)

    def put(self, content):
        path = os.path.join(self.scratch, "case.bin")
        if os.path.isdir(path):
            os.rmdir(path)
        elif os.path.lexists(path):
            os.unlink(path)
        if isinstance(content, bytes):
            with open(path, "wb") as f:
                f.write(content)
        else:
            content(path)
        return path

    def end(self, name, faults):
        if os.path.exists(self.canary):
            faults.append("something in the file was run")
            os.unlink(self.canary)
        self.passed, self.failed = self.passed + (not faults), self.failed + bool(faults)
        for f in faults[:3]:
            print(f"FAILED  {name}: {f}", flush=True)

    def limits(self, name, ran):
        faults = []
        for what, value in (("seconds", ran.seconds), ("memory", ran.peak / 2**20)):
            if value > self.worst[what][0]:
                self.worst[what] = (value, name)
        if ran.seconds > SECONDS * self.slow:
            faults.append(f"took {ran.seconds:.2f} s")
        if self.slow == 1 and ran.peak > MEGABYTES << 20:
            faults.append(f"took {ran.peak / 2**20:.0f} MB")
        return faults

    def hostile(self, name, content, codes, text):
        codes = codes if isinstance(codes, tuple) else (codes,)
        ran = self.inspect(self.put(content))
        faults = self.limits(name, ran)
        lines = [line for line in ran.err.splitlines() if not line.startswith("hint:") and not re.match(r"\s+hint", line)]
        if ran.code not in codes:
            faults.insert(0, f"expected exit code {' or '.join(map(str, codes))}, found {ran.code}: {ran.err.strip()[:300]}")
        elif text.lower() not in ran.err.lower():
            faults.append(f"the message does not say {text!r}: {ran.err.strip()[:300]}")
        elif len(lines) != 1 or ran.out:
            faults.append(f"expected one line and no result, found: {ran.err.strip()[:300]} {ran.out[:100]}")
        self.end(name, faults)
        return ran.code

    def threats(self, name, content, kind, danger=False):
        """danger: there must be one, since the file is refused as unsafe."""
        ran = self.inspect(self.put(content), "--threats", "--json")
        faults = self.limits(name, ran)
        try:
            rows = json.loads(ran.out)["threats"]
        except (ValueError, KeyError) as e:
            rows, faults = [], [f"no document: {e}: {ran.err.strip()[:200]}"]
        if kind and kind not in {r["kind"] for r in rows}:
            faults.append(f"no row of kind {kind} among {sorted({r['kind'] for r in rows})}")
        if any(r["danger"] for r in rows) != (ran.code == 7):
            faults.append(f"exit code {ran.code}, dangers {[r['text'] for r in rows if r['danger']][:3]}")
        if danger and ran.code != 7:
            faults.append(f"exit code {ran.code} of a file that is refused as unsafe")
        self.end(name, faults)
        return rows

    def benign(self, name, content, names):
        ran = self.inspect(self.put(content), "--json", "--tensors", "--digests")
        found = [t["name"] for t in json.loads(ran.out)["tensors"]] if ran.code == 0 else ran.err.strip()[:300]
        self.end(name, [] if found == names else [f"exit code {ran.code}, expected {names}, found {found}"])

    def run(self, abuses):
        for name, content, codes, text in abuses.hostile(self.canary):
            if self.only not in name:
                continue
            if self.hostile(name, content, codes, text) == abuses.UNSAFE:
                self.threats("--threats of " + name, content, "", danger=True)
        for name, content, names in abuses.benign():
            if self.only in name:
                self.benign("honest: " + name, content, names)
        for name, content, kind in abuses.nested_threats(self.canary):
            if self.only in name:
                self.threats("--threats: " + name, content, kind)
        shutil.rmtree(self.scratch, ignore_errors=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(ROOT, "build"), help="folder of the built program")
    p.add_argument("-k", default="", metavar="PART", help="only cases whose name has this part")
    p.add_argument("--slow", type=float, default=1, help="how much slower the build is (sanitizers); memory is then not judged")
    a = p.parse_args()
    launcher = Launcher()
    import abuses  # pylint: disable=import-outside-toplevel  # after the fork: see Launcher

    r = Runner(a, launcher)
    r.run(abuses)
    for what, unit in (("seconds", "s"), ("memory", "MB")):
        print(f"note: most {what}: {r.worst[what][0]:.2f} {unit} ({r.worst[what][1]})")
    print(f"{r.passed} passed, {r.failed} failed")
    return 1 if r.failed or not r.passed else 0


if __name__ == "__main__":
    sys.exit(main())
