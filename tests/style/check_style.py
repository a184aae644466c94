#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of CONTRIBUTING.md that a program can check without a compiler.

    check_style.py SOURCE_DIR

1. A source file names its licence in its first line (the second after `#!`).
2. A source file has at most 900 lines; a line of code or script at most 100 characters.
3. No folder is a drawer for odds and ends (`utils`, `common`, ...).
4. Each folder with files of its own has a README.md of at most 40 lines that says what it is, what
   is not here, what it may depend on, where to start reading and how it is tested (module folders).

Exit code: 0 clean, 1 findings, 2 usage.
"""
import sys
from pathlib import Path

LICENCE = "SPDX-License-Identifier: Apache-2.0"
SOURCE_SUFFIXES = {".h", ".cc", ".py", ".sh", ".cmake", ".js", ".mjs"}
LINES_MAX = 900
COLUMNS_MAX = 100
README_LINES_MAX = 40
README_ROOTS = ("vigil", "tests", "docs", "examples", "scripts", "deploy", "cmake")
README_TOPICS = ("What", "Not here", "May depend on", "Start reading", "How tested")
# Data, and folders that the README one level up describes.
WITHOUT_README = {"internal", "testing", "corpus", "fixtures", "consumer"}
SKIPPED = {"build", "node_modules", "__pycache__"}
DRAWERS = {"utils", "util", "common", "misc", "helpers", "lib"}


def is_skipped(path):
    return any(part in SKIPPED or part.startswith(".") for part in path.parts)


def check_source(path, text):
    lines = text.splitlines()
    head = lines[1:2] if lines and lines[0].startswith("#!") else lines[:1]
    if not head or LICENCE not in head[0]:
        yield f"{path}:1: the first line must be '{LICENCE}' in a comment"
    if len(lines) > LINES_MAX:
        yield f"{path}: {len(lines)} lines, at most {LINES_MAX} are allowed: split the file"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            yield f"{path}:{number}: {len(line)} columns, at most {COLUMNS_MAX} are allowed"


def check_readme(folder, text):
    lines = text.splitlines()
    if len(lines) > README_LINES_MAX:
        yield f"{folder}/README.md: {len(lines)} lines, at most {README_LINES_MAX} are allowed"
    if folder.parts[0] == "vigil":
        for topic in README_TOPICS:
            if topic not in text:
                yield f"{folder}/README.md: says nothing under '{topic}'"


def wants_readme(folder, files):
    return (folder.parts[:1] and folder.parts[0] in README_ROOTS and files
            and not WITHOUT_README.intersection(folder.parts))


def check(root):
    files_of = {}
    for entry in sorted(root.rglob("*")):
        path = entry.relative_to(root)
        if is_skipped(path):
            continue
        if entry.is_dir():
            files_of.setdefault(path, [])
            if path.name in DRAWERS:
                yield f"{path}: a folder is named after the one thing that it holds"
            continue
        files_of.setdefault(path.parent, []).append(path)
        if path.suffix in SOURCE_SUFFIXES:
            yield from check_source(path, entry.read_text(encoding="utf-8"))
    for folder, files in files_of.items():
        if not wants_readme(folder, files):
            continue
        readme = root / folder / "README.md"
        if not readme.exists():
            yield f"{folder}: has no README.md"
        else:
            yield from check_readme(folder, readme.read_text(encoding="utf-8"))


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    findings = list(check(Path(arguments[0])))
    for finding in findings:
        print(finding)
    print(f"style: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
