# SPDX-License-Identifier: Apache-2.0
"""Interruptions, kills, full disks and missing permissions at every stage: the caches stay whole and the next run succeeds."""

import os
import shutil
import signal
import stat
import time
import unittest

from harness import FAULTS, Case
import models

LEVEL = ["--validate", "structure"]
# Of the calls that write, every third is tried; 1: all of them, which takes a minute more.
STEP = int(os.environ.get("ONNXGATE_TEST_STEP", "3"))
# Each stage as the shim names it: a call on a path that belongs to it.
STAGES = {
    "the download": "any:1:{}:.incomplete",
    "the download's end": "rename:1:{}:blobs",
    "emission": "any:1:{}:model.onnx",
    "the manifest": "any:1:{}:manifest.json",
    "just before the rename": "rename:1:{}:conversions",
    "the database": "any:1:{}:onnxgate.db",
}


@unittest.skipUnless(os.path.exists(FAULTS), "the preload shim is not built")
class Interrupt(Case):
    def setUp(self):
        super().setUp()
        models.bert(self.hub.repo("stage"))
        self.log = os.path.join(self.home, "faults.log")

    def fault(self, rule):
        env = {"LD_PRELOAD": FAULTS, "OG_FAULT": rule, "OG_FAULT_LOG": self.log}
        if "ASAN_OPTIONS" in os.environ:
            env["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":verify_asan_link_order=0"
        return env

    def struck(self):
        return os.path.exists(self.log) and os.path.getsize(self.log) > 0

    def clear(self):
        for path in (self.cache, self.og, self.log):
            shutil.rmtree(path, ignore_errors=True)
            if os.path.isfile(path):
                os.unlink(path)

    def recovers(self):
        """The next run succeeds, and then nothing is left that does not belong there."""
        self.assertTrue(os.path.isfile(self.document("verify", "org/stage", *LEVEL)["path"]))
        self.check_caches()

    def test_interrupted(self):
        for number in ("SIGINT", "SIGTERM"):
            for stage, rule in STAGES.items():
                with self.subTest(stage=stage, signal=number):
                    self.clear()
                    o = self.run_program("verify", "org/stage", *LEVEL, env=self.fault(rule.format(number)))
                    self.assertTrue(self.struck(), o)
                    # What is interrupted at the very end may still finish.
                    self.assertIn(o.code, (130, 0) if stage in ("the database", "just before the rename") else (130,), o)
                    if o.code:
                        self.assertEqual(len(o.lines("onnxgate: ")), 1, o)
                        self.assertIn("interrupted", o.err)
                    self.check_caches()
                    self.recovers()

    def slow_download(self):
        """A run that stands in the middle of a download."""
        self.hub.control(rules=[{"side": "cdn", "slow": [100, 0.5]}])
        asked = lambda: sum(e["side"] == "cdn" for e in self.hub.log())  # noqa: E731
        before = asked()
        p = self.start("verify", "org/stage", *LEVEL)
        end = time.monotonic() + 20
        while asked() == before and time.monotonic() < end:
            time.sleep(0.02)
        return p

    def test_interrupted_download_ends_soon(self):
        p = self.slow_download()
        p.send_signal(signal.SIGINT)
        begin = time.monotonic()
        o = self.finish(p)
        self.assertLess(time.monotonic() - begin, 3)
        self.assertEqual(o.code, 130, o)
        self.hub.control(reset=True)
        self.check_caches()
        self.recovers()

    def test_interrupted_twice_ends_at_once(self):
        p = self.slow_download()
        p.send_signal(signal.SIGSTOP)  # both arrive before the work can look
        p.send_signal(signal.SIGINT)
        p.send_signal(signal.SIGTERM)
        p.send_signal(signal.SIGCONT)
        self.assertIn(self.finish(p).code, (130, -signal.SIGTERM, -signal.SIGINT))
        p = self.slow_download()
        p.send_signal(signal.SIGINT)
        p.send_signal(signal.SIGINT)
        self.assertIn(self.finish(p).code, (130, -signal.SIGINT))
        self.hub.control(reset=True)
        self.recovers()

    def test_killed(self):
        for stage, rule in STAGES.items():
            with self.subTest(stage=stage):
                self.clear()
                o = self.run_program("verify", "org/stage", *LEVEL, env=self.fault(rule.format("SIGKILL")))
                self.assertTrue(self.struck(), o)
                self.assertEqual(o.code, -9, o)
                self.recovers()

    def calls(self):
        """How many calls that write a whole run makes."""
        self.good("verify", "org/stage", *LEVEL, env=self.fault("any:1+:LOG:"))
        with open(self.log) as f:
            return len(f.readlines())

    def test_killed_at_many_calls(self):
        for n in range(1, self.calls() + 1, STEP):
            with self.subTest(call=n):
                self.clear()
                o = self.run_program("verify", "org/stage", *LEVEL, env=self.fault(f"any:{n}:SIGKILL:"))
                self.assertTrue(self.struck(), o)
                self.assertEqual(o.code, -9, o)
                self.recovers()

    def test_disk_full_from_many_calls_on(self):
        for n in range(2, self.calls() + 1, STEP):
            with self.subTest(call=n):
                self.clear()
                o = self.run_program("verify", "org/stage", *LEVEL, env=self.fault(f"any:{n}+:ENOSPC:"))
                # What comes last may be dispensable: the marker file of a cache, the end of the database's log.
                self.assertIn(o.code, (8, 0), o)
                self.assertEqual(len(o.lines("onnxgate: ")), 1 if o.code else 0, o)
                if o.code:
                    self.assertRegex(o.lines("onnxgate: ")[0], "No space left|disk is full|disk I/O error", o)
                self.check_caches()
                self.recovers()

    def test_full_disk(self):
        for stage, rule in STAGES.items():
            call, _, _, part = rule.split(":")
            for call in [call] if call == "rename" else ["write", "pwrite", "fsync"]:
                with self.subTest(stage=stage, call=call):
                    self.clear()
                    error = "ENOSPC" if call != "fsync" else "EIO"
                    o = self.run_program("verify", "org/stage", *LEVEL, env=self.fault(f"{call}:1+:{error}:{part}"))
                    if not self.struck():
                        continue  # this stage does not use that call
                    self.assertEqual(o.code, 8, o)
                    errors = o.lines("onnxgate: ")
                    self.assertEqual(len(errors), 1, o)
                    self.assertRegex(errors[0], "No space left|disk is full|Input/output error|disk I/O", o)
                    self.check_caches()
                    self.recovers()

    def test_full_disk_leaves_an_older_conversion(self):
        first = self.document("verify", "org/stage", *LEVEL)
        before = self.tree(self.cache, self.og)
        o = self.run_program("verify", "org/stage", "--force", *LEVEL, env=self.fault("any:1+:ENOSPC:model.onnx"))
        self.assertEqual((o.code, self.struck()), (8, True), o)
        self.assertEqual(self.tree(self.cache, self.og), before)
        self.assertEqual(self.document("verify", "org/stage", *LEVEL)["path"], first["path"])

    def test_convert_leaves_nothing(self):
        folder, out = os.path.join(self.home, "model"), os.path.join(self.home, "new", "out")
        models.bert(folder)
        for rule, code in (("any:1:SIGINT:model.onnx", 130), ("any:1+:ENOSPC:model.onnx", 8), ("rename:1:EACCES:out", 8), ("fsync:1+:EIO:model.onnx", 8)):
            with self.subTest(rule=rule):
                self.clear()
                o = self.run_program("convert", folder, "--output", out, *LEVEL, env=self.fault(rule))
                self.assertEqual((o.code, self.struck()), (code, True), o)
                self.assertFalse(os.path.exists(os.path.dirname(out)), os.listdir(self.home))
        self.clear()
        o = self.run_program("convert", folder, "--output", out, *LEVEL, env=self.fault("any:1:SIGKILL:model.onnx"))
        self.assertEqual(o.code, -9)
        self.good("convert", folder, "--output", out, *LEVEL)
        self.assertEqual(os.listdir(os.path.dirname(out)), ["out"])  # what the dead left is gone


@unittest.skipUnless(os.geteuid() == 0 and shutil.which("setpriv"), "needs root, to become somebody without permissions")
class Permissions(Case):
    def setUp(self):
        super().setUp()
        models.bert(self.hub.repo("rights"))
        os.chmod(self.home, 0o755)
        self.prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]

    def own(self, *paths):
        for path in paths:
            os.makedirs(path, exist_ok=True)
            os.chown(path, 65534, 65534)

    def test_nothing_may_be_written(self):
        o = self.bad(8, "verify", "org/rights", *LEVEL, prefix=self.prefix, says="Permission denied")
        self.assertIn(self.home, o.err)
        self.assertEqual([n for n in os.listdir(self.home)], [])

    def test_conversions_may_not_be_written(self):
        self.own(os.path.join(self.home, "hf"))
        os.makedirs(self.og)
        o = self.bad(8, "verify", "org/rights", *LEVEL, prefix=self.prefix, says=["Permission denied", self.og], hint=True)
        self.assertEqual(os.listdir(self.og), [], o)
        self.check_caches()

    def test_output_may_not_be_written(self):
        self.own(os.path.join(self.home, "hf"), self.og)
        out = os.path.join(self.home, "out")
        self.bad(8, "convert", "org/rights", "--output", out, *LEVEL, prefix=self.prefix, says=["Permission denied", self.home])
        self.assertFalse(os.path.exists(out))

    def test_weights_may_not_be_read(self):
        folder = os.path.join(self.home, "model")
        models.bert(folder)
        os.chmod(os.path.join(folder, "model.safetensors"), 0)
        self.own(self.og, os.path.join(self.home, "mine"))
        self.bad(8, "convert", folder, "--output", os.path.join(self.home, "mine", "out"), *LEVEL, prefix=self.prefix,
                 says=["model.safetensors", "Permission denied"])
        self.assertEqual(os.listdir(os.path.join(self.home, "mine")), [])

    def test_a_cache_that_may_only_be_read_still_serves(self):
        self.good("verify", "org/rights", *LEVEL)
        for root in (self.cache, self.og):
            for where, dirs, names in os.walk(root):
                for n in dirs + names:
                    path = os.path.join(where, n)
                    if not os.path.islink(path):
                        os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | 0o444 | (0o111 if n in dirs else 0))
        db = os.path.join(self.home, "db")
        self.own(db)
        d = self.document("verify", "org/rights", *LEVEL, "--offline", "--db", os.path.join(db, "runs.db"), prefix=self.prefix)
        self.assertTrue(d["cached"])
        # Every run is recorded: where it cannot be, that is the error.
        self.bad(8, "verify", "org/rights", *LEVEL, "--offline", prefix=self.prefix, says="onnxgate.db")
