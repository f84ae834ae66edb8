# SPDX-License-Identifier: Apache-2.0
"""PyTorch's files through convert and verify: the graph is the one that the same weights make as safetensors, byte for byte."""

import json
import os
import struct
import sys

from harness import Case, ROOT, digest, has_runtime
import models

sys.path.insert(0, os.path.join(ROOT, "tests", "hostile"))
import writers  # noqa: E402
from writers import Storage, Tensor  # noqa: E402

LEVEL = [] if has_runtime() else ["--validate", "structure"]


def turned(data, shape):
    """The bytes of a matrix column by column."""
    rows, columns = shape
    values = struct.unpack(f"<{rows * columns}f", data)
    return struct.pack(f"<{rows * columns}f", *(values[r * columns + c] for c in range(columns) for r in range(rows)))


def state_of(named, columns_first=False, prefix=""):
    """(what is pickled, the storages by key)"""
    state, storages = {}, {}
    for i, (name, (shape, data)) in enumerate(named.items()):
        stride = None
        if columns_first and len(shape) == 2:
            data, stride = turned(data, shape), (1, shape[0])
        storages[str(i)] = data
        state[prefix + name] = Tensor(Storage(str(i), len(data) // 4), shape, stride)
    return state, storages


def as_zip(named, **options):
    return writers.torch_zip(*state_of(named, **options))


def as_legacy(named, **options):
    state, storages = state_of(named, **options)
    return writers.legacy(state, {k: (len(v) // 4, v) for k, v in storages.items()})


class Torch(Case):
    def setUp(self):
        super().setUp()
        self.plain = os.path.join(self.home, "plain")
        self.named = models.bert(self.plain)
        self.good("convert", self.plain, "--output", self.plain + ".out", *LEVEL)
        self.expected = digest(self.plain + ".out/model.onnx")

    def empty(self, name):
        path = os.path.join(self.home, name)
        models.bert(path, weights=False)
        return path

    def test_every_writing_makes_the_same_bytes(self):
        state, storages = state_of(self.named)
        packed = [writers.Entry(e.name, e.data, deflate=True) for e in writers.torch_entries(state, storages)]
        for name, data in (("zip", as_zip(self.named)), ("legacy", as_legacy(self.named)), ("zip by columns", as_zip(self.named, columns_first=True)),
                           ("legacy by columns", as_legacy(self.named, columns_first=True)), ("deflated", writers.archive(packed)),
                           ("module.", as_zip(self.named, prefix="module."))):
            with self.subTest(name):
                folder = self.empty(name)
                models.write(folder, "pytorch_model.bin", data)
                self.good("convert", folder, "--output", folder + ".out", *LEVEL)
                self.assertEqual(digest(folder + ".out/model.onnx"), self.expected)

    def test_shards(self):
        folder, names = self.empty("shards"), list(self.named)
        index = {}
        for i, part in enumerate((names[::2], names[1::2])):
            shard = f"pytorch_model-{i + 1:05}-of-00002.bin"
            models.write(folder, shard, (as_zip if i else as_legacy)({k: self.named[k] for k in part}, prefix="module."))
            index.update({"module." + k: shard for k in part})
        models.write(folder, "pytorch_model.bin.index.json", json.dumps({"weight_map": index}))
        self.good("convert", folder, "--output", folder + ".out", *LEVEL)
        self.assertEqual(digest(folder + ".out/model.onnx"), self.expected)
        os.unlink(os.path.join(folder, "pytorch_model-00002-of-00002.bin"))
        self.bad(3, "convert", folder, "--output", folder + ".out2", says="pytorch_model-00002-of-00002.bin")

    def test_the_only_file_of_weights(self):
        folder = self.empty("jit")
        models.write(folder, "training_args.bin", b"not looked at")
        models.write(folder, "model.pt", as_zip(self.named))
        d = self.document("convert", folder, "--output", folder + ".out", *LEVEL)
        self.assertEqual(digest(d["path"]), self.expected)
        self.assertIn("the weights are those of model.pt, the only file that can be weights", d["notes"])
        models.write(folder, "other.pth", as_zip(self.named))
        self.bad(6, "convert", folder, "--output", folder + ".out2", says=["several files of weights", "model.pt"], hint="keep one")

    def test_what_a_file_says_is_a_note(self):
        folder = self.empty("wrapped")
        state, storages = state_of(self.named)
        models.write(folder, "pytorch_model.bin", writers.torch_zip({"state_dict": state, "epoch": 3}, storages))
        d = self.document("convert", folder, "--output", folder + ".out", *LEVEL)
        self.assertEqual(digest(d["path"]), self.expected)
        self.assertTrue([n for n in d["notes"] if "state_dict" in n], d["notes"])

    def test_safetensors_come_first(self):
        models.write(self.plain, "pytorch_model.bin", b"not even a pickle")
        self.good("convert", self.plain, "--output", self.plain + ".again", *LEVEL)

    def test_a_bit_that_turned(self):
        folder, data = self.empty("flipped"), bytearray(as_zip(self.named))
        where = data.index(self.named["encoder.layer.0.output.dense.weight"][1]) + 100
        data[where] ^= 1
        path = models.write(folder, "pytorch_model.bin", bytes(data))
        self.bad(11, "convert", folder, "--output", folder + ".out", says=["CRC", "data/"])
        self.assertFalse(os.path.exists(folder + ".out"))
        self.bad(11, "inspect", path, "--digests", says="CRC")

    def test_a_program_among_the_weights(self):
        folder, canary = self.empty("evil"), os.path.join(self.home, "canary")
        evil = b"\x80\x02}X\x01\x00\x00\x00acposix\nsystem\nX" + struct.pack("<I", len(canary) + 6) + b"touch " + canary.encode() + b"\x85Rs."
        models.write(folder, "pytorch_model.bin", writers.torch_zip(data=evil))
        self.bad(7, "convert", folder, "--output", folder + ".out", says=["posix system", "offset"])
        self.assertFalse(os.path.exists(canary))

    def test_verify_a_repository(self):
        repo = self.hub.repo("torch")
        models.bert(repo, weights=False)
        models.write(repo, "pytorch_model.bin", as_zip(self.named))
        d = self.document("verify", "org/torch", *LEVEL)
        self.assertEqual((d["verdict"], d["onnx_source"], d["was_converted"], d["cached"]), ("pass", "pytorch_conversion", True, False))
        again = self.document("verify", "org/torch", "--offline", *LEVEL)
        self.assertEqual((again["cached"], digest(again["path"])), (True, digest(d["path"])))
