#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our reader of safetensors against the real library: abuses written by hand, valid files of every dtype, and random mutations.

Rules: what both accept must agree in names, dtypes, shapes and bytes; what the library refuses we refuse; what we refuse and the
library accepts must have a reason in STRICTER, which is all that docs/formats/safetensors.md says we are stricter in.

And as weights: a small BERT of random bits in each dtype is converted; every number must be the one that ml_dtypes reads."""

import argparse
import hashlib
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np
import onnx
import safetensors
from _oracle import seed_option

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
BITS = {
    "BOOL": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32, "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip
OURS = {
    "BOOL": "bool", "F4": "float4_e2m1", "F6_E2M3": "float6_e2m3", "F6_E3M2": "float6_e3m2", "U8": "uint8", "I8": "int8", "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn", "F8_E8M0": "float8_e8m0", "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz", "I16": "int16",
    "U16": "uint16", "F16": "float16", "BF16": "bfloat16", "I32": "int32", "U32": "uint32", "F32": "float32", "C64": "complex64", "F64": "float64",
    "I64": "int64", "U64": "uint64",
}  # fmt: skip

NUMPY = {
    "F32": np.float32, "F64": np.float64, "F16": np.float16, "BF16": ml_dtypes.bfloat16, "F8_E4M3": ml_dtypes.float8_e4m3fn,
    "F8_E5M2": ml_dtypes.float8_e5m2, "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz, "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz,
    "F8_E8M0": ml_dtypes.float8_e8m0fnu, "F4": ml_dtypes.float4_e2m1fn,
}  # fmt: skip
BERT = {
    "architectures": ["BertModel"], "model_type": "bert", "vocab_size": 37, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 24, "hidden_act": "gelu", "max_position_embeddings": 18, "type_vocab_size": 2, "layer_norm_eps": 1e-12,
}  # fmt: skip


# ---- what we are stricter in, each as a question to the header ---------------------------------------------------


class Pairs(list):
    """An object of the header with its keys as written, duplicates included."""


def parse(header):
    return json.loads(header, object_pairs_hook=Pairs)


def walk(value, depth=1):
    yield value, depth
    for v in (x[1] for x in value) if isinstance(value, Pairs) else value if isinstance(value, list) else ():
        yield from walk(v, depth + 1)


def entries(root):
    return [(k, v) for k, v in root if k != "__metadata__"]


def fields(root, key):
    return [v for _, entry in entries(root) if isinstance(entry, Pairs) for k, v in entry if k == key]


def twice(pairs):
    keys = [k for k, _ in pairs]
    return len(set(keys)) != len(keys)


def metadata_of(root):
    return [v for k, v in root if k == "__metadata__" and isinstance(v, Pairs)]


STRICTER = {
    "spaces before the '{'": lambda text, root: text[:1] != b"{",
    "a tensor's name given twice": lambda text, root: twice(root),
    "a key of __metadata__ given twice": lambda text, root: any(twice(m) for m in metadata_of(root)),
    "more than 16 dims": lambda text, root: any(len(v) > 16 for v in fields(root, "shape")),
    "a dim above 2^40": lambda text, root: any(d > 2**40 for v in fields(root, "shape") for d in v),
    "a name of more than 1024 bytes": lambda text, root: any(len(k.encode()) > 1024 for k, _ in entries(root)),
    "a zero character in a name or in __metadata__": lambda text, root: any("\0" in k for k, _ in entries(root))
    or any("\0" in k + v for m in metadata_of(root) for k, v in m),
    "more than 16 MiB of __metadata__": lambda text, root: sum(len((k + v).encode()) for m in metadata_of(root) for k, v in m) > 16 << 20,
    "an entry that is an array": lambda text, root: any(not isinstance(v, Pairs) for _, v in entries(root)),
    "a dtype that is an object": lambda text, root: any(not isinstance(v, str) for v in fields(root, "dtype")),
    "nesting deeper than 64": lambda text, root: max(d for _, d in walk(root)) > 64,
}


def reasons(data):
    try:
        (n,) = struct.unpack("<Q", data[:8])
        text = data[8 : 8 + n]
        root = parse(text)
    except (ValueError, struct.error, RecursionError):
        return []
    return [why for why, asks in STRICTER.items() if asks(text, root)]


# ---- files -------------------------------------------------------------------------------------------------------


def made(header, size=0, length=None):
    header = header.encode() if isinstance(header, str) else header
    return struct.pack("<Q", len(header) if length is None else length) + header + bytes(i * 37 % 251 for i in range(size))


def one(dtype, shape, offsets, name="t"):
    return '{"%s":{"dtype":"%s","shape":%s,"data_offsets":%s}}' % (name, dtype, shape, offsets)


def two(a, b):
    return '{"a":{"dtype":"U8","shape":[4],"data_offsets":%s},"b":{"dtype":"U8","shape":[4],"data_offsets":%s}}' % (a, b)


def abuses():
    yield "header of length 0", made("", 0, 0)
    yield "length 0 before a header", made("{}", 0, 0)
    yield "length past the end", made("{}", 0, 99)
    yield "length 100,000,001", made("{}", 0, 100_000_001)
    yield "length 2^64-1", made("{}", 0, 2**64 - 1)
    yield "length 2^63", made("{}", 0, 2**63)
    yield "seven bytes", b"\2\0\0\0\0\0\0"
    yield "empty file", b""
    yield "not UTF-8", made(b'{"\xff":1}')
    yield "overlong UTF-8", made(b'{"__metadata__":{"a":"\xc0\x80"}}')
    yield "surrogate half", made(r'{"__metadata__":{"a":"\ud800"}}')
    yield "not JSON", made("{oops}")
    yield "an array", made("[]")
    yield "null", made("null")
    yield "leading space", made(" {}")
    yield "leading newline", made("\n{}")
    yield "byte order mark", made("\ufeff{}")
    for c in " \n\t\r":
        yield f"trailing {c!r}", made("{}" + c * 3)
    for c in "\0\v\f}x":
        yield f"trailing {c!r}", made("{}" + c)
    yield "comment", made("{/* */}")
    yield "trailing comma", made('{"__metadata__":{},}')
    yield "name twice", made('{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1)
    yield "dtype twice", made('{"t":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1)
    yield "metadata twice", made('{"__metadata__":{},"__metadata__":{}}')
    yield "metadata key twice", made('{"__metadata__":{"a":"b","a":"c"}}')
    yield "overlap", made(two("[0,4]", "[3,7]"), 7)
    yield "same range", made(two("[0,4]", "[0,4]"), 4)
    yield "gap", made(two("[0,4]", "[5,9]"), 9)
    yield "gap at the start", made(one("U8", "[4]", "[1,5]"), 5)
    yield "backwards", made(one("U8", "[1]", "[1,0]"), 1)
    yield "past the data", made(one("F32", "[2]", "[0,8]"), 7)
    yield "bytes left over", made(one("F32", "[2]", "[0,8]"), 9)
    yield "product of dims is 2^64", made(one("F32", "[4294967296,4294967296]", "[0,0]"))
    yield "product overflows before a 0", made(one("F32", "[1099511627776,1099511627776,0]", "[0,0]"))
    yield "bits overflow", made(one("F64", "[1099511627776,16777215]", "[0,0]"))
    yield "a dim of 2^41 beside a 0", made(one("F32", "[0,2199023255552]", "[0,0]"))
    yield "size against shape", made(one("F32", "[2,3]", "[0,23]"), 23)
    yield "unknown dtype", made(one("F7", "[1]", "[0,1]"), 1)
    yield "lower-case dtype", made(one("f32", "[1]", "[0,4]"), 4)
    yield "dtype as an object", made('{"t":{"dtype":{"U8":null},"shape":[1],"data_offsets":[0,1]}}', 1)
    yield "sub-byte misalignment", made(one("F4", "[3]", "[0,2]"), 2)
    yield "sub-byte of 6 bits", made(one("F6_E3M2", "[2]", "[0,2]"), 2)
    yield "metadata huge", made('{"__metadata__":{"a":"%s"}}' % ("x" * (17 << 20)))
    yield "metadata large", made('{"__metadata__":{"a":"%s"}}' % ("x" * (3 << 20)))
    yield "metadata nested", made('{"__metadata__":{"a":{"b":"c"}}}')
    yield "metadata a number", made('{"__metadata__":{"a":1}}')
    yield "metadata a null", made('{"__metadata__":{"a":null}}')
    yield "metadata null", made('{"__metadata__":null}')
    yield "metadata an array", made('{"__metadata__":[]}')
    yield "entry null", made('{"t":null}')
    yield "entry an array", made('{"t":["U8",[1],[0,1]]}', 1)
    yield "shape missing", made('{"t":{"dtype":"U8","data_offsets":[0,1]}}', 1)
    for v in ("-1", "1.0", "1e0", "-0", '"1"', "null", "true", "18446744073709551617", "01"):
        yield f"a dim of {v}", made(one("U8", f"[{v}]", "[0,1]"), 1)
    for v in ("[0]", "[]", "[0,1,1]", "[-1,0]", "[0.0,1]", "null", '{"0":0}', "[18446744073709551612,0]"):
        yield f"offsets {v}", made(one("U8", "[1]", v), 1)
    yield "17 dims", made(one("U8", str([1] * 17), "[0,1]"), 1)
    yield "16 dims", made(one("U8", str([1] * 16), "[0,1]"), 1)
    yield "unknown key in an entry", made('{"t":{"x":[{"y":null}],"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1)
    yield "deep nesting in an entry", made('{"t":{"x":%s,"dtype":"U8","shape":[1],"data_offsets":[0,1]}}' % ("[" * 100 + "]" * 100), 1)
    yield "very deep nesting", made('{"t":{"x":%s' % ("[" * 100_000))
    yield "zero character in a name", made(one("U8", "[1]", "[0,1]", r"a\u0000b"), 1)
    yield "name of 2000 bytes", made(one("U8", "[1]", "[0,1]", "n" * 2000), 1)
    yield "empty name", made(one("U8", "[1]", "[0,1]", ""), 1)
    yield "empty table", made("{}")
    yield "empty tensors in one place", made(
        '{"b":{"dtype":"F32","shape":[0,7],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},'
        '"c":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}', 1)  # fmt: skip
    many = ",".join('"l.%d":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}' % i for i in range(100_000))
    yield "100,000 tensors on one range", made("{%s}" % many, 16)
    yield "git-LFS pointer", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    yield "HTML page", b"<!DOCTYPE html><html></html>"
    yield "torch zip", b"PK\3\4\0\0\x08\x08" + bytes(60)


def table(rng):
    """(header as a list of pairs, size of the data): valid, in any order, any dtype, sometimes with metadata."""
    pairs, at = [], 0
    for i in range(rng.randrange(6)):
        dtype = rng.choice(list(BITS))
        shape = [rng.choice((0, 1, 2, 3, 4, 8)) for _ in range(rng.randrange(4))]
        bits = BITS[dtype]
        for d in shape:
            bits *= d
        if bits % 8:
            shape, bits = [*shape, 4], bits * 4
        pairs.append([f"layer.{i}.{rng.choice(['weight', 'bias', 'Gewicht é', ''])}", {"dtype": dtype, "shape": shape, "data_offsets": [at, at + bits // 8]}])
        at += bits // 8
    rng.shuffle(pairs)
    if rng.random() < 0.5:
        pairs.insert(rng.randrange(len(pairs) + 1), ["__metadata__", {"format": "pt", "k": "v" * rng.randrange(30)}])
    return pairs, at


def text_of(rng, pairs):
    body = ",".join(json.dumps(k, ensure_ascii=rng.random() < 0.5) + ":" + json.dumps(v, separators=rng.choice([(",", ":"), (", ", ": ")])) for k, v in pairs)
    return "{%s}%s" % (body, " " * rng.randrange(8))


NUMBERS = [-1, 0, 1, 2, 3, 7, 8, 24, 2**31, 2**40, 2**40 + 1, 2**63, 2**64 - 1, 2**64, 1.0, "1", None, [], {}]


def mutated(rng):
    """A valid file with one thing changed: a number, a field, the order, a byte, the length, the end."""
    pairs, size = table(rng)
    tensors = [v for k, v in pairs if k != "__metadata__"]
    kind = rng.randrange(7)
    if kind == 0 and tensors:
        v = rng.choice(tensors)
        field = rng.choice(["shape", "data_offsets"])
        v[field] = list(v[field])
        if v[field] and rng.random() < 0.8:
            v[field][rng.randrange(len(v[field]))] = rng.choice(NUMBERS)
        else:
            v[field].append(rng.choice(NUMBERS))
    elif kind == 1 and tensors:
        v = rng.choice(tensors)
        v[rng.choice(["dtype", "shape", "data_offsets", "new"])] = rng.choice([*NUMBERS, "F32", "U8", "F4", [2, 3], [0, 0]])
    elif kind == 2 and tensors:
        del rng.choice(tensors)[rng.choice(["dtype", "shape", "data_offsets"])]
    elif kind == 3 and pairs:
        pairs.append(rng.choice(pairs))
    data = bytearray(made(text_of(rng, pairs), size))
    if kind == 4:
        data[rng.randrange(8, len(data))] = rng.choice([0, 32, 34, 44, 58, 92, 123, 125, rng.randrange(256)])
    elif kind == 5:
        data[0] = (data[0] + rng.choice([-1, 1, 2, 8, 100])) % 256
    elif kind == 6:
        data = data[: rng.randrange(len(data))] if rng.random() < 0.5 else data + bytes(rng.randrange(1, 9))
    return bytes(data)


# ---- weights -----------------------------------------------------------------------------------------------------


def bert_dims():
    h, f, layer = BERT["hidden_size"], BERT["intermediate_size"], "encoder.layer.0."
    dense = [("pooler.dense", h, h), (layer + "attention.output.dense", h, h), (layer + "intermediate.dense", f, h), (layer + "output.dense", h, f)]
    dense += [(layer + "attention.self." + n, h, h) for n in ("query", "key", "value")]
    dims = {f"embeddings.{n}_embeddings.weight": [BERT[k], h] for n, k in (("word", "vocab_size"), ("position", "max_position_embeddings"),
        ("token_type", "type_vocab_size"))}  # fmt: skip
    for name, rows, columns in dense:
        dims |= {name + ".weight": [rows, columns], name + ".bias": [rows]}
    for name in ("embeddings.LayerNorm", layer + "attention.output.LayerNorm", layer + "output.LayerNorm"):
        dims |= {name + ".weight": [h], name + ".bias": [h]}
    return dims


def numbers(dtype, raw, dims):
    """What the bytes of a tensor mean, as float32."""
    codes = np.frombuffer(raw, np.uint8)
    if dtype == "F4":  # the first of two in the low half
        codes = np.stack([codes & 15, codes >> 4], 1).reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        return codes.view(NUMPY[dtype]).astype(np.float32).reshape(dims)


def weights(judge, dtype, rng):
    folder, out = (os.path.join(judge.scratch.name, dtype + end) for end in ("", "-out"))
    os.makedirs(folder)
    header, data, source = {}, bytearray(), {}
    for name, dims in bert_dims().items():
        raw = rng.randbytes(BITS[dtype] * int(np.prod(dims)) // 8)
        header[name] = {"dtype": dtype, "shape": dims, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
        source[name] = (raw, dims)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        json.dump(BERT, f)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        text = json.dumps(header).encode()
        f.write(struct.pack("<Q", len(text)) + text + data)
    done = judge.run("convert", folder, "--output", out, "--validate", "none")
    if dtype not in NUMPY:
        code, why = (6, "no rule says how") if dtype.startswith("F6") else (11, f"expected floating point, found {OURS[dtype]}")
        ok = done.returncode == code and why in done.stderr
        return judge.end(ok, f"weights of {dtype}", f"refused with {code}: {why}" if ok else f"exit code {done.returncode}: {done.stderr[-200:]}", True)
    if done.returncode:
        return judge.end(False, f"weights of {dtype}", f"exit code {done.returncode}: {done.stderr.strip()[-200:]}", True)
    wrong, n = [], 0
    for t in onnx.load(os.path.join(out, "model.onnx")).graph.initializer:
        if t.name in source:
            want = numbers(dtype, *source[t.name])
            turned = want.ndim == 2 and "embeddings" not in t.name  # of a linear layer
            n += 1
            if not np.array_equal(onnx.numpy_helper.to_array(t), want.T if turned else want, equal_nan=True):
                wrong.append(t.name)
    ok = not wrong and n >= 18
    return judge.end(ok, f"weights of {dtype}", f"{n} tensors" + (f", wrong: {wrong[:3]}" if wrong else " as ml_dtypes reads them"), True)


def known_dtypes(judge):
    """The library names its dtypes when it refuses one: a new one is to be noticed here."""
    try:
        safetensors.deserialize(made(one("F7", "[1]", "[0,1]"), 1))
    except Exception as e:  # noqa: BLE001
        theirs_now = set(re.findall(r"`(\w+)`", str(e).split("expected one of")[-1]))
        judge.end(theirs_now == set(BITS), "dtypes of the library", f"{len(theirs_now)} of them, {sorted(theirs_now ^ set(BITS))} not in both lists", True)


# ---- verdicts ----------------------------------------------------------------------------------------------------


def theirs(path, data):
    """({name: (dtype, shape, sha256)}, None), or (None, message)."""
    try:
        with safetensors.safe_open(path, "np") as f:  # the reader of from_pretrained
            names = set(f.keys())
        found = {n: (OURS[v["dtype"]], list(v["shape"]), hashlib.sha256(v["data"]).hexdigest()) for n, v in safetensors.deserialize(data)}
    except Exception as e:  # noqa: BLE001 -- the library raises several kinds
        return None, str(e)
    assert names == set(found)
    return found, None


class Judge:
    def __init__(self, args):
        self.program = os.path.join(os.path.abspath(args.build), "onnxgate")
        scratch = os.path.join(ROOT, "build/tmp")
        os.makedirs(scratch, exist_ok=True)
        self.scratch = tempfile.TemporaryDirectory(prefix="judge-", dir=scratch)
        self.passed, self.failed, self.accepted, self.explained = 0, 0, 0, {}

    def run(self, *words):
        env = dict(os.environ, ONNXGATE_HOME=os.path.join(self.scratch.name, "home"), HF_HUB_OFFLINE="1")
        return subprocess.run([self.program, *words], capture_output=True, text=True, env=env, timeout=120, check=False)

    def ours(self, path):
        done = self.run("inspect", path, "--json", "--digests")
        document = json.loads(done.stdout)
        if done.returncode == 0:
            return {t["name"]: (t["dtype"], t["shape"], t["sha256"]) for t in document["tensors"]}, None
        if done.returncode not in (6, 10):  # UNSUPPORTED, FORMAT: any other code is not a verdict on the file
            raise AssertionError(f"exit code {done.returncode}: {done.stderr}")
        return None, document["error"]["message"]

    def case(self, name, data, loud=True):
        path = os.path.join(self.scratch.name, "case.safetensors")
        with open(path, "wb") as f:
            f.write(data)
        try:
            (mine, my_why), (real, real_why) = self.ours(path), theirs(path, data)
        except (AssertionError, ValueError, subprocess.SubprocessError) as e:
            return self.end(False, name, f"no verdict: {e}", loud)
        if mine is not None and real is not None:
            self.accepted += 1
            return self.end(mine == real, name, "both accept" + ("" if mine == real else f": expected {real}, found {mine}"), loud)
        if mine is None and real is None:
            return self.end(True, name, f"both refuse: {my_why.split('.safetensors: ', 1)[-1][:110]}", loud)
        if mine is not None:
            return self.end(False, name, f"we accept what the library refuses ({real_why})", True)
        why = reasons(data)
        for w in why[:1]:
            self.explained[w] = self.explained.get(w, 0) + 1
        text = f"stricter: {why[0]}" if why else f"we refuse what the library accepts, without a stated reason: {my_why}"
        return self.end(bool(why), name, text, loud)

    def end(self, ok, name, text, loud):
        self.passed, self.failed = self.passed + ok, self.failed + (not ok)
        if loud or not ok:
            print(("ok      " if ok else "FAILED  ") + f"{name}: {text}", flush=True)
        if not ok:
            kept = os.path.join(ROOT, "build/tmp", f"judge-failed-{self.failed}.safetensors")
            os.replace(os.path.join(self.scratch.name, "case.safetensors"), kept)
            print(f"        kept as {kept}", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=os.path.join(ROOT, "build"), help="folder of the built program")
    seed_option(p)
    p.add_argument("--random", type=int, default=400, help="mutations of the random share")
    args = p.parse_args()
    print(f"safetensors {safetensors.__version__}; random share: --seed {args.seed}")
    judge = Judge(args)
    for name, data in abuses():
        judge.case(name, data)
    for dtype, bits in BITS.items():
        judge.case(f"valid {dtype}", made(one(dtype, "[4,2]", f"[0,{bits}]"), bits))
    known_dtypes(judge)
    for dtype in BITS:
        weights(judge, dtype, random.Random(args.seed))
    for share, s in (("fixed", 1), ("random", args.seed)):
        rng = random.Random(s)
        before = judge.accepted
        for i in range(args.random // 8):
            pairs, size = table(rng)
            judge.case(f"{share} valid {i}", made(text_of(rng, pairs), size), loud=False)
        for i in range(args.random // 2):
            judge.case(f"{share} mutation {i}", mutated(rng), loud=False)
        print(f"        {share} share: {args.random // 8} valid files, {args.random // 2} mutations, {judge.accepted - before} accepted by both")
    for why, n in sorted(judge.explained.items()):
        print(f"        stricter than the library, as documented: {why} ({n})")
    print(f"safetensors_judge: {judge.passed} passed, {judge.failed} failed")
    return 1 if judge.failed else 0


if __name__ == "__main__":
    sys.exit(main())
