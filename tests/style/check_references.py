#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What comments and pages say about files must be true.

    check_references.py SOURCE_DIR

1. A path that a comment or a page names from the root on (`vigil/base/hash.h`, `docs/race.md`)
   exists. `x` stands for any name (`x_test.cc`), and so do `*` and braces.
2. A file that a comment or a page names without its folder (`hash.h`) exists somewhere. Places in a
   program (`cache.cc:45`) and file names in quotation marks are examples and may be invented.
3. The README.md of a folder under vigil/ names each of its sub-folders.

Pages are read outside of their code blocks: those show the files of a user.

Exit code: 0 clean, 1 findings, 2 usage.
"""
import re
import sys
from pathlib import Path

ROOTS = ("vigil", "tests", "docs", "scripts", "cmake", "deploy", "examples")
PATH = re.compile(rf'(?<![\w/.$-])(?:{"|".join(ROOTS)})/[\w./*{{}},<>-]*[\w*}}>]')
NAME = re.compile(r'(?<![\w/.<*"$-])[a-z]\w*\.(?:h|cc|py|sh)\b(?![/(*":\w])')
ANY = re.compile(r'[*{}<>]|\bx_|\bX\b')
COMMENT_MARKS = {".h": "//", ".cc": "//", ".c": "//", ".py": "#", ".sh": "#", ".cmake": "#",
                 ".txt": "#"}
# Data, and tests whose text is made of invented files.
SKIPPED = {"build", "node_modules", "__pycache__", "fixtures", "corpus"}
INVENTS_FILES = {"tests/layers/check_layers_test.py", "tests/style/check_style_test.py",
                 "tests/style/check_references_test.py", "tests/style/check_references.py"}


def tree_of(root):
    """Every file and folder below `root` that the rules speak of, as relative paths."""
    paths = set()
    for entry in root.rglob("*"):
        path = entry.relative_to(root)
        if not any(part in SKIPPED - {"fixtures", "corpus"} or part == ".git"
                   for part in path.parts):
            paths.add(path.as_posix())
    return paths


def comments_of(path, text):
    """Yields (line number, comment) of a source file."""
    mark = COMMENT_MARKS.get(path.suffix)
    for number, line in enumerate(text.splitlines(), 1):
        _, found, comment = line.partition(mark) if mark else ("", "", "")
        if found:
            yield number, comment


def prose_of(text):
    """Yields (line number, line) of a page outside of its code blocks."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line


def stale_names(line, paths, names):
    for match in PATH.finditer(line):
        named = match.group(0).rstrip("./")
        if not ANY.search(named) and named not in paths:
            yield named
    for match in NAME.finditer(line):
        if not ANY.search(match.group(0)) and match.group(0) not in names:
            yield match.group(0)


def missing_folders(root, readme, text):
    for folder in sorted(readme.parent.iterdir()):
        if folder.is_dir() and folder.name not in SKIPPED and any(folder.iterdir()):
            if not re.search(rf"\b{re.escape(folder.name)}\b", text):
                yield f"{readme.relative_to(root)}: does not name its sub-folder {folder.name}/"


def check(root):
    paths = tree_of(root)
    names = {Path(path).name for path in paths}
    for entry in sorted(root.rglob("*")):
        path = entry.relative_to(root)
        if (not entry.is_file() or any(part in SKIPPED or part.startswith(".")
                                       for part in path.parts)
                or path.as_posix() in INVENTS_FILES):
            continue
        if path.suffix == ".md":
            text = entry.read_text(encoding="utf-8")
            lines = prose_of(text)
            if path.name == "README.md" and path.parts[0] == "vigil":
                yield from missing_folders(root, entry, text)
        elif path.suffix in COMMENT_MARKS:
            lines = comments_of(path, entry.read_text(encoding="utf-8"))
        else:
            continue
        for number, line in lines:
            for name in stale_names(line, paths, names):
                yield f"{path}:{number}: {name} does not exist"


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    findings = list(check(Path(arguments[0])))
    for finding in findings:
        print(finding)
    print(f"references: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
