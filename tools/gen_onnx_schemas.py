#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes src/onnx/schema_table.inc: the operator schemas of every opset, as constant tables without pointers.

    python3 -m venv V && V/bin/pip install onnx==1.23.2 onnxruntime==1.32.0
    V/bin/python tools/gen_onnx_schemas.py > src/onnx/schema_table.inc

The domains of ONNX come from the onnx package.  The com.microsoft operators, and the few operators that
ONNX Runtime still keeps in the default domain, come from onnxruntime's own registry; its internal
domains (layouts of its optimiser) never stand in a file and are left out.  The same versions give the
same bytes."""
import re
import sys

import onnx
import onnx.defs
import onnxruntime
import onnxruntime.capi.onnxruntime_pybind11_state as ort

EXPECTED = ("1.23.2", "1.32.0")
DTYPES = "undefined float uint8 int8 uint16 int16 int32 int64 string bool float16 double uint32 uint64 complex64 complex128 bfloat16".split()
DTYPES += "float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz uint4 int4 float4e2m1 float8e8m0 uint2 int2".split()
OTHER = 1 << 31  # a sequence, map, optional or sparse tensor is allowed
ATTR_TYPES = "UNDEFINED FLOAT INT STRING TENSOR GRAPH FLOATS INTS STRINGS TENSORS GRAPHS SPARSE_TENSOR SPARSE_TENSORS TYPE_PROTO TYPE_PROTOS".split()
KINDS = {"Single": 0, "Optional": 1, "Variadic": 2}
UNBOUNDED = 65535
DOMAINS = ["", "ai.onnx.ml", "ai.onnx.preview.training", "ai.onnx.preview", "com.microsoft"]


def mask(types):
    bits = 0
    for t in types:
        m = re.fullmatch(r"tensor\((\w+)\)", t)
        bits |= 1 << DTYPES.index(m.group(1)) if m and m.group(1) in DTYPES else OTHER
    return bits


def last(text):
    return str(text).rsplit(".", 1)[-1]


def formals(params, constraints):
    """(mask, number of the type parameter or 255, kind, homogeneous) of each; a parameter used once binds nothing."""
    out = []
    for p in params:
        type_str = p.type_str if hasattr(p, "type_str") else p.typeStr
        homogeneous = p.is_homogeneous if hasattr(p, "is_homogeneous") else p.isHomogeneous
        variable = list(constraints).index(type_str) if type_str in constraints else 255
        allowed = constraints.get(type_str, [type_str])
        out.append((mask(allowed), variable, KINDS[last(p.option)], int(bool(homogeneous))))
    return out


def takes_any_attribute(schema):
    """AllowUncheckedAttributes() has no getter: the checker is asked about a node with an attribute of no schema."""
    if schema.deprecated:
        return False
    node = onnx.helper.make_node(schema.name, ["x"] * schema.min_input, ["y"] * schema.min_output, domain=schema.domain, not_an_attribute=1)
    context = onnx.checker.C.CheckerContext()
    context.ir_version, context.opset_imports = onnx.IR_VERSION, {schema.domain: schema.since_version}
    try:
        onnx.checker.check_node(node, context)
    except onnx.checker.ValidationError as e:
        if "Unrecognized attribute" not in str(e):
            raise
        return False
    return True


def collect():
    found = {}
    sources = [(s, "onnx") for s in onnx.defs.get_all_schemas_with_history()] + [(s, "ort") for s in ort.get_all_operator_schema()]
    known = {(s.domain, s.name) for s, source in sources if source == "onnx"}
    for s, source in sources:
        if s.domain not in DOMAINS or (source == "ort" and (s.domain, s.name) in known):
            continue
        constraints = {c.type_param_str: c.allowed_type_strs for c in s.type_constraints}
        attributes = sorted((a.name, ATTR_TYPES.index(last(a.type)), int(a.required)) for a in s.attributes.values())
        limits = [min(x, UNBOUNDED) if x < 2**31 - 1 else UNBOUNDED for x in (s.min_input, s.max_input, s.min_output, s.max_output)]
        found[(s.domain, s.name, s.since_version)] = dict(
            flags=int(bool(s.deprecated)) | (2 if source == "onnx" and takes_any_attribute(s) else 0), limits=limits, attributes=tuple(attributes),
            inputs=tuple(formals(s.inputs, constraints)), outputs=tuple(formals(s.outputs, constraints)))
    return found


class Table:
    """Rows stored once: a run of rows that already stands somewhere is used again."""

    def __init__(self):
        self.rows, self.runs = [], {}

    def place(self, run):
        if run not in self.runs:
            self.runs[run] = len(self.rows)
            self.rows.extend(run)
        return self.runs[run]


def main():
    if (onnx.__version__, onnxruntime.__version__) != EXPECTED:
        sys.exit("gen_onnx_schemas.py: expected onnx %s and onnxruntime %s, found %s and %s" % (*EXPECTED, onnx.__version__, onnxruntime.__version__))
    found = collect()
    pool, offsets = [], {}
    for text in sorted({d for d, _, _ in found} | {n for _, n, _ in found} | {a[0] for s in found.values() for a in s["attributes"]}):
        offsets[text] = sum(len(p) + 1 for p in pool)
        pool.append(text)
    assert sum(len(p) + 1 for p in pool) < 65536 and all('"' not in p and "\\" not in p for p in pool)
    attributes, formal = Table(), Table()
    ops = []
    for (domain, name, since), s in sorted(found.items()):
        if since > 65535:
            sys.exit("since_version of %s does not fit" % name)
        ops.append((offsets[domain], offsets[name], since, s["flags"], *s["limits"], attributes.place(s["attributes"]), len(s["attributes"]),
                    formal.place(s["inputs"]), len(s["inputs"]), formal.place(s["outputs"]), len(s["outputs"])))
    newest = {d: max(since for dd, _, since in found if dd == d) for d in DOMAINS}
    newest[""] = onnx.defs.onnx_opset_version()

    out = sys.stdout.write
    out("/* SPDX-License-Identifier: Apache-2.0\n *\n * Written by tools/gen_onnx_schemas.py from onnx %s and onnxruntime %s: do not edit. */\n\n" % EXPECTED)
    out("#define SCHEMA_IR_VERSION_MAX %d\n\n" % onnx.IR_VERSION)
    out("static const char pool[] =\n" + "\n".join('\t"%s\\0"' % p for p in pool) + ";\n\n")
    out("static const struct domain_row domains[] = {\n" + "".join("\t{ %d, %d },\n" % (offsets[d], newest[d]) for d in DOMAINS) + "};\n\n")
    out("static const struct attribute_row attributes[] = {\n")
    out("".join("\t{ %d, %d, %d },\n" % (offsets[n], t, r) for n, t, r in attributes.rows) + "};\n\n")
    out("static const struct formal_row formals[] = {\n" + "".join("\t{ 0x%x, %d, %d, %d },\n" % r for r in formal.rows) + "};\n\n")
    out("static const struct og_schema ops[] = {\n" + "".join("\t{ %s },\n" % ", ".join(map(str, o)) for o in ops) + "};\n")


if __name__ == "__main__":
    main()
