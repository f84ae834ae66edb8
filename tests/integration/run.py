#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the program of a build folder against a local Hub: run.py [--build DIR] [-k PART]... [-v]. Ends with 'N passed, N failed'."""

import argparse
import os
import sys
import unittest


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=os.path.join(os.path.dirname(__file__), "..", "..", "build"), help="the build folder")
    p.add_argument("-k", action="append", metavar="PART", help="only tests whose name has this part")
    p.add_argument("-v", action="store_true", help="name each test")
    a = p.parse_args()
    os.environ["ONNXGATE_TEST_BUILD"] = os.path.abspath(a.build)
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path.insert(0, here)
    loader = unittest.TestLoader()
    if a.k:
        loader.testNamePatterns = [f"*{k}*" for k in a.k]
    suite = loader.discover(here, pattern="test_*.py")
    result = unittest.TextTestRunner(verbosity=2 if a.v else 1, buffer=False).run(suite)
    # A test with several subtests that fail is one failed test.
    bad = len({getattr(t, "test_case", t).id() for t, _ in result.failures + result.errors})
    for test, why in result.skipped:
        print(f"note: skipped {test}: {why}")
    print(f"{result.testsRun - bad - len(result.skipped)} passed, {bad} failed")
    return 1 if bad or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
