#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy, with the checks of .clang-tidy, on every own file that the build compiles.

    run_tidy.py [--all] [--seconds N] SOURCE_DIR BUILD_DIR [PATH_PART]

PATH_PART keeps only the files whose path contains it. Clang's thread-safety analysis runs along.
Files that were committed last come first; with --seconds none is begun after so long, and what was
not looked at is said.

A file that was clean leaves a stamp, and is left out while nothing changed that clang-tidy would
see: the file, the headers of this project that it includes directly or through others, its compile
command, the checks, the versions of the tools and of the installed -dev packages. --all looks at
every file. Stamps are kept in $VIGIL_TIDY_CACHE (default: ~/.cache/vigil-tidy).

Exit code: 0 clean, 1 findings, 2 usage.
"""
import argparse
import hashlib
import json
import os
import re
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
# Options that clang is not given: those of g++ alone, and the precompiled headers, without which a
# test shows that it includes what it uses.
NOT_FOR_CLANG = re.compile(r" -fno-tree-loop-distribute-patterns"
                           r"| -Winvalid-pch -include \S+/cmake_pch\.hxx")
OWN_FOLDERS = ("vigil", "cmake", "tests", "examples")
INCLUDE = re.compile(rb'^\s*#\s*include\s*[<"](vigil/[^">]+)[">]', re.MULTILINE)


class Stamps:
    """Which files were clean, each under a hash of all that decides it."""

    def __init__(self, source_dir, build_dir):
        self.folder = Path(os.environ.get("VIGIL_TIDY_CACHE")
                           or Path.home() / ".cache/vigil-tidy")
        self.folder.mkdir(parents=True, exist_ok=True)
        self.source_dir = source_dir
        self.texts = {}
        self.commands = {}
        for command in json.loads((build_dir / "compile_commands.json").read_bytes()):
            text = NOT_FOR_CLANG.sub("", command["command"])
            self.commands[str(Path(command["directory"], command["file"]))] = text.replace(
                str(build_dir), "BUILD").replace(str(source_dir), "SOURCE")
        self.everywhere = hashlib.sha256(b"".join(
            subprocess.run(command, capture_output=True, check=True).stdout for command in (
                ["clang-tidy", "--version"], ["g++", "--version"],
                ["dpkg-query", "-W", "*-dev"])))
        for file in (source_dir / ".clang-tidy", Path(__file__)):
            self.everywhere.update(file.read_bytes())

    def of(self, file):
        """The stamp of `file` as it is now."""
        digest = self.everywhere.copy()
        digest.update(self.commands[file].encode())
        for path in self.reached_from(Path(file)):
            digest.update(str(path.relative_to(self.source_dir)).encode())
            digest.update(self.text(path))
        return self.folder / digest.hexdigest()

    def reached_from(self, file):
        reached, pending = set(), [file]
        while pending:
            path = pending.pop()
            if path in reached or not path.is_file():
                continue
            reached.add(path)
            pending.extend(self.source_dir / name.decode()
                           for name in INCLUDE.findall(self.text(path)))
        return sorted(reached)

    def text(self, path):
        if path not in self.texts:
            self.texts[path] = path.read_bytes()
        return self.texts[path]


def own_files(source_dir, build_dir, path_part):
    commands = json.loads((build_dir / "compile_commands.json").read_text(encoding="utf-8"))
    roots = tuple(f"{source_dir / folder}{os.sep}" for folder in OWN_FOLDERS)
    files = {str(Path(command["directory"], command["file"])) for command in commands}
    return sorted(file for file in files if file.startswith(roots) and path_part in file)


def write_commands_for_clang(build_dir, folder):
    """clang-tidy looks at a file once for each of its commands: those of targets that compile it
    alike are one."""
    commands = {}
    for command in json.loads((build_dir / "compile_commands.json").read_bytes()):
        command["command"] = NOT_FOR_CLANG.sub("", command["command"])
        alike = re.sub(r" -o \S+", "", command["command"])
        commands.setdefault((command["directory"], alike), command)
    (folder / "compile_commands.json").write_text(json.dumps(list(commands.values())),
                                                  encoding="utf-8")


def tidy(build_dir, file):
    started = time.monotonic()
    result = subprocess.run(
        ["clang-tidy", "--quiet", f"-p={build_dir}",
         *(f"--extra-arg={option}" for option in CLANG_OPTIONS), file],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, time.monotonic() - started


def last_committed_first(source_dir, files):
    """Without a history: as they are."""
    log = subprocess.run(["git", "-C", str(source_dir), "log", "--format=", "--name-only"],
                         stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    age = {}
    for name in log.stdout.split("\n"):
        age.setdefault(str(source_dir / name), len(age))
    return sorted(files, key=lambda file: age.get(file, 0))


def options_of(arguments):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("source_dir", type=Path)
    parser.add_argument("build_dir", type=Path)
    parser.add_argument("path_part", nargs="?", default="")
    return parser.parse_args(arguments)


def main(arguments):
    options = options_of(arguments)
    source_dir, build_dir = options.source_dir.resolve(), options.build_dir.resolve()
    own = own_files(source_dir, build_dir, options.path_part)
    stamps = Stamps(source_dir, build_dir)
    stamp_of = {file: stamps.of(file) for file in own}
    files = last_committed_first(
        source_dir, [file for file in own if options.all or not stamp_of[file].exists()])
    failed = 0
    left = 0
    end = time.monotonic() + options.seconds
    with (tempfile.TemporaryDirectory() as folder,
          ThreadPoolExecutor(os.cpu_count()) as pool):
        commands = Path(folder)
        write_commands_for_clang(build_dir, commands)
        def look(file):
            return tidy(commands, file) if time.monotonic() < end else None

        for file, looked in zip(files, pool.map(look, files)):
            if looked is None:
                left += 1
                continue
            code, output, seconds = looked
            print(f"{'ok  ' if code == 0 else 'FAIL'} {seconds:5.1f} s  "
                  f"{Path(file).relative_to(source_dir)}", flush=True)
            if code == 0:
                stamp_of[file].touch()
            else:
                failed += 1
                print(output, flush=True)
    print(f"tidy: {len(files) - left} files, {failed} with findings; "
          f"{len(own) - len(files)} unchanged since they were clean; {left} not looked at"
          f"{' for want of time: ctest --preset lint does' if left else ''}")
    return 1 if failed or not own else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
