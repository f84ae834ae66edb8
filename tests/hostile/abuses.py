# SPDX-License-Identifier: Apache-2.0
"""What may come under a weight file's name: (name, content, exit codes that are right, a text that the message must have).

Content is bytes, or a function that makes something else (a folder, a FIFO) at the path that it is given."""

import base64
import collections
import os
import pickle
import struct
import zlib

from writers import (FLOATS, WEIGHT, Entry, Storage, Tensor, archive, archive64, dumps, legacy, safetensors, torch_entries, torch_zip)

UNSAFE, FORMAT, UNSUPPORTED, MISMATCH, NOT_FOUND = 7, 10, 6, 11, 3


def one(dtype="F32", shape="[2]", offsets="[0,8]", name="a"):
    return '{"%s":{"dtype":"%s","shape":%s,"data_offsets":%s}}' % (name, dtype, shape, offsets)


def of_safetensors():
    data = b"\0" * 8
    yield "length 0", safetensors("", length=0), FORMAT, "length"
    yield "length past the end", safetensors(one(), data, length=1 << 20), FORMAT, "past the end"
    yield "length over 100 MB", safetensors(one(), data, length=1 << 40), FORMAT, "100000000"
    yield "length 2^63", safetensors(one(), data, length=1 << 63), FORMAT, "100000000"
    yield "not UTF-8", safetensors(b'{"\xff":1}', data), FORMAT, "UTF-8"
    yield "not JSON", safetensors('{"a" 1}', data), FORMAT, "offset"
    yield "leading space", safetensors(" " + one(), data), FORMAT, "safetensors header"
    yield "junk behind the object", safetensors(one() + "x", data), FORMAT, "offset"
    yield "duplicate keys", safetensors(one()[:-1] + "," + one()[1:], data), FORMAT, "twice"
    many = ",".join('"t%d":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}' % i for i in range(100_000))
    yield "100,000 tensors on one range", safetensors("{" + many + "}", data), FORMAT, "overlap"
    yield "gap", safetensors(one(offsets="[4,12]"), b"\0" * 12), FORMAT, "gap"
    yield "backwards", safetensors(one(offsets="[8,0]"), data), FORMAT, "backwards"
    yield "past the data", safetensors(one(offsets="[0,16]", shape="[4]"), data), FORMAT, "past"
    yield "dims overflow", safetensors(one(shape="[%d,%d,%d]" % (1 << 40, 1 << 40, 1 << 40)), data), FORMAT, "64 bits"
    yield "negative dim", safetensors(one(shape="[-2]"), data), FORMAT, "shape"
    yield "size not dims", safetensors(one(shape="[3]"), data), FORMAT, "bytes"
    yield "unknown dtype", safetensors(one(dtype="Q9"), data), UNSUPPORTED, "Q9"
    yield "sub-byte misaligned", safetensors(one(dtype="F4", shape="[3]", offsets="[0,1]"), b"\0"), FORMAT, "whole bytes"
    yield "metadata nested", safetensors('{"__metadata__":{"a":{"b":"c"}},' + one()[1:], data), FORMAT, "string"
    yield "metadata not a string", safetensors('{"__metadata__":{"a":1},' + one()[1:], data), FORMAT, "string"
    yield "metadata huge", safetensors('{"__metadata__":{"a":"' + "x" * (17 << 20) + '"},' + one()[1:], data), FORMAT, "longer than"
    yield "nested 10,000 deep", safetensors('{"a":' + "[" * 10_000 + "]" * 10_000 + "}", data), FORMAT, "expected an object"
    yield "bytes behind the data", safetensors(one(), data + b"x"), FORMAT, "more"
    yield "a name of a megabyte", safetensors(one(name="n" * (1 << 20)), data), FORMAT, "longer"


def of_zip():
    good = torch_entries(collections.OrderedDict(weight=WEIGHT), {"0": FLOATS})

    def changed(index, **fields):
        e = good[index]
        return archive(good[:index] + [Entry(e.name, e.data, **fields)] + good[index + 1:])

    yield "wrong magic", b"QK" + torch_zip()[2:], UNSUPPORTED, "no known format"
    yield "two roots", archive(good + [Entry("other/data.pkl", good[0].data)]), FORMAT, "expected one data.pkl"
    yield "data.pkl twice", archive(good + [good[0]]), FORMAT, "data.pkl"
    yield "data.pkl missing", archive(good[1:]), UNSUPPORTED, "data.pkl"
    for bad in ("../evil", "archive/../../evil", "/etc/evil", "archive//evil", "archive/./evil", "C:\\evil", "archive\\..\\evil"):
        yield f"name {bad}", archive(good + [Entry(bad, b"x")]), UNSAFE, "lead out"
    yield "name with a zero", archive(good + [Entry(b"archive/a\0b", b"x")]), UNSAFE, "a NUL byte in its name"
    yield "an empty name", archive(good + [Entry(b"", b"x")]), FORMAT, "a name of 0 bytes"
    yield "two entries on one header", archive(good + [Entry("archive/data/1", FLOATS, central=dict(at=0))]), UNSAFE, "it overlaps the next entry"
    inner = torch_entries(collections.OrderedDict(weight=WEIGHT), {"0": FLOATS})
    yield "an entry inside another", archive(inner[:2] + [Entry("archive/data/0", FLOATS, central=dict(packed=400, size=400), local=dict(packed=400, size=400))]
                                             + inner[3:]), FORMAT, "before the directory"
    for field, value in (("packed", 12), ("size", 12), ("crc", 1), ("method", 8), ("name", b"archive/data/x"), ("name", b"archive/data/00")):
        yield f"local {field} is another ({value})", changed(2, local={field: value}), FORMAT, "local header"
        if field != "name":
            yield f"central {field} is another ({value})", changed(2, central={field: value}), FORMAT, "archive/data/0"
    yield "encrypted", changed(2, both=dict(flags=1)), UNSUPPORTED, "encrypt"
    yield "strongly encrypted", changed(2, both=dict(flags=0x41)), UNSUPPORTED, "encrypt"
    yield "encrypted directory", changed(2, both=dict(flags=0x2000)), UNSUPPORTED, "encrypt"
    yield "AES", changed(2, both=dict(flags=1, method=99)), UNSUPPORTED, "encrypt"
    yield "patched data", changed(2, both=dict(flags=0x20)), UNSUPPORTED, "patched data"
    yield "streamed, but no descriptor", changed(2, both=dict(flags=8), local=dict(crc=0, packed=0, size=0)), FORMAT, "descriptor"
    yield "another method", changed(2, both=dict(method=12)), UNSUPPORTED, "method"
    yield "data.pkl's CRC", changed(0, both=dict(crc=1)), MISMATCH, "CRC"
    yield "bomb by declared size", changed(2, deflate=True, both=dict(size=1 << 31)), UNSAFE, "which deflate cannot"
    bomb = b"\0" * (300 << 20)
    yield "deflate bomb", archive(good + [Entry("archive/data/1", bomb, deflate=True)]), UNSAFE, "a bomb"
    yield "bomb as data.pkl", archive([Entry("archive/data.pkl", bomb, deflate=True)] + good[1:]), UNSAFE, "a bomb"
    small = Entry("archive/data.pkl", good[0].data + b"\0" * (200 << 20), deflate=True, both=dict(size=len(good[0].data), crc=zlib.crc32(good[0].data)))
    yield "bomb behind a small declared size", archive([small] + good[1:]), UNSAFE, "come out of it"
    yield "10 million entries claimed", archive64(good, count=10_000_000), FORMAT, "10000000 entries"
    yield "zip64: directory past the end", archive64(good, at=1 << 60), FORMAT, "said to be"
    yield "zip64: size of 2^63", archive64(good, size=1 << 63), FORMAT, "9223372036854775808"
    yield "zip64: locator past the end", archive64(good, locator_at=1 << 62), FORMAT, "zip64 end record"
    yield "count too small", archive(good, count=1), FORMAT, "after its last entry"
    yield "count too large", archive(good, count=9), FORMAT, "9 entries claimed"
    yield "directory size is another", archive(good, directory_size=3), FORMAT, "directory of 3 bytes"
    yield "directory elsewhere", archive(good, directory_at=1), FORMAT, "offset 1,"
    yield "several disks", archive(good, disk=1), UNSUPPORTED, "disk"
    yield "prepended bytes", archive(good, prefix=b"PK\x03\x04" + b"#!/bin/sh\nexit\n"), FORMAT, "before the first entry"
    yield "appended bytes", archive(good, suffix=b"more"), FORMAT, "no end record where the file ends"
    yield "a second archive appended", archive(good) + archive(good), FORMAT, "directory"
    yield "bytes before the directory", archive(good, middle=b"x" * 100), FORMAT, "100 bytes after its data"
    yield "a gap between entries", archive(good[:2] + [Entry(good[2].name, good[2].data, gap=b"y" * 500)] + good[3:]), FORMAT, "500 bytes after its data"
    yield "an end record inside the comment", archive(good, comment=archive([])[:22]), FORMAT, "two end records"
    yield "truncated", archive(good)[:-30], FORMAT, "no end record"
    yield "only a local header", archive(good)[:60], FORMAT, "no end record"


def of_tensors():
    def state(t, storages=None):
        return torch_zip({"weight": t}, storages)

    s = Storage("0", 6)
    yield "storage smaller than the span", state(Tensor(s, (4, 4))), FORMAT, "weight"
    yield "storage entry too short", state(WEIGHT, {"0": FLOATS[:20]}), FORMAT, "expected 24 bytes"
    yield "storage entry missing", state(WEIGHT, {}), FORMAT, "0"
    yield "negative stride", state(Tensor(s, (2, 3), (-3, 1), 3)), FORMAT, "stride"
    yield "huge stride", state(Tensor(s, (2, 3), (1 << 62, 1))), FORMAT, "strides"
    yield "strides that overflow", state(Tensor(s, (1 << 32, 1 << 32), (1 << 32, 1 << 32))), FORMAT, "64 bits"
    yield "negative offset", state(Tensor(s, (2, 3), offset=-1)), FORMAT, "offset"
    yield "huge offset", state(Tensor(s, (2, 3), offset=1 << 62)), FORMAT, "offset 4611686018427387904"
    yield "negative dim", state(Tensor(s, (-2, 3))), FORMAT, "found -2"
    yield "dims overflow", state(Tensor(s, (1 << 40, 1 << 40), (0, 0))), FORMAT, "the product of shape ["
    yield "expanded to an exabyte", state(Tensor(s, (1 << 30, 1 << 28), (0, 0))), UNSAFE, "shape ["
    yield "17 dims", state(Tensor(s, (1,) * 17)), FORMAT, "size"
    yield "strides of another length", state(Tensor(s, (2, 3), (1,))), FORMAT, "as many strides as dims"
    yield "size is text", state(Tensor(s, "ab", (1, 1))), FORMAT, "found a text"
    yield "storage with a negative count", state(Tensor(Storage("0", -6), (2, 3))), FORMAT, "number of elements"
    yield "storage key leaving its folder", state(Tensor(Storage("../data.pkl", 6), (2, 3))), FORMAT, "expected its storage as the entry data/../data.pkl"
    yield "quantised", state(Tensor(Storage("0", 24, "QInt8Storage"), (2, 3))), UNSUPPORTED, "quantised"
    yield "sparse", state(Tensor(s, (2, 3), function="_rebuild_sparse_tensor", arguments=(1, 2))), UNSUPPORTED, "sparse"
    for flags in (collections.OrderedDict(neg=True), {"neg": 1}, {"conj": True}, [("neg", True)]):
        whole = (s, 0, (2, 3), (3, 1), False, collections.OrderedDict(), flags)
        yield f"pending neg() or conj() as {flags}", state(Tensor(s, (2, 3), arguments=whole)), UNSUPPORTED, "pending"
    yield "arguments missing", state(Tensor(s, (2, 3), arguments=(s,))), FORMAT, "expected 6 arguments"
    deep = {"weight": WEIGHT}
    for _ in range(3000):
        deep = {"d": deep}
    memo = b"".join([b"}", *[b"}U\x01d" for _ in range(0)]])
    yield "nested 3,000 deep", torch_zip(data=b"\x80\x02" + b"}U\x01d" * 3000 + b"}" + b"s" * 3000 + b"." + memo[:0]), UNSAFE, "nested"
    laughs = b"\x80\x02](K\x01eq\x00"
    for i in range(60):
        laughs += b"](" + b"h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1])
    yield "billion laughs", torch_zip(data=laughs + b"."), UNSAFE, "expected at most"
    yield "no tensor at all", torch_zip({"epoch": 3}), UNSUPPORTED, "expected tensors"
    yield "one name for two tensors", torch_zip({"a.b": WEIGHT, "a": {"b": WEIGHT}}), FORMAT, "a.b"


CANARY = "ONNXGATE_CANARY"


PROGRAMS = [line.split() for line in """
os system, posix system, nt system, subprocess Popen, subprocess check_output, builtins eval, builtins exec, builtins getattr, builtins __import__,
__builtin__ eval, runpy _run_code, pip main, torch load, torch.serialization load, numpy.core.multiarray _reconstruct, functools partial,
operator attrgetter, pickle loads, _pickle loads, codecs decode, shutil rmtree, socket socket, webbrowser open, builtins compile, builtins open,
io open, pty spawn, ctypes CDLL, torch.hub load, torch._utils __class__, torch nn.Module, torch.jit load, collections namedtuple,
torch._utils _rebuild_tensor_v2.__globals__""".split(",")]


def of_pickle(canary):
    """(name, pickle, code, text): programs rather than data. Each would create the canary file if anything ran it."""
    command = f"touch {canary}".encode()

    def call(module, name, argument=command):
        return b"\x80\x02c" + module.encode() + b"\n" + name.encode() + b"\n" + b"X" + struct.pack("<I", len(argument)) + argument + b"\x85R."

    for module, name in PROGRAMS:
        yield f"{module}.{name}", call(module, name), UNSAFE, name
        text = b"c" + module.encode() + b"\n" + name.encode() + b"\n(S'" + command + b"'\ntR."
        yield f"{module}.{name}, protocol 0", text, UNSAFE, name
        stack = b"\x80\x04\x8c" + bytes([len(module)]) + module.encode() + b"\x8c" + bytes([len(name)]) + name.encode() + b"\x93\x8c\x01x\x85R."
        yield f"{module}.{name}, protocol 4", stack, UNSAFE, name
        yield f"{module}.{name}, INST", b"(S'" + command + b"'\ni" + module.encode() + b"\n" + name.encode() + b"\n.", UNSAFE, name
        yield f"{module}.{name}, OBJ", b"(c" + module.encode() + b"\n" + name.encode() + b"\nS'" + command + b"'\no.", UNSAFE, name
    ordered = b"ccollections\nOrderedDict\n"
    yield "decode to bytes, then loads", b"\x80\x02c_codecs\nencode\nX\x03\x00\x00\x00abcX\x06\x00\x00\x00latin1\x86Rc_pickle\nloads\nR.", UNSAFE, "loads"
    yield "BUILD on an allowed class", b"\x80\x02" + ordered + b"}X\x08\x00\x00\x00__init__cos\nsystem\nsb.", UNSAFE, "os"
    yield "BUILD on a function", b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x08\x00\x00\x00__call__K\x01sb.", UNSAFE, "BUILD"
    yield "REDUCE of text", b"\x80\x02X\x09\x00\x00\x00os.system)R.", UNSAFE, "REDUCE"
    yield "REDUCE of a dict", b"\x80\x02})R.", UNSAFE, "REDUCE"
    yield "NEWOBJ of text", b"\x80\x02X\x01\x00\x00\x00a)\x81.", UNSAFE, "NEWOBJ"
    yield "NEWOBJ_EX of os.system", b"\x80\x04\x8c\x02os\x8c\x06system\x93)}\x92.", UNSAFE, "system"
    yield "EXT1", b"\x80\x02\x82\x01.", UNSAFE, "EXT1"
    yield "EXT2", b"\x80\x02\x83\x01\x00.", UNSAFE, "EXT2"
    yield "EXT4", b"\x80\x02\x84\x01\x00\x00\x00.", UNSAFE, "EXT4"
    yield "persistent id of no storage", b"\x80\x02X\x01\x00\x00\x00aQ.", FORMAT, "storage"
    yield "persistent id, protocol 0", b"Pabc\n.", FORMAT, "storage"
    yield "module with a newline", b"\x80\x04\x8c\x05os\nxx\x8c\x06system\x93.", FORMAT, "STACK_GLOBAL"
    yield "global of numbers", b"\x80\x04K\x01K\x02\x93.", FORMAT, "STACK_GLOBAL"


def of_broken_pickle():
    """Behind PyTorch's header or inside its zip: broken, or a bomb."""
    yield "stack underflow", b"\x80\x02R.", FORMAT, "REDUCE"
    yield "POP of nothing", b"\x80\x020.", FORMAT, "POP"
    yield "no MARK", b"\x80\x02K\x01t.", FORMAT, "TUPLE"
    yield "negative LONG4", b"\x80\x02\x8b\xff\xff\xff\xff.", FORMAT, "LONG4"
    yield "LONG4 of 2^31 - 1", b"\x80\x02\x8b\xff\xff\xff\x7f.", FORMAT, "LONG4"
    yield "BINUNICODE past the end", b"\x80\x02X\xff\xff\xff\x7fabc.", FORMAT, "BINUNICODE"
    yield "BINBYTES8 of 2^63", b"\x80\x04\x8e" + struct.pack("<Q", 1 << 63) + b".", FORMAT, "BINBYTES8"
    yield "BINSTRING of a negative length", b"\x80\x02T" + struct.pack("<i", -5) + b"abc.", FORMAT, "BINSTRING"
    yield "memo index absent", b"\x80\x02h\x07.", FORMAT, "BINGET"
    yield "memo index 2^32 - 1", b"\x80\x02}r\xff\xff\xff\xffj\xff\xff\xff\xfe.", FORMAT, "LONG_BINGET"
    yield "frame past the end", b"\x80\x04\x95" + struct.pack("<Q", 1 << 40) + b"}.", FORMAT, "FRAME"
    yield "frame cuts an opcode", b"\x80\x04\x95" + struct.pack("<Q", 2) + b"X\x05\x00\x00\x00hello.", FORMAT, "BINUNICODE"
    yield "no STOP", b"\x80\x02}", FORMAT, "expected"
    yield "unknown opcode", b"\x80\x02\xff.", FORMAT, "expected an opcode"
    yield "protocol 6", b"\x80\x06}.", FORMAT, "PROTO"
    yield "STOP on an empty stack", b"\x80\x02.", FORMAT, "STOP"
    yield "invalid text", b"\x80\x02X\x02\x00\x00\x00\xff\xfe.", FORMAT, "BINUNICODE"
    yield "SETITEM on a number", b"\x80\x02K\x01K\x02K\x03s.", FORMAT, "SETITEM"
    yield "odd SETITEMS", b"\x80\x02}(K\x01u.", FORMAT, "SETITEMS"
    yield "a million marks", b"\x80\x02" + b"(" * 1_200_000 + b".", UNSAFE, "a bomb"
    yield "a stack of 30 million", b"\x80\x02" + b"N" * 30_000_000 + b".", UNSAFE, "a bomb"
    yield "DUP bomb", b"\x80\x02]" + b"2" * 20_000_000 + b".", UNSAFE, "a bomb"
    yield "memo bomb", b"\x80\x04}" + b"\x94" * 30_000_000 + b".", UNSAFE, "a bomb"
    yield "text of 100 MB", b"\x80\x02X" + struct.pack("<I", 100 << 20) + b"x" * (100 << 20) + b".", FORMAT, "BINUNICODE"


def of_legacy():
    yield "storage header is another", legacy(storages={"0": (7, FLOATS + b"\0\0\0\0")}), FORMAT, "expected 6 elements"
    yield "storage cut", legacy(storages={"0": (6, FLOATS[:10])}), FORMAT, "truncated"
    yield "storage count negative", legacy(storages={"0": (-6, FLOATS)}), FORMAT, "found -6"
    yield "storage count 2^62", legacy(storages={"0": (1 << 62, FLOATS)}), FORMAT, "found 4611686018427387904"
    yield "a storage that no key lists", legacy(keys=[], storages={}), FORMAT, "found it absent"
    yield "a key twice", legacy(keys=["0", "0"]), FORMAT, "twice"
    yield "keys are numbers", legacy(keys=[1, 2]), FORMAT, "found an integer"
    yield "another version", legacy(version=1002), FORMAT, "expected"
    yield "system information is a list", legacy(system=[]), FORMAT, "found a list"
    yield "bytes behind the storages", legacy(suffix=b"#!/bin/sh\n"), FORMAT, "expected the end of the file behind the last storage"
    yield "cut in the magic number", legacy()[:8], FORMAT, "LONG1"
    for n in (20, 100, 300, len(legacy()) - 1):
        yield f"cut at {n}", legacy()[:n], FORMAT, ""


def of_nothing():
    text = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 437955512\n"
    yield "a git-LFS pointer", text, UNSUPPORTED, "git-LFS"
    yield "an HTML page", b"<!DOCTYPE html>\n<html><head><title>404</title></head></html>", UNSUPPORTED, "HTML"
    yield "an HTML page after spaces", b"\n  <html lang=\"en\">", UNSUPPORTED, "HTML"
    yield "an empty file", b"", UNSUPPORTED, "empty"
    yield "JSON", b'{"a": 1}', UNSUPPORTED, "JSON"
    yield "TFLite", b"\x1c\0\0\0TFL3" + b"\0" * 60, UNSUPPORTED, "TFLite"
    yield "GGUF", b"GGUF\x03\0\0\0" + b"\0" * 60, UNSUPPORTED, "GGUF"
    yield "Keras HDF5", b"\x89HDF\r\n\x1a\n" + b"\0" * 60, UNSUPPORTED, "HDF5"
    yield "7z", b"7z\xbc\xaf\x27\x1c" + b"\0" * 60, UNSUPPORTED, "7z"
    yield "xz", b"\xfd7zXZ\0" + b"\0" * 60, UNSUPPORTED, "xz"
    yield "gzip", b"\x1f\x8b\x08" + b"\0" * 60, UNSUPPORTED, "gzip"
    yield "NumPy", b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", UNSUPPORTED, "NumPy"
    yield "npz", archive([Entry("arr_0.npy", b"\x93NUMPY\x01\0" + b"\0" * 40)]), UNSUPPORTED, "NumPy"
    keras = [Entry("metadata.json", b"{}"), Entry("config.json", b"{}"), Entry("model.weights.h5", b"\x89HDF\r\n\x1a\n")]
    yield "Keras 3", archive(keras), UNSUPPORTED, "Keras"
    yield "any zip", archive([Entry("letter.txt", b"hello")]), UNSUPPORTED, "zip"
    yield "an empty zip", archive([]), UNSUPPORTED, "zip"
    member = bytearray(512)
    member[0:7] = b"storage"
    member[257:265] = b"ustar  \0"
    yield "the oldest torch, a tar file", bytes(member) + b"\0" * 1024, UNSUPPORTED, "tar"
    yield "an ONNX model", b"\x08\x08\x12\x07pytorch\x3a\x00", UNSUPPORTED, "ONNX"
    yield "msgpack", b"\x82\xa6params\x80\xa1a\x01", UNSUPPORTED, "msgpack"
    yield "a program", b"\x7fELF\x02\x01\x01" + b"\0" * 60, UNSUPPORTED, "program"
    yield "a pickled list", pickle.dumps([1, 2, 3], 2), UNSUPPORTED, "pickle"
    yield "training_args.bin", torch_zip(data=b"\x80\x02ctransformers.training_args\nTrainingArguments\n)\x81}b."), UNSAFE, "TrainingArguments"
    yield "a folder", os.mkdir, NOT_FOUND, "no weights"
    yield "a FIFO", os.mkfifo, FORMAT, "FIFO"
    yield "noise", bytes(range(1, 256)) * 8, UNSUPPORTED, "no known format"


def inside(data):
    """The same pickle where PyTorch keeps it: alone, in a zip, in a legacy file."""
    yield "zip", torch_zip(data=data)
    yield "legacy", legacy(data=data)


def hostile(canary):
    for kind, source in (("safetensors", of_safetensors()), ("zip", of_zip()), ("tensors", of_tensors()), ("legacy", of_legacy()), ("none", of_nothing())):
        for name, content, code, text in source:
            yield f"{kind}: {name}", content, code, text
    for name, data, code, text in of_pickle(canary):
        alone = UNSUPPORTED if name.startswith("persistent id") else code  # without storages it is no checkpoint at all
        yield f"pickle: {name}, alone", data, alone, text
        for where, content in inside(data):
            yield f"pickle: {name}, {where}", content, code, text
    for name, data, code, text in of_broken_pickle():
        for where, content in inside(data):
            yield f"pickle: {name}, {where}", content, code, text


# ---- honest files -------------------------------------------------------------------------------------------------------


def benign():
    """(name, content, names of the tensors that it holds)"""
    state = collections.OrderedDict(weight=WEIGHT)
    yield "safetensors", safetensors(one(), b"\0" * 8), ["a"]
    yield "safetensors with spaces behind", safetensors(one() + "   ", b"\0" * 8), ["a"]
    yield "safetensors without tensors", safetensors("{}"), []
    yield "safetensors with metadata", safetensors('{"__metadata__":{"format":"pt"},' + one()[1:], b"\0" * 8), ["a"]
    for dtype, bits in (("F64", 64), ("F32", 32), ("F16", 16), ("BF16", 16), ("I64", 64), ("I32", 32), ("I16", 16), ("I8", 8), ("U8", 8), ("BOOL", 8),
                        ("U16", 16), ("U32", 32), ("U64", 64), ("F8_E4M3", 8), ("F8_E5M2", 8), ("F8_E8M0", 8), ("F4", 4), ("C64", 64)):
        yield f"safetensors {dtype}", safetensors(one(dtype, "[8]", f"[0,{bits}]"), b"\0" * bits), ["a"]
    for root in ("archive", "pytorch_model", "model weights", "a.b", "ключ"):
        yield f"zip, root {root}", torch_zip(root=root), ["weight"]
    yield "zip without byteorder", archive([e for e in torch_entries(state, {"0": FLOATS}) if b"byteorder" not in e.name]), ["weight"]
    yield "zip64", archive64(torch_entries(state, {"0": FLOATS})), ["weight"]
    yield "zip, data.pkl deflated", torch_zip(deflate=True), ["weight"]
    packed = [Entry(e.name, e.data, deflate=b"data/0" in e.name) for e in torch_entries(state, {"0": FLOATS})]
    yield "zip, a storage deflated", archive(packed), ["weight"]
    yield "zip, a folder's entry", archive([Entry("archive/", b"")] + torch_entries(state, {"0": FLOATS})), ["weight"]
    yield "zip with a comment", archive(torch_entries(state, {"0": FLOATS}), comment=b"made by hand"), ["weight"]
    yield "zip, a storage that nothing uses", torch_zip(storages={"0": FLOATS, "1": FLOATS}), ["weight"]
    yield "zip, cuda storages", torch_zip({"weight": Tensor(Storage("0", 6, device="cuda:7"), (2, 3))}), ["weight"]
    yield "zip, a scalar", torch_zip({"s": Tensor(Storage("0", 6), ())}), ["s"]
    yield "zip, an empty tensor", torch_zip({"e": Tensor(Storage("0", 0), (0, 4))}, {"0": b""}), ["e"]
    yield "zip, transposed", torch_zip({"t": Tensor(Storage("0", 6), (3, 2), (1, 3))}), ["t"]
    yield "zip, expanded", torch_zip({"t": Tensor(Storage("0", 6), (100, 6), (0, 1))}), ["t"]
    yield "zip, two views of one storage", torch_zip({"a": WEIGHT, "b": Tensor(Storage("0", 6), (3,), offset=3)}), ["a", "b"]
    yield "zip, state_dict", torch_zip({"state_dict": state, "epoch": 1}), ["weight"]
    yield "zip, module. of DDP", torch_zip({"module.weight": WEIGHT}), ["module.weight"]
    beside = {"weight": WEIGHT, "step": 1 << 70, "note": "ok", "pi": 3.14, "none": None, "flags": (True, False)}
    yield "zip, numbers and text beside", torch_zip(beside), ["weight"]
    yield "zip, lists", torch_zip([WEIGHT, WEIGHT]), ["0", "1"]
    for protocol in (1, 2, 3, 4, 5):  # 0 cannot write a persistent id that is a tuple
        yield f"zip, protocol {protocol}", torch_zip(data=dumps(state, protocol)), ["weight"]
    yield "legacy", legacy(), ["weight"]
    yield "legacy, _rebuild_tensor", legacy({"w": Tensor(Storage("0", 6), (2, 3), function="_rebuild_tensor")}), ["w"]
    yield "legacy, cuda", legacy({"w": Tensor(Storage("0", 6, device="cuda:0"), (2, 3))}), ["w"]
    yield "legacy, text that looks like code", legacy({"w": WEIGHT, "note": "cos\nsystem\n(S'touch x'\ntR."}), ["w"]


def nested_threats(canary):
    """(name, content, a kind of row that --threats must have): what is reported and not followed."""
    evil = b"cos\nsystem\n(S'touch " + canary.encode() + b"'\ntR."
    inner = torch_zip(data=evil)
    plain = torch_entries(collections.OrderedDict(weight=WEIGHT), {"0": FLOATS})
    yield "a pickle inside a zip inside a zip", archive(plain + [Entry("archive/extra.zip", inner)]), "nested"
    yield "base64 of a pickle inside text", torch_zip({"weight": WEIGHT, "note": base64.b64encode(pickle.dumps({"a": [1] * 40}, 4) * 3).decode()}), "base64"
    yield "a pickle inside bytes", torch_zip({"weight": WEIGHT, "note": evil + b"\x80\x04" + evil}), ""
    header = '{"a":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (len(evil) + 1, len(evil) + 1)
    yield "safetensors whose data are a pickle", safetensors(header.ljust(0x155) + "\n", b"0" + evil), "polyglot"  # 0x156 begins with 'V': a text
    block = bytearray(b"pickle".ljust(148, b"\0") + b" " * 8 + bytes(356))
    block[148:156] = b"%06o\0 " % sum(block)
    yield "a tar file of the oldest kind", bytes(block) + evil.ljust(512, b"\0") + bytes(1024), "nested"
    for descr in ("'O'", "[('a', 'O')]", "'\\x4f'", "'object'"):
        head = b"{'descr': %s, 'fortran_order': False, 'shape': (1,), }\n" % descr.encode()
        yield f"a NumPy array of {descr}", b"\x93NUMPY\x01\0" + struct.pack("<H", len(head)) + head + evil, "global"
    yield "a compressed pickle of joblib", zlib.compress(evil), "nested"
    yield "a global", torch_zip(data=evil), "global"
    yield "a legacy file with a global", legacy(data=evil), "global"
    yield "a bare pickle with a global", evil, "global"


