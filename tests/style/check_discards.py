#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""No result and no error is dropped.

    check_discards.py SOURCE_DIR COMPILER

1. The compiler warns, which every preset of the tests makes an error, wherever a result is ignored:
   discarded_results.cc ignores one of each kind, in the lines that it marks.
2. A result that is cast away (`static_cast<void>(write_all(...))`, `(void)`, `std::ignore =`) has a
   comment above or behind it that says why.
3. A local `Result` that is looked at only as a condition loses what went wrong: its error() is
   used, or it is returned or passed on, or a comment above it begins with "Not an error:".

2 and 3 hold for the product, not for its tests, and know functions by their names.
Exit code: 0 clean, 1 findings, 2 usage.
"""
import re
import subprocess
import sys
from pathlib import Path

FOLDERS = ("vigil", "examples")
TEST_SUFFIXES = ("_test.cc", "_fuzz.cc", "_bench.cc")
PLANTED = Path("tests/style/discarded_results.cc")
MARK = "// discarded"

RESULT = r"\bResult<(?:[^<>;(){}]|<(?:[^<>]|<[^<>]*>)*>)*>"
# A static factory makes the object: nobody calls it for its effect.
DECLARATION = re.compile(r"(?<!static )" + RESULT + r"\s+(?:\w+::)*([a-z]\w*)\(")
CAST = re.compile(r"(?:static_cast<void>\(|\(void\)\s*|std::ignore\s*=\s*)"
                  r"((?:\w+(?:\(\))?(?:\.|->|::))*)([a-z]\w*)\(")
LOCAL = re.compile(r"^\s*(?:if \()?(?:const )?" + RESULT + r"\s+([a-z]\w*)\s*=", re.MULTILINE)
COMMENT_LINES_ABOVE = 3
NO_ERROR = "// Not an error:"


def product_files(root):
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            is_test = path.name.endswith(TEST_SUFFIXES) or "testdata" in path.parts
            if path.suffix in (".h", ".cc") and not is_test:
                yield path.relative_to(root), path.read_text(encoding="utf-8")


def without_comments(text):
    return re.sub(r"//[^\n]*", "", text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def result_functions(texts):
    return {name for text in texts for name in DECLARATION.findall(without_comments(text))}


def has_reason(lines, number):
    near = lines[max(0, number - 1 - COMMENT_LINES_ABOVE):number]
    return any("//" in line for line in near)


def check_casts(path, text, functions):
    lines = text.splitlines()
    for cast in CAST.finditer(without_comments(text)):
        number = line_of(without_comments(text), cast.start())
        if cast.group(2) in functions and not has_reason(lines, number):
            yield f"{path}:{number}: the result of {cast.group(2)}() is cast away without a reason"


def scope_after(code, offset):
    """The rest of the block in which the offset lies."""
    depth = 0
    for position in range(offset, len(code)):
        depth += {"{": 1, "}": -1}.get(code[position], 0)
        if depth < 0:
            return code[offset:position]
    return code[offset:]


def check_locals(path, text):
    code = without_comments(text)
    lines = text.splitlines()
    for local in LOCAL.finditer(code):
        name = local.group(1)
        kept = (rf"\b{name}(?:\.|->)error\(\)"
                rf"|\breturn\s[^;]*\b{name}\b"
                rf"|VIGIL_CHECK\(!?{name}\b"
                rf"|(?<!if )(?<!while )[(,{{]\s*(?:std::move\()?{name}\)?\s*[,)}}]")
        number = line_of(code, local.start(1))
        above = lines[max(0, number - 1 - COMMENT_LINES_ABOVE):number]
        if any(NO_ERROR in line for line in above):
            continue
        if not re.search(kept, scope_after(code, local.end())):
            yield f"{path}:{number}: what went wrong is lost: {name}.error() is never used"


def check_text(root):
    files = list(product_files(root))
    functions = result_functions(text for _, text in files)
    for path, text in files:
        yield from check_casts(path, text, functions)
        yield from check_locals(path, text)


def check_types(root, compiler, planted=PLANTED):
    """The planted file: a warning where it is marked, none elsewhere."""
    file = root / planted
    marked = {number for number, line in enumerate(file.read_text().splitlines(), 1)
              if line.rstrip().endswith(MARK)}
    run = subprocess.run(
        [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", f"-I{root}", file],
        capture_output=True, text=True, check=False)
    if not marked or " error: " in run.stderr:
        yield f"{planted}: cannot be checked: {run.stderr.strip() or 'no line is marked'}"
        return
    warned = {int(number) for number in re.findall(
        rf"{re.escape(file.name)}:(\d+):\d+: warning: [^\n]*(?:unused-result|nodiscard)",
        run.stderr)}
    for number in sorted(marked - warned):
        yield f"{planted}:{number}: a result is discarded and no compiler says so"
    for number in sorted(warned - marked):
        yield f"{planted}:{number}: a warning that was not expected"


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    root = Path(arguments[0]).resolve()
    findings = [*check_types(root, arguments[1]), *check_text(root)]
    for finding in findings:
        print(finding)
    print(f"discards: {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
