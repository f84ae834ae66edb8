# SPDX-License-Identifier: Apache-2.0
"""convert, check, inspect, metadata and bench on folders and repositories."""

import os
import unittest

from harness import Case, digest, has_runtime
import models

RUNTIME = has_runtime()
LEVEL = [] if RUNTIME else ["--validate", "structure"]


class Convert(Case):
    def setUp(self):
        super().setUp()
        self.model = os.path.join(self.home, "model folder ü")
        self.out = os.path.join(self.home, "out")
        models.bert(self.model)

    def test_a_folder(self):
        d = self.document("convert", self.model, "--output", self.out, *LEVEL)
        self.assertEqual(d["verdict"], "pass")
        self.assertEqual((d["model_id"], d["revision"], d["onnx_source"], d["path"]), (self.model, None, "local", os.path.join(self.out, "model.onnx")))
        self.assertLessEqual({"model.onnx", "config.json", "vocab.txt", "tokenizer_config.json", "README.md"}, set(os.listdir(self.out)))
        self.assertEqual(self.conversions(), [])
        self.assertEqual([n for n in os.listdir(self.home) if n.startswith(".")], [])

    def test_the_same_bytes_every_time(self):
        digests = set()
        for i, threads in enumerate((1, 2, 4)):
            out = f"{self.out}-{i}"
            self.good("convert", self.model, "--output", out, "--threads", str(threads), *LEVEL)
            digests.add(digest(os.path.join(out, "model.onnx")))
        other = os.path.join(self.home, "elsewhere")
        models.bert(other)
        self.good("convert", other, "--output", self.out, *LEVEL)
        digests.add(digest(os.path.join(self.out, "model.onnx")))
        self.assertEqual(len(digests), 1)

    def test_a_repository(self):
        models.bert(self.hub.repo("convert"))
        d = self.document("convert", "org/convert", "--output", self.out, *LEVEL)
        self.assertEqual((d["model_id"], d["onnx_source"]), ("org/convert", "pytorch_conversion"))
        self.assertRegex(d["revision"], "^[0-9a-f]{40}$")
        cached = self.document("verify", "org/convert", *LEVEL)
        self.assertEqual(digest(cached["path"]), digest(d["path"]))  # one rule for both

    def test_transformersjs(self):
        d = self.document("convert", self.model, "--output", self.out, "--layout", "transformersjs", *LEVEL)
        self.assertEqual(d["path"], os.path.join(self.out, "onnx", "model.onnx"))
        self.assertTrue(os.path.isfile(d["path"]))

    def test_without_digest(self):
        d = self.document("convert", self.model, "--output", self.out, "--digest", "none", *LEVEL)
        self.assertIsNone(next(f["sha256"] for f in d["files"] if f["role"] == "model"))

    def test_output_is_needed_and_is_not_overwritten(self):
        self.bad(2, "convert", self.model, says="output", hint="--output")
        models.write(self.out, "mine", "x")
        before = self.tree(self.home)
        self.bad(2, "convert", self.model, "--output", self.out, *LEVEL, says=self.out, hint="--force")
        self.assertEqual(self.tree(self.home), before)
        self.good("convert", self.model, "--output", self.out, "--force", *LEVEL)
        self.assertNotIn("mine", os.listdir(self.out))

    def test_force_never_removes_the_source_or_a_cache(self):
        source = os.path.join(self.home, "models", "mine")
        models.bert(source)
        models.bert(self.hub.repo("spared"))
        self.good("verify", "org/spared", *LEVEL)
        before = self.tree(self.home)
        for args, says in (((source, "--output", source), "the folder that is converted"),
                           ((source, "--output", os.path.join(source, "..")), "the folder that is converted"),
                           (("org/spared", "--output", self.og), "the cache of conversions"),
                           (("org/spared", "--output", os.path.join(self.home, "hf")), "the Hub's cache")):
            self.bad(2, "convert", *args, "--force", *LEVEL, says=says, hint=True)
        self.bad(2, "convert", source, "--output", ".", "--force", *LEVEL, says="the working folder", cwd=source)
        self.bad(2, "verify", "org/spared", "--output", self.home, "--force", *LEVEL, says="the cache of conversions", hint=True)
        self.bad(2, "verify", "org/spared", "--output", ".", "--force", *LEVEL, says="the working folder", cwd=os.path.dirname(source))
        self.assertEqual(self.tree(self.home), before)

    def test_nothing_is_left_of_a_failure(self):
        models.write(self.model, "model.safetensors", models.safetensors({}))
        before = self.tree(self.home)
        out = os.path.join(self.home, "deep", "er", "out")
        self.bad(12, "convert", self.model, "--output", out, *LEVEL, says="embeddings")
        self.document("convert", self.model, "--output", out, *LEVEL, code=12)
        self.assertEqual(self.tree(self.home).keys() - {"onnxgate"}, before.keys())

    def test_a_folder_without_weights(self):
        os.unlink(os.path.join(self.model, "model.safetensors"))
        self.bad(3, "convert", self.model, "--output", self.out, *LEVEL, says=["model.safetensors", self.model])
        self.bad(3, "convert", os.path.join(self.home, "absent"), "--output", self.out, says="absent")
        self.assertFalse(os.path.exists(self.out))

    def test_inspect_and_check(self):
        self.good("convert", self.model, "--output", self.out, *LEVEL)
        for path in (os.path.join(self.model, "model.safetensors"), self.model, os.path.join(self.out, "model.onnx")):
            self.document("inspect", path)
            self.document("inspect", path, "--tensors", "--digests")
        d = self.document("check", self.out, *LEVEL)
        self.assertEqual((d["verdict"], d["path"]), ("pass", os.path.join(self.out, "model.onnx")))
        self.document("check", os.path.join(self.out, "model.onnx"), *LEVEL)
        self.bad(3, "check", os.path.join(self.home, "absent.onnx"), says="absent.onnx")
        self.bad(3, "check", self.model, says=".onnx")

    def test_check_finds_what_is_broken(self):
        self.good("convert", self.model, "--output", self.out, *LEVEL)
        path = os.path.join(self.out, "model.onnx")
        whole = open(path, "rb").read()
        models.write(self.out, "model.onnx", whole[: len(whole) // 2])
        o = self.run_program("check", self.out, "--json", "--validate", "structure")
        self.assertIn(o.code, (1, 10), o)
        self.check_schema(o.out)
        self.assertNotEqual(o.json()["verdict"], "pass")
        models.write(self.out, "model.onnx", b"")
        self.assertIn(self.run_program("check", self.out, "--validate", "structure").code, (1, 10))

    def test_metadata(self):
        models.bert(self.hub.repo("meta"))
        rows = {r["fact"]: r["value"] for r in self.document("metadata", "org/meta")["rows"]}
        self.assertEqual((rows["model type"], rows["architecture"], rows["task"], rows["convertible"]), ("bert", "BertModel", "feature-extraction", "yes"))
        self.assertEqual(rows["weights chosen"], "model.safetensors")
        folder = self.hub.repo("meta")
        models.bert(folder, config={"model_type": "nosuch", "architectures": ["NoSuch"]})
        rows = {r["fact"]: r["value"] for r in self.document("metadata", "org/meta")["rows"]}
        self.assertEqual(rows["convertible"], "no")
        self.assertIn("nosuch", rows["reason"])
        self.bad(3, "metadata", "org/absent", says="org/absent")

    @unittest.skipUnless(RUNTIME, "no ONNX Runtime on this machine")
    def test_bench(self):
        models.bert(self.hub.repo("bench"))
        d = self.document("bench", "org/bench", "--batch-sizes", "1,2", "--sequence-lengths", "4,8", "--runs", "3", "--warmup", "1")
        self.assertEqual([(r["batch_size"], r["sequence_length"]) for r in d["rows"]], [(1, 4), (2, 4), (1, 8), (2, 8)])
        self.assertTrue(all(r["latency_ms"]["p50"] > 0 and r["throughput"] > 0 for r in d["rows"]))
        self.assertEqual(len(self.query("select * from performance_results")), 4)
        self.good("convert", self.model, "--output", self.out)
        self.assertIn("p50", self.good("bench", self.out, "--batch-sizes", "1", "--sequence-lengths", "4", "--runs", "2").out)
        self.document("bench", "org/absent", code=3)
        self.bad(2, "bench", self.out, "--sequence-lengths", "1000", says="1000")
