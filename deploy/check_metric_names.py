#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that rules and manual name only metrics that vigild exports, and the manual all of them.

Usage: check_metric_names.py ALERTS_YML METRICS_MD METRICS_CC
"""
import pathlib
import re
import sys

NAME = re.compile(r"\b(?:cache|vigild|process)_[a-z_]+[a-z]\b")
HISTOGRAM_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def main() -> int:
    alerts, manual, source = (pathlib.Path(path).read_text() for path in sys.argv[1:4])
    exported = set(re.findall(r'"((?:cache|vigild|process)_[a-z_]+)"', source))
    problems = []
    for where, text in (("alerts.yml", alerts), ("metrics.md", manual)):
        named = {HISTOGRAM_SUFFIX.sub("", name) for name in NAME.findall(text)}
        problems += [f"{where}: {name} is not exported" for name in sorted(named - exported)]
    missing = [name for name in sorted(exported) if name not in manual]
    problems += [f"metrics.md: {name} is missing" for name in missing]
    print("\n".join(problems) or f"{len(exported)} metrics, all named rightly")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
