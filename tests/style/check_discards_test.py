#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants dropped results of each kind and expects check_discards.py to find them.

    check_discards_test.py COMPILER
"""
import sys
import tempfile
import unittest
from pathlib import Path

import check_discards

COMPILER = "g++"
DECLARED = "Result<void> write_all(int to);\nResult<std::vector<int>> read_all();\n"
TYPES = """template <class T> struct {attribute} Result {{ T value; }};
Result<int> f();
void g() {{
  f();  // discarded
}}
"""


class CheckDiscardsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def findings(self, body, name="vigil/x.cc"):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(DECLARED + "void f() {\n" + body + "\n}\n", encoding="utf-8")
        return list(check_discards.check_text(self.root))

    def assert_found(self, part, body):
        findings = self.findings(body)
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(part, findings[0])

    def test_finds_results_that_are_cast_away(self):
        for cast in ("static_cast<void>(write_all(1));", "(void)write_all(1);",
                     "std::ignore = write_all(1);", "static_cast<void>(file.write_all(1));",
                     "static_cast<void>(files->at().write_all(1));"):
            self.assert_found("vigil/x.cc:4: the result of write_all()", cast)

    def test_accepts_a_cast_with_its_reason(self):
        self.assertEqual(self.findings("// Nobody listens.\n(void)write_all(1);"), [])
        self.assertEqual(self.findings("(void)write_all(1);  // nobody listens"), [])

    def test_accepts_casts_of_what_is_no_result_and_those_of_tests(self):
        self.assertEqual(self.findings("(void)unused;\nstatic_cast<void>(node.release());"), [])
        self.assertEqual(list((self.root / "vigil").iterdir()), [self.root / "vigil/x.cc"])
        (self.root / "vigil/x.cc").unlink()
        self.assertEqual(self.findings("(void)write_all(1);", "vigil/x_test.cc"), [])

    def test_finds_errors_that_are_lost(self):
        lost = "vigil/x.cc:4: what went wrong is lost: done.error()"
        self.assert_found(lost, "const Result<void> done = write_all(1);\nif (!done) return;")
        self.assert_found(lost, "if (Result<void> done = write_all(1); !done) return;")
        self.assert_found(lost.replace("done", "all"),
                          "Result<std::vector<int>> all = read_all();\nif (all) use(*all);")
        # What another function does with a variable of this name does not count.
        self.assert_found(lost, "Result<void> done = write_all(1);\nif (!done) return;\n}\n"
                                "int g() { return done.error();")

    def test_accepts_a_lost_error_that_is_none(self):
        self.assertEqual(
            list(check_discards.check_locals(
                "a.cc", "void f() {\n  // Not an error: nothing is there yet.\n"
                        "  const Result<int> x = g();\n  if (!x) return;\n}\n")), [])

    def test_accepts_errors_that_are_used_or_passed_on(self):
        for use in ("if (!done) return done.error();", "return done;", "note(done);",
                    "note(path, std::move(done));", "VIGIL_CHECK(done.has_value(), \"m\");"):
            self.assertEqual(self.findings("Result<void> done = write_all(1);\n" + use), [], use)

    def types(self, attribute):
        (self.root / "planted.cc").write_text(TYPES.format(attribute=attribute))
        return list(check_discards.check_types(self.root, COMPILER, Path("planted.cc")))

    def test_finds_a_type_that_may_be_discarded(self):
        self.assertEqual(self.types("[[nodiscard]]"), [])
        self.assertEqual(self.types(""),
                         ["planted.cc:4: a result is discarded and no compiler says so"])

    def test_a_planted_file_that_does_not_compile_is_a_finding(self):
        [finding] = self.types("no type")
        self.assertIn("cannot be checked", finding)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        COMPILER = sys.argv.pop(1)
    unittest.main()
