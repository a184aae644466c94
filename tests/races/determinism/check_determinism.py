#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a program under many seeds, each several times, and compares everything that comes out.

    check_determinism.py PROGRAM [--seeds N] [--repeats N] [--first-seed N] [--strategy S]
                         [--jobs N]

PROGRAM is built with `vigil race cxx`. Compared are its output, its exit code and the whole stream
of records (findings, events, decisions) but for the process ids. Prints the seeds that diverged.

Exit code: 0 no divergence, 1 divergences, 2 usage.
"""
import argparse
import concurrent.futures
import hashlib
import os
import struct
import subprocess
import sys
import tempfile

START = 1
EVENT = 12
ADDR_NO_RANDOMIZE = ["setarch", "-R"]


def without_process_ids(stream):
    """The records of a stream, by process in the order of their starts, without the ids."""
    out, at = bytearray(stream), 0
    while at + 8 <= len(out):
        size, kind, _ = struct.unpack_from("<IHH", out, at)
        if size < 8:
            break
        struct.pack_into("<H", out, at + 6, 0)  # marks records of forked children
        if kind == START:
            struct.pack_into("<I", out, at + 12, 0)
        at += size
    return bytes(out), at == len(out)


def run(program, seed, strategy, folder):
    """Digest of one run, and how many records it wrote."""
    path = os.path.join(folder, "records")
    if os.path.exists(path):
        os.unlink(path)
    options = f"mode=controlled seed={seed} strategy={strategy} events=1 out={path}"
    done = subprocess.run(ADDR_NO_RANDOMIZE + [program], capture_output=True, timeout=60,
                          cwd=folder, env={"PATH": "/usr/bin:/bin", "VIGIL_RACE_OPTIONS": options})
    with open(path, "rb") as file:
        records, whole = without_process_ids(file.read())
    digest = hashlib.sha256(done.stdout + b"\0" + done.stderr)
    digest.update(bytes([done.returncode & 255]) + records)
    return digest.hexdigest(), whole and len(records) > 0


def diverges(arguments, seed):
    with tempfile.TemporaryDirectory() as folder:
        results = {run(arguments.program, seed, arguments.strategy, folder)
                   for _ in range(arguments.repeats)}
    return len(results) != 1 or not all(whole for _, whole in results)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--strategy", default="portfolio")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    arguments.program = os.path.abspath(arguments.program)
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        verdicts = pool.map(lambda seed: (seed, diverges(arguments, seed)), seeds)
        diverged = [seed for seed, bad in verdicts if bad]
    print(f"{arguments.seeds} seeds x {arguments.repeats} repeats, {len(diverged)} divergences",
          *diverged)
    return 1 if diverged else 0


if __name__ == "__main__":
    sys.exit(main())
