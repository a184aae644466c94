#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles and runs what extract_examples.py makes of right and of wrong examples."""
import subprocess
import tempfile
import unittest
from pathlib import Path

import extract_examples

ROOT = Path(__file__).resolve().parents[2]
HEADER = """// A header.
//
// Example:
//   int two = 1 + 1;
//   assert(two == 2);
#pragma once
"""
PAGE = """Text.

<!-- example: file
int half(int);
---
assert(half(4) == 2);
-->
```cpp
int half(int x) {
  return x / 2;
}
```

<!-- example: not compiled, it is a sketch -->
```cpp
map.find(...)
```
"""


class ExtractExamplesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)

    def build(self, **texts):
        """Writes page.md and header.h, makes the program and builds it: (exit code, messages)."""
        paths = []
        for name, text in texts.items():
            path = self.root / name.replace("_", ".")
            path.write_text(text, encoding="utf-8")
            paths.append(str(path))
        source = self.root / "examples.cc"
        if extract_examples.main([str(source), *paths]) != 0:
            return 1, "malformed"
        compiled = subprocess.run(
            ["g++", "-std=c++20", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-I", str(ROOT), "-I",
             "/", str(source), "-o", str(self.root / "examples")],
            capture_output=True, text=True, check=False)
        return compiled.returncode, compiled.stderr

    def run_program(self):
        return subprocess.run([self.root / "examples"], capture_output=True, text=True, check=False)

    def test_runs_right_examples_with_their_hidden_lines(self):
        self.assertEqual(self.build(header_h=HEADER, page_md=PAGE), (0, ""))
        self.assertEqual(self.run_program().stdout, "2 examples\n")

    def test_lets_a_main_end_without_a_return_but_no_other_function(self):
        program = "<!-- example: not run -->\n```cpp\nint main() {\n}\n```\n"
        self.assertEqual(self.build(page_md=program), (0, ""))
        code, messages = self.build(page_md=PAGE.replace("return x / 2", "static_cast<void>(x)"))
        self.assertNotEqual(code, 0)
        self.assertIn("page.md:11:", messages)

    def test_stops_at_a_result_that_is_not_the_promised_one(self):
        self.assertEqual(self.build(header_h=HEADER.replace("two == 2", "two == 3"))[0], 0)
        self.assertNotEqual(self.run_program().returncode, 0)

    def test_reports_a_broken_example_at_its_own_line(self):
        code, messages = self.build(header_h=HEADER.replace("1 + 1", "one"))
        self.assertNotEqual(code, 0)
        self.assertIn("header.h:4:", messages)
        code, messages = self.build(page_md=PAGE.replace("x / 2", "y / 2"))
        self.assertNotEqual(code, 0)
        self.assertIn("page.md:10:", messages)

    def test_holds_examples_to_the_warnings_of_the_project(self):
        code, messages = self.build(header_h=HEADER.replace("assert(two == 2);", "int unused = 3;"))
        self.assertNotEqual(code, 0)
        self.assertIn("unused", messages)

    def test_joins_a_block_that_continues_the_one_before(self):
        page = ("```cpp\nint a = 1;\n```\n<!-- example: continues -->\n"
                "```cpp\nassert(a == 1);\n```\n")
        self.assertEqual(self.build(page_md=page), (0, ""))
        self.assertEqual(self.run_program().stdout, "1 examples\n")

    def test_refuses_an_example_without_lines_and_a_skip_without_reason(self):
        self.assertEqual(self.build(header_h="// Example:\n// none\n"), (1, "malformed"))
        page = "<!-- example: not compiled -->\n```cpp\nx\n```\n"
        self.assertEqual(self.build(page_md=page), (1, "malformed"))
        page = "<!-- example: bdoy -->\n```cpp\nx\n```\n"
        self.assertEqual(self.build(page_md=page), (1, "malformed"))


if __name__ == "__main__":
    unittest.main()
