# SPDX-License-Identifier: Apache-2.0
"""Small writers of checkpoint files that can lie in every field: zip archives, pickles, PyTorch's two forms, safetensors."""

import collections
import io
import pickle
import struct
import sys
import types
import zlib

# ---- pickles of tensors, without PyTorch ------------------------------------------------------------------------------


def _fake(module, **names):
    m = sys.modules.setdefault(module, types.ModuleType(module))
    for name, value in names.items():
        value.__module__, value.__qualname__, value.__name__ = module, name, name
        setattr(m, name, value)
    return m


def _function():
    return lambda *args: None


CLASSES = ("FloatStorage", "HalfStorage", "LongStorage", "ByteStorage", "DoubleStorage", "BFloat16Storage", "BoolStorage", "QInt8Storage")
torch = _fake("torch", **{name: type(name, (), {}) for name in CLASSES}, Size=type("Size", (tuple,), {}))
utils = _fake("torch._utils", _rebuild_tensor_v2=_function(), _rebuild_tensor=_function(), _rebuild_parameter=_function(), _rebuild_qtensor=_function(),
              _rebuild_sparse_tensor=_function())


class Storage:
    def __init__(self, key, elements, kind="FloatStorage", device="cpu"):
        self.key, self.elements, self.kind, self.device = key, elements, kind, device


class Tensor:
    """A view of a storage: what the pickle says, true or not."""

    def __init__(self, storage, size, stride=None, offset=0, function="_rebuild_tensor_v2", arguments=None):
        self.storage, self.size, self.offset, self.function, self.arguments = storage, tuple(size), offset, function, arguments
        if stride is None:
            stride, n = [], 1
            for d in reversed(self.size):
                stride.insert(0, n)
                n *= max(d, 1)
        self.stride = tuple(stride)

    def __reduce__(self):
        if self.arguments is not None:
            return getattr(utils, self.function), self.arguments
        plain = (self.storage, self.offset, self.size, self.stride)
        return getattr(utils, self.function), plain if self.function == "_rebuild_tensor" else plain + (False, collections.OrderedDict())


class Pickler(pickle.Pickler):
    legacy = False

    def persistent_id(self, obj):
        if isinstance(obj, Storage):
            return ("storage", getattr(torch, obj.kind), obj.key, obj.device, obj.elements) + ((None,) if self.legacy else ())
        return None


def dumps(obj, protocol=2, legacy=False):
    b = io.BytesIO()
    p = Pickler(b, protocol)
    p.legacy = legacy
    p.dump(obj)
    return b.getvalue()


# ---- zip ----------------------------------------------------------------------------------------------------------------


class Entry:
    """One entry; every field may be overridden in the local header (local), the central one (central), or both."""

    def __init__(self, name, data=b"", deflate=False, local=None, central=None, both=None, extra=b"", gap=b""):
        self.name, self.data = name if isinstance(name, bytes) else name.encode(), data
        packed = data
        if deflate:
            c = zlib.compressobj(9, zlib.DEFLATED, -15)
            packed = c.compress(data) + c.flush()
        self.packed, self.extra, self.gap = packed, extra, gap
        fields = dict(version=20, flags=0, method=8 if deflate else 0, crc=zlib.crc32(data), packed=len(packed), size=len(data), name=self.name)
        self.local = {**fields, **(both or {}), **(local or {})}
        self.central = {**fields, **(both or {}), **(central or {})}


def archive(entries, prefix=b"", suffix=b"", comment=b"", count=None, directory_size=None, directory_at=None, disk=0, middle=b""):
    out, places = bytearray(prefix), []
    for e in entries:
        out += e.gap
        places.append(len(out))
        f = e.local
        out += struct.pack("<IHHHHHIIIHH", 0x04034B50, f["version"], f["flags"], f["method"], 0, 0, f["crc"], f["packed"], f["size"], len(f["name"]),
                           len(e.extra)) + f["name"] + e.extra + e.packed
    out += middle
    start = len(out)
    for e, place in zip(entries, places):
        f = e.central
        extra = f.get("extra", b"")
        out += struct.pack("<IHHHHHHIIIHHHHHII", 0x02014B50, 20, f["version"], f["flags"], f["method"], 0, 0, f["crc"], f["packed"], f["size"],
                           len(f["name"]), len(extra), 0, f.get("disk", 0), 0, 0, f.get("at", place)) + f["name"] + extra
    size = len(out) - start
    n = len(entries) if count is None else count
    out += struct.pack("<IHHHHIIH", 0x06054B50, disk, disk, n & 0xFFFF, n & 0xFFFF, size if directory_size is None else directory_size,
                       start if directory_at is None else directory_at, len(comment)) + comment
    return bytes(out + suffix)


def archive64(entries, count=None, at=None, locator_at=None, size=None):
    """The same with a zip64 end record and its locator, which may lie."""
    plain = archive(entries)
    start = struct.unpack("<I", plain[-6:-2])[0]
    directory = struct.unpack("<I", plain[-10:-6])[0]
    body = plain[:-22]
    n = len(entries) if count is None else count
    end = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, n, n, directory if size is None else size, start if at is None else at)
    locator = struct.pack("<IIQI", 0x07064B50, 0, len(body) if locator_at is None else locator_at, 1)
    return body + end + locator + struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)


def torch_entries(obj=None, storages=None, root="archive", data=None, **options):
    """The entries of a PyTorch zip: data.pkl, the byte order, and the storages by key."""
    data = dumps(obj) if data is None else data
    found = [Entry(f"{root}/data.pkl", data, **options), Entry(f"{root}/byteorder", b"little")]
    found += [Entry(f"{root}/data/{k}", v) for k, v in (storages or {}).items()]
    return found + [Entry(f"{root}/version", b"3\n")]


FLOATS = struct.pack("<6f", *range(6))
WEIGHT = Tensor(Storage("0", 6), (2, 3))


def torch_zip(obj=None, storages=None, **options):
    return archive(torch_entries(collections.OrderedDict(weight=WEIGHT) if obj is None else obj, {"0": FLOATS} if storages is None else storages, **options))


# ---- legacy -------------------------------------------------------------------------------------------------------------

MAGIC = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
SYSTEM = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


def legacy(obj=None, storages=None, data=None, keys=None, magic=MAGIC, version=1001, system=None, suffix=b""):
    """storages: key → (elements that its header claims, bytes)."""
    obj = collections.OrderedDict(weight=WEIGHT) if obj is None else obj
    storages = {"0": (6, FLOATS)} if storages is None else storages
    out = magic + pickle.dumps(version, 2) + pickle.dumps(SYSTEM if system is None else system, 2)
    out += dumps(obj, legacy=True) if data is None else data
    out += pickle.dumps(sorted(storages) if keys is None else keys, 2)
    for key in sorted(storages):
        elements, raw = storages[key]
        out += struct.pack("<q", elements) + raw
    return out + suffix


# ---- safetensors --------------------------------------------------------------------------------------------------------


def safetensors(header, data=b"", length=None):
    header = header if isinstance(header, bytes) else header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data
