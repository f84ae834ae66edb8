# SPDX-License-Identifier: Apache-2.0
"""The command line itself: help, usage errors, settings, tables."""

import json
import os
import pty
import select
import subprocess

from harness import Case, PROGRAM
import models

COMMANDS = ["verify", "convert", "check", "inspect", "metadata", "archs", "doctor", "cache ls", "db query", "bench"]


class Cli(Case):
    def test_version_and_help(self):
        self.assertRegex(self.good("--version").out, r"^onnxgate \d+\.\d+\.\d+\n$")
        text = self.good("--help").out
        for c in COMMANDS:
            self.assertIn("  " + c, text)

    def test_help_of_each_command(self):
        for c in COMMANDS:
            text = self.good(*c.split(), "--help").out
            self.assertIn(f"Usage: onnxgate {c}", text)
            self.assertIn("Examples:\n  ", text)
            self.assertIn("Exit codes:", text)
            for option in ("--json", "--quiet", "--verbose", "--log", "--offline", "--token", "--cache-dir", "--db"):
                self.assertIn(option, text)
            self.assertLessEqual(max(map(len, text.splitlines())), 130)

    def test_help_of_the_first_word_of_two(self):
        self.assertIn("Usage: onnxgate cache ls", self.good("cache", "--help").out)
        self.assertIn("Usage: onnxgate db query", self.good("db", "-h").out)

    def test_usage_errors(self):
        self.bad(2, says="expected a command", hint=True)
        self.bad(2, "verfy", says="verfy", hint="onnxgate verify")
        self.bad(2, "cache", "list", says="cache list", hint="onnxgate cache ls")
        self.bad(2, "zzzzzzzz", says="zzzzzzzz", hint="--help")
        self.bad(2, "verify", "a/b", "--offlin", says="--offlin", hint="--offline")
        self.bad(2, "verify", "a/b", "--against", "x", says="--against", hint="--help")  # of the design, not built yet
        self.bad(2, "verify", says="REPO", hint=True)
        self.bad(2, "verify", "a/b", "c/d", says="c/d")
        self.bad(2, "verify", "a/b", "--opset", "x", says=["--opset", '"x"'])
        self.bad(2, "verify", "a/b", "--opset", "0", says="from 1 to")
        self.bad(2, "verify", "a/b", "--opset", says="--opset")
        self.bad(2, "verify", "a/b", "--json=yes", says="takes no value")
        self.bad(2, "verify", "a/b", "--validate", "reference", says="none|structure|runtime")
        self.bad(2, "convert", "a/b", "--output", "x", "--layout", "other", says="optimum|transformersjs")
        self.bad(2, "bench", "a/b", "--batch-sizes", "1,,2", says="--batch-sizes")
        self.bad(2, "verify", "a/b", "-x", says="-x")
        self.bad(2, "doctor", "extra", says="extra")

    def test_a_token_is_never_shown(self):
        o = self.run_program("verify", "org/none", "-v", "--token", "hf_secret1", "--log", os.path.join(self.home, "log"))
        with open(os.path.join(self.home, "log")) as f:
            self.assertNotIn("hf_secret1", o.out + o.err + f.read())
        self.assertNotIn("hf_secret2", self.good("doctor", env={"HF_TOKEN": "hf_secret2"}).out)

    def test_settings_have_an_origin(self):
        os.makedirs(os.path.join(self.home, "config", "onnxgate"))
        config = models.write(os.path.join(self.home, "config", "onnxgate"), "config.json", json.dumps({"threads": 3, "colour": "red"}))
        o = self.run_program("doctor", "--json", "--db", "sqlite:" + os.path.join(self.home, "x.db"))
        self.check_schema(o.out)
        rows = {r["item"]: r for r in o.json()["rows"]}
        self.assertEqual((rows["setting threads"]["value"], rows["setting threads"]["detail"]), ("3", config))
        self.assertEqual(rows["setting cache_dir"]["detail"], "ONNXGATE_HOME")
        self.assertEqual(rows["setting db"]["detail"], "option")
        self.assertEqual(rows["setting offline"]["detail"], "default")
        self.assertIn("warning: ", o.err)
        self.assertIn("colour", o.err)
        self.assertFalse(os.path.exists(self.og), "doctor made something")
        self.assertFalse(os.path.exists(os.path.join(self.home, "x.db")))

    def test_settings_that_are_wrong(self):
        os.makedirs(os.path.join(self.home, "config", "onnxgate"))
        models.write(os.path.join(self.home, "config", "onnxgate"), "config.json", '{"threads": "three"}')
        self.bad(10, "doctor", says=["threads", "whole number", "string"])
        self.bad(2, "doctor", env={"XDG_CONFIG_HOME": "", "HF_ENDPOINT": "ftp://x"}, says=["ftp://x", "HF_ENDPOINT"])

    def test_doctor_says_what_is_missing(self):
        rows = {r["item"]: r for r in self.document("doctor", env={"ONNXGATE_RUNTIME_HELPER": "/nonexistent/helper"})["rows"]}
        self.assertEqual(rows["runtime"]["state"], "missing")
        self.assertIn("/nonexistent/helper", rows["runtime"]["detail"] + str(rows))

    def test_tables_with_nothing_in_them(self):
        self.assertEqual(self.document("cache", "ls")["rows"], [])
        self.assertEqual(self.document("db", "query")["rows"], [])

    def test_archs(self):
        rows = self.document("archs")["rows"]
        self.assertTrue(any("bert" in r.values() for r in rows))
        self.assertTrue(any("fill-mask" in r.values() for r in rows))
        self.document("archs", "nosuchtype", code=6)

    def test_db_query_only_reads(self):
        self.good("db", "query")
        self.bad(2, "db", "query", "delete from verifications")
        self.bad(2, "db", "query", "select 1; drop table models")
        self.document("db", "query", "drop table models", code=2)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            for command in ("doctor", "--help", "--version"):
                p = subprocess.run([PROGRAM, command], stdout=full, stderr=subprocess.PIPE, env=self.environment())
                self.assertEqual(p.returncode, 8, command)
                self.assertEqual(p.stderr, b"onnxgate: standard output: No space left on device\n")

    def test_a_reader_that_left(self):
        reading, writing = os.pipe()
        os.close(reading)
        p = subprocess.run([PROGRAM, "archs"], stdout=writing, stderr=subprocess.PIPE, env=self.environment())
        os.close(writing)
        self.assertEqual((p.returncode, p.stderr), (8, b"onnxgate: standard output: Broken pipe\n"))

    def test_standard_files_that_are_closed(self):
        """Nothing that is opened later may take their numbers and receive what is printed; a lost result is an error."""
        models.bert(self.hub.repo("closed"))
        for closed in ((1,), (0, 1), (0, 1, 2)):
            p = subprocess.run([PROGRAM, "verify", "org/closed", "--validate", "structure", "--force"], stderr=subprocess.PIPE, env=self.environment(),
                               preexec_fn=lambda: [os.close(fd) for fd in closed])
            self.assertEqual(p.returncode, 8, p)
            if 2 not in closed:
                self.assertIn(b"onnxgate: standard output: Bad file descriptor", p.stderr)
            self.check_caches()
        self.assertEqual(len(self.query("select id from verifications")), 3)

    def test_a_cache_that_cannot_be_listed(self):
        with open(self.og, "w"):
            pass
        self.bad(8, "cache", "ls", says=self.og)

    def test_no_bar_and_no_colour_without_a_terminal(self):
        folder = self.hub.repo("plain")
        models.bert(folder)
        o = self.run_program("verify", "org/plain", "--validate", "structure")
        self.assertEqual(o.code, 0, o)
        self.assertNotIn("\r", o.err)
        self.assertNotIn("\033", o.out + o.err)

    def test_bar_on_a_terminal(self):
        folder = self.hub.repo("bar")
        models.bert(folder)
        self.assertIn("\r", self.on_terminal({}))
        models.bert(folder, seed=2)
        self.assertNotIn("[#", self.on_terminal({"HF_HUB_DISABLE_PROGRESS_BARS": "1"}))

    def on_terminal(self, env):
        """Standard error of a run whose standard error is a terminal."""
        master, slave = pty.openpty()
        p = subprocess.Popen([PROGRAM, "verify", "org/bar", "--validate", "structure"], stdout=subprocess.DEVNULL, stderr=slave, env=self.environment(**env))
        os.close(slave)
        text = b""
        while True:
            ready, _, _ = select.select([master], [], [], 60)
            try:
                piece = os.read(master, 65536) if ready else b""
            except OSError:  # the other end is closed
                piece = b""
            if not piece:
                break
            text += piece
        os.close(master)
        self.assertEqual(p.wait(60), 0, text)
        return text.decode()
