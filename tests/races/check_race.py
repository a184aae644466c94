#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs one program of tests/races under `vigil race run` and compares with what its source expects.

usage: check_race.py VIGIL SOURCE PROGRAM [--twin] [--schedules N] [--seed N]

With --twin the program is the fixed one: any finding is an error.
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile


def line_of(source, key):
    match = re.search(rf"^// {key}: (.+)$", source, re.MULTILINE)
    return match.group(1) if match else ""


def expectation(source, key):
    line = line_of(source, key)
    if not line:
        sys.exit(f"no line `// {key}: ...` in the source")
    return [word.strip() for word in line.split("|")]


def functions(value):
    """Every function name anywhere inside a finding."""
    if isinstance(value, dict):
        if "function" in value:
            yield value["function"]
        for inner in value.values():
            yield from functions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from functions(inner)


def run(args, extra, report):
    command = [args.vigil, "race", "run", "--seed", str(args.seed), "--schedules",
               str(args.schedules), *extra, "--json", report, "--", args.program]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    print("+", " ".join(command))
    print(result.stdout, result.stderr, sep="", end="")
    return result.returncode


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("vigil")
    parser.add_argument("source")
    parser.add_argument("program")
    parser.add_argument("--twin", action="store_true")
    parser.add_argument("--schedules", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with open(args.source, encoding="utf-8") as file:
        source = file.read()
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        extra = [] if args.twin else line_of(source, "RUN").split()
        code = run(args, extra, report.name)
        if args.twin:
            sys.exit(0 if code == 0 else f"the fixed program must end with 0, not {code}")
        if code != 1:
            sys.exit(f"no finding: exit {code}")
        findings = json.load(open(report.name, encoding="utf-8"))["findings"]
    kinds, frames = expectation(source, "EXPECT"), expectation(source, "EXPECT-FRAME")
    for finding in findings:
        named = [f for f in functions(finding)
                 if any(re.search(rf"(^|[^\w]){re.escape(frame)}\b", f) for frame in frames)]
        if finding["kind"] in kinds and named:
            print(f"ok: {finding['kind']} in {named[0]}")
            return
    sys.exit(f"expected one of {kinds} in one of {frames}")


if __name__ == "__main__":
    main()
