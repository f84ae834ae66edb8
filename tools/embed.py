#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Turn a text file into a C string constant: embed.py INPUT OUTPUT NAME. Run by the build."""
import sys

source, target, name = sys.argv[1:]
with open(source, encoding="utf-8") as f:
    lines = f.read().splitlines()
escape = {ord("\\"): "\\\\", ord('"'): '\\"', ord("\t"): "\\t", ord("?"): "\\?"}
with open(target, "w", encoding="utf-8") as f:
    f.write(f"/* Made from {source.rsplit('/', 1)[-1]} by tools/embed.py. */\nextern const char {name}[];\nconst char {name}[] =\n")
    for line in lines:
        f.write(f'\t"{line.translate(escape)}\\n"\n')
    f.write('\t"";\n')
