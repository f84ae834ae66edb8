# SPDX-License-Identifier: Apache-2.0
"""The pickle machine against CPython's own unpickler.

Three ways: the table of opcodes is pickletools'; objects of every kind that pickle knows, written by both of CPython's picklers at
every protocol, read by us are the objects; and programs of random opcodes, good and bad, are taken by both or by neither and leave
the same value. Nothing is imported for them: what a program calls is a class that remembers what was done to it."""

import argparse
import collections
import fractions
import io
import os
import pickle
import pickletools
import random
import re
import struct
import subprocess
import sys
import tempfile

from _oracle import ROOT, seed_option

DEEP = 80  # what pickle_dump shows


# ---- one text for a value, of ours and of theirs -----------------------------------------------------------------------


class Deep(Exception):
    """Too deep or too shared to be compared."""


class Stub:
    """What a global stands for in a program: takes everything, remembers it."""

    module_and_name = ""

    def __new__(cls, *args, **kwargs):
        self = object.__new__(cls)
        self.args, self.kwargs, self.state, self.items, self.pairs = args, kwargs, (), [], []
        return self

    def __init__(self, *args, **kwargs):
        pass

    def __setstate__(self, state):
        self.state = (state,)

    def append(self, item):
        self.items.append(item)

    add = append

    def extend(self, items):
        self.items.extend(items)

    def __setitem__(self, key, value):
        self.pairs.append((key, value))


class Persistent:
    def __init__(self, pid):
        self.pid = pid


def canon(value, depth=0, budget=None):
    budget = budget if budget is not None else [200000]
    budget[0] -= 1
    if depth > DEEP or budget[0] < 0:
        raise Deep

    def down(v):
        return canon(v, depth + 1, budget)

    if value is None or value is True or value is False or type(value) is int:
        return repr(value)
    if type(value) is float:
        return "f" + (struct.pack(">d", value).hex() if value == value else "nan")  # which nan it is, text does not say
    if type(value) is str:
        try:
            return "t" + value.encode().hex()
        except UnicodeEncodeError:  # ours is bytes then; a byte of Python 2's str that is no UTF-8 was escaped
            escaped = any("\udc80" <= c <= "\udcff" for c in value)
            return "b" + value.encode(errors="surrogateescape" if escaped else "surrogatepass").hex()
    if isinstance(value, (bytes, bytearray)):
        return "b" + value.hex()
    if type(value) is tuple:
        return "(" + ",".join(map(down, value)) + ")"
    if type(value) is list:
        return "[" + ",".join(map(down, value)) + "]"
    if type(value) is dict:
        return "{" + ",".join(down(k) + ":" + down(v) for k, v in value.items()) + "}"
    if isinstance(value, (set, frozenset)):
        return "<" + ",".join(sorted(map(down, value))) + ">"
    if isinstance(value, type) and issubclass(value, Stub):
        return "g" + value.module_and_name.encode().hex()
    if isinstance(value, Persistent):
        return "p" + down(value.pid)
    if isinstance(value, Stub):
        kwargs = sorted((k, down(v)) for k, v in value.kwargs.items())
        return (f"o{type(value).module_and_name}({down(value.args)} {kwargs} {down(value.state)} {down(value.items)} "
            + "".join(down(k) + ":" + down(v) + "," for k, v in value.pairs) + ")")
    raise TypeError(type(value))


class Reader:
    """Evaluates what pickle_dump says; `find` gives the globals."""

    def __init__(self, find):
        self.find = find

    def names(self):
        return {"__builtins__": {}, "absent": self, "deep": Ellipsis, "text": bytes.decode, "data": bytes, "group": lambda *items: frozenset(items),
            "real": lambda bits: struct.unpack(">d", bits.to_bytes(8, "big"))[0], "big": lambda b: int.from_bytes(b, "little", signed=True),
            "name": lambda b: self.find(*b.decode().split(" ", 1)), "pairs": lambda *items: dict(zip(items[::2], items[1::2])),
            "each": lambda *items: list(zip(items[::2], items[1::2])), "persistent": Persistent, "call": self.call}

    def call(self, of, args, kwargs, state, pairs, items):
        value = of(*args, **({} if kwargs is self else kwargs))
        if isinstance(value, Stub):
            value.items = list(items)
            value.pairs = [] if pairs is self else pairs
            value.state = () if state is self else (state,)
            return value
        for key, v in [] if pairs is self else pairs:
            value[key] = v
        if items:
            value.extend(items)
        if state is not self:
            set_state(value, state)
        return value

    def read(self, text):
        return eval(text, self.names())  # of our own tool


def set_state(value, state):
    if hasattr(value, "__setstate__"):
        value.__setstate__(state)
        return
    slots = {}
    if isinstance(state, tuple):
        state, slots = state
    if state:
        value.__dict__.update(state)
    for k, v in (slots or {}).items():
        setattr(value, k, v)


def dump(program, pickles):
    """What pickle_dump says of each: ("ok", next, expression) or (status, None, message)."""
    with tempfile.NamedTemporaryFile(prefix="pickle-judge-") as f:
        f.write(b"".join(struct.pack("<I", len(p)) + p for p in pickles))
        f.flush()
        done = subprocess.run([program, f.name], capture_output=True, text=True, timeout=600, check=False)
    lines = done.stdout.splitlines()
    if done.returncode != 0 or len(lines) != len(pickles):
        raise SystemExit(f"pickle_dump: exit code {done.returncode}, {len(lines)} of {len(pickles)} lines: {done.stderr[-2000:]}")
    out = []
    for line in lines:
        status, rest = line.split(" ", 1)
        out.append(("ok", int(rest.split(" ", 1)[0]), rest.split(" ", 1)[1]) if status == "ok" else (status, None, rest))
    return out


# ---- the table ---------------------------------------------------------------------------------------------------------

KINDS = {None: "NONE", "uint1": "U8", "uint2": "U16", "uint4": "U32", "int4": "I32", "uint8": "U64", "float8": "F64", "string1": "BYTES1",
    "string4": "SIGNED4", "bytes1": "BYTES1", "bytes4": "BYTES4", "bytes8": "BYTES8", "bytearray8": "BYTES8", "unicodestring1": "BYTES1",
    "unicodestring4": "BYTES4", "unicodestring8": "BYTES8", "long1": "BYTES1", "long4": "SIGNED4", "stringnl_noescape_pair": "LINES"}


def table_differences():
    with open(os.path.join(ROOT, "src/codec/pickle_ops.c"), encoding="utf-8") as f:
        rows = re.findall(r"\[('.'|0x\w\w)\] = \{ \"(\w+)\", OG_PARG_(\w+), (\d) \},", f.read())
    ours = {(ord(code[1]) if code[0] == "'" else int(code, 16)): (name, kind, int(protocol)) for code, name, kind, protocol in rows}
    theirs = {ord(op.code): (op.name, KINDS.get(op.arg.name if op.arg else None, "LINE"), op.proto) for op in pickletools.opcodes}
    return [f"{code:#x}: ours {ours.get(code)}, pickletools' {theirs.get(code)}" for code in sorted(ours.keys() | theirs.keys())
        if ours.get(code) != theirs.get(code)], len(theirs)


# ---- objects -----------------------------------------------------------------------------------------------------------


class Plain:
    def __init__(self, **values):
        self.__dict__.update(values)

    def __eq__(self, other):
        return type(other) is type(self) and canon_object(self.__dict__) == canon_object(other.__dict__)

    __hash__ = None


class Slots:
    __slots__ = ("a", "b")

    def __init__(self, a=None, b=None):
        self.a, self.b = a, b

    def __reduce_ex__(self, protocol):
        return (Slots, (self.a, self.b)) if protocol < 2 else super().__reduce_ex__(protocol)


def make_keywords(args, kwargs):
    return Keywords(*args, **kwargs)


class Keywords:
    """NEWOBJ_EX from protocol 4 on; below it, it would be a call of a partial(), which is no global."""

    def __new__(cls, *args, **kwargs):
        self = object.__new__(cls)
        self.made = (args, kwargs)
        return self

    def __getnewargs_ex__(self):
        return self.made

    def __reduce_ex__(self, protocol):
        return (make_keywords, self.made) if protocol < 4 else super().__reduce_ex__(protocol)

    def __getstate__(self):
        return None


class Items(list):
    pass


def canon_object(value):
    """canon() of what holds these classes, too."""
    if isinstance(value, Plain):
        return "Plain" + canon_object(value.__dict__)
    if isinstance(value, Slots):
        return "Slots" + canon_object([value.a, value.b])
    if isinstance(value, Keywords):
        return "Keywords" + canon_object(list(value.made))
    if isinstance(value, Items):
        return "Items" + canon_object(list(value))
    if isinstance(value, collections.OrderedDict):
        return "Ordered" + canon_object(list(value.items())) + canon_object(value.__dict__)
    if isinstance(value, collections.deque):
        return "deque" + canon_object(list(value)) + repr(value.maxlen)
    if isinstance(value, (complex, fractions.Fraction, range)):
        return repr(value)
    if isinstance(value, tuple):
        return "(" + ",".join(map(canon_object, value)) + ")"
    if isinstance(value, list):
        return "[" + ",".join(map(canon_object, value)) + "]"
    if isinstance(value, dict):
        return "{" + ",".join(canon_object(k) + ":" + canon_object(v) for k, v in value.items()) + "}"
    if isinstance(value, (set, frozenset)):
        return "<" + ",".join(sorted(map(canon_object, value))) + ">"
    return canon(value)


def leaf(rng):
    kind = rng.randrange(9)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.choice([1, -1]) * (rng.getrandbits(rng.randrange(1, 70)) + rng.randrange(-2, 3))
    if kind == 2:
        return rng.choice([1, -1]) * ((1 << rng.choice([7, 8, 15, 16, 31, 32, 63, 64, 71, 2039, 2047])) + rng.randrange(-2, 3))
    if kind == 3:
        return struct.unpack("<d", rng.randbytes(8))[0]
    if kind == 4:
        return rng.choice([0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan"), 1e300, 5e-324, 1 / 3])
    if kind == 5:
        return rng.randbytes(rng.choice([0, 1, 3, 20, 255, 256, 300]))
    if kind == 6:
        return bytearray(rng.randbytes(rng.choice([0, 2, 300])))
    alphabet = "ab\\'\"\n\r\t\0\x1a\x7f\x80\xe9\u0100\u20ac\u2028\ud7ff\ue000\uffff\U0001f600\U0010ffff uU0041" + ("\ud800\udfff" if kind == 7 else "")
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 5, 40, 255, 300])))


def keyed(rng):
    while True:
        v = leaf(rng)
        if not isinstance(v, bytearray) and v == v:
            return v if rng.random() < 0.8 else (v, rng.randrange(5))


def thing(rng, depth, seen):
    if seen and rng.random() < 0.1:
        return rng.choice(seen)
    kind = rng.randrange(16) if depth else 99
    n = rng.choice([0, 1, 2, 3, 4, 7])

    def some():
        return [thing(rng, depth - 1, seen) for _ in range(n)]

    if kind > 13:
        return leaf(rng)
    if kind < 2:
        value = tuple(some())
    elif kind < 5:
        value = some()
    elif kind < 8:
        value = {keyed(rng): v for v in some()}
    elif kind == 8:
        value = rng.choice([set, frozenset])(keyed(rng) for _ in range(n))
    elif kind == 9:
        value = collections.OrderedDict((keyed(rng), v) for v in some())
        if n > 3:
            value.__dict__["_metadata"] = leaf(rng)
    elif kind == 10:
        value = rng.choice([Plain(**{f"k{i}": v for i, v in enumerate(some())}), Slots(leaf(rng), leaf(rng)), Items(some())])
    elif kind == 11:
        value = Keywords(*some(), **{f"k{i}": v for i, v in enumerate(some())})
    elif kind == 12:
        value = rng.choice([complex(1.5, -2), fractions.Fraction(3, 7), range(2, 9, 3), collections.deque(some(), n + 2)])
    else:
        value = [leaf(rng) for _ in range(rng.choice([999, 1000, 1001, 2500]))] if rng.random() < 0.1 else {keyed(rng) for _ in range(n)}
    seen.append(value)
    return value


def written(value, rng):
    for protocol in range(6):
        yield protocol, "C", pickle.dumps(value, protocol)
        if rng.random() < 0.5:
            out = io.BytesIO()
            pickle._Pickler(out, protocol).dump(value)
            yield protocol, "Python", out.getvalue()
        if rng.random() < 0.3:
            yield protocol, "optimized", pickletools.optimize(pickle.dumps(value, protocol))


def find_real(module, name):
    """The real thing, as the unpickler finds it; the names of Python 2 are mapped."""
    return pickle.Unpickler(io.BytesIO(b"\x80\x02c%s\n%s\n." % (module.encode(), name.encode()))).load()


def judge_objects(judge, share, seed, count):
    rng = random.Random(seed)
    pickles, facts = [], []
    for i in range(count):
        value = thing(rng, rng.randrange(5), [])
        expected = canon_object(value)
        for protocol, writer, data in written(value, rng):
            pickles.append(data)
            facts.append((f"{share} object {i}, protocol {protocol}, {writer} pickler", expected))
    reader = Reader(find_real)
    for (name, expected), data, (status, end, text) in zip(facts, pickles, dump(judge.program, pickles)):
        if status != "ok" or end != len(data):
            judge.failure(name, data, f"{status} {end}: {text[:300]}")
            continue
        found = canon_object(reader.read(text))
        if found == expected:
            judge.passed += 1
        else:
            judge.failure(name, data, f"expected {expected[:300]}, found {found[:300]}")
    print(f"        {share} share: {count} objects in {len(pickles)} pickles")


# ---- programs ----------------------------------------------------------------------------------------------------------

# Texts of protocol 0: (what is mostly drawn, what is drawn seldom and mostly wrong).
INTEGERS = (["0", "1", "00", "01", "-5", "0x1f", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "1" * 400,
    "-" + "9" * 60, "0x" + "f" * 70, "1_000"],
    ["+7", " 8 ", "010", "08", "-010", "0b11", "0o17", "1__0", "_1", "1_", "", "-", "abc", "5L", "7LL", "1.5", "000"])
FLOATS = (["0", "1.5", "-0.0", "+2", ".5", "5.", "1e5", "nan", "-nan", "inf", "-Infinity", "1e-400"],
    ["1e", "e5", "1e400", "1_0.5", " 1", "1 ", "", "--1", "+-1", "0x1p3"])
STRINGS = (["'a'", "\"b\"", "''", "'\\x41\\n'", "'\\101\\8'", "'it\\'s'", "'\\q'", "'\\777'", "'\\xe9'", "'\\xc3\\xa9'"],
    ["'a", "a", "'", "'\\x4'", "'\\'", " 'a'"])
UNICODES = (["abc", "\\u0041", "\\U0001f600", "\\\\u0041", "\\x41", "\\", "\\ud800", "\xe9\xff", "", "\\N{DASH}"], ["\\u00", "\\U00110000"])
INDEXES = (["0", "1", "2", "7"], ["300", "-1", "+1", "01", " 2", "x", "", "4294967296", "1_0"])
TEXTS = {"INT": INTEGERS, "LONG": INTEGERS, "GET": INDEXES, "PUT": INDEXES, "FLOAT": FLOATS, "STRING": STRINGS, "UNICODE": UNICODES}


def operand(rng, op):
    """Bytes behind an opcode."""
    small = rng.choice([0, 1, 2, 3])
    if op.name in TEXTS:
        return (rng.choice(TEXTS[op.name][rng.random() < 0.05]) + "\n").encode("latin-1")
    if op.name in ("GLOBAL", "INST"):
        return b"m\n%c\n" % rng.choice(b"xyz")
    if op.name == "PERSID":
        return b"pid\n"
    kind = KINDS[op.arg.name]
    if op.name == "PROTO":
        return bytes([rng.choice([0, 1, 2, 3, 4, 5, 5, 4, 6])])
    if op.name == "FRAME":
        return struct.pack("<Q", rng.randrange(40))
    if kind in ("U8", "U16", "U32"):
        limit = {"U8": 255, "U16": 65535, "U32": 2**32 - 1}[kind]
        value = small if "INT" not in op.name or rng.random() < 0.5 else rng.randrange(limit + 1)
        if op.name == "LONG_BINPUT" and value > 3:
            value = 100000
        return value.to_bytes({"U8": 1, "U16": 2, "U32": 4}[kind], "little")
    if kind in ("I32", "F64"):
        return rng.randbytes(4 if kind == "I32" else 8)
    data = rng.choice([b"", b"a", b"key", b"\xc3\xa9", b"\xff", b"\xed\xa0\x80", rng.randbytes(rng.randrange(20))])
    size = {"BYTES1": 1, "BYTES4": 4, "SIGNED4": 4, "BYTES8": 8}[kind]
    length = len(data) if rng.random() < 0.97 or op.name == "BYTEARRAY8" else rng.choice([len(data) + 1, 200, 255])
    if kind == "SIGNED4" and rng.random() < 0.03:
        return b"\xff\xff\xff\xff" + data
    return length.to_bytes(size, "little") + data


OPS = {op.name: op for op in pickletools.opcodes}
SKIPPED = {"EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "READONLY_BUFFER", "STOP"}
PUSHES = ["NONE", "BININT1", "BININT", "SHORT_BINUNICODE", "BINUNICODE", "EMPTY_LIST", "EMPTY_DICT", "EMPTY_TUPLE", "EMPTY_SET", "GLOBAL", "LONG1", "NEWTRUE",
    "SHORT_BINBYTES", "INT", "LONG", "FLOAT", "STRING", "UNICODE", "BINFLOAT", "BINSTRING"]
# Opcodes with what they need on the stack, so that most of a program is meant well: o an object, l a list, d a dict, s a set, g a global,
# t a tuple, x text, . anything, ( a mark and what follows in pairs
MEANT = {"g)": ["REDUCE", "NEWOBJ"], "g)}": ["NEWOBJ_EX"], "o.": ["BUILD", "APPEND"], "l.": ["APPEND"], "l(..": ["APPENDS"], "d(..": ["SETITEMS"],
    "o(..": ["SETITEMS"], "d..": ["SETITEM"], "s(..": ["ADDITEMS"], "xx": ["STACK_GLOBAL"],
    "(..": ["LIST", "TUPLE", "DICT", "FROZENSET", "POP_MARK"], "(g..": ["OBJ"],
    "(.": ["INST"], "...": ["TUPLE3"], "..": ["TUPLE2"], ".": ["TUPLE1", "DUP", "MEMOIZE", "BINPUT", "POP", "BINPERSID", "PUT", "LONG_BINPUT"]}
NEEDS = {"l": "EMPTY_LIST", "d": "EMPTY_DICT", "s": "EMPTY_SET", "g": "GLOBAL", ")": "EMPTY_TUPLE", "}": "EMPTY_DICT", "x": "SHORT_BINUNICODE", "(": "MARK"}


def program(rng):
    out = bytearray(rng.choice([b"", b"\x80\x02", b"\x80\x04"]))

    def emit(name):
        out.extend(OPS[name].code.encode("latin-1"))
        if OPS[name].arg:
            out.extend(operand(rng, OPS[name]))

    def need(kind):
        if kind == "o":
            emit("GLOBAL")
            emit("EMPTY_TUPLE")
            emit("REDUCE")
        else:
            emit(NEEDS.get(kind) or rng.choice(PUSHES))

    for _ in range(rng.randrange(1, 14)):
        if rng.random() < 0.93:
            shape = rng.choice(list(MEANT))
            for kind in shape:
                need(kind)
            emit(rng.choice(MEANT[shape]))
        else:
            emit(rng.choice([n for n in OPS if n not in SKIPPED]))
    if rng.random() < 0.97:
        out.extend(b".")
    return bytes(out)


CLASSES = {}


def find_stub(module, name):
    key = f"{module} {name}"
    if key not in CLASSES:
        CLASSES[key] = type("Made", (Stub,), {"module_and_name": key})
    return CLASSES[key]


class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        return find_stub(module, name)

    def persistent_load(self, pid):
        return Persistent(pid)


# Why what CPython takes is refused by us (a pattern in our message), and why what it refuses is taken (in its exception).
STRICTER = ["its frame", "FRAME: expected the end", "BUILD: expected", "a call of", "expected a dict or an object", "expected a list or an object",
    "expected a set or an object", "expected names of one line",
    "STACK_GLOBAL: expected two texts, found"]  # with lone surrogates, which are no text here
LAXER = ["unhashable type", "keywords must be strings", "must be a mapping", "must be ASCII", "MemoryError"]


def judge_programs(judge, share, seed, count):
    rng = random.Random(seed)
    programs = [program(rng) for _ in range(count)]
    reader = Reader(find_stub)
    both = neither = 0
    for i, (data, (status, end, text)) in enumerate(zip(programs, dump(judge.program, programs))):
        name = f"{share} program {i}"
        stream = io.BytesIO(data)
        try:
            theirs, error = Unpickler(stream, encoding="utf-8", errors="surrogateescape").load(), ""
        except Exception as e:  # of any kind: it is what is asked for
            theirs, error = None, f"{type(e).__name__}: {e}"
        if status == "ok" and not error:
            both += 1
            try:
                expected = canon(theirs)
                found = canon(reader.read(text)) if "deep" not in text else expected
            except Deep:
                expected = found = ""
            if found == expected and end == stream.tell():
                judge.passed += 1
            else:
                judge.failure(name, data, f"expected {expected[:300]}, found {found[:300]}, end {end}, theirs {stream.tell()}")
        elif status != "ok" and error:
            neither += 1
            judge.passed += 1
        else:
            known = [why for why in (LAXER if error else STRICTER) if why in (error or text)]
            if known:
                judge.explained[known[0]] += 1
                judge.passed += 1
            else:
                judge.failure(name, data, f"ours {status} {text[:200]}, theirs {error or 'taken'}")
    print(f"        {share} share: {count} programs, {both} taken by both, {neither} by neither")


class Judge:
    def __init__(self, args):
        self.program = os.path.join(os.path.abspath(args.build), "tests/unit/codec/pickle_dump")
        self.passed = self.failed = 0
        self.explained = collections.Counter()

    def failure(self, name, data, why):
        self.failed += 1
        if self.failed < 20:
            print(f"FAILED  {name}: {why}\n        {data[:400]!r}", flush=True)


def quiet(kind, value, trace):
    """CPython prints a SystemError of its own when a BYTEARRAY8 is cut; it is no failure of anything here."""
    if kind is not SystemError:
        sys.__excepthook__(kind, value, trace)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", default=os.path.join(ROOT, "build"), help="folder of the built program")
    seed_option(p)
    p.add_argument("--random", type=int, default=300, help="objects of each share, and a tenth of its programs")
    args = p.parse_args()
    sys.excepthook = quiet
    print(f"CPython {sys.version.split()[0]}; random share: --seed {args.seed}")
    judge = Judge(args)
    differences, n = table_differences()
    for line in differences:
        judge.failure("table", b"", line)
    judge.passed += n - len(differences)
    for share, seed in (("fixed", 1), ("random", args.seed)):
        judge_objects(judge, share, seed, args.random)
        judge_programs(judge, share, seed, args.random * 10)
    for why, count in sorted(judge.explained.items()):
        print(f"        differs as meant: {why} ({count})")
    print(f"pickle_judge: {judge.passed} passed, {judge.failed} failed")
    return 1 if judge.failed else 0


if __name__ == "__main__":
    sys.exit(main())
