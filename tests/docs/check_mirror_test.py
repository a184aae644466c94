#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plants one difference of each kind between the two languages."""
import unittest

import check_mirror

ENGLISH = """# vigil
[Chinese](README.zh-CN.md)
## Run it
```
$ scripts/run.sh  # at once
```
[race](docs/race.md)
"""
CHINESE = """# vigil
[English](README.md)
## 运行
```
$ scripts/run.sh  # 立即
```
运行：见 [race](docs/race.md)，`a, b`。
"""


class CheckMirrorTest(unittest.TestCase):
    def assert_one_finding(self, chinese, part):
        findings = list(check_mirror.check(ENGLISH, chinese, ["README.md", "README.zh-CN.md"]))
        self.assertEqual(len(findings), 1, findings)
        self.assertIn(part, findings[0])

    def test_accepts_a_mirror(self):
        self.assertEqual(
            list(check_mirror.check(ENGLISH, CHINESE, ["README.md", "README.zh-CN.md"])), [])

    def test_finds_a_missing_heading_and_a_wrong_level(self):
        self.assert_one_finding(CHINESE.replace("## 运行\n", ""), "headings part")
        self.assert_one_finding(CHINESE.replace("## ", "### "), "headings part")
        self.assert_one_finding(CHINESE + "## 限制\n", "README.zh-CN.md:8")

    def test_finds_other_code(self):
        self.assert_one_finding(CHINESE.replace("run.sh", "start.sh"), "code differs")

    def test_finds_a_link_that_one_language_lacks(self):
        self.assert_one_finding(CHINESE.replace("docs/race.md", "docs/maps.md").replace(
            "(docs/maps.md)", "(docs/race.md) [m](docs/maps.md)"), "docs/maps.md")

    def test_finds_half_width_punctuation(self):
        self.assert_one_finding(CHINESE.replace("：", ":"), "half-width")


if __name__ == "__main__":
    unittest.main()
