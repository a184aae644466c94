#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes one program of the examples in headers and pages, as rustdoc does for Rust.

    extract_examples.py OUTPUT.cc FILE...

In a header, an example is what stands indented by three blanks or more after `// Example:`; it is
the body of a function. In a page it is a block fenced by ```cpp: the body of a function, or, where
it defines functions or types, text at file scope. A comment before the fence says more:

    <!-- example: file, not run
    hidden lines before the block, at file scope
    ---
    hidden lines after it: what a reader need not see, such as checks of the results
    -->

    body, file     where the block belongs (default: file if it has a main(), else body)
    not run        it is compiled only: it races, waits for ever, or shows what not to do
    continues      after the blocks before it, in the same function or file
    not compiled   followed by the reason; for pseudo-code and other projects' code

Each example becomes a namespace of the program, which runs them one after the other; `#line` makes
the compiler name the header or the page. Exit code: 0 written, 1 a malformed example, 2 usage.
"""
import re
import sys
from pathlib import Path

WHERE = {"body", "file"}
OPTIONS = WHERE | {"not run", "continues"}
MAIN = re.compile(r"^int main\(", re.MULTILINE)
# The language lets main() end without a return; in a namespace it is a function like any other.
WITHOUT_RETURN = """#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wreturn-type"
{}
#pragma GCC diagnostic pop"""
PRELUDE = """// Made by tests/docs/extract_examples.py.
#include <cassert>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "vigil/base/check.h"
"""


class Malformed(Exception):
    pass


class Example:
    """The text of an example with the place of its first line, and what surrounds it."""

    def __init__(self, path, line, text):
        self.path = path
        self.parts = [(line, text)]
        self.before = ""
        self.after = ""
        self.is_body = not MAIN.search(text)
        self.is_run = True

    def includes(self):
        return [line for line in self.text().splitlines() if line.startswith("#include")]

    def text(self):
        return "\n".join([self.before, *(text for _, text in self.parts), self.after])

    def source(self, number):
        """The example as a namespace with a function run()."""
        shown = "\n".join(f'#line {line} "{self.path}"\n{without_includes(text)}'
                          for line, text in self.parts)
        before, after = without_includes(self.before), without_includes(self.after)
        if self.is_body:
            code = f"{before}\n[[maybe_unused]] void run() {{\n{shown}\n{after}\n}}"
        else:
            start = "main();" if MAIN.search(self.text()) else ""
            code = f"{before}\n{shown}\n[[maybe_unused]] void run() {{\n{start}\n{after}\n}}"
        if MAIN.search(self.text()):
            code = WITHOUT_RETURN.format(code)
        return f"namespace example_{number} {{\n{code}\n}}  // namespace example_{number}\n"


def without_includes(text):
    return "\n".join("" if line.startswith("#include") else line for line in text.splitlines())


def examples_of_header(path, text):
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.strip() != "// Example:":
            continue
        block = []
        for follower in lines[number + 1:]:
            comment = follower.strip()
            if comment != "//" and not comment.startswith("//   "):
                break
            block.append(comment[5:])
        if not "".join(block).strip():
            raise Malformed(f"{path}:{number + 1}: no line indented by three blanks follows")
        example = Example(path, number + 2, "\n".join(block))
        example.before = f'#include "{include_path(path)}"'
        yield example


def include_path(path):
    return path[path.rindex("vigil/"):] if "vigil/" in path else path


class Directive:
    """The comment before a fence: options, and hidden lines around the block."""

    def __init__(self, place, text):
        head, _, hidden = text.partition("\n")
        self.is_compiled = not head.strip().startswith("not compiled")
        self.options = {option.strip() for option in head.split(",") if option.strip()}
        self.before, _, self.after = hidden.partition("---\n")
        if not self.is_compiled:
            if not head.strip()[len("not compiled"):].strip(" ,:"):
                raise Malformed(f"{place}: 'not compiled' needs a reason")
        elif not self.options <= OPTIONS or len(self.options & WHERE) > 1:
            raise Malformed(f"{place}: unknown options {head.strip()!r}; known: {sorted(OPTIONS)}")

    def apply(self, example):
        if self.options & WHERE:
            example.is_body = "body" in self.options
        example.is_run = "not run" not in self.options
        example.before += self.before
        example.after += self.after


DIRECTIVE = re.compile(r"<!-- example:?((?:(?!-->).)*)-->\n\Z", re.DOTALL)
FENCE = re.compile(r"^```cpp\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def examples_of_page(path, text):
    examples = []
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start(1)) + 1
        found = DIRECTIVE.search(text[:match.start()])
        directive = Directive(f"{path}:{line}", found.group(1) if found else "")
        if not directive.is_compiled:
            continue
        if "continues" in directive.options:
            if not examples:
                raise Malformed(f"{path}:{line}: continues, but no example stands before it")
            examples[-1].parts.append((line, match.group(1)))
            examples[-1].after += directive.after
            continue
        example = Example(path, line, match.group(1))
        directive.apply(example)
        examples.append(example)
    return examples


def program(examples):
    includes = sorted({include for example in examples for include in example.includes()})
    calls = "".join(f"  example_{number}::run();  // {example.path}:{example.parts[0][0]}\n"
                    for number, example in enumerate(examples) if example.is_run)
    return "\n".join([PRELUDE, *includes, "",
                      *(example.source(number) for number, example in enumerate(examples)),
                      f'#line 1 "main"\nint main() {{\n{calls}'
                      f'  std::puts("{len(examples)} examples");\n}}\n'])


def extract(paths):
    examples = []
    for path in paths:
        text = Path(path).read_text(encoding="utf-8")
        find = examples_of_header if path.endswith(".h") else examples_of_page
        examples.extend(find(path, text))
    return examples


def main(arguments):
    if len(arguments) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        examples = extract(arguments[1:])
    except Malformed as error:
        print(error, file=sys.stderr)
        return 1
    Path(arguments[0]).write_text(program(examples), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
