#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A file of intercept/ or libraries/ holds nothing but interceptors: what they stand for lives in
world/.

    check_only_interceptors.py DIR...

Outside of anonymous namespaces every function that is defined in DIR/*.cc begins with
VIGIL_INTERCEPTOR (or VIGIL_INTERCEPTOR_CXX), no type and no variable is defined, and every file has
an interceptor. Exit code: 0 clean, 1 findings, 2 usage.
"""
import re
import sys
from pathlib import Path

# Comments, raw strings, strings, characters; in this order of precedence at each place.
NOT_CODE = re.compile(r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'
                      r"'(?:\\.|[^'\\\n])'", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.MULTILINE)
MACRO_USE = re.compile(r"^[A-Z_]+\([^\n{}]*\)$", re.MULTILINE)
PUNCTUATION = re.compile(r"[{};]")
SCOPE = re.compile(r'(inline )?namespace\b|extern ""$')
VARIABLE = re.compile(r"(constinit|constexpr|static|inline|thread_local|alignas)\b")
DECLARATION = re.compile(r"(using|static_assert|__asm__|extern)\b")


def blank(match):
    """Nothing in place of a match, on as many lines; a string becomes an empty one."""
    quotes = '""' if match[0][0] in "\"'R" else ""
    return quotes + "\n" * match[0].count("\n")


def defining_macros(code):
    for match in DIRECTIVE.finditer(code):
        if "{" in match[0] and "VIGIL_INTERCEPTOR" not in match[0]:
            yield match.start(), "defines functions by a macro without VIGIL_INTERCEPTOR"


def skip_block(code, at):
    """Where the block that opens before `at` has ended."""
    depth = 1
    while depth > 0 and at < len(code):
        depth += {"{": 1, "}": -1}.get(code[at], 0)
        at += 1
    return at


def wrong_block(head):
    """What is wrong with a block that is no scope, or None."""
    if head.startswith("VIGIL_INTERCEPTOR"):
        return None
    return f"'{head[:60]}' is no interceptor: it belongs into an anonymous namespace or into world/"


def wrong_statement(statement):
    if not statement or DECLARATION.match(statement):
        return None
    if VARIABLE.match(statement) or "(" not in statement:
        return f"'{statement[:60]}' is state outside of an anonymous namespace"
    return None


def definitions(code):
    """Yields (place, message) of what must not be defined in the file."""
    at = 0
    while match := PUNCTUATION.search(code, at):
        text = code[at:match.start()]
        place = match.start() - len(text.lstrip()) if text.strip() else match.start()
        head = " ".join(text.split())
        at = match.end()
        if match[0] == "{" and SCOPE.match(head) and head != "namespace":
            continue
        if match[0] == "{":
            at = skip_block(code, at)
            message = None if head == "namespace" else wrong_block(head)
        else:
            message = wrong_statement(head) if match[0] == ";" else None
        if message:
            yield place, message


def findings_in(text):
    """Yields (line, message)."""
    code = NOT_CODE.sub(blank, text)
    found = list(defining_macros(code))
    code = MACRO_USE.sub(blank, DIRECTIVE.sub(blank, code))
    found += definitions(code)
    for place, message in found:
        yield code.count("\n", 0, place) + 1, message
    if not re.search(r"^\s*VIGIL_INTERCEPTOR", text, re.MULTILINE):
        yield 1, "holds no interceptor"


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    files = sorted(file for folder in arguments for file in Path(folder).glob("*.cc"))
    findings = [f"{file}:{line}: {message}" for file in files
                for line, message in findings_in(file.read_text(encoding="utf-8"))]
    for finding in findings:
        print(finding)
    print(f"interceptors: {len(files)} files, {len(findings)} findings")
    return 1 if findings or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
