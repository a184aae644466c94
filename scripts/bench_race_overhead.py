#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what free-running race detection costs against the compilers' own ThreadSanitizer.

    bench_race_overhead.py LIBVIGIL_RACE_A [--rounds-factor N] [--repeat N]

Builds the kernels of tests/races/kernels five ways, runs them in turn (so that a busy machine slows
all of them alike) and prints, for each, the least processor time (user and system), the largest
resident memory, and the ratio of vigil to g++'s ThreadSanitizer; at the end the geometric mean.
Exit code: 0 the bars hold (time and memory at most g++'s on each kernel, mean at most 0.65),
1 they do not or a kernel reported something, 2 usage.
"""
import argparse
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

KERNELS = {"sharded_cache": 8, "read_mostly": 8, "matrix": 20, "allocation": 8}
FOLDER = Path(__file__).resolve().parent.parent / "tests" / "races" / "kernels"
MEAN_MAX = 0.65
NO_BUILTIN = ["-fno-builtin-memcpy", "-fno-builtin-memmove", "-fno-builtin-memset"]


def compile_variants(work, kernel, library):
    """The name of each variant that this machine can build, and its program."""
    source = str(FOLDER / f"{kernel}.cc")
    runtime = ["-rdynamic", "-Wl,--whole-archive", library, "-Wl,--no-whole-archive", "-latomic",
               "-ldl"]

    def build(name, compiler, flags, link):
        program = str(work / f"{kernel}.{name}")
        common = [compiler, "-std=c++20", "-O2", "-g", "-pthread"]
        subprocess.run([*common, *flags, "-c", source, "-o", program + ".o"], check=True)
        subprocess.run([*common, program + ".o", "-o", program, *link], check=True)
        return program

    tsan = ["-fsanitize=thread"]
    variants = {
        "plain": build("plain", "g++", [], []),
        "g++ tsan": build("gnu_tsan", "g++", tsan, tsan),
        "vigil g++": build("gnu_vigil", "g++", tsan + NO_BUILTIN, runtime),
    }
    if subprocess.run(["which", "clang++-19"], capture_output=True, check=False).returncode == 0:
        variants["clang tsan"] = build("clang_tsan", "clang++-19", tsan, tsan)
        variants["vigil clang"] = build("clang_vigil", "clang++-19", tsan, runtime)
    return variants


def run_once(program, rounds):
    """Processor seconds, peak resident KiB and whether anything was reported."""
    # Through time(1): a child of this process would count Python's own memory before its exec.
    command = ["/usr/bin/time", "-f", "%U %S %M", "setarch", "-R", program, str(rounds)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          check=False)
    *said, figures = done.stderr.splitlines()
    user, system, memory = figures.split()
    return float(user) + float(system), int(memory), done.returncode == 0 and not said


def measure(kernel, variants, rounds, repeat):
    seconds = {name: math.inf for name in variants}
    kibibytes = {name: 0 for name in variants}
    for _ in range(repeat):
        for name, program in variants.items():
            time_s, memory, clean = run_once(program, rounds)
            if not clean:
                print(f"{kernel}: {name} reported something", file=sys.stderr)
                sys.exit(1)
            seconds[name] = min(seconds[name], time_s)
            kibibytes[name] = max(kibibytes[name], memory)
    return seconds, kibibytes


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library")
    parser.add_argument("--rounds-factor", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=7)
    args = parser.parse_args()
    library = os.path.abspath(args.library)
    holds, logarithms = True, []
    print("| kernel | variant | processor s | slowdown | peak MiB |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="vigil-overhead.") as work:
        for kernel, rounds in KERNELS.items():
            variants = compile_variants(Path(work), kernel, library)
            seconds, kibibytes = measure(kernel, variants, rounds * args.rounds_factor, args.repeat)
            for name in variants:
                slowdown = seconds[name] / max(seconds["plain"], 1e-3)
                print(f"| {kernel} | {name} | {seconds[name]:.3f} | {slowdown:.1f} |"
                      f" {kibibytes[name] / 1024:.1f} |")
            ratio = seconds["vigil g++"] / seconds["g++ tsan"]
            memory_ratio = kibibytes["vigil g++"] / kibibytes["g++ tsan"]
            print(f"| {kernel} | **vigil / g++ tsan** | **{ratio:.2f}** | |"
                  f" **{memory_ratio:.2f}** |")
            logarithms.append(math.log(ratio))
            holds = holds and ratio <= 1 and memory_ratio <= 1
    mean = math.exp(sum(logarithms) / len(logarithms))
    print(f"\ngeometric mean of time, vigil / g++ tsan: {mean:.2f} (bar {MEAN_MAX})")
    return 0 if holds and mean <= MEAN_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
