#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one violation of each rule of check_style.py and expects it to be found."""
import tempfile
import unittest
from pathlib import Path

import check_style

README = "\n".join(f"**{topic}.** x" for topic in check_style.README_TOPICS)
LICENSED = "// " + check_style.LICENCE + "\n// Thread safety: none.\n"


class CheckStyleTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        self.write("vigil/base/README.md", README)
        self.write("vigil/base/check.h", LICENSED)

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def assert_one_finding(self, part):
        findings = list(check_style.check(self.root))
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(part, findings[0])

    def test_accepts_a_clean_tree(self):
        self.write("vigil/base/tool.py", "#!/usr/bin/env python3\n# " + check_style.LICENCE + "\n")
        self.assertEqual(list(check_style.check(self.root)), [])

    def test_finds_a_missing_licence(self):
        self.write("vigil/base/hash.cc", "int x;\n")
        self.assert_one_finding("vigil/base/hash.cc:1")

    def test_finds_a_file_that_is_too_long(self):
        self.write("vigil/base/hash.cc", LICENSED + "\n" * check_style.LINES_MAX)
        self.assert_one_finding("902 lines")

    def test_finds_a_line_that_is_too_long(self):
        self.write("vigil/base/hash.cc", LICENSED + "x" * 101 + "\n")
        self.assert_one_finding("hash.cc:3: 101 columns")

    def test_finds_a_drawer(self):
        (self.root / "vigil/utils").mkdir()
        self.assert_one_finding("vigil/utils")

    def test_finds_a_folder_without_readme(self):
        self.write("vigil/maps/map.h", LICENSED)
        self.assert_one_finding("vigil/maps: has no README.md")

    def test_finds_a_readme_that_is_too_long_or_silent(self):
        self.write("vigil/base/README.md", README + "\n" * 40)
        self.assert_one_finding("at most 40")
        self.write("vigil/base/README.md", README.replace("How tested", ""))
        self.assert_one_finding("'How tested'")

    def test_finds_a_folder_of_too_many_rooms(self):
        for number in range(check_style.ROOMS_MAX - 1):
            self.write(f"vigil/base/room_{number}.h", LICENSED)
            self.write(f"vigil/base/room_{number}.cc", LICENSED)
            self.write(f"vigil/base/room_{number}_test.cc", LICENSED)
        self.assertEqual(list(check_style.check(self.root)), [])
        self.write("vigil/base/one_more.cc", LICENSED)
        self.assert_one_finding("23 rooms")

    def test_finds_a_header_that_is_silent_about_threads(self):
        self.write("vigil/base/hash.h", "// " + check_style.LICENCE + "\n")
        self.assert_one_finding("Thread safety")

    def test_finds_a_map_header_without_a_required_section(self):
        sections = "".join(f"// {section}\n" for section in check_style.MAP_SECTIONS)
        self.write("vigil/maps/README.md", README)
        self.write("vigil/maps/rw_map.h", LICENSED + sections)
        self.assertEqual(list(check_style.check(self.root)), [])
        self.write("vigil/maps/rw_map.h", LICENSED + sections.replace("Consistency", ""))
        self.assert_one_finding("'Consistency'")

    def test_finds_names_whose_limit_or_unit_stands_in_the_wrong_place(self):
        for name in ("kMaxKeys", "kMinKeys", "kLingerMs", "kTickNs", "visit_patiently"):
            self.write("vigil/base/hash.cc", LICENSED + f"int {name};\n")
            self.assert_one_finding(name)
        self.write("vigil/base/hash.cc",
                   LICENSED + "int kKeysMax, kLinger_ms, kTransactions, visit_slow_path;\n")
        self.assertEqual(list(check_style.check(self.root)), [])


if __name__ == "__main__":
    unittest.main()
