#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Validate JSON documents against the schemas in schemas/.

    validate_json.py [--schema FILE | --schemas DIR] [--cross-check] FILE…
    validate_json.py [--schemas DIR] --self-test

A FILE of "-" is the standard input. Unless --schema names one, the document's own "schema" member
("onnxgate.verify/1") names the schema (verify.schema.json), in the folder schemas/ of this project by default.
The validator below knows the part of JSON Schema (draft 2020-12) that our schemas use, and refuses a schema that
uses more, so that no package is needed; --cross-check also asks the package `jsonschema` and fails when the two
disagree. Exit code 0: every document is valid; 1: one is not; 2: the call is wrong.
"""
import argparse
import copy
import json
import os
import re
import sys

SCHEMAS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "schemas")

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "integer": lambda v: not isinstance(v, bool) and (isinstance(v, int) or (isinstance(v, float) and v.is_integer())),
}
ANNOTATIONS = {"$schema", "$id", "$defs", "title", "description"}


class SchemaError(Exception):
    pass


def equal(a, b):
    """As JSON compares: 1 is not true, and 1 is 1.0."""
    if isinstance(a, bool) != isinstance(b, bool):
        return False
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(equal, a, b))
    return a == b


class Validator:
    """The keywords that our schemas use: one method each, yielding (path, message)."""

    def __init__(self, root):
        self.root = root

    def check(self, value, schema, path="$"):
        if not isinstance(schema, dict):
            raise SchemaError(f"{path}: a schema must be an object")
        for key, argument in schema.items():
            if key in ANNOTATIONS:
                continue
            method = getattr(self, "on_" + key.lstrip("$"), None)
            if method is None:
                raise SchemaError(f"{path}: keyword '{key}' is not one that this validator knows")
            yield from method(value, argument, schema, path)

    def on_ref(self, value, ref, _schema, path):
        if not ref.startswith("#/"):
            raise SchemaError(f"{path}: $ref '{ref}' leads out of the file")
        target = self.root
        for part in ref[2:].split("/"):
            if part not in target:
                raise SchemaError(f"{path}: $ref '{ref}' leads nowhere")
            target = target[part]
        yield from self.check(value, target, path)

    def on_type(self, value, types, _schema, path):
        types = [types] if isinstance(types, str) else types
        if any(t not in TYPES for t in types):
            raise SchemaError(f"{path}: type {types}")
        if not any(TYPES[t](value) for t in types):
            yield path, f"expected {' or '.join(types)}, found {json.dumps(value)[:80]}"

    def on_const(self, value, const, _schema, path):
        if not equal(value, const):
            yield path, f"expected {json.dumps(const)}, found {json.dumps(value)[:80]}"

    def on_enum(self, value, values, _schema, path):
        if not any(equal(value, v) for v in values):
            yield path, f"expected one of {json.dumps(values)}, found {json.dumps(value)[:80]}"

    def on_anyOf(self, value, schemas, _schema, path):
        found = [list(self.check(value, s, path)) for s in schemas]
        if all(found):
            yield path, "none of these held: " + "; or ".join(f"{p}: {m}" for p, m in (f[0] for f in found))

    def on_required(self, value, names, _schema, path):
        if isinstance(value, dict):
            for name in names:
                if name not in value:
                    yield path, f"member '{name}' is missing"

    def on_properties(self, value, properties, _schema, path):
        if isinstance(value, dict):
            for name, schema in properties.items():
                if name in value:
                    yield from self.check(value[name], schema, f"{path}.{name}")

    def on_additionalProperties(self, value, allowed, schema, path):
        if not isinstance(value, dict):
            return
        for name in value.keys() - schema.get("properties", {}).keys():
            if allowed is False:
                yield path, f"member '{name}' is not in the schema"
            elif allowed is not True:
                yield from self.check(value[name], allowed, f"{path}.{name}")

    def on_items(self, value, schema, _schema, path):
        if isinstance(value, list):
            for i, item in enumerate(value):
                yield from self.check(item, schema, f"{path}[{i}]")

    def on_maxItems(self, value, n, _schema, path):
        if isinstance(value, list) and len(value) > n:
            yield path, f"expected at most {n} items, found {len(value)}"

    def on_minLength(self, value, n, _schema, path):
        if isinstance(value, str) and len(value) < n:
            yield path, f"expected at least {n} characters, found {json.dumps(value)}"

    def on_pattern(self, value, pattern, _schema, path):
        if isinstance(value, str) and not re.search(pattern, value):
            yield path, f"expected a text like {pattern}, found {json.dumps(value)[:80]}"

    def on_minimum(self, value, least, _schema, path):
        if TYPES["number"](value) and value < least:
            yield path, f"expected at least {least}, found {value}"


def no_duplicates(pairs):
    members = {}
    for key, value in pairs:
        if key in members:
            raise ValueError(f"member '{key}' is given twice")
        members[key] = value
    return members


def no_constant(text):
    raise ValueError(f"{text} is not JSON")


def parse(data):
    """Strict: UTF-8, no NaN, no member twice."""
    return json.loads(data.decode("utf-8"), object_pairs_hook=no_duplicates, parse_constant=no_constant)


def load(path):
    if path == "-":
        return parse(sys.stdin.buffer.read())
    with open(path, "rb") as f:
        return parse(f.read())


def schema_path(directory, document):
    name = document.get("schema") if isinstance(document, dict) else None
    match = re.fullmatch(r"onnxgate\.([a-z-]+)/1", name or "")
    if not match:
        raise ValueError(f"member 'schema' is {json.dumps(name)}, expected \"onnxgate.COMMAND/1\"")
    return os.path.join(directory, match[1] + ".schema.json")


def package_says(schema, document):
    """True, False, or None without the package."""
    try:
        import jsonschema
    except ImportError:
        return None
    validator = jsonschema.Draft202012Validator
    validator.check_schema(schema)
    return validator(schema).is_valid(document)


def validate(schema, document, cross_check):
    """The list of what is wrong, as text."""
    wrong = [f"{path}: {message}" for path, message in Validator(schema).check(document, schema)]
    if cross_check:
        says = package_says(schema, document)
        if says is None:
            wrong.append("--cross-check: the package jsonschema is not installed")
        elif says != (not wrong):
            wrong.append(f"--cross-check: jsonschema finds it {'valid' if says else 'invalid'}, this validator does not")
    return wrong


# ---- the validator and the schemas themselves ------------------------------------------------------------

CASES = [  # schema, valid, invalid
    ({"type": "integer"}, [1, 1.0, -3], [1.5, "1", True, None]),
    ({"type": ["number", "null"]}, [1, 1.5, None], [True, "x", []]),
    ({"const": 1}, [1, 1.0], [True, "1"]),
    ({"enum": ["a", None, 0]}, ["a", None, 0], ["b", False, ""]),
    ({"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}, "additionalProperties": False},
     [{"a": "x"}], [{}, {"a": 1}, {"a": "x", "b": 1}, []]),
    ({"additionalProperties": {"type": "null"}, "properties": {"a": {}}}, [{}, {"a": 1, "b": None}, 7], [{"b": 1}]),
    ({"items": {"minimum": 0}, "maxItems": 2}, [[], [0, 1]], [[-1], [1, 2, 3]]),
    ({"pattern": "^[0-9]+$", "minLength": 2}, ["12", 7], ["1", "ab"]),
    ({"anyOf": [{"type": "null"}, {"$ref": "#/$defs/x"}], "$defs": {"x": {"const": 5}}}, [None, 5], [6, "5"]),
]


def self_test(directory):
    wrong = []
    for schema, good, bad in CASES:
        for value in good + bad:
            own = not list(Validator(schema).check(value, schema))
            if own != any(value is v for v in good):
                wrong.append(f"{json.dumps(schema)}: {json.dumps(value)} is {'accepted' if own else 'refused'}")
            if package_says(schema, value) not in (None, own):
                wrong.append(f"{json.dumps(schema)}: jsonschema disagrees about {json.dumps(value)}")
    for schema in ({"oneOf": []}, {"type": "text"}, {"$ref": "other.json"}, {"$ref": "#/$defs/none"}, {"items": {"format": "date"}}):
        try:
            list(Validator(schema).check([1], schema))
            wrong.append(f"{json.dumps(schema)}: accepted as a schema")
        except SchemaError:
            pass
    for text in (b'{"a":1,"a":2}', b"NaN", b"[Infinity]", b"\xff", b"{} {}"):
        try:
            parse(text)
            wrong.append(f"{text!r}: accepted as JSON")
        except ValueError:
            pass
    return wrong + check_schemas(directory)


def walk(node):
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from walk(child)


def check_schemas(directory):
    """Each names itself, is strict everywhere, and what two of them define under one name is the same."""
    wrong, definitions = [], {}
    for name in sorted(os.listdir(directory)):
        if not name.endswith(".schema.json"):
            continue
        schema = load(os.path.join(directory, name))
        expected = f"onnxgate.{name.removesuffix('.schema.json')}/1"
        if schema.get("$id") != expected or schema["properties"]["schema"] != {"const": expected}:
            wrong.append(f"{name}: does not name itself {expected}")
        for node in walk(schema):
            if isinstance(node, dict) and node.get("type") == "object" and "additionalProperties" not in node:
                wrong.append(f"{name}: an object without additionalProperties: {json.dumps(node)[:80]}")
            if isinstance(node, dict) and node.get("additionalProperties") is False and set(node["required"]) != set(node["properties"]):
                wrong.append(f"{name}: members that are not required: {set(node['properties']) ^ set(node['required'])}")
        for key, value in schema.get("$defs", {}).items():
            if definitions.setdefault(key, (name, value))[1] != value:
                wrong.append(f"{name}: '{key}' differs from the one in {definitions[key][0]}")
        package_says(schema, None)  # raises when it is no schema
    results = [copy.deepcopy(load(os.path.join(directory, f"{c}.schema.json"))) for c in ("verify", "convert", "check")]
    for r in results:
        r["properties"]["schema"] = r["$id"] = r["title"] = None
    if results[0] != results[1] or results[0] != results[2]:
        wrong.append("verify, convert and check differ by more than their names")
    return wrong


def main():
    p = argparse.ArgumentParser(description="Validate JSON documents against the schemas of onnxgate.")
    p.add_argument("--schema", help="the schema, whatever the document says")
    p.add_argument("--schemas", default=SCHEMAS, help="the folder of COMMAND.schema.json (default: schemas/)")
    p.add_argument("--cross-check", action="store_true", help="ask the package jsonschema, too")
    p.add_argument("--self-test", action="store_true", help="check this validator and the schemas")
    p.add_argument("files", nargs="*")
    o = p.parse_args()
    if not (o.files or o.self_test):
        p.error("expected files, or --self-test")
    wrong = [f"self-test: {w}" for w in self_test(o.schemas)] if o.self_test else []
    for path in o.files:
        try:
            document = load(path)
            schema = load(o.schema or schema_path(o.schemas, document))
            wrong += [f"{path}: {w}" for w in validate(schema, document, o.cross_check)]
        except (OSError, ValueError, SchemaError) as e:
            wrong.append(f"{path}: {e}")
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
