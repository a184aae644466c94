#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one stale reference of each kind and expects it to be found."""
import tempfile
import unittest
from pathlib import Path

import check_references


class CheckReferencesTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        self.write("vigil/base/README.md", "What: `hash.h`.\n")
        self.write("vigil/base/hash.h", "// As vigil/base/hash.h says.\n")

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def assert_one_finding(self, part):
        findings = list(check_references.check(self.root))
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(part, findings[0])

    def test_accepts_true_references_placeholders_and_examples(self):
        self.write("vigil/base/clock.h",
                   "// hash.h and vigil/base/; x_test.cc, vigil/*/x.h, tests/fuzz/corpus/x_fuzz\n"
                   '// "a.cc" and clean.cc:33 are examples, <sys/socket.h> is of the system\n'
                   'const char* file = "vigil/base/absent.h";\n')
        self.write("docs/race.md", "See `hash.h`.\n```\n$ vigil race cxx hits.cc\n```\n")
        self.assertEqual(list(check_references.check(self.root)), [])

    def test_finds_a_path_in_a_comment_that_does_not_exist(self):
        self.write("vigil/base/clock.h", "int x;  // see vigil/base/time.h.\n")
        self.assert_one_finding("vigil/base/clock.h:1: vigil/base/time.h")

    def test_finds_a_bare_name_in_a_comment_that_does_not_exist(self):
        self.write("vigil/base/clock.h", "// see time.h for why\n")
        self.assert_one_finding("time.h does not exist")

    def test_finds_a_stale_name_in_a_page_and_in_a_script(self):
        self.write("docs/race.md", "`vigil/race/run.h` says more.\n")
        self.assert_one_finding("docs/race.md:1")
        self.write("docs/race.md", "")
        self.write("scripts/run.sh", "# as scripts/walk.sh\n")
        self.assert_one_finding("scripts/walk.sh")

    def test_finds_a_sub_folder_that_the_readme_does_not_name(self):
        self.write("vigil/base/raw/futex.h", "")
        self.write("vigil/base/raw/README.md", "")
        self.assert_one_finding("sub-folder raw/")
        self.write("vigil/base/README.md", "`raw/` is the floor.\n")
        self.assertEqual(list(check_references.check(self.root)), [])


if __name__ == "__main__":
    unittest.main()
