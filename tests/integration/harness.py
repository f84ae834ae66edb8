# SPDX-License-Identifier: Apache-2.0
"""What the integration tests share: a Hub of their own, a home of their own for each test, the program, and looks at what it left."""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import validate_json

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("ONNXGATE_TEST_BUILD", os.path.join(ROOT, "build")))
PROGRAM = os.path.join(BUILD, "onnxgate")
FAULTS = os.path.join(BUILD, "tests", "integration", "preload", "og_faults.so")
SCHEMAS = os.path.join(ROOT, "schemas")
TIMEOUT = float(os.environ.get("ONNXGATE_TEST_TIMEOUT", "120"))


class Hub:
    """tests/hub/hub.py over a folder of repositories."""

    def __init__(self, folder):
        self.root = os.path.join(folder, "repositories")
        os.makedirs(self.root)
        port_file = os.path.join(folder, "port")
        self.process = subprocess.Popen([sys.executable, os.path.join(ROOT, "tests", "hub", "hub.py"), "--root", self.root, "--port-file", port_file])
        end = time.monotonic() + 20
        while not os.path.exists(port_file) or len(open(port_file).read().split()) < 2:
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError("the Hub of the tests does not start")
            time.sleep(0.02)
        with open(port_file) as f:
            self.url = "http://127.0.0.1:" + f.read().split()[0]

    def control(self, **order):
        urllib.request.urlopen(urllib.request.Request(self.url + "/_control", json.dumps(order).encode()), timeout=10).read()

    def log(self):
        return json.load(urllib.request.urlopen(self.url + "/_log", timeout=10))

    def repo(self, name):
        """The folder of a new, empty repository org/NAME; an old one of that name goes."""
        path = os.path.join(self.root, "org", name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def stop(self):
        self.process.terminate()
        self.process.wait(10)


class Outcome:
    """What a run of the program gave."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    def json(self):
        return json.loads(self.out)

    def lines(self, prefix):
        return [line for line in self.err.splitlines() if line.startswith(prefix)]

    def __repr__(self):
        return f"exit code {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


class Case(unittest.TestCase):
    """One Hub for a module, one home for each test."""

    hub = None
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="onnxgate-it-")
        os.chmod(cls.folder, 0o755)
        cls.hub = Hub(cls.folder)

    @classmethod
    def tearDownClass(cls):
        cls.hub.stop()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        self.hub.control(reset=True)
        self.home = tempfile.mkdtemp(prefix="home-", dir=self.folder)
        self.cache = os.path.join(self.home, "hf", "hub")
        self.og = os.path.join(self.home, "onnxgate")

    # ---- running ----

    def environment(self, **more):
        wanted = ("PATH", "LANG", "ONNXGATE_ORT_LIBRARY", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS")
        keep = {k: v for k, v in os.environ.items() if k in wanted}
        keep.update(HOME=self.home, HF_ENDPOINT=self.hub.url, HF_HOME=os.path.join(self.home, "hf"), ONNXGATE_HOME=self.og,
                    XDG_CONFIG_HOME=os.path.join(self.home, "config"), TMPDIR=self.folder)
        keep.update(more)
        return keep

    def start(self, *args, env=None, prefix=(), **more):
        return subprocess.Popen([*prefix, PROGRAM, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                env=self.environment(**(env or {})), **more)

    def finish(self, process):
        try:
            out, err = process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            self.fail(f"no end after {TIMEOUT} s: {Outcome(None, out.decode(), err.decode())}")
        outcome = Outcome(process.returncode, out.decode(), err.decode())
        for sign in ("AddressSanitizer", "runtime error:", "LeakSanitizer"):
            self.assertNotIn(sign, outcome.err)
        return outcome

    def run_program(self, *args, env=None, prefix=(), **more):
        return self.finish(self.start(*args, env=env, prefix=prefix, **more))

    def good(self, *args, **more):
        o = self.run_program(*args, **more)
        self.assertEqual(o.code, 0, o)
        return o

    def document(self, *args, code=0, **more):
        """A --json run: its document, checked against its schema."""
        o = self.run_program(*args, "--json", **more)
        self.assertEqual(o.code, code, o)
        self.check_schema(o.out)
        return o.json()

    def check_schema(self, text):
        document = validate_json.parse(text.encode())
        errors = validate_json.validate(validate_json.load(validate_json.schema_path(SCHEMAS, document)), document, False)
        self.assertFalse(errors, f"{errors}\n{text}")

    def bad(self, code, *args, says=(), hint=None, **more):
        """A run that must end with this code, one line of error that says these things, and a hint (True: any)."""
        o = self.run_program(*args, **more)
        self.assertEqual(o.code, code, o)
        errors = o.lines("onnxgate: ")
        self.assertEqual(len(errors), 1, o)
        for word in [says] if isinstance(says, str) else says:
            self.assertIn(word, errors[0], o)
        hints = o.lines("hint: ")
        self.assertLessEqual(len(hints), 1, o)
        if hint:
            self.assertEqual(len(hints), 1, o)
            if hint is not True:
                self.assertIn(hint, hints[0], o)
        return o

    # ---- looking ----

    def tree(self, *roots):
        """Everything below these folders: kind, and digest or target. Locks and the database are no content."""
        found = {}
        for root in roots:
            for where, dirs, names in os.walk(root):
                dirs[:] = sorted(d for d in dirs if d != ".locks")
                for name in names + dirs:
                    path = os.path.join(where, name)
                    if re.search(r"onnxgate\.db(-\w+)?$", name) or name == "CACHEDIR.TAG":
                        continue
                    found[os.path.relpath(path, self.home)] = describe(path)
        return found

    def conversions(self):
        folder = os.path.join(self.og, "conversions")
        return sorted(n for n in os.listdir(folder) if n != ".locks") if os.path.isdir(folder) else []

    def check_hub_cache(self):
        """Every blob is what its name says, every link leads to one, nothing is half there."""
        for where, _, names in os.walk(self.cache):
            for name in names:
                path = os.path.join(where, name)
                self.assertFalse(name.endswith((".incomplete", ".tmp")), path)
                if os.path.islink(path):
                    self.assertTrue(os.path.exists(path), f"{path} leads nowhere")
                elif os.path.basename(where) == "blobs":
                    self.assertEqual(blob_name(path, len(name)), name, path)

    def check_conversions(self):
        """Every entry holds what its manifest says; nothing but entries is there."""
        for key in self.conversions():
            self.assertRegex(key, r"^[0-9a-f]{64}$")
            folder = os.path.join(self.og, "conversions", key)
            with open(os.path.join(folder, "manifest.json")) as f:
                manifest = json.load(f)
            names = {"manifest.json"}
            for row in manifest["files"]:
                path = os.path.join(folder, row["path"])
                names.add(row["path"])
                self.assertEqual(os.path.getsize(path), row["size"], path)
                if row["sha256"]:
                    self.assertEqual(digest(path), row["sha256"], path)
            there = {os.path.relpath(os.path.join(w, n), folder) for w, _, ns in os.walk(folder) for n in ns}
            self.assertEqual(there, names)

    def check_caches(self):
        self.check_hub_cache()
        self.check_conversions()

    def query(self, sql):
        t = json.loads(self.good("db", "query", sql, "--json").out)
        return [list(row.values()) if isinstance(row, dict) else row for row in t["rows"]]


def digest(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def blob_name(path, length):
    if length == 64:
        return digest(path)
    with open(path, "rb") as f:
        data = f.read()
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def describe(path):
    if os.path.islink(path):
        return "link", os.readlink(path)
    if os.path.isdir(path):
        return ("folder",)
    return "file", digest(path)


def has_runtime():
    p = subprocess.run([PROGRAM, "doctor", "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    rows = json.loads(p.stdout or b"{}").get("rows", [])
    return any(r.get("item") == "runtime" and r.get("state") == "ok" for r in rows if isinstance(r, dict))


def interrupt(process, number=signal.SIGINT):
    process.send_signal(number)
