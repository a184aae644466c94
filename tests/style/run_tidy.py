#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy, with the checks of .clang-tidy, on every own file that the build compiles.

    run_tidy.py SOURCE_DIR BUILD_DIR [PATH_PART]

PATH_PART keeps only the files whose path contains it. Clang's thread-safety analysis runs along.
Exit code: 0 clean, 1 findings, 2 usage.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# What cmake/options.cmake adds for clang; the compile commands are those of g++. RapidJSON's
# iterators compare ambiguously in C++20.
CLANG_OPTIONS = ("-Wthread-safety", "-Wno-sign-conversion", "-Wno-unknown-warning-option",
                 "-Wno-ambiguous-reversed-operator")
# Options of g++ that clang refuses to be given.
GNU_OPTIONS = (" -fno-tree-loop-distribute-patterns",)
OWN_FOLDERS = ("vigil", "cmake", "tests", "examples")


def own_files(source_dir, build_dir, path_part):
    commands = json.loads((build_dir / "compile_commands.json").read_text(encoding="utf-8"))
    roots = tuple(f"{source_dir / folder}{os.sep}" for folder in OWN_FOLDERS)
    files = {str(Path(command["directory"], command["file"])) for command in commands}
    return sorted(file for file in files if file.startswith(roots) and path_part in file)


def write_commands_for_clang(build_dir, folder):
    text = (build_dir / "compile_commands.json").read_text(encoding="utf-8")
    for option in GNU_OPTIONS:
        text = text.replace(option, "")
    (folder / "compile_commands.json").write_text(text, encoding="utf-8")


def tidy(build_dir, file):
    started = time.monotonic()
    result = subprocess.run(
        ["clang-tidy", "--quiet", f"-p={build_dir}",
         *(f"--extra-arg={option}" for option in CLANG_OPTIONS), file],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, time.monotonic() - started


def main(arguments):
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    source_dir, build_dir = (Path(argument).resolve() for argument in arguments[:2])
    files = own_files(source_dir, build_dir, arguments[2] if len(arguments) == 3 else "")
    failed = 0
    with (tempfile.TemporaryDirectory() as folder,
          ThreadPoolExecutor(os.cpu_count()) as pool):
        commands = Path(folder)
        write_commands_for_clang(build_dir, commands)
        for file, (code, output, seconds) in zip(
                files, pool.map(lambda file: tidy(commands, file), files)):
            print(f"{'ok  ' if code == 0 else 'FAIL'} {seconds:5.1f} s  "
                  f"{Path(file).relative_to(source_dir)}", flush=True)
            if code != 0:
                failed += 1
                print(output, flush=True)
    print(f"tidy: {len(files)} files, {failed} with findings")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
