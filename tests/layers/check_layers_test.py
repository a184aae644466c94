#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The layer check itself is checked: it must reject what it is there to reject."""
import tempfile
import unittest
from pathlib import Path

import check_layers

DECLARED = """module vigil/base base:
headers vigil/base base: check.h
module vigil/maps maps: base
headers vigil/maps maps: sharded_map.h internal/segment.h
module vigil/cache cache: maps
module vigil/server server: cache base
source vigil/cache cache_test.cc: cache
"""


def findings(path, text, declared=DECLARED):
    return list(check_layers.findings_in(path, text, check_layers.Layers(declared)))


class CheckLayersTest(unittest.TestCase):
    def test_accepts_the_module_itself_and_its_declared_dependencies(self):
        text = '#include "vigil/maps/sharded_map.h"\n#include "vigil/base/check.h"\n#include <map>'
        self.assertEqual(findings("vigil/maps/internal/segment.h", text), [])

    def test_rejects_an_include_against_the_arrows(self):
        found = findings("vigil/base/check.cc", '\n#include "vigil/maps/sharded_map.h"\n')
        self.assertEqual(len(found), 1)
        self.assertIn("vigil/base/check.cc:2: includes vigil/maps/sharded_map.h", found[0])

    def test_rejects_a_dependency_of_a_dependency_that_is_not_declared(self):
        self.assertEqual(len(findings("vigil/cache/cache.cc", '#include "vigil/base/hash.h"\n')), 1)

    def test_rejects_a_forbidden_include_in_angle_brackets(self):
        found = findings("vigil/base/check.h", "# include <vigil/cache/cache.h>\n")
        self.assertEqual(len(found), 1)

    def test_lets_a_program_use_what_its_modules_depend_on(self):
        self.assertEqual(
            findings("vigil/cache/cache_test.cc", '#include "vigil/base/hash.h"\n'), [])
        self.assertEqual(
            len(findings("vigil/cache/cache_test.cc", '#include "vigil/server/server.h"\n')), 1)

    def test_lets_programs_share_a_header_within_their_folder(self):
        declared = DECLARED + "source vigil/cache storm.h: cache\n"
        text = '#include "vigil/cache/storm.h"\n'
        self.assertEqual(findings("vigil/cache/cache_test.cc", text, declared), [])
        self.assertEqual(len(findings("vigil/maps/map.cc", text, declared)), 1)

    def test_rejects_a_relative_include(self):
        self.assertEqual(len(findings("vigil/maps/rw_map.cc", '#include "sharded_map.h"\n')), 1)

    def test_rejects_a_file_without_a_module(self):
        self.assertEqual(len(findings("vigil/stray/x.cc", "")), 1)

    def test_rejects_a_header_that_its_module_does_not_name(self):
        self.assertEqual(findings("vigil/base/check.h", ""), [])
        self.assertEqual(len(findings("vigil/base/forgotten.h", "")), 1)

    def test_rejects_a_cycle(self):
        layers = check_layers.Layers("module vigil/a a: b\nmodule vigil/b b: a\n")
        self.assertIsNotNone(layers.cycle())
        self.assertIsNone(check_layers.Layers(DECLARED).cycle())

    def test_rejects_a_header_that_is_internal_to_another_folder(self):
        text = '#include "vigil/maps/internal/segment.h"\n'
        self.assertEqual(findings("vigil/maps/sharded_map.h", text), [])
        found = findings("vigil/cache/cache.cc", text)
        self.assertEqual(len(found), 1)
        self.assertIn("internal to vigil/maps", found[0])

    def test_finds_a_circle_that_only_header_and_source_together_close(self):
        texts = {
            "vigil/base/a.h": "",
            "vigil/base/a.cc": '#include "vigil/base/a.h"\n#include "vigil/base/b.h"\n',
            "vigil/base/b.h": '#include "vigil/base/c.h"\n',
            "vigil/base/c.h": "",
        }
        self.assertEqual(check_layers.circles(check_layers.room_arrows(texts)), [])
        texts["vigil/base/c.cc"] = '#include "vigil/base/a.h"\n'
        self.assertEqual(check_layers.circles(check_layers.room_arrows(texts)),
                         [["vigil/base/a", "vigil/base/b", "vigil/base/c"]])

    def test_tells_two_circles_apart(self):
        texts = {
            "vigil/base/a.h": '#include "vigil/base/b.h"\n',
            "vigil/base/b.h": '#include "vigil/base/a.h"\n#include "vigil/base/c.h"\n',
            "vigil/base/c.h": '#include "vigil/base/d.h"\n',
            "vigil/base/d.h": '#include "vigil/base/c.h"\n',
        }
        self.assertEqual(len(check_layers.circles(check_layers.room_arrows(texts))), 2)

    def test_walks_the_tree_and_fails_on_a_planted_violation(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "vigil/base").mkdir(parents=True)
            (root / "vigil/base/check.h").write_text('#include "vigil/cache/cache.h"\n')
            (root / "layers.txt").write_text(DECLARED)
            self.assertEqual(check_layers.main([folder, str(root / "layers.txt")]), 1)
            (root / "vigil/base/check.h").write_text("#include <map>\n")
            self.assertEqual(check_layers.main([folder, str(root / "layers.txt")]), 0)

    def test_walks_the_tree_and_fails_on_a_planted_circle(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "vigil/base").mkdir(parents=True)
            (root / "vigil/base/check.h").write_text('#include "vigil/base/hash.h"\n')
            (root / "vigil/base/hash.h").write_text('#include "vigil/base/check.h"\n')
            (root / "layers.txt").write_text("module vigil/base base:\n"
                                             "headers vigil/base base: check.h hash.h\n")
            self.assertEqual(check_layers.main([folder, str(root / "layers.txt")]), 1)


if __name__ == "__main__":
    unittest.main()
