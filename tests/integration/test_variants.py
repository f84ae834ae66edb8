# SPDX-License-Identifier: Apache-2.0
"""Files on request: --split and --with-mask through convert, verify and check. Models are the goldens' configs with drawn weights."""

import json
import os
import re

from harness import Case, has_runtime
import models

RUNTIME = has_runtime()
LEVEL = [] if RUNTIME else ["--validate", "structure"]
GOLDEN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "golden")


def golden(folder, family):
    """A repository of a golden's config: tensors.txt has a name and a shape a line."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(GOLDEN, family, "config.json"), encoding="utf-8") as f:
        models.write(folder, "config.json", f.read())
    with open(os.path.join(GOLDEN, family, "tensors.txt"), encoding="utf-8") as f:
        rows = [re.match(r"(\S+) \[(.*)\]", line).groups() for line in f]
    shapes = {name: [int(d) for d in dims.split(",") if d.strip()] for name, dims in rows}
    models.write(folder, "model.safetensors", models.safetensors(models.tensors(shapes)))
    return folder


def onnx_files(folder):
    return sorted(os.path.relpath(os.path.join(d, n), folder) for d, _, names in os.walk(folder) for n in names if n.endswith(".onnx"))


class Variants(Case):
    def ports(self, path):
        return json.dumps(self.document("inspect", path)["metadata"])

    def test_split_gives_a_file_each(self):
        folder = golden(os.path.join(self.home, "siglip"), "siglip")
        whole, split, nested = (os.path.join(self.home, n) for n in ("whole", "split", "nested"))
        one = self.document("convert", folder, "--output", whole, *LEVEL)
        two = self.document("convert", folder, "--output", split, "--split", *LEVEL)
        self.document("convert", folder, "--output", nested, "--split", "--layout", "transformersjs", *LEVEL)
        self.assertEqual((one["path"], onnx_files(whole)), (os.path.join(whole, "model.onnx"), ["model.onnx"]))
        self.assertEqual((two["path"], onnx_files(split)), (split, ["text_model.onnx", "vision_model.onnx"]))
        self.assertEqual(onnx_files(nested), ["onnx/text_model.onnx", "onnx/vision_model.onnx"])
        roles = {f["role"] for f in two["files"]}
        self.assertTrue({"text_model", "vision_model", "config"} <= roles, roles)
        text, vision = (self.ports(os.path.join(split, n)) for n in ("text_model.onnx", "vision_model.onnx"))
        self.assertTrue("input_ids" in text and "pixel_values" not in text and "input_ids" not in vision and "pixel_values" in vision)
        self.assertEqual(self.document("check", split, *LEVEL)["verdict"], "pass")

    def test_a_mask_is_an_input_on_request(self):
        folder = golden(os.path.join(self.home, "hubert"), "hubert")
        plain, masked = (os.path.join(self.home, n) for n in ("plain", "masked"))
        rows = [c["name"] for c in self.document("convert", folder, "--output", plain, *LEVEL)["checks"]]
        more = [c["name"] for c in self.document("convert", folder, "--output", masked, "--with-mask", *LEVEL)["checks"]]
        self.assertNotIn("attention_mask", self.ports(os.path.join(plain, "model.onnx")))
        self.assertIn("attention_mask", self.ports(os.path.join(masked, "model.onnx")))
        self.assertEqual("runtime.padding" in more, RUNTIME)
        self.assertNotIn("runtime.padding", rows)

    def test_sound_that_would_be_too_long_is_not_made_up(self):
        folder, out = golden(os.path.join(self.home, "slow"), "wav2vec2"), os.path.join(self.home, "out")
        for strides in ([1 << 22, 1], [1, 1 << 40], [1 << 40, 1 << 40]):
            self.configure(folder, conv_stride=strides)
            if RUNTIME:
                self.bad(6, "convert", folder, "--output", out, "--force", says="sound for it would need")
            self.good("convert", folder, "--output", out, "--force", "--validate", "structure")

    def configure(self, folder, **change):
        path = os.path.join(folder, "config.json")
        with open(path, encoding="utf-8") as f:
            config = json.load(f)
        models.write(folder, "config.json", json.dumps({**config, **change}))

    def test_each_variant_is_an_entry_of_its_own(self):
        golden(self.hub.repo("kept"), "siglip")
        paths = []
        for more in ([], ["--split"]):
            first = self.document("verify", "org/kept", *LEVEL, *more)
            again = self.document("verify", "org/kept", "--offline", *LEVEL, *more)
            self.assertEqual((first["cached"], again["cached"], again["path"]), (False, True, first["path"]))
            paths.append(first["path"])
        self.assertTrue(os.path.isfile(paths[0]) and os.path.isdir(paths[1]))
        self.assertNotEqual(os.path.dirname(paths[0]), paths[1])
        out = os.path.join(self.home, "copy")
        self.good("verify", "org/kept", "--split", "--output", out, *LEVEL)
        self.assertEqual(onnx_files(out), ["text_model.onnx", "vision_model.onnx"])
        self.check_caches()

    def test_a_published_file_is_not_what_was_asked_for(self):
        repo = golden(self.hub.repo("published"), "siglip")
        whole = os.path.join(self.home, "whole")
        self.good("convert", repo, "--output", whole, *LEVEL)
        os.makedirs(os.path.join(repo, "onnx"))
        os.rename(os.path.join(whole, "model.onnx"), os.path.join(repo, "onnx", "model.onnx"))
        self.assertFalse(self.document("verify", "org/published", *LEVEL)["was_converted"])
        split = self.document("verify", "org/published", "--split", *LEVEL)
        self.assertTrue(split["was_converted"])
        reason = next(a for a in split["attempts"] if a["step"] == "published")
        self.assertEqual(reason["outcome"], "skipped")
        self.assertIn("--split", json.dumps(reason))

    def test_what_has_no_such_files(self):
        bert, hubert = os.path.join(self.home, "bert"), golden(os.path.join(self.home, "hubert"), "hubert")
        models.bert(bert)
        out = os.path.join(self.home, "out")
        self.bad(6, "convert", bert, "--output", out, "--split", says="--split: BertModel of bert has no such files", hint="onnxgate archs")
        self.bad(6, "convert", hubert, "--output", out, "--split", says="--split: HubertForCTC of hubert has no such files")
        self.bad(6, "convert", bert, "--output", out, "--with-mask", says="--with-mask: BertModel of bert has no such files")
        self.bad(2, "convert", hubert, "--output", out, "--with-mask", "--split", says="expected at most one")
        self.assertFalse(os.path.exists(out))
