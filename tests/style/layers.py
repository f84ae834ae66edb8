#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Who may include whom: reads the two tables of docs/architecture.md and holds every file of src/ to them.

The first table ('folder | may include') is about our folders: besides what is listed, a folder may include itself, base and
onnxgate.h; x_int.h is for its own folder. The second ('library | … | included by') is about other people's headers."""

import os
import re
import sys

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.M)


def tables(text):
    """Every table as (column names, rows of cells)."""
    rows, out = [], []
    for line in text.split("\n") + [""]:
        if line.startswith("|"):
            rows.append([c.strip() for c in line.strip().strip("|").split("|")])
        elif rows:
            out.append((rows[0], rows[2:]))
            rows = []
    return out


def words(cell):
    return set(re.findall(r"`([^`]+)`", cell))


def read_rules(text):
    folders, libraries = {}, {}
    for columns, rows in tables(text):
        if columns[:2] == ["folder", "may include"]:
            for r in rows:
                for name in words(r[0]):
                    folders[name] = words(r[1])
        if "header" in columns and "included by" in columns:
            for r in rows:
                for header in words(r[columns.index("header")]):
                    libraries[header] = words(r[columns.index("included by")])
    return folders, libraries


def check_include(folder, quote, header, folders, libraries):
    """What is wrong with this include in a file of that folder, or None."""
    if quote == "<" or header.startswith(tuple(h for h in libraries)):
        for prefix, allowed in libraries.items():
            if header.startswith(prefix) and folder not in allowed:
                return f"<{header}>: only {', '.join(sorted(allowed)) or 'nobody'} may include it"
        return None
    if header == "onnxgate.h":
        return None
    target = header.split("/")[0] if "/" in header else None
    if target not in folders:
        return f'"{header}": expected "<folder>/<file>.h" with a folder of src/'
    if header.endswith("_int.h") and target != folder:
        return f'"{header}": private to {target}/'
    if target not in folders[folder] | {folder, "base"} or (folder == "base" and target != "base"):
        return f'"{header}": {folder}/ may include {", ".join(sorted(folders[folder])) or "nothing"}'
    return None


def check_tree(root, folders, libraries):
    findings, count = [], 0
    present = sorted(n for n in os.listdir(os.path.join(root, "src")) if os.path.isdir(os.path.join(root, "src", n)))
    for name in sorted(set(present) ^ set(folders)):
        findings.append(f"docs/architecture.md: {name}/ is in " + ("src/ but not in the table" if name in present else "the table but not in src/"))
    for row, allowed in folders.items():
        for name in sorted(allowed - set(folders)):
            findings.append(f"docs/architecture.md: {row}: '{name}' is no folder of the table")
    for folder in present:
        for where, _, names in os.walk(os.path.join(root, "src", folder)):
            for name in sorted(n for n in names if n.endswith((".c", ".h"))):
                path = os.path.join(where, name)
                count += 1
                with open(path, encoding="utf-8", errors="surrogateescape") as f:
                    text = f.read()
                for m in INCLUDE.finditer(text):
                    wrong = check_include(folder, m.group(1), m.group(2), folders, libraries) if folder in folders else None
                    if wrong:
                        findings.append(f"{os.path.relpath(path, root)}:{text.count(chr(10), 0, m.start()) + 1}: {wrong}")
    return findings, count


def cycle(folders):
    """A loop in the table, as text, or None: 'may include' is an order."""
    done, stack = set(), []

    def visit(name):
        if name in stack:
            return " → ".join(stack[stack.index(name) :] + [name])
        if name in done:
            return None
        stack.append(name)
        for other in sorted(folders.get(name, ())):
            found = visit(other)
            if found:
                return found
        stack.pop()
        done.add(name)
        return None

    for name in sorted(folders):
        found = visit(name)
        if found:
            return found
    return None


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    with open(os.path.join(root, "docs/architecture.md"), encoding="utf-8") as f:
        folders, libraries = read_rules(f.read())
    if not folders or not libraries:
        print("docs/architecture.md: the table 'folder | may include' or 'library | header | included by' is missing")
        return 1
    findings, count = check_tree(root, folders, libraries)
    if cycle(folders):
        findings.append(f"docs/architecture.md: the table has a loop: {cycle(folders)}")
    print("\n".join(findings), end="\n" if findings else "")
    print(f"layers: {count} files looked at, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
