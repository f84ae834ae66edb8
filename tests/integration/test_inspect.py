# SPDX-License-Identifier: Apache-2.0
"""inspect: listings of every format, digests, threats, and repositories of which only the headers are read."""

import base64
import collections
import hashlib
import json
import os
import pickle
import struct
import sys

from harness import Case, ROOT
import models

sys.path.insert(0, os.path.join(ROOT, "tests", "hostile"))
import writers  # noqa: E402
from writers import Storage, Tensor  # noqa: E402

ROWS = 256  # of 4 KiB: one weight is 1 MiB
MARK = "made-by-a-pickle"


class Call:
    """What Python would call when it unpickles this."""

    def __init__(self, name, *args):
        self.name, self.args = name, args

    def __reduce__(self):
        return self.name, self.args


def evil(folder):
    return Call(os.system, "touch " + os.path.join(folder, MARK))


def proto(*fields):
    """A protobuf message of (number, integer below 128 | text | message)."""
    out = b""
    for number, value in fields:
        raw = value.encode() if isinstance(value, str) else value
        tag, n = number << 3 | (0 if isinstance(value, int) else 2), value if isinstance(value, int) else len(raw)
        for v in (tag, n):
            while v > 127:
                out, v = out + bytes([v & 127 | 128]), v >> 7
            out += bytes([v])
        out += b"" if isinstance(value, int) else raw
    return out


def floats(n, first=0):
    return struct.pack(f"<{n}f", *(float(first + i) for i in range(n)))


def big_checkpoint(n=8):
    """A state dict of n weights of 1 MiB, and its storages."""
    state, storages = collections.OrderedDict(), {}
    for i in range(n):
        state[f"layer.{i}.weight"] = Tensor(Storage(str(i), ROWS * 1024), (ROWS, 1024))
        storages[str(i)] = floats(ROWS * 1024, i)
    return state, storages


class Inspect(Case):
    def file(self, name, data):
        return models.write(self.home, name, data)

    def rows(self, *args, code=0):
        return {t["name"]: t for t in self.document("inspect", *args, "--tensors", code=code)["tensors"]}

    # ---- listings ----

    def test_one_line_a_tensor_by_place(self):
        path = self.file("w.safetensors", models.safetensors({"b": ([2, 3], floats(6)), "a": ([3], floats(3))}))
        start = 8 + struct.unpack("<Q", open(path, "rb").read(8))[0]
        lines = self.good("inspect", path, "--digests").out.splitlines()
        self.assertEqual(lines[0], "w.safetensors")
        self.assertNotIn(self.home, "\n".join(lines))
        self.assertEqual(lines[-2:], [f"b  float32  [2, 3]  w.safetensors  {start}  {hashlib.sha256(floats(6)).hexdigest()}",
                                      f"a  float32  [3]  w.safetensors  {start + 24}  {hashlib.sha256(floats(3)).hexdigest()}"])
        other = os.path.join(self.home, "elsewhere")
        os.makedirs(other)
        models.write(other, "w.safetensors", open(path, "rb").read())
        self.assertEqual(self.good("inspect", os.path.join(other, "w.safetensors"), "--digests").out.splitlines(), lines)

    def test_names_cannot_break_a_line(self):
        path = self.file("w.safetensors", models.safetensors({"a\n\033[2Jb": ([1], floats(1))}))
        out = self.good("inspect", path, "--tensors").out
        self.assertNotIn("\033", out)
        self.assertIn("a\\x0a\\x1b[2Jb  float32", out)

    def test_strided_tensors_are_digested_row_by_row(self):
        state = collections.OrderedDict(t=Tensor(Storage("0", 6), (3, 2), (1, 3)), d=Tensor(Storage("0", 6), (2, 3)))
        wanted = hashlib.sha256(struct.pack("<6f", 0, 3, 1, 4, 2, 5)).hexdigest()
        for name, data in (("zip.bin", writers.torch_zip(state, {"0": floats(6)})), ("old.bin", writers.legacy(state, {"0": (6, floats(6))}))):
            path = self.file(name, data)
            rows = self.rows(path, "--digests")
            self.assertEqual((rows["t"]["strides"], rows["d"]["strides"]), ([1, 3], None))
            self.assertEqual((rows["t"]["sha256"], rows["d"]["sha256"]), (wanted, hashlib.sha256(floats(6)).hexdigest()))
            self.assertIn("t  float32  [3, 2] strides [1, 3]  " + name, self.good("inspect", path, "--tensors").out)

    def test_a_missing_file_is_not_the_network(self):
        for name in ("nofile", "nofile.safetensors", "dir/nofile.bin", "a/b/c/d"):
            o = self.run_program("inspect", name)
            self.assertIn("no ", o.err)
            if name != "a/b/c/d":
                self.bad(3, "inspect", name, says=[name, "no such file or folder"], hint="check the path")
                self.bad(3, "inspect", name, env={"HF_ENDPOINT": "http://127.0.0.1:9"}, says="no such file or folder")
        self.bad(3, "inspect", "./org/none", says="org/none")
        self.bad(3, "inspect", "org/none", says=['no file or folder "org/none"', "no such model"])
        self.bad(5, "inspect", "org/none", "--offline", says="org/none", hint="offline")

    # ---- threats ----

    def threats(self, path, code, *more):
        d = self.document("inspect", path, "--threats", *more, code=code)
        self.assertEqual(d["dangers"], sum(t["danger"] for t in d["threats"]))
        self.assertEqual(d["dangers"] > 0, code == 7)
        self.assertEqual((d["error"] or {"code": 0})["code"], code)
        self.assertFalse(os.path.exists(os.path.join(self.home, MARK)))
        return d["threats"]

    def dangers(self, path, *more):
        return [(t["kind"], t["where"], t["text"]) for t in self.threats(path, 7, *more) if t["danger"]]

    def test_every_protocol(self):
        for protocol in range(6):
            path = self.file(f"p{protocol}.pkl", pickle.dumps({"w": evil(self.home)}, protocol))
            found = self.dangers(path)
            self.assertEqual([k for k, _, _ in found], ["global", "call"], found)
            self.assertIn("posix system: runs commands", found[0][2])
            self.assertIn(f"touch {self.home}"[:40], found[1][2])
            at = [t for t in self.threats(path, 7) if t["kind"] == "global"][0]["offset"]
            self.assertIn(open(path, "rb").read()[at:at + 1], (b"c", b"\x93"))
            self.assertEqual(self.run_program("inspect", path).code, 7)

    def test_a_cut_pickle_has_run_already(self):
        path = self.file("cut.pkl", pickle.dumps(evil(self.home), 0)[:-1])
        self.assertEqual([k for k, _, _ in self.dangers(path)], ["global", "call", "broken"])

    def test_archives(self):
        state = collections.OrderedDict(weight=writers.WEIGHT)
        clean = self.file("clean.bin", writers.torch_zip())
        self.assertEqual({t["kind"] for t in self.threats(clean, 0)}, {"opcodes", "global", "call"})
        bad = self.file("bad.bin", writers.torch_zip(dict(state, x=evil(self.home))))
        self.assertEqual([(k, w) for k, w, _ in self.dangers(bad)], [("global", "bad.bin!archive/data.pkl"), ("call", "bad.bin!archive/data.pkl")])
        inner = open(bad, "rb").read()
        beside = writers.torch_entries(state, {"0": writers.FLOATS})
        beside += [writers.Entry("archive/more.pkl", pickle.dumps(evil(self.home))), writers.Entry("archive/x.zip", inner, deflate=True),
                   writers.Entry("archive/run.py", b"import os\n"), writers.Entry("archive/data/7", pickle.dumps(evil(self.home), 4), deflate=True)]
        found = self.dangers(self.file("beside.bin", writers.archive(beside)))
        self.assertEqual([(k, w.split("/")[-1]) for k, w, _ in found], [("global", "more.pkl"), ("call", "more.pkl"), ("nested", "x.zip"), ("code", "run.py"),
                                                                       ("global", "7"), ("call", "7")])

    def test_broken_archives_are_listed_all_the_same(self):
        obj = {"x": evil(self.home)}
        for name, options in (("encrypted", {"both": {"flags": 1}}), ("lying", {"local": {"size": 9}}), ("away", {"both": {"name": b"../data.pkl"}})):
            path = self.file(name, writers.archive([writers.Entry("archive/data.pkl", writers.dumps(obj), **options)]))
            found = self.dangers(path)
            self.assertIn(found[0][0], ("unread", "broken", "unsafe"))
            self.assertEqual([k for k, _, _ in found[1:]], ["global", "call"], found)
        d = self.document("inspect", path, "--threats", code=7)
        self.assertEqual(len(d["notes"]), 1)
        self.assertIn("not readable as weights: away: ", d["notes"][0])
        self.assertIsNone(d["format"])

    def test_legacy_files_and_what_is_behind_them(self):
        good = writers.legacy()
        self.threats(self.file("good.bin", good), 0)
        self.assertEqual([t[0] for t in self.dangers(self.file("more.bin", good + b"hello"))], ["extra"])
        both = self.dangers(self.file("both.bin", good + writers.torch_zip({"x": evil(self.home)})))
        self.assertEqual([t[0] for t in both], ["extra", "polyglot", "global", "call"])
        self.assertEqual([t[0] for t in self.dangers(self.file("behind.pkl", pickle.dumps(1, 2) + b"\0\1\2"))], ["extra"])

    def test_hidden_in_values(self):
        payload, code = pickle.dumps(evil(self.home)), b"import os; os.system('id')"
        texts = [base64.b64encode(payload).decode(), "x = '" + base64.b64encode(code).decode() + "'", base64.encodebytes(writers.torch_zip()).decode()]
        for protocol in (0, 2, 5):
            found = self.dangers(self.file("v.pkl", pickle.dumps(texts + [payload, "harmless words, and more of them: layer.0.weight"], protocol)))
            self.assertEqual([k for k, _, _ in found], ["base64"] * 3 + ["nested"])
        self.assertIn("a pickle", found[0][2])
        self.assertIn("import os", found[1][2])
        self.assertIn("a zip archive", found[2][2])
        st = models.safetensors({"a": ([1], floats(1))}, {"format": "pt"})
        self.assertEqual([t["kind"] for t in self.threats(self.file("ok.safetensors", st), 0)], ["format"])
        st = models.safetensors({"a": ([1], floats(1))}, {"format": texts[0]})
        self.assertEqual([t[0] for t in self.dangers(self.file("odd.safetensors", st))], ["base64"])

    def test_other_files(self):
        for name, data, code in (("x.gz", b"\x1f\x8b\x08" + bytes(20), 7), ("lib.so", b"\x7fELF\x02\x01\x01" + bytes(60), 7), ("a.txt", b"hello\n", 0),
                                 ("empty", b"", 0), ("broken.safetensors", models.with_header(b"{not json", b""), 0)):
            self.assertTrue(self.threats(self.file(name, data), code), name)
        self.bad(3, "inspect", os.path.join(self.home, "none.bin"), "--threats", says="none.bin")

    def test_every_file_of_a_folder(self):
        folder = os.path.join(self.home, "all")
        os.makedirs(folder)
        models.bert(folder)
        self.threats(folder, 0)
        models.write(folder, "sub/evil.bin", writers.torch_zip({"x": evil(self.home)}))
        os.mkfifo(os.path.join(folder, "pipe"))
        found = self.threats(folder, 7)
        self.assertEqual({t["where"] for t in found if t["danger"]}, {"sub/evil.bin!archive/data.pkl"})
        self.assertEqual([t["kind"] for t in found if t["where"] == "pipe"], ["unread"])

    def test_onnx(self):
        folder = os.path.join(self.home, "onnx")
        os.makedirs(folder)
        models.bert(folder)
        out = os.path.join(self.home, "out")
        self.good("convert", folder, "--output", out, "--validate", "none", "--external-data", "always")
        path = os.path.join(out, "model.onnx")
        self.assertEqual([t["kind"] for t in self.threats(path, 0)], ["format"])
        data = open(path, "rb").read()
        name = b"model.onnx_data"
        models.write(out, "model.onnx", data.replace(name, b"../" + name[:-3]))
        self.assertEqual([t[0] for t in self.dangers(path)], ["external"])
        models.write(out, "model.onnx", data)
        os.rename(os.path.join(out, "model.onnx_data"), os.path.join(self.home, "data"))
        os.symlink("../data", os.path.join(out, "model.onnx_data"))
        self.assertEqual([t[0] for t in self.dangers(path)], ["external"])

    def test_onnx_in_depth(self):
        """Data of another folder, wherever a tensor may stand; operators that call into Python."""
        away = proto((1, 1), (2, 1), (8, "w"), (13, proto((1, "location"), (2, "../secret"))), (14, 1))
        constant = proto((2, "y"), (4, "Constant"), (5, proto((1, "value"), (5, away), (20, 4))))
        inner = proto((2, "y"), (4, "If"), (5, proto((1, "then_branch"), (6, proto((2, "g"), (5, away))), (20, 5))))
        plain = (8, proto((1, ""), (2, 18)))
        for where, model, kinds in (("an initializer", ((7, proto((2, "g"), (5, away))), plain), ["external"]),
                                    ("an attribute", ((7, proto((1, constant), (2, "g"))), plain), ["external"]),
                                    ("a branch", ((7, proto((1, inner), (2, "g"))), plain), ["external"]),
                                    ("a function", ((7, proto((2, "g"))), (25, proto((1, "f"), (7, constant), (10, "own"))), plain), ["external"]),
                                    ("Python", ((7, proto((2, "g"))), (8, proto((1, "ai.onnx.contrib"), (2, 1)))), ["domain"]),
                                    ("another domain", ((7, proto((2, "g"))), (8, proto((1, "com.microsoft"), (2, 1)))), [])):
            with self.subTest(where=where):
                path = self.file("deep.onnx", proto((1, 8), *model))
                self.assertEqual([t[0] for t in self.dangers(path)] if kinds else [t["kind"] for t in self.threats(path, 0)], kinds or ["format", "domain"])

    def test_text_marks_the_dangers_in_place(self):
        o = self.run_program("inspect", self.file("x.pkl", pickle.dumps(evil(self.home), 2)), "--threats")
        lines = o.out.splitlines()
        self.assertEqual(o.code, 7)
        self.assertIn("threats     2 dangers of 3 rows", lines)
        self.assertEqual([line[0] for line in lines[-3:]], [" ", "!", "!"])
        self.assertEqual(len(o.lines("onnxgate: ")), 1)


class Remote(Case):
    """Repositories whose weights are not in the cache."""

    def sent(self):
        log = self.hub.log()
        return sum(r.get("sent", 0) for r in log), len(log)

    def check(self, repo, fmt, total, most, shards=1):
        self.hub.control(reset=True)
        o = self.good("inspect", repo, "--tensors", "-v")
        sent, requests = self.sent()
        self.assertIn(f"format      {fmt}", o.out)
        self.assertEqual(sum(line.startswith("layer.") for line in o.out.splitlines()), 8)
        self.assertLess(sent, most, o)
        self.assertGreater(total, 8 << 20)
        self.assertIn(f"{repo}: {requests} requests", o.err)
        blobs = [n for _, _, names in os.walk(os.path.join(self.cache)) for n in names if len(n) == 64]
        self.assertEqual(blobs, [], "weights were kept")
        return o.out

    def test_few_bytes_of_each_format(self):
        state, storages = big_checkpoint()
        plain = {k: (list(t.size), storages[t.storage.key]) for k, t in state.items()}
        folder = self.hub.repo("st")
        models.write(folder, "model.safetensors", models.safetensors(plain))
        remote = self.check("org/st", "safetensors", os.path.getsize(os.path.join(folder, "model.safetensors")), 80_000)
        local = self.good("inspect", os.path.join(folder, "model.safetensors"), "--tensors").out
        self.assertEqual(remote, local)
        folder = self.hub.repo("shards")
        models.write_shards(folder, plain, 4)
        self.check("org/shards", "safetensors (sharded)", 8 << 20 | 1, 4 * 80_000)
        for name, fmt, data in (("zip", "torch_zip", writers.torch_zip(state, storages)),
                                ("old", "torch_legacy", writers.legacy(state, {k: (len(v) // 4, v) for k, v in storages.items()}))):
            folder = self.hub.repo(name)
            path = models.write(folder, "pytorch_model.bin", data)
            self.assertEqual(self.check("org/" + name, fmt, len(data), 500_000), self.good("inspect", path, "--tensors").out)

    def test_threats_by_parts(self):
        state, storages = big_checkpoint()
        state["x"] = evil(self.home)
        models.write(self.hub.repo("evil"), "pytorch_model.bin", writers.torch_zip(state, storages))
        d = self.document("inspect", "org/evil", "--threats", code=7)
        self.assertEqual(d["dangers"], 2)
        self.assertIn("only pytorch_model.bin is looked at", " ".join(d["notes"]))
        self.assertLess(self.sent()[0], 1_500_000)

    def small(self, name="repo"):
        folder = self.hub.repo(name)
        models.write(folder, "model.safetensors", models.safetensors({"a": ([ROWS, 1024], floats(ROWS * 1024)), "b": ([ROWS, 1024], floats(ROWS * 1024))}))
        return folder

    def test_digests_need_the_bytes(self):
        self.small()
        self.bad(6, "inspect", "org/repo", "--digests", says=["org/repo", "digests"], hint="verify org/repo")

    def test_cached_weights_ask_nobody(self):
        models.bert(self.hub.repo("bert"))
        remote = self.good("inspect", "org/bert", "--tensors").out
        self.bad(3, "inspect", "org/bert", "--offline", says=["model.safetensors", "cache"], hint="offline")
        self.good("verify", "org/bert", "--validate", "none")
        self.hub.control(reset=True)
        self.assertEqual(self.good("inspect", "org/bert", "--tensors").out, remote)
        self.assertTrue(self.document("inspect", "org/bert", "--digests", "--offline")["tensors"][0]["sha256"])
        self.assertEqual(self.hub.log(), [])

    def test_a_server_without_ranges(self):
        state, storages = big_checkpoint(24)
        models.write(self.hub.repo("repo"), "pytorch_model.bin", writers.legacy(state, {k: (len(v) // 4, v) for k, v in storages.items()}))
        self.hub.control(rules=[{"side": "cdn", "ignore_range": True}])
        self.bad(5, "inspect", "org/repo", says=["pytorch_model.bin", "sends all of its"], hint="verify org/repo")
        self.assertLess(self.hub.log()[-1].get("sent", 0), 16 << 20)  # the rest of it was in no socket's buffer
        models.bert(self.hub.repo("tiny"))
        self.good("inspect", "org/tiny")

    def test_another_file_than_the_listing_says(self):
        self.small()
        self.hub.control(rules=[{"path": "resolve/.*model", "headers": {"X-Linked-Etag": '"' + 64 * "a" + '"'}}])
        self.bad(11, "inspect", "org/repo", says=["listing", 64 * "a"])
        self.hub.control(reset=True, rules=[{"path": "resolve/.*model", "headers": {"X-Linked-Size": "7"}}])
        self.bad(11, "inspect", "org/repo", says=["listing", "has 7"])
        self.hub.control(reset=True, rules=[{"side": "cdn", "headers": {"Content-Range": "bytes 0-65535/99"}}])
        self.bad(11, "inspect", "org/repo", says=["listing", "99"])
        self.hub.control(reset=True, rules=[{"side": "cdn", "headers": {"Content-Range": "bytes 5-65540/2097384"}}])
        self.bad(11, "inspect", "org/repo", says="another part")
        self.hub.control(reset=True, rules=[{"side": "cdn", "headers": {"Content-Length": "9999999999"}}])  # not waited for
        self.bad(11, "inspect", "org/repo", says=["9999999999", "asked for"])

    def test_an_expired_address_is_renewed(self):
        state, storages = big_checkpoint()
        models.write(self.hub.repo("zip"), "pytorch_model.bin", writers.torch_zip(state, storages))
        self.hub.control(rules=[{"side": "cdn", "skip": 2, "times": 2, "status": 403}])
        self.assertIn("torch_zip", self.good("inspect", "org/zip").out)
        self.assertEqual(sum("/resolve/" in r["path"] for r in self.hub.log()), 2)

    def test_a_lost_connection_goes_on(self):
        self.small()
        self.hub.control(rules=[{"side": "cdn", "times": 1, "drop_after": 100}])
        self.good("inspect", "org/repo")
        self.assertEqual(self.hub.log()[-1]["headers"]["range"], "bytes=100-65535")

    def test_the_token_stays_with_the_hub(self):
        folder = self.small()
        models.write(folder, ".hub.json", json.dumps({"gated": "auto"}))
        self.bad(4, "inspect", "org/repo", says="gated")
        self.hub.control(reset=True)
        self.good("inspect", "org/repo", "--token", "hf_good")
        for r in self.hub.log():
            self.assertEqual("authorization" in r["headers"], r["side"] == "hub", r)

    def test_no_weights(self):
        models.write(self.hub.repo("none"), "config.json", "{}")
        self.bad(3, "inspect", "org/none", says=["no weights", "org/none"])
