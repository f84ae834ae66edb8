# SPDX-License-Identifier: Apache-2.0
"""The main job: published, cached, converted; what is printed, kept and recorded."""

import json
import os
import shutil
import unittest

from harness import Case, digest, has_runtime
import models

RUNTIME = has_runtime()
# Without a runtime on the machine the same tests run at the level that needs none.
LEVEL = [] if RUNTIME else ["--validate", "structure"]


class Verify(Case):
    def test_converts_then_serves_from_the_cache(self):
        models.bert(self.hub.repo("tiny"))
        first = self.document("verify", "org/tiny", *LEVEL)
        self.assertEqual(first["verdict"], "pass")
        self.assertTrue(first["was_converted"])
        self.assertFalse(first["cached"])
        self.assertEqual(first["onnx_conversion_status"], "converted")
        self.assertEqual(first["onnx_source"], "pytorch_conversion")
        self.assertEqual((first["model_type"], first["architecture"], first["task"]), ("bert", "BertModel", "feature-extraction"))
        self.assertTrue(first["task_reason"])
        self.assertTrue(os.path.isfile(first["path"]))
        self.assertEqual([a["step"] for a in first["attempts"]], ["resolve", "published", "cached", "convert"])
        self.assertEqual([a["outcome"] for a in first["attempts"]], ["ok", "skipped", "skipped", "ok"])
        roles = {os.path.basename(f["path"]): f["role"] for f in first["files"]}
        self.assertEqual(roles["model.onnx"], "model")
        self.assertEqual(roles["config.json"], "config")
        for f in first["files"]:
            self.assertEqual(os.path.getsize(f["path"]), f["size"])
            if f["sha256"]:
                self.assertEqual(digest(f["path"]), f["sha256"])
        self.assertTrue(any(c["level"] == "structure" and c["status"] == "pass" for c in first["checks"]))
        if RUNTIME:
            self.assertTrue(any(c["level"] == "runtime" and c["status"] == "pass" and c["value"] is not None for c in first["checks"]))
            self.assertIn("onnxruntime", first["runtime"])
        before = self.tree(self.cache, self.og)
        for args in ([], ["--offline"]):
            again = self.document("verify", "org/tiny", *LEVEL, *args)
            self.assertTrue(again["cached"] and again["was_converted"])
            self.assertEqual(again["path"], first["path"])
            self.assertEqual(again["onnx_conversion_time"], first["onnx_conversion_time"])
            self.assertEqual(again["revision"], first["revision"])
            self.assertEqual({c["name"] for c in again["checks"]}, {c["name"] for c in first["checks"]})
        self.assertEqual(self.tree(self.cache, self.og), before)
        self.check_caches()

    def test_offline_sends_nothing_and_cached_sends_one(self):
        models.bert(self.hub.repo("quiet"))
        self.good("verify", "org/quiet", *LEVEL)
        self.hub.control(reset=True)
        self.good("verify", "org/quiet", "--offline", *LEVEL)
        self.assertEqual(self.hub.log(), [])
        self.good("verify", "org/quiet", *LEVEL)
        self.assertEqual(len(self.hub.log()), 1)

    def test_offline_works_with_every_spelling(self):
        models.bert(self.hub.repo("spell"))
        self.good("verify", "org/spell", *LEVEL)
        self.hub.control(reset=True)
        for env in ({"HF_HUB_OFFLINE": "1"}, {"TRANSFORMERS_OFFLINE": "YES"}, {"ONNXGATE_OFFLINE": "true"}):
            self.good("verify", "org/spell", *LEVEL, env=env)
        self.assertEqual(self.hub.log(), [])

    def test_offline_with_nothing_cached(self):
        self.bad(5, "verify", "org/never", "--offline", says="org/never", hint="network")
        self.assertEqual(self.document("verify", "org/never", "--offline", code=5)["error"]["status"], "NETWORK")
        self.assertEqual(self.conversions(), [])

    def test_human_output(self):
        models.bert(self.hub.repo("human"))
        o = self.good("verify", "org/human", *LEVEL)
        lines = o.out.splitlines()
        self.assertTrue(os.path.isfile(lines[0]))
        for word in ("status      converted", "model       org/human at ", "type        bert, BertModel", "task        feature-extraction: ",
                     "checks      pass", "verdict     pass", "time        ", "recorded    sqlite:"):
            self.assertIn(word, o.out)
        self.assertEqual(self.good("verify", "org/human", "-q", *LEVEL).out, lines[0] + "\n")
        self.assertIn("(cached)", self.good("verify", "org/human", *LEVEL).out)

    def test_force_converts_again_to_the_same_bytes(self):
        models.bert(self.hub.repo("force"))
        first = self.document("verify", "org/force", *LEVEL)
        before = digest(first["path"])
        again = self.document("verify", "org/force", "--force", *LEVEL)
        self.assertFalse(again["cached"])
        self.assertEqual(digest(again["path"]), before)
        self.assertEqual(len(self.conversions()), 1)
        self.check_caches()

    def test_shards(self):
        models.bert(self.hub.repo("whole"), seed=5)
        models.bert(self.hub.repo("shards"), seed=5, shards=3)
        one, many = self.document("verify", "org/whole", *LEVEL), self.document("verify", "org/shards", *LEVEL)
        self.assertEqual(one["verdict"], "pass")
        self.assertEqual(many["verdict"], "pass")
        sizes = [next(f["size"] for f in d["files"] if f["role"] == "model") for d in (one, many)]
        self.assertLess(abs(sizes[0] - sizes[1]), 2000)  # only their provenance differs
        self.assertTrue(self.document("verify", "org/shards", "--offline", *LEVEL)["cached"])

    def test_every_head(self):
        for architecture, task in (("BertForMaskedLM", "fill-mask"), ("BertForSequenceClassification", "text-classification"),
                                   ("BertForTokenClassification", "token-classification"), ("BertForQuestionAnswering", "question-answering"),
                                   ("BertForMultipleChoice", "multiple-choice")):
            models.bert(self.hub.repo(architecture), architecture=architecture)
            d = self.document("verify", "org/" + architecture, *LEVEL)
            self.assertEqual((d["task"], d["verdict"]), (task, "pass"), d)
            other = self.document("verify", "org/" + architecture, "--task", "feature-extraction", *LEVEL)
            self.assertEqual((other["task"], other["verdict"]), ("feature-extraction", "pass"))
            self.assertNotEqual(other["path"], d["path"])

    def test_another_head_is_refused(self):
        models.bert(self.hub.repo("head"), architecture="BertForSequenceClassification")
        self.bad(6, "verify", "org/head", "--task", "token-classification", *LEVEL, says=["token-classification"])
        self.bad(6, "verify", "org/head", "--task", "no-such-task", *LEVEL, says=["no-such-task"])
        self.assertEqual(self.conversions(), [])

    def test_a_new_commit_is_converted_anew(self):
        folder = self.hub.repo("moves")
        models.bert(folder, seed=1)
        first = self.document("verify", "org/moves", *LEVEL)
        models.bert(folder, seed=2)
        second = self.document("verify", "org/moves", *LEVEL)
        self.assertNotEqual(first["revision"], second["revision"])
        self.assertFalse(second["cached"])
        old = self.document("verify", "org/moves@" + first["revision"], *LEVEL)
        self.assertEqual((old["cached"], old["path"]), (True, first["path"]))

    def test_revisions(self):
        folder = self.hub.repo("revisions")
        models.bert(folder, seed=1)
        models.bert(os.path.join(folder, ".v1"), seed=7)
        models.write(folder, ".hub.json", json.dumps({"revisions": {"v1": {"dir": ".v1"}, "refs/pr/1": {"same_as": "v1"}}}))
        main, tag = self.document("verify", "org/revisions", *LEVEL), self.document("verify", "org/revisions@v1", *LEVEL)
        self.assertNotEqual(main["revision"], tag["revision"])
        pull = self.document("verify", "org/revisions@refs/pr/1", *LEVEL)
        self.assertEqual((pull["revision"], pull["cached"]), (tag["revision"], True))

    def test_recorded(self):
        models.bert(self.hub.repo("recorded"))
        d = self.document("verify", "org/recorded", *LEVEL)
        self.assertTrue(d["recorded"])
        self.run_program("verify", "org/absent", *LEVEL)
        rows = self.query("select model_id, exit_code from verifications order by id")
        self.assertEqual([r[0] for r in rows], ["org/recorded", "org/absent"])
        self.assertEqual([int(r[1]) for r in rows], [0, 3])
        self.assertEqual(len(self.document("db", "query")["rows"]), 2)
        self.assertEqual([r["repo_id"] for r in self.document("cache", "ls")["rows"]], ["org/recorded"])

    def test_another_database(self):
        models.bert(self.hub.repo("database"))
        path = os.path.join(self.home, "elsewhere", "runs.db")
        d = self.document("verify", "org/database", "--db", "sqlite:" + path, *LEVEL)
        self.assertEqual(d["recorded"]["url"], "sqlite:" + path)
        self.assertFalse(os.path.exists(os.path.join(self.og, "onnxgate.db")))
        self.bad(6, "verify", "org/database", "--db", "mysql://x", *LEVEL, says="mysql")

    def test_output_folder(self):
        models.bert(self.hub.repo("output"))
        out = os.path.join(self.home, "a folder é", "out")
        d = self.document("verify", "org/output", "--output", out, *LEVEL)
        self.assertEqual(d["path"], os.path.join(out, "model.onnx"))
        self.assertEqual(digest(d["path"]), digest(d["onnx_local_path"]))
        self.assertIn("config.json", os.listdir(out))
        before = self.tree(out)
        self.bad(2, "verify", "org/output", "--output", out, *LEVEL, says=out, hint="--force")
        self.assertEqual(self.tree(out), before)
        models.write(out, "mine", "x")
        self.good("verify", "org/output", "--output", out, "--force", *LEVEL)
        self.assertEqual(self.tree(out), before)
        self.assertEqual(os.listdir(os.path.dirname(out)), ["out"])

    def test_options_that_change_the_bytes_have_entries_of_their_own(self):
        models.bert(self.hub.repo("options"))
        a, b = self.document("verify", "org/options", *LEVEL), self.document("verify", "org/options", "--opset", "17", *LEVEL)
        self.assertNotEqual(a["path"], b["path"])
        self.assertEqual(b["opset"], 17)
        self.assertEqual(len(self.conversions()), 2)

    def test_a_damaged_entry_is_made_again(self):
        models.bert(self.hub.repo("damaged"))
        d = self.document("verify", "org/damaged", *LEVEL)
        want = digest(d["path"])
        with open(d["path"], "r+b") as f:
            f.truncate(100)
        again = self.document("verify", "org/damaged", *LEVEL)
        self.assertFalse(again["cached"])
        self.assertIn("failed", [a["outcome"] for a in again["attempts"]])
        self.assertEqual(digest(again["path"]), want)
        os.unlink(os.path.join(os.path.dirname(d["path"]), "manifest.json"))
        self.assertFalse(self.document("verify", "org/damaged", *LEVEL)["cached"])
        self.check_caches()

    def test_an_entry_that_was_patched_is_made_again(self):
        """One square matrix transposed: every size is as promised, and the runtime would find nothing wrong either."""
        named = models.bert(self.hub.repo("patched"))
        d = self.document("verify", "org/patched", *LEVEL)
        with open(d["path"], "rb") as f:
            whole = f.read()
        plain = named["encoder.layer.0.attention.self.query.weight"][1]
        turned = b"".join(plain[4 * (16 * j + i):][:4] for i in range(16) for j in range(16))
        self.assertEqual((whole.count(turned), whole.count(plain)), (1, 0))
        times = os.stat(d["path"])
        with open(d["path"], "r+b") as f:
            f.write(whole.replace(turned, plain))
        os.utime(d["path"], ns=(times.st_atime_ns, times.st_mtime_ns))
        again = self.document("verify", "org/patched", *LEVEL)
        self.assertFalse(again["cached"])
        with open(again["path"], "rb") as f:
            self.assertEqual(f.read(), whole)

    def test_weights_that_were_patched_after_the_download(self):
        models.bert(self.hub.repo("later"))
        want = digest(self.document("verify", "org/later", *LEVEL)["path"])
        [blob] = [os.path.realpath(os.path.join(w, n)) for w, _, ns in os.walk(self.cache) for n in ns if n == "model.safetensors"]
        with open(blob, "r+b") as f:
            f.seek(-40, os.SEEK_END)
            f.write(b"\1" * 40)
        self.bad(11, "verify", "org/later", "--force", "--offline", *LEVEL, says=["model.safetensors", os.path.basename(blob)], hint="network")
        self.assertEqual(digest(self.document("verify", "org/later", "--force", *LEVEL)["path"]), want)
        self.check_caches()

    def test_sixteen_at_once(self):
        """One conversion, one download of the weights."""
        models.bert(self.hub.repo("many"))
        runs = [self.start("verify", "org/many", "--validate", "structure", "--json") for _ in range(16)]
        ends = [self.finish(p) for p in runs]
        self.assertEqual({o.code for o in ends}, {0}, ends)
        self.assertEqual(sum(not o.json()["cached"] for o in ends), 1)
        gets = [e for e in self.hub.log() if e["side"] == "cdn" and e["method"] == "GET"]
        self.assertEqual(len(gets), 1)
        self.assertEqual(len(self.query("select id from verifications")), 16)
        self.check_caches()

    @unittest.skipUnless(RUNTIME, "no ONNX Runtime on this machine")
    def test_a_cached_entry_is_proved_further_when_more_is_asked(self):
        models.bert(self.hub.repo("further"))
        low = self.document("verify", "org/further", "--validate", "none")
        self.assertEqual((low["verdict"], low["level"], [c["name"] for c in low["checks"]]), ("pass", "none", ["weights.ledger"]))
        middle = self.document("verify", "org/further", "--validate", "structure")
        # The weights can be read back only while converting: that is done again.
        self.assertEqual((middle["cached"], middle["path"]), (False, low["path"]))
        self.assertIn("weights.readback", [c["name"] for c in middle["checks"]])
        high = self.document("verify", "org/further", "--offline")
        self.assertTrue(high["cached"] and any(c["level"] == "runtime" for c in high["checks"]))
        self.assertIn("weights.readback", [c["name"] for c in high["checks"]])
        env = {"ONNXGATE_RUNTIME_HELPER": "/nonexistent"}  # what is in the manifest needs no runtime any more
        self.assertEqual(self.document("verify", "org/further", "--offline", env=env)["verdict"], "pass")
        self.check_caches()

    def test_without_a_runtime(self):
        models.bert(self.hub.repo("without"))
        env = {"ONNXGATE_RUNTIME_HELPER": "/nonexistent"}
        d = self.document("verify", "org/without", code=6, env=env)
        self.assertEqual((d["verdict"], d["error"]["status"]), ("unknown", "UNSUPPORTED"))
        self.assertTrue(os.path.isfile(d["path"]))
        self.assertTrue(any(c["status"] == "skipped" for c in d["checks"]))
        self.bad(6, "verify", "org/without", env=env, says="not proved", hint="--allow-unknown")
        self.assertEqual(self.document("verify", "org/without", "--allow-unknown", env=env)["verdict"], "unknown")
        self.assertEqual(self.document("verify", "org/without", "--validate", "structure", env=env)["verdict"], "pass")


class Published(Case):
    """ONNX files that the repository has itself: our own conversions, put there."""

    def setUp(self):
        super().setUp()
        models.bert(self.hub.repo("source"), architecture="BertForMaskedLM")
        made = self.document("verify", "org/source", *LEVEL)
        self.masked = made["path"]
        self.features = self.document("verify", "org/source", "--task", "feature-extraction", *LEVEL)["path"]

    def publish(self, name, file, path, **more):
        folder = self.hub.repo(name)
        models.bert(folder, architecture="BertForMaskedLM", **more)
        models.write(folder, path, open(file, "rb").read() if file else b"not an ONNX file")
        return folder

    def test_is_taken(self):
        self.publish("onnx", self.masked, "model.onnx")
        d = self.document("verify", "org/onnx", *LEVEL)
        self.assertEqual((d["onnx_conversion_status"], d["onnx_source"], d["was_converted"], d["cached"]), ("original", "huggingface", False, False))
        self.assertIsNone(d["onnx_conversion_time"])
        self.assertEqual(d["verdict"], "pass")
        self.assertIn(self.cache, d["path"])
        self.assertEqual(digest(d["path"]), digest(self.masked))
        self.assertEqual(self.document("verify", "org/onnx", "--offline", *LEVEL)["path"], d["path"])
        self.assertFalse(any("model.safetensors" in e["path"] for e in self.hub.log() if "/onnx/" in e["path"]))

    def test_under_onnx(self):
        self.publish("below", self.masked, "onnx/model.onnx")
        d = self.document("verify", "org/below", *LEVEL)
        self.assertTrue(d["path"].endswith("/onnx/model.onnx"))
        self.assertEqual(d["onnx_conversion_status"], "original")
        out = os.path.join(self.home, "copy")
        d = self.document("verify", "org/below", "--output", out, *LEVEL)
        self.assertEqual(d["path"], os.path.join(out, "onnx", "model.onnx"))
        self.assertFalse(os.path.islink(d["path"]))

    def test_of_another_task_is_not_taken(self):
        self.publish("other", self.features, "model.onnx")
        d = self.document("verify", "org/other", *LEVEL)
        self.assertTrue(d["was_converted"])
        self.assertEqual([(a["step"], a["outcome"]) for a in d["attempts"]][1], ("published", "failed"))
        self.assertIn("logits", d["attempts"][1]["detail"])
        self.assertEqual(self.document("verify", "org/other", "--task", "feature-extraction", *LEVEL)["onnx_conversion_status"], "original")

    def test_broken_falls_through(self):
        self.publish("broken", None, "model.onnx")
        d = self.document("verify", "org/broken", *LEVEL)
        self.assertTrue(d["was_converted"])
        self.assertEqual(d["attempts"][1]["outcome"], "failed")

    def test_broken_and_nothing_else(self):
        folder = self.publish("nothing", None, "model.onnx")
        os.unlink(os.path.join(folder, "model.safetensors"))
        self.bad(10, "verify", "org/nothing", *LEVEL, says="model.onnx")
        self.document("verify", "org/nothing", *LEVEL, code=10)

    def test_a_variant_is_never_answered_with_another(self):
        self.publish("variant", self.masked, "model.onnx")
        self.bad(6, "verify", "org/variant", "--file", "model_quantized.onnx", *LEVEL, says="int8")
        self.bad(2, "verify", "org/variant", "--file", "model_fp16.onnx", "--dtype", "fp32", *LEVEL, says=["fp16", "fp32"])
        self.publish("variant", self.masked, "onnx/model_quantized.onnx")
        d = self.document("verify", "org/variant", "--file", "model_quantized.onnx", *LEVEL)
        self.assertEqual((d["onnx_conversion_status"], d["dtype"]), ("original", "int8"))

    def test_external_data_comes_along(self):
        folder = self.hub.repo("external")
        models.bert(folder, architecture="BertForMaskedLM")
        out = os.path.join(self.home, "external")
        self.good("convert", folder, "--output", out, "--external-data", "always", *LEVEL)
        for name in ("model.onnx", "model.onnx_data"):
            shutil.copy(os.path.join(out, name), folder)
        d = self.document("verify", "org/external", *LEVEL)
        self.assertEqual(d["onnx_conversion_status"], "original", d)
        self.assertEqual({os.path.basename(f["path"]): f["role"] for f in d["files"]}["model.onnx_data"], "data")
        os.unlink(os.path.join(folder, "model.onnx_data"))
        d = self.document("verify", "org/external", *LEVEL)
        self.assertTrue(d["was_converted"])
        self.assertIn("model.onnx_data", d["attempts"][1]["detail"])

    def test_a_download_that_does_not_match_its_digest(self):
        self.publish("digest", self.masked, "model.onnx")
        self.hub.control(rules=[{"side": "cdn", "path": "", "corrupt": 1000}])
        d = self.document("verify", "org/digest", *LEVEL, code=11)
        self.assertEqual(d["error"]["status"], "MISMATCH")
        self.check_caches()
        self.hub.control(reset=True)
        self.assertEqual(self.document("verify", "org/digest", *LEVEL)["onnx_conversion_status"], "original")

    def test_other_files_are_fetched(self):
        self.publish("plain", self.masked, "model.onnx")
        d = self.document("verify", "org/plain", "--file", "vocab.txt", *LEVEL)
        self.assertEqual((d["verdict"], d["checks"]), ("pass", []))
        self.assertTrue(d["path"].endswith("/vocab.txt"))
        self.bad(3, "verify", "org/plain", "--file", "absent.onnx", *LEVEL, says="absent.onnx")


class Speed(Case):
    def test_a_cached_answer_starts_nothing(self):
        """No runtime's process, no libcurl, no second database: seen in the system calls, where strace is there."""
        models.bert(self.hub.repo("speed"))
        self.good("verify", "org/speed", *LEVEL)
        if not shutil.which("strace"):
            self.skipTest("strace is not installed")
        log = os.path.join(self.home, "strace")
        leaks_off = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"  # that checker does not work under ptrace
        self.good("verify", "org/speed", "--offline", *LEVEL, prefix=["strace", "-f", "-o", log], env={"ASAN_OPTIONS": leaks_off})
        with open(log) as f:
            text = f.read()
        self.assertNotIn("libcurl", text)
        self.assertEqual(text.count("execve("), 1)
        self.assertNotIn("socket(", text)
        self.assertNotRegex(text, r'openat\([^)]*blobs/[0-9a-f]{64}"')
