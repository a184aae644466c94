#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of CONTRIBUTING.md that a program can check without a compiler.

    check_style.py SOURCE_DIR

1. A source file names its licence in its first line (the second after `#!`).
2. A source file has at most 900 lines; a line of code or script at most 100 characters.
3. No folder is a drawer for odds and ends (`utils`, `common`, ...).
4. Each folder with files of its own has a README.md of at most 40 lines that says what it is, what
   is not here, what it may depend on, where to start reading and how it is tested (module folders).
5. A folder under vigil/ has at most 22 rooms (a header and its source are one room; tests do not
   count): more do not show what the folder is about.
6. A header under vigil/ says which threads may use what it declares (`Thread safety`, `Memory
   order`; in the runtime `Context`); the header of a map says all that a user must know
   (MAP_SECTIONS).
7. A limit is named kThingMax and a time kThing_ms, _us or _ns: the subject first, the unit last.
8. A slow path is named _slow_path, not by an adverb.

Exit code: 0 clean, 1 findings, 2 usage.
"""
import re
import sys
from pathlib import Path

LICENCE = "SPDX-License-Identifier: Apache-2.0"
SOURCE_SUFFIXES = {".h", ".cc", ".py", ".sh", ".cmake", ".js", ".mjs"}
LINES_MAX = 900
COLUMNS_MAX = 100
README_LINES_MAX = 40
README_ROOTS = ("vigil", "tests", "docs", "examples", "scripts", "deploy", "cmake")
README_TOPICS = ("What", "Not here", "May depend on", "Start reading", "How tested")
ROOMS_MAX = 22
PROGRAM = re.compile(r"_(?:test|fuzz|bench)$")
THREADS = re.compile(r"\b(?:thread[- ]safety|memory order|context:)", re.IGNORECASE)
MAP_HEADER = re.compile(r"vigil/maps/(?!concurrent)\w+_map\.h$")
MAP_SECTIONS = ("Use when", "Use instead", "Requirements", "Thread safety", "Consistency",
                "Complexity", "Exceptions", "Example:")
BAD_NAMES = (
    (re.compile(r"\bk(?:Max|Min)[A-Z]\w*"), "a limit is named kThingMax"),
    (re.compile(r"\bk[A-Z]\w*?(?:Ms|Us|Ns|Seconds)\b"), "a time is named kThing_ms"),
    (re.compile(r"\b\w+_(?:slowly|patiently)\b"), "a slow path is named _slow_path"),
)
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


def check_names(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        code = line.partition("//")[0]
        for pattern, rule in BAD_NAMES:
            for match in pattern.finditer(code):
                yield f"{path}:{number}: {match.group(0)}: {rule}"


def check_header(path, text):
    if not THREADS.search(text):
        yield f"{path}: does not say which threads may use it ('Thread safety: ...')"
    if MAP_HEADER.search(path.as_posix()):
        for section in MAP_SECTIONS:
            if section.lower() not in text.lower():
                yield f"{path}: says nothing under '{section}'"


def check_rooms(folder, files):
    rooms = {file.stem for file in files
             if file.suffix in {".h", ".cc", ".c"} and not PROGRAM.search(file.stem)}
    if folder.parts[:1] == ("vigil",) and "testdata" not in folder.parts and len(rooms) > ROOMS_MAX:
        yield f"{folder}: {len(rooms)} rooms, at most {ROOMS_MAX} are allowed: give it sub-folders"


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
        if path.suffix not in SOURCE_SUFFIXES:
            continue
        text = entry.read_text(encoding="utf-8")
        yield from check_source(path, text)
        if path.suffix in {".h", ".cc"}:
            yield from check_names(path, text)
        if path.suffix == ".h" and path.parts[0] == "vigil":
            yield from check_header(path, text)
    for folder, files in files_of.items():
        yield from check_rooms(folder, files)
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
