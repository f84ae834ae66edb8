# SPDX-License-Identifier: Apache-2.0
"""Just enough of C's surface for the style checks: comments and literals blanked out, line structure kept."""

import re

TOKEN = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.S)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def code_only(text):
    """The text with comments and the insides of literals replaced by spaces; offsets and lines stay."""

    def cover(m):
        t = m.group(0)
        return t[0] + blank(t[1:-1]) + t[-1] if t[0] in "\"'" else blank(t)

    return TOKEN.sub(cover, text)


def strings(text):
    """(offset, literal without quotes) of every string outside comments and #include lines."""
    for m in TOKEN.finditer(text):
        if m.group(0)[0] == '"':
            line = text[text.rfind("\n", 0, m.start()) + 1 : m.start()]
            if not line.lstrip().startswith("#include"):
                yield m.start(), m.group(0)[1:-1]


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def closing(code, at):
    """Offset behind the bracket that closes the one at `at`."""
    pairs = {"(": ")", "{": "}", "[": "]"}
    depth, opening, end = 0, code[at], pairs[code[at]]
    for i in range(at, len(code)):
        if code[i] == opening:
            depth += 1
        elif code[i] == end:
            depth -= 1
            if depth == 0:
                return i + 1
    return len(code)


def statement(code, at):
    """(start, end) of the statement that begins at or after `at`: a block, a controlled statement, or up to a semicolon."""
    while at < len(code) and code[at].isspace():
        at += 1
    if at >= len(code):
        return at, at
    if code[at] == "{":
        return at, closing(code, at)
    head = re.compile(r"(for|while|if|switch|OG_SCOPE)\b\s*\(").match(code, at)
    if head:
        end = statement(code, closing(code, head.end() - 1))[1]
        other = re.compile(r"\s*else\b").match(code, end)
        return at, statement(code, other.end())[1] if other and head.group(1) == "if" else end
    depth = 0
    for i in range(at, len(code)):
        depth += code[i] in "({["
        depth -= code[i] in ")}]"
        if code[i] == ";" and depth == 0:
            return at, i + 1
    return at, len(code)
