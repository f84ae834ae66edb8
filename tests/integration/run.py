#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the program of a build folder against a local Hub: run.py [--build DIR] [-k PART]... [-j N] [-v]. Ends with 'N passed, N failed'.

Each class of tests has a Hub and a process of its own; N of them run at a time. ONNXGATE_TEST_TIMEOUT: seconds for one run of the program."""

import argparse
import concurrent.futures
import os
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def flatten(suite):
    for t in suite:
        if isinstance(t, unittest.TestSuite):
            yield from flatten(t)
        else:
            yield t


def find(names, only=None):
    """Class → suite of its tests."""
    loader = unittest.TestLoader()
    if names:
        loader.testNamePatterns = [f"*{k}*" for k in names]
    found = {}
    for t in flatten(loader.discover(HERE, pattern="test_*.py")):
        key = f"{type(t).__module__}.{type(t).__name__}"
        if only in (None, key):
            found.setdefault(key, unittest.TestSuite()).addTest(t)
    return found


def run_here(suite, verbose):
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2 if verbose else 1).run(suite)
    # A test with several subtests that fail is one failed test.
    bad = len({getattr(t, "test_case", t).id() for t, _ in result.failures + result.errors})
    for test, why in result.skipped:
        print(f"note: skipped {test}: {why}")
    print(f"counts: {result.testsRun - bad - len(result.skipped)} {bad}")


def run_apart(a, key):
    command = [sys.executable, os.path.abspath(__file__), "--build", a.build, "--only", key]
    command += [x for k in a.k or [] for x in ("-k", k)] + (["-v"] if a.v else [])
    p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    lines = p.stdout.splitlines()
    counts = [line.split()[1:] for line in lines if line.startswith("counts: ")]
    print("\n".join([f"---- {key}"] + [line for line in lines if not line.startswith("counts: ")]), flush=True)
    return tuple(map(int, counts[-1])) if p.returncode == 0 and counts else (0, 1)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(HERE, "..", "..", "build"), help="the build folder")
    p.add_argument("-k", action="append", metavar="PART", help="only tests whose name has this part")
    p.add_argument("-j", type=int, default=os.cpu_count() or 1, metavar="N", help="classes at a time (default: as many as there are processors)")
    p.add_argument("-v", action="store_true", help="name each test")
    p.add_argument("--only", help=argparse.SUPPRESS)
    a = p.parse_args()
    a.build = os.path.abspath(a.build)
    os.environ["ONNXGATE_TEST_BUILD"] = a.build
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.dont_write_bytecode = True
    sys.path.insert(0, HERE)
    found = find(a.k, a.only)
    if a.only:
        return run_here(found.get(a.only, unittest.TestSuite()), a.v)
    with concurrent.futures.ThreadPoolExecutor(a.j) as pool:
        counts = list(pool.map(lambda key: run_apart(a, key), sorted(found, reverse=True)))
    passed, failed = (sum(c[i] for c in counts) for i in (0, 1))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
