#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every check of the program `interceptors` in one mode of the race runtime.

    check_interceptors.py PROGRAM free
    check_interceptors.py PROGRAM controlled [--seeds N]

Exit code: 0 all checks passed without a report, 1 not so, 2 usage.
"""
import argparse
import os
import subprocess
import sys

TIMEOUT_S = 60


def run(program, check, options):
    """What is wrong with this run, or None."""
    environment = dict(os.environ, VIGIL_RACE_OPTIONS=options)
    try:
        done = subprocess.run(["setarch", "-R", program, check], env=environment, timeout=TIMEOUT_S,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except subprocess.TimeoutExpired:
        return f"no end within {TIMEOUT_S} s"
    if done.returncode == 0 and "vigil race: " not in done.stdout.replace("vigil race: note", ""):
        return None
    return f"exit code {done.returncode}\n{done.stdout}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("mode", choices=("free", "controlled"))
    parser.add_argument("--seeds", type=int, default=4)
    arguments = parser.parse_args()
    checks = subprocess.run([arguments.program], capture_output=True, text=True,
                            env=dict(os.environ, VIGIL_RACE_OPTIONS="")).stdout.split()
    seeds = range(1, arguments.seeds + 1) if arguments.mode == "controlled" else [1]
    failed = 0
    for check in checks:
        for seed in seeds:
            wrong = run(arguments.program, check, f"mode={arguments.mode} seed={seed}")
            if wrong is not None:
                failed += 1
                print(f"{check}, seed {seed}: {wrong}")
    print(f"{len(checks)} checks in {arguments.mode} mode, {failed} failures")
    return 0 if checks and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
