# SPDX-License-Identifier: Apache-2.0
"""Bad input: each ends with its exit code and one line that says what, where, expected and found, and leaves the caches whole."""

import json
import os
import struct

from harness import Case
import models

LEVEL = ["--validate", "structure"]


class BadInput(Case):
    def refused(self, code, repo, *args, says=(), hint=None, **more):
        """The same twice (a second run must not find a half-made answer), as text and as JSON; no conversion is left."""
        before = self.conversions()
        o = self.bad(code, "verify", repo, *LEVEL, *args, says=says, hint=hint, **more)
        d = self.document("verify", repo, *LEVEL, *args, code=code, **more)
        self.assertEqual(d["error"]["code"], code)
        self.assertIn(d["error"]["message"], o.err)
        self.assertIsNone(d["path"])
        self.assertNotEqual(d["verdict"], "pass")
        self.assertEqual(self.conversions(), before)
        self.check_caches()
        return d

    # ---- what is asked for ----

    def test_wrong_ids(self):
        for text in ("a/b/c", "../x", "a//b", "-x/y", "a/b.git", "a b/c", "a/b@", "", "a..b/c"):
            self.bad(2, "verify", text, *LEVEL)
        self.assertEqual(self.hub.log(), [])
        self.assertEqual(os.path.exists(self.og), False)

    def test_absent_repository_and_revision(self):
        self.refused(3, "org/absent", says="org/absent", hint="token")
        models.bert(self.hub.repo("there"))
        self.refused(3, "org/there@v9", says=["org/there", "v9"])
        self.refused(3, "org/there@" + "0" * 40, says="0" * 12)

    def test_absent_files(self):
        folder = self.hub.repo("files")
        models.write(folder, "README.md", "nothing here")
        self.refused(3, "org/files", says=["model.onnx", "model.safetensors"], hint="metadata")
        models.bert(folder, weights=False)
        self.refused(3, "org/files", says="model.safetensors")
        models.bert(folder)
        os.unlink(os.path.join(folder, "config.json"))
        self.refused(3, "org/files", says="config.json")

    def test_weights_of_another_kind(self):
        folder = self.hub.repo("pickle")
        models.bert(folder, weights=False)
        models.write(folder, "pytorch_model.bin", b"\x80\x02}q\x00.")
        self.refused(6, "org/pickle", says="pytorch_model.bin", hint="safetensors")

    def test_no_access(self):
        folder = self.hub.repo("gated")
        models.bert(folder)
        models.write(folder, ".hub.json", json.dumps({"gated": "auto"}))
        self.refused(4, "org/gated", says="org/gated", hint=True)
        models.write(folder, ".hub.json", json.dumps({"disabled": True}))
        self.refused(4, "org/gated")
        models.write(folder, ".hub.json", json.dumps({"private": True}))
        self.refused(3, "org/gated", hint="token")
        self.refused(4, "org/gated", "--token", "hf_unheard_of")
        self.good("verify", "org/gated", *LEVEL, "--token", "hf_good")

    def test_network(self):
        self.refused(5, "org/x", env={"HF_ENDPOINT": "http://127.0.0.1:9"}, says="127.0.0.1")
        models.bert(self.hub.repo("net"))
        self.hub.control(rules=[{"side": "cdn", "drop_after": 1000}])
        self.refused(5, "org/net")
        self.hub.control(rules=[{"side": "hub", "path": "/api/", "garbage": 100}])
        self.refused(10, "org/net")

    # ---- config.json ----

    def config(self, *args, code, says=(), hint=None, **changes):
        folder = self.hub.repo("config")
        models.bert(folder, config=changes)
        return self.refused(code, "org/config", *args, says=says, hint=hint)

    def test_config_values(self):
        self.config(code=6, model_type="nosuch", says="nosuch")
        self.config(code=6, architectures=["BertForNoSuchThing"], says="BertForNoSuchThing")
        self.config(code=10, hidden_size="16", says="hidden_size")
        self.config(code=10, hidden_size=16.5, says="hidden_size")
        self.config(code=10, hidden_size=-1, says=["hidden_size", "-1"])
        self.config(code=10, num_hidden_layers=10**9, says=["num_hidden_layers", "1000000000"])
        self.config(code=10, vocab_size=10**30, says="vocab_size")
        self.config(code=11, hidden_size=None, says=["hidden_size 768", "[40, 16]"])  # the class has a default for it
        self.config(code=6, hidden_act="no-such", says=["hidden_act", "no-such"])
        self.config(code=6, is_decoder=True, says="is_decoder")
        self.config(code=6, quantization_config={"quant_method": "gptq"}, says="quantization_config")
        self.config(code=6, pruned_heads={"0": [1]}, says="pruned_heads")
        self.config("--type", "t5", code=11, says=["t5", "bert"])

    def test_config_that_is_no_config(self):
        folder = self.hub.repo("noconfig")
        models.bert(folder)
        for text in ("", "[]", "{", '{"model_type": "bert"} x', '{"a": 1, "a": 2}', "{" * 1000, "\xff\xfe"):
            models.write(folder, "config.json", text.encode("latin-1"))
            self.refused(10, "org/noconfig", says="config.json")

    def test_unknown_keys_need_leave(self):
        models.bert(self.hub.repo("keys"), config={"use_flux_capacitor": True})
        d = self.document("verify", "org/keys", *LEVEL, code=6)
        self.assertEqual(d["verdict"], "unknown")
        self.assertIn("use_flux_capacitor", d["error"]["message"])
        self.assertTrue(os.path.isfile(d["path"]))
        d = self.document("verify", "org/keys", *LEVEL, code=6)  # from the cache it is no better known
        self.assertEqual((d["verdict"], d["cached"]), ("unknown", True))
        d = self.document("verify", "org/keys", *LEVEL, "--allow-unknown-keys")
        self.assertEqual(d["verdict"], "pass")
        self.bad(6, "verify", "org/keys", *LEVEL, says="use_flux_capacitor", hint="--allow-unknown-keys")

    # ---- weights ----

    def weights(self, data, code, says=(), hint=None):
        folder = self.hub.repo("weights")
        models.bert(folder)
        models.write(folder, "model.safetensors", data)
        return self.refused(code, "org/weights", says=says, hint=hint)

    def whole(self):
        return models.tensors(models.shapes(models.CONFIG))

    def test_truncated(self):
        data = models.safetensors(self.whole())
        self.weights(data[:-4], 10, says="model.safetensors")
        self.weights(data[:100], 10, says="model.safetensors")
        self.weights(data[:4], 6, says="model.safetensors")  # it could be the beginning of anything
        self.weights(b"", 6, says=["model.safetensors", "empty"])
        self.weights(data + b"\0" * 4, 10, says="model.safetensors")

    def test_lying_headers(self):
        data = b"\0" * 64
        one = {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]}
        for header in (
            b"\xff\xfe{}", b"not json", b"[]", b' {"a": 1}', b'{"a": 1}',
            json.dumps({"a": dict(one, shape=[17])}).encode(),
            json.dumps({"a": dict(one, data_offsets=[0, 128])}).encode(),
            json.dumps({"a": dict(one, data_offsets=[64, 0])}).encode(),
            json.dumps({"a": dict(one, data_offsets=[4, 68])}).encode(),
            json.dumps({"a": dict(one, data_offsets=[-64, 0])}).encode(),
            json.dumps({"a": one, "b": one}).encode(),
            json.dumps({"a": dict(one, shape=[1 << 62, 1 << 62])}).encode(),
            json.dumps({"a": dict(one, shape=[-16])}).encode(),
            b'{"a": %s, "a": %s}' % ((json.dumps(one).encode(),) * 2),
            json.dumps({"__metadata__": {"x": 1}, "a": one}).encode(),
        ):
            self.weights(models.with_header(header, data), 10, says="model.safetensors")
        self.weights(models.with_header(json.dumps({"a": dict(one, dtype="F31")}).encode(), data), 6, says="F31")
        for length in (0, 1, 1 << 40, (1 << 64) - 1, 100_000_001):
            self.weights(struct.pack("<Q", length) + b'{"a":{}}' + data, 10, says="model.safetensors")

    def test_not_weights(self):
        self.weights(b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1234\n", 6, says="model.safetensors")
        self.weights(b"<!DOCTYPE html><html><body>Not found</body></html>" + b" " * 100, 6, says="model.safetensors")

    def test_wrong_shape(self):
        named = self.whole()
        name = "encoder.layer.1.intermediate.dense.weight"
        named[name] = ([16, 24], named[name][1])
        self.weights(models.safetensors(named), 11, says=[name, "[24, 16]", "[16, 24]"])

    def test_missing_and_unexpected(self):
        named = self.whole()
        name = "encoder.layer.1.output.dense.bias"
        data = named.pop(name)
        self.weights(models.safetensors(named), 12, says=name)
        named[name] = data
        named["encoder.layer.2.output.dense.bias"] = data
        d = self.weights(models.safetensors(named), 12, says="encoder.layer.2.output.dense.bias")
        self.assertTrue(d)
        self.good("verify", "org/weights", *LEVEL, "--allow-unexpected")

    def test_shards_that_lie(self):
        folder = self.hub.repo("shards")
        models.bert(folder, shards=2)
        index = os.path.join(folder, "model.safetensors.index.json")
        text = json.load(open(index))
        os.rename(os.path.join(folder, "model-00002-of-00002.safetensors"), os.path.join(folder, "kept"))
        self.refused(3, "org/shards", says="model-00002-of-00002.safetensors")
        os.rename(os.path.join(folder, "kept"), os.path.join(folder, "model-00002-of-00002.safetensors"))
        moved = dict(text, weight_map=dict(text["weight_map"], **{"pooler.x": "model-00001-of-00002.safetensors"}))
        models.write(folder, "model.safetensors.index.json", json.dumps(moved))
        self.refused(10, "org/shards", says="pooler.x")
        for name in ("../escape.safetensors", "/etc/passwd", "a/../../b.safetensors"):
            lying = dict(text, weight_map={k: name for k in text["weight_map"]})
            models.write(folder, "model.safetensors.index.json", json.dumps(lying))
            self.refused(7, "org/shards")
