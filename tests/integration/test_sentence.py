# SPDX-License-Identifier: Apache-2.0
"""sentence-transformers repositories through verify and convert: the files of their modules are fetched and count in the cache's key;
--plain leaves them out."""

import json
import os

from harness import Case, digest, has_runtime
import models

LEVEL = [] if has_runtime() else ["--validate", "structure"]
WIDTH, OUT = models.CONFIG["hidden_size"], 5


def sentence(folder, seed=1, dense=True):
    """The tiny BERT with Pooling, Dense and Normalize behind it."""
    models.bert(folder)
    rows = [("Transformer", ""), ("Pooling", "1_Pooling")] + ([("Dense", "2_Dense")] if dense else []) + [("Normalize", "3_Normalize")]
    write(folder, "modules.json", [{"idx": i, "name": str(i), "path": p, "type": f"sentence_transformers.models.{t}"} for i, (t, p) in enumerate(rows)])
    write(folder, "sentence_bert_config.json", {"max_seq_length": 16, "do_lower_case": False})
    write(folder, "1_Pooling/config.json", {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False})
    if dense:
        write(folder, "2_Dense/config.json", {"in_features": WIDTH, "out_features": OUT, "bias": True})
        named = models.tensors({"linear.weight": [OUT, WIDTH], "linear.bias": [OUT]}, seed)
        models.write(os.path.join(folder, "2_Dense"), "model.safetensors", models.safetensors(named))
    return folder


def write(folder, name, value):
    os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
    with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
        json.dump(value, f)


class Sentence(Case):
    def outputs(self, path):
        return json.dumps(self.document("inspect", path)["metadata"])

    def test_verify_fetches_the_modules_and_serves_them_offline(self):
        sentence(self.hub.repo("st"))
        first = self.document("verify", "org/st", *LEVEL)
        self.assertEqual((first["verdict"], first["task"]), ("pass", "feature-extraction"))
        self.assertIn("modules.json", first["task_reason"])
        text = self.outputs(first["path"])
        self.assertIn("token_embeddings", text)
        self.assertIn("sentence_embedding", text)
        self.assertNotIn("modules.json", os.listdir(os.path.dirname(first["path"])))
        self.hub.control(reset=True)
        again = self.document("verify", "org/st", "--offline", *LEVEL)
        self.assertTrue(again["cached"])
        self.assertEqual((again["path"], self.hub.log()), (first["path"], []))
        self.check_caches()

    def test_plain_is_the_bytes_of_the_encoder_and_an_entry_of_its_own(self):
        sentence(self.hub.repo("both"))
        pooled, plain = (self.document("verify", "org/both", *LEVEL, *more) for more in ([], ["--plain"]))
        self.assertNotEqual(pooled["path"], plain["path"])
        self.assertIn("last_hidden_state", self.outputs(plain["path"]))
        for more, path in (([], pooled["path"]), (["--plain"], plain["path"])):
            again = self.document("verify", "org/both", "--offline", *LEVEL, *more)
            self.assertTrue(again["cached"])
            self.assertEqual(again["path"], path)
        local = os.path.join(self.home, "local")
        models.bert(os.path.join(self.home, "bare"))
        self.good("convert", sentence(local), "--output", local + ".out", "--plain", *LEVEL)
        self.good("convert", os.path.join(self.home, "bare"), "--output", local + ".bare", *LEVEL)
        self.assertEqual(digest(local + ".out/model.onnx"), digest(local + ".bare/model.onnx"))

    def test_other_weights_of_a_module_are_another_conversion(self):
        made = []
        for seed in (1, 2):
            sentence(self.hub.repo(f"dense{seed}"), seed)
            made.append(digest(self.document("verify", f"org/dense{seed}", *LEVEL)["path"]))
        self.assertNotEqual(*made)
        folder = self.hub.repo("moving")
        sentence(folder)
        first = self.document("verify", "org/moving", *LEVEL)
        sentence(folder, 2)
        self.assertFalse(self.document("verify", "org/moving", *LEVEL)["cached"])
        self.assertTrue(os.path.isfile(first["path"]))

    def sharded(self, name, seed=1):
        """The weights of Dense in two shards and their index, as nothing else of the model is."""
        folder = sentence(self.hub.repo(name), seed)
        os.remove(os.path.join(folder, "2_Dense/model.safetensors"))
        models.write_shards(os.path.join(folder, "2_Dense"), models.tensors({"linear.weight": [OUT, WIDTH], "linear.bias": [OUT]}, seed), 2)
        return folder

    def test_a_module_in_shards(self):
        sentence(self.hub.repo("whole"))
        folder = self.sharded("shards")
        whole, shards = (self.document("verify", f"org/{name}", *LEVEL) for name in ("whole", "shards"))
        weights = [self.document("inspect", d["path"], "--digests")["tensors"] for d in (whole, shards)]
        self.assertEqual(*([(t["name"], t["sha256"]) for t in w] for w in weights))
        self.assertIn("2_Dense.linear.weight", [t["name"] for t in weights[1]])
        again = self.document("verify", "org/shards", "--offline", *LEVEL)
        self.assertEqual((again["cached"], again["path"]), (True, shards["path"]))
        models.write_shards(os.path.join(folder, "2_Dense"), models.tensors({"linear.weight": [OUT, WIDTH], "linear.bias": [OUT]}, 9), 2)
        other = self.document("verify", "org/shards", *LEVEL)  # the shards count in the cache's key
        self.assertFalse(other["cached"])
        self.assertNotEqual(digest(other["path"]), digest(shards["path"]))
        lost = self.sharded("lost")
        os.remove(os.path.join(lost, "2_Dense/model-00002-of-00002.safetensors"))
        self.bad(3, "verify", "org/lost", *LEVEL, says=["2_Dense/model.safetensors.index.json", "2_Dense/model-00002-of-00002.safetensors"])

    def test_a_published_file_without_the_modules_is_taken_and_said_to_be_so(self):
        models.bert(self.hub.repo("bare"))
        sentence(self.hub.repo("made"))
        tokens, pooled = (self.document("verify", f"org/{name}", *LEVEL)["path"] for name in ("bare", "made"))
        for name, file, noted in (("tokens", tokens, True), ("pooled", pooled, False)):
            models.write(os.path.join(sentence(self.hub.repo(name)), "onnx"), "model.onnx", open(file, "rb").read())
            d = self.document("verify", f"org/{name}", *LEVEL)
            self.assertEqual((d["onnx_conversion_status"], d["verdict"]), ("original", "pass"))
            self.assertEqual(any("no sentence_embedding" in n for n in d["notes"]), noted, d["notes"])
        plain = self.document("verify", "org/tokens", "--plain", *LEVEL)
        self.assertEqual((plain["onnx_conversion_status"], [n for n in plain["notes"] if "sentence_embedding" in n]), ("original", []))
        self.assertTrue(self.document("verify", "org/pooled", "--plain", *LEVEL)["was_converted"])

    def test_two_weights_of_one_name_are_two(self):
        folder = os.path.join(self.home, "names")
        sentence(folder)
        named = models.tensors({"norm.weight": [OUT], "norm.bias": [OUT]}, 3)
        for i in (4, 5):
            write(folder, f"{i}_LayerNorm/config.json", {"dimension": OUT})
            models.write(os.path.join(folder, f"{i}_LayerNorm"), "model.safetensors", models.safetensors(named))
        with open(os.path.join(folder, "modules.json"), encoding="utf-8") as f:
            rows = json.load(f)
        rows += [{"idx": i, "path": f"{i}_LayerNorm", "type": "sentence_transformers.models.LayerNorm"} for i in (4, 5)]
        write(folder, "modules.json", rows)
        self.good("convert", folder, "--output", folder + ".out", *LEVEL)
        names = [t["name"] for t in self.document("inspect", folder + ".out/model.onnx", "--tensors")["tensors"]]
        self.assertIn("4_LayerNorm.norm.weight", names)
        self.assertIn("5_LayerNorm.norm.weight", names)

    def test_a_module_without_its_files(self):
        folder = os.path.join(self.home, "lost")
        os.remove(os.path.join(sentence(folder), "2_Dense/model.safetensors"))
        self.bad(3, "convert", folder, "--output", folder + ".out", says="2_Dense")
        os.remove(os.path.join(folder, "1_Pooling/config.json"))
        self.bad(3, "convert", folder, "--output", folder + ".out", says="1_Pooling/config.json")
