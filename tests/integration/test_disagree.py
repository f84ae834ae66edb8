# SPDX-License-Identifier: Apache-2.0
"""Checkpoints whose config.json and weights disagree: each is converted, with a note that says what was decided, or refused with the exact reason."""

import json
import os

from harness import Case, digest, has_runtime
import models

LEVEL = [] if has_runtime() else ["--validate", "structure"]
POOLER = {"bert.pooler.dense.weight": [16, 16], "bert.pooler.dense.bias": [16]}
CLASSIFIER = {"classifier.weight": [3, 16], "classifier.bias": [3]}
MASKED = {k: v for k, v in models.head_shapes(models.CONFIG, "BertForMaskedLM").items() if k.startswith("cls.")}
ALBERT = {
    "embeddings.word_embeddings.weight": [40, 8], "embeddings.position_embeddings.weight": [32, 8], "embeddings.token_type_embeddings.weight": [2, 8],
    "embeddings.LayerNorm.weight": [8], "embeddings.LayerNorm.bias": [8],
    "encoder.embedding_hidden_mapping_in.weight": [16, 8], "encoder.embedding_hidden_mapping_in.bias": [16],
    **{f"encoder.albert_layer_groups.0.albert_layers.0.{name}.{kind}": shape for name, rows, columns in
       (("full_layer_layer_norm", 16, 0), ("attention.query", 16, 16), ("attention.key", 16, 16), ("attention.value", 16, 16), ("attention.dense", 16, 16),
        ("attention.LayerNorm", 16, 0), ("ffn", 24, 16), ("ffn_output", 16, 24)) for kind, shape in
       (("weight", [rows, columns] if columns else [rows]), ("bias", [rows]))},
}  # fmt: skip


class Disagree(Case):
    def setUp(self):
        super().setUp()
        self.count = 0
        self.model = os.path.join(self.home, "bert-base-albert-roberta")  # a name that must decide nothing

    def make(self, named, config=None, seed=1, tensors=None):
        """The folder: a config.json with changes (None removes a key) and these tensors."""
        c = {k: v for k, v in dict(models.CONFIG, **(config or {})).items() if v is not None}
        models.write(self.model, "config.json", json.dumps(c))
        drawn = tensors or models.tensors(named, seed)
        models.write(self.model, "model.safetensors", models.safetensors(drawn))
        return drawn

    def converted(self, *args):
        """(document, path of the model) of a conversion that must pass."""
        self.count += 1
        out = os.path.join(self.home, f"out-{self.count}")
        d = self.document("convert", self.model, "--output", out, *LEVEL, *args)
        self.assertEqual(d["verdict"], "pass", d)
        return d, os.path.join(out, "model.onnx")

    def note(self, d, *parts):
        self.assertTrue(any(all(p in n for p in parts) for n in d["notes"]), d["notes"])

    def refused(self, code, *args, says=(), hint=None):
        self.bad(code, "convert", self.model, "--output", os.path.join(self.home, "none"), *LEVEL, *args, says=says, hint=hint)
        self.assertFalse(os.path.exists(os.path.join(self.home, "none")))

    def same_as(self, path, *args):
        """The model of the folder as it now is: the same weights, said in the ordinary way, give the same bytes."""
        d, other = self.converted(*args)
        self.assertEqual(digest(path), digest(other))
        return d

    # ---- what the config does not say ----

    def test_no_model_type(self):
        self.make(models.shapes(models.CONFIG), {"model_type": None, "architectures": None})
        d, path = self.converted()
        self.assertEqual((d["model_type"], d["task"]), ("bert", "feature-extraction"))
        self.note(d, "no model_type", "the tensors are those of bert")
        self.make(models.shapes(models.CONFIG))
        self.same_as(path)
        self.make(models.shapes(models.CONFIG, "bert."), {"model_type": None, "architectures": []})
        self.note(self.converted()[0], "the tensors are those of bert")
        self.make(models.shapes(models.CONFIG), {"model_type": None, "architectures": ["BertModel"]})
        d = self.same_as(path)
        self.note(d, "no model_type", "its class BertModel is one of bert")
        self.make(ALBERT, {"model_type": None, "architectures": None, "embedding_size": 8})
        self.note(self.converted()[0], "the tensors are those of albert")
        drawn = self.make(models.shapes(models.CONFIG, "roberta."), {"model_type": None, "architectures": None})
        d, path = self.converted()
        self.note(d, "the tensors are those of roberta")
        for name, cls in (("camembert", "Camembert"), ("xlm-roberta", "XLMRoberta"), ("roberta", "Roberta")):  # one graph, whatever it is called
            for typed in ({"model_type": name, "architectures": None}, {"model_type": None, "architectures": [cls + "Model"]}):
                self.make(None, typed, tensors=drawn)
                self.assertEqual(self.same_as(path)["model_type"], name)

    def test_no_model_type_and_the_names_of_a_sister_family(self):
        """RoBERTa's bare names and shapes are BERT's; its positions begin elsewhere, which no check of the graph can see."""
        untyped = {"model_type": None, "architectures": None}
        one = {k: [1, 16] if "token_type" in k else s for k, s in models.shapes(models.CONFIG).items()}
        for named, config in ((models.shapes(models.CONFIG), {"pad_token_id": 1}), (one, {"type_vocab_size": 1})):
            drawn = self.make(named, {**untyped, **config})
            for args in ([], ["--task", "feature-extraction"]):
                self.refused(10, *args, says=["model_type: missing", "fit bert and RoBERTa", "pad_token_id"], hint="--type")
            _, path = self.converted("--type", "bert")
            self.make(None, {**untyped, **config}, tensors={"bert." + k: v for k, v in drawn.items()})
            self.note(self.converted()[0], "the tensors are those of bert")
            self.make(None, config, tensors=drawn)
            self.same_as(path)

    def test_no_model_type_and_strange_tensors(self):
        self.make({"encoder.weight": [3, 3]}, {"model_type": None, "architectures": None})
        self.refused(6, says=["model_type: missing", "no architecture that is done"], hint="--type")
        self.refused(12, "--type", "bert", says="embeddings.word_embeddings.weight")
        os.unlink(os.path.join(self.model, "model.safetensors"))
        self.refused(10, says="model_type: missing", hint="--type")

    def test_no_model_type_in_a_repository(self):
        folder = self.hub.repo("untyped")
        models.bert(folder, config={"model_type": None, "architectures": None})
        d = self.document("verify", "org/untyped", *LEVEL)
        self.assertEqual((d["model_type"], d["verdict"], d["cached"]), ("bert", "pass", False))
        self.note(d, "the tensors are those of bert")
        again = self.document("verify", "org/untyped", *LEVEL)
        self.assertEqual((again["cached"], again["path"]), (True, d["path"]))
        self.note(again, "the tensors are those of bert")
        typed = self.document("verify", "org/untyped", "--type", "bert", *LEVEL)  # decided otherwise: a conversion of its own
        self.assertEqual((typed["cached"], [n for n in typed["notes"] if "tensors are those" in n]), (False, []))
        rows = {r["fact"]: r["value"] for r in self.document("metadata", "org/untyped")["rows"]}
        self.assertEqual((rows["convertible"], rows["model type"]), ("yes", "bert"))
        self.check_caches()

    def test_no_class(self):
        drawn = self.make({**models.shapes(models.CONFIG, "bert."), **POOLER, **CLASSIFIER}, {"architectures": None, "num_labels": 3})
        d, features = self.converted()
        self.assertEqual(d["task"], "feature-extraction")
        self.note(d, "names no class", "there too: text-classification, token-classification (ask with")
        self.make(None, {"architectures": None}, tensors=drawn)  # the number of classes is the weights', here too; a choice has one
        self.note(self.converted()[0], "there too: text-classification, token-classification (ask with")
        d, path = self.converted("--task", "text-classification")
        self.note(d, "names no class", "BertForSequenceClassification")
        self.refused(12, "--task", "fill-mask", says="cls.predictions", hint="feature-extraction")
        self.refused(11, "--task", "multiple-choice", says=["classifier.weight", "[1, 16]", "[3, 16]"])
        self.make(None, {"architectures": ["BertForSequenceClassification"], "num_labels": 3}, tensors=drawn)
        self.same_as(path)
        self.same_as(features, "--task", "feature-extraction")

    def test_no_config(self):
        self.make(models.shapes(models.CONFIG))
        os.unlink(os.path.join(self.model, "config.json"))
        self.refused(3, says=["config.json: expected among its 1 files, found none", self.model], hint=True)
        folder = self.hub.repo("bare")
        models.bert(folder)
        os.unlink(os.path.join(folder, "config.json"))
        self.bad(3, "verify", "org/bare", *LEVEL, says=["config.json", "org/bare"], hint=True)

    def test_weights_of_another_name(self):
        self.make(models.shapes(models.CONFIG))
        _, path = self.converted()
        other = os.path.join(self.model, "best.safetensors")
        os.rename(os.path.join(self.model, "model.safetensors"), other)
        self.note(self.same_as(path), "the weights are those of best.safetensors")
        name = os.path.relpath(other, self.home)
        self.bad(3, "convert", name, "--output", os.path.join(self.home, "none"), cwd=self.home, says=["expected a folder", "found a file"])

    def test_a_config_of_the_wrong_kind(self):
        self.make(models.shapes(models.CONFIG), {"architectures": "BertModel"})
        self.refused(10, says=["architectures: expected a list", "BertModel"])
        self.make(models.shapes(models.CONFIG), {"architectures": {"0": "BertModel"}})
        self.refused(10, says="architectures: expected a list")
        models.write(self.model, "config.json", "[]")
        self.refused(10, says="config.json: expected an object")

    # ---- what it says otherwise than the weights ----

    def test_the_number_of_labels(self):
        for task, cls, extra in (("text-classification", "BertForSequenceClassification", POOLER), ("token-classification", "BertForTokenClassification", {})):
            named = {**models.shapes(models.CONFIG, "bert."), **extra, **CLASSIFIER}
            drawn = self.make(named, {"architectures": [cls], "num_labels": 3})
            d, path = self.converted()
            self.assertFalse([n for n in d["notes"] if "labels" in n], d["notes"])
            two, three = ({str(i): f"L{i}" for i in range(n)} for n in (2, 3))
            for config, parts in (({}, ["no number of classes"]), ({"num_labels": 5}, ["num_labels is 5"]), ({"id2label": two}, ["id2label has 2 names"]),
                                  ({"id2label": two, "num_labels": 3}, ["id2label has 2 names and num_labels is 3"]),
                                  ({"id2label": three, "num_labels": 2}, ["id2label has 3 names and num_labels is 2"]),
                                  ({"id2label": {}, "num_labels": 7}, ["id2label has 0 names and num_labels is 7"])):
                with self.subTest(task=task, config=config):
                    self.make(None, {"architectures": [cls], **config}, tensors=drawn)
                    self.note(self.same_as(path), "classifier.weight has 3 rows", *parts)
                    copied = json.load(open(os.path.join(self.home, f"out-{self.count}", "config.json")))
                    self.assertEqual({k: copied.get(k) for k in config}, config)
        self.make(dict(named, **{"classifier.bias": [2]}), {"architectures": [cls], "num_labels": 4})
        self.refused(11, says=["classifier.weight", "classifier.bias", "num_labels 4"], hint="config.json")

    def test_labels_do_not_matter_to_other_heads(self):
        cls = "BertForQuestionAnswering"
        self.make(models.head_shapes(models.CONFIG, cls), {"architectures": [cls], "num_labels": 2, "id2label": {"0": "A"}})
        d, _ = self.converted()
        self.assertFalse([n for n in d["notes"] if "id2label" in n], d["notes"])

    def test_a_padded_vocabulary(self):
        for cls in ("BertModel", "BertForMaskedLM"):
            named = dict(models.shapes(models.CONFIG) if cls == "BertModel" else models.head_shapes(models.CONFIG, cls))
            table = next(k for k in named if "word_embeddings" in k)
            named = {k: [48 if d == 40 else d for d in s] for k, s in named.items()}
            drawn = self.make(named, {"architectures": [cls], "vocab_size": 48})
            _, path = self.converted()
            self.make(None, {"architectures": [cls]}, tensors=drawn)
            self.note(self.same_as(path), "vocab_size is 40", f"{table} has 48 rows", "padded")
            for rows in (39, 41):
                self.make({k: [rows if d == 48 else d for d in s] for k, s in named.items()}, {"architectures": [cls]})
                self.refused(11, says=[table, f"[{rows}, 16]", "[40, 16]", "vocab_size 40"], hint="config.json")
        named["cls.predictions.bias"] = [40]
        self.make(named, {"architectures": [cls]})
        self.refused(11, says=["word_embeddings.weight", "vocab_size 40"])

    def test_the_family(self):
        self.make(ALBERT, {"embedding_size": 8})
        self.refused(11, says=["model_type bert", "those of albert"], hint="config.json")
        self.make(models.shapes(models.CONFIG, "bert."), {"model_type": "albert", "architectures": ["AlbertModel"]})
        self.refused(11, says=["model_type albert", "those of bert"])
        self.make(models.shapes(models.CONFIG), {"model_type": None, "architectures": ["AlbertModel"]})
        self.refused(11, says=["by its class the model is albert", "those of bert"])
        self.make(models.shapes(models.CONFIG), {"architectures": ["AlbertForMaskedLM"]})
        self.refused(10, says=["model_type is bert", "AlbertForMaskedLM, a class of albert"])

    def test_a_strange_class(self):
        named = {**models.shapes(models.CONFIG, "bert."), **POOLER}
        drawn = self.make({**named, "head.of.mine.weight": [5, 16]}, {"architectures": ["MyBertForSomething"]})
        self.refused(6, says=["class MyBertForSomething is not done for bert"], hint="--task feature-extraction")
        self.refused(6, "--task", "text-classification", says=["needs head weights", "MyBertForSomething"], hint="feature-extraction")
        d, path = self.converted("--task", "feature-extraction")
        self.note(d, "MyBertForSomething is not known")
        self.note(d, "1 tensor ignored (outside the base model", "head.of.mine.weight")
        self.make(None, {}, tensors={k: v for k, v in drawn.items() if k.startswith("bert.")})
        self.same_as(path)
        own = {"AutoConfig": "configuration_my.MyConfig", "AutoModelForSomething": "modeling_my.MyBertForSomething"}
        self.make(None, {"architectures": ["MyBertForSomething"], "auto_map": own}, tensors=drawn)
        self.refused(6, "--task", "feature-extraction", says=["auto_map", "MyBertForSomething", "never run"], hint="trusted")
        self.make({**named, "bert.adapter.weight": [5, 16]}, {"architectures": ["MyBertForSomething"]})
        self.refused(12, "--task", "feature-extraction", says=["used by nothing", "bert.adapter.weight"], hint="--allow-unexpected")

    # ---- more or fewer tensors than the task takes ----

    def test_heads_of_other_tasks(self):
        named = {**models.head_shapes(models.CONFIG, "BertForMaskedLM"), **POOLER, **CLASSIFIER, "qa_outputs.weight": [2, 16], "qa_outputs.bias": [2]}
        drawn = self.make(named, {"architectures": ["BertForMaskedLM"]})
        d, path = self.converted()
        self.note(d, "4 tensors ignored (head of another task)")
        self.assertEqual(len([n for n in d["notes"] if "head of another task" in n]), 1)
        self.make(None, {"architectures": ["BertForMaskedLM"]}, tensors={k: v for k, v in drawn.items() if "pooler" not in k and k[:3] not in ("cla", "qa_")})
        self.same_as(path)

    def test_a_prefix_that_no_rule_takes_off(self):
        self.make({"model." + k: v for k, v in models.head_shapes(models.CONFIG, "BertForMaskedLM").items()}, {"architectures": ["BertForMaskedLM"]})
        self.refused(12, says=["weights are missing", "did you mean model.bert."], hint="take that off their front")

    def test_unexpected_tensors(self):
        self.make({**models.head_shapes(models.CONFIG, "BertForMaskedLM"), "bert.encoder.layer.2.output.dense.bias": [16], "extra.weight": [3]},
                  {"architectures": ["BertForMaskedLM"]})
        self.refused(12, says=["2 tensors of the checkpoint are used by nothing", "bert.encoder.layer.2.output.dense.bias", "extra.weight"],
                     hint="another model; --allow-unexpected")
        d, _ = self.converted("--allow-unexpected")
        self.note(d, "2 tensors ignored (unexpected, allowed)")

    def test_a_missing_pooler(self):
        drawn = self.make(models.shapes(models.CONFIG))
        _, path = self.converted()
        self.make(None, tensors={**drawn, **models.tensors({k[5:]: v for k, v in POOLER.items()})})
        self.note(self.same_as(path), "pooled token")
        self.make({**models.shapes(models.CONFIG, "bert."), **CLASSIFIER}, {"architectures": ["BertForSequenceClassification"], "num_labels": 3})
        self.refused(12, says=["bert.pooler.dense.weight [16, 16]", "bert.pooler.dense.bias [16]"], hint="no pooler")

    # ---- names ----

    def test_the_base_prefix(self):
        plain = models.tensors(models.shapes(models.CONFIG))
        prefixed = {"bert." + k: v for k, v in plain.items()}
        head = models.tensors(MASKED, 2)
        self.make(None, tensors=prefixed)
        _, path = self.converted()
        self.make(None, {"architectures": ["BertForMaskedLM"]}, tensors={**prefixed, **head})
        self.same_as(path, "--task", "feature-extraction")
        self.converted()
        for drawn, args in ((plain, []), ({**plain, **head}, ["--task", "fill-mask"])):  # names are written as the checkpoint has them
            self.make(None, {"architectures": ["BertForMaskedLM"] if args else None}, tensors=drawn)
            d, bare = self.converted(*args)
            self.assertLess(os.path.getsize(bare), os.path.getsize(path) if not args else 1 << 30)
            self.assertEqual([c["value"] for c in d["checks"] if c["name"] == "weights.readback"], [0])
        half = {**prefixed, "embeddings.word_embeddings.weight": plain["embeddings.word_embeddings.weight"]}
        del half["bert.embeddings.word_embeddings.weight"]
        self.make(None, tensors=half)
        self.refused(12, says=["bert.embeddings.word_embeddings.weight [40, 16]", "did you mean embeddings.word_embeddings.weight?"])

    def test_a_wrapper(self):
        drawn = self.make(models.head_shapes(models.CONFIG, "BertForMaskedLM"), {"architectures": ["BertForMaskedLM"]})
        _, path = self.converted()
        for prefix in ("module.", "_orig_mod.", "module._orig_mod."):
            self.make(None, {"architectures": ["BertForMaskedLM"]}, tensors={prefix + k: v for k, v in drawn.items()})
            self.note(self.same_as(path), "every tensor's name begins with " + prefix[: prefix.index(".") + 1], "taken off")
        self.make(None, {"model_type": None, "architectures": None}, tensors={"module." + k: v for k, v in drawn.items()})
        self.note(self.converted()[0], "those of bert")
        for part, stem in (("encoder", "bert.encoder.layer.0"), ("embeddings", "bert.embeddings")):  # the first tensor without it, and with it
            half = {("module." + k if part in k else k): v for k, v in drawn.items()}
            self.make(None, {"architectures": ["BertForMaskedLM"]}, tensors=half)
            self.refused(12, says=[stem, "did you mean module." + stem])

    def test_old_names(self):
        drawn = self.make(models.shapes(models.CONFIG))
        _, path = self.converted()
        old = {k.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): v for k, v in drawn.items()}
        self.make(None, tensors=old)
        self.same_as(path)
        self.make(None, tensors={**old, "embeddings.LayerNorm.weight": drawn["embeddings.LayerNorm.weight"]})
        self.refused(10, says=["stands twice", "embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"])

    # ---- ties ----

    def test_ties(self):
        decoder, table = "cls.predictions.decoder.weight", "bert.embeddings.word_embeddings.weight"
        config = {"architectures": ["BertForMaskedLM"]}
        drawn = self.make(models.head_shapes(models.CONFIG, "BertForMaskedLM"), config)
        _, path = self.converted()
        self.make(None, config, tensors={**drawn, decoder: drawn[table]})
        self.same_as(path)
        self.make(None, config, tensors={decoder: drawn[table], **{k: v for k, v in drawn.items() if k != table}})
        self.same_as(path)
        other = models.tensors({decoder: [40, 16]}, 3)
        self.make(None, config, tensors={**drawn, **other})
        self.refused(11, says=[f"{decoder} is tied to {table}", "other values"])
        self.make(None, {**config, "tie_word_embeddings": False}, tensors={**drawn, **other})
        self.converted()
        self.make(None, {**config, "tie_word_embeddings": False}, tensors=drawn)
        self.refused(12, says=f"{decoder} [40, 16]")
        self.make(None, config, tensors={k: v for k, v in drawn.items() if k != table})
        self.refused(12, says=f"{table} [40, 16]")


class Shards(Case):
    def setUp(self):
        super().setUp()
        self.model = os.path.join(self.home, "model")
        self.named = models.bert(self.model, shards=3)
        self.files = [f"model-{i:05}-of-00003.safetensors" for i in (1, 2, 3)]
        self.index = json.load(open(os.path.join(self.model, "model.safetensors.index.json")))

    def of(self, i):
        return {k: self.named[k] for k, f in self.index["weight_map"].items() if f == self.files[i]}

    def write(self, i, named):
        models.write(self.model, self.files[i], models.safetensors(named))

    def refused(self, code, *says, hint=None):
        self.bad(code, "convert", self.model, "--output", os.path.join(self.home, "none"), *LEVEL, says=says, hint=hint)

    def save_index(self, weight_map):
        models.write(self.model, "model.safetensors.index.json", json.dumps(dict(self.index, weight_map=weight_map)))

    def test_a_tensor_twice(self):
        name = next(iter(self.of(0)))
        self.write(1, {**self.of(1), name: self.named[name]})
        self.refused(10, f'tensor "{name}"', "expected it in one file", self.files[0], self.files[1])

    def test_a_tensor_that_no_shard_has(self):
        name = list(self.of(1))[-1]
        self.write(1, {k: v for k, v in self.of(1).items() if k != name})
        self.refused(10, f'tensor "{name}": expected in {self.files[1]}, found in no shard')
        self.save_index({k: f for k, f in self.index["weight_map"].items() if k != name})
        self.refused(12, "1 weight is missing", name, hint="not complete")

    def test_a_tensor_in_another_shard(self):
        name = list(self.of(0))[0]
        self.save_index({**self.index["weight_map"], name: self.files[2]})
        self.refused(10, f'tensor "{name}": expected in {self.files[2]}, found in {self.files[0]}')

    def test_a_shard_that_is_absent(self):
        os.unlink(os.path.join(self.model, self.files[1]))
        self.refused(3, self.files[1])

    def test_a_tensor_that_the_index_does_not_list(self):
        self.save_index({k: f for i, (k, f) in enumerate(self.index["weight_map"].items()) if i})
        d = self.document("convert", self.model, "--output", os.path.join(self.home, "out"), *LEVEL)
        self.assertEqual(d["verdict"], "pass")
        self.write(0, {**self.of(0), "stray": ([1], b"\0\0\0\0")})
        self.refused(12, "1 tensor of the checkpoint is used by nothing: stray", hint="--allow-unexpected")

    def test_a_shard_that_the_index_does_not_list(self):
        last = self.of(2)
        self.save_index({k: f for k, f in self.index["weight_map"].items() if f != self.files[2]})
        self.refused(12, f"{len(last)} weights are missing" if len(last) > 1 else "1 weight is missing")
