#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every check of a program in both modes of the race runtime.

    check_findings.py VIGIL PROGRAM

The program lists its checks, each with the words that must be reported in one of the schedules, or
with none: then no schedule may have a finding. Exit code: 0 as expected, 1 not so, 2 usage.
"""
import os
import re
import subprocess
import sys

TIMEOUT_S = 60
MODES = (["--mode", "free"], ["--mode", "controlled", "--lock-order", "--schedules", "2"])


def checks_of(program):
    listing = subprocess.run([program], capture_output=True, text=True, check=True,
                             env=dict(os.environ, VIGIL_RACE_OPTIONS="")).stdout
    return [line.split(": ", 1) for line in listing.splitlines()]


def wrong(vigil, program, check, expected, mode):
    """What is wrong with the run, or None."""
    done = subprocess.run([vigil, "race", "run", *mode, "--keep-going", "--", program, check],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S, check=False)
    if expected:
        report = re.compile(rf"^(vigil: |  ){re.escape(expected)}", re.MULTILINE)
        right = done.returncode == 1 and report.search(done.stdout)
    else:
        right = done.returncode == 0
    return None if right else f"exit code {done.returncode}, not: {expected!r}\n{done.stdout}"


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    vigil, program = sys.argv[1:]
    checks = checks_of(program)
    failures = 0
    for mode in MODES:
        for check, expected in checks:
            message = wrong(vigil, program, check, expected, mode)
            if message is not None:
                failures += 1
                print(f"{check} ({mode[1]}): {message}")
    print(f"{len(checks)} checks in both modes, {failures} failures")
    return 0 if checks and failures == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
