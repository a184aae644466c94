#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs clang-tidy, with the checks of .clang-tidy, on every own file that the build compiles.

    run_tidy.py [--all] SOURCE_DIR BUILD_DIR [PATH_PART]

PATH_PART keeps only the files whose path contains it. Clang's thread-safety analysis runs along.

A file that was clean leaves a stamp, and is left out while nothing changed that clang-tidy would
see: the file, the headers of this project that it includes directly or through others, its compile
command, the checks, the versions of the tools and of the installed -dev packages. --all looks at
every file. Stamps are kept in $VIGIL_TIDY_CACHE (default: ~/.cache/vigil-tidy).

Exit code: 0 clean, 1 findings, 2 usage.
"""
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
    text = (build_dir / "compile_commands.json").read_text(encoding="utf-8")
    (folder / "compile_commands.json").write_text(NOT_FOR_CLANG.sub("", text), encoding="utf-8")


def tidy(build_dir, file):
    started = time.monotonic()
    result = subprocess.run(
        ["clang-tidy", "--quiet", f"-p={build_dir}",
         *(f"--extra-arg={option}" for option in CLANG_OPTIONS), file],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout, time.monotonic() - started


def main(arguments):
    look_at_all = "--all" in arguments
    arguments = [argument for argument in arguments if argument != "--all"]
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    source_dir, build_dir = (Path(argument).resolve() for argument in arguments[:2])
    own = own_files(source_dir, build_dir, arguments[2] if len(arguments) == 3 else "")
    stamps = Stamps(source_dir, build_dir)
    stamp_of = {file: stamps.of(file) for file in own}
    files = [file for file in own if look_at_all or not stamp_of[file].exists()]
    failed = 0
    with (tempfile.TemporaryDirectory() as folder,
          ThreadPoolExecutor(os.cpu_count()) as pool):
        commands = Path(folder)
        write_commands_for_clang(build_dir, commands)
        for file, (code, output, seconds) in zip(
                files, pool.map(lambda file: tidy(commands, file), files)):
            print(f"{'ok  ' if code == 0 else 'FAIL'} {seconds:5.1f} s  "
                  f"{Path(file).relative_to(source_dir)}", flush=True)
            if code == 0:
                stamp_of[file].touch()
            else:
                failed += 1
                print(output, flush=True)
    print(f"tidy: {len(files)} files, {failed} with findings; "
          f"{len(own) - len(files)} unchanged since they were clean")
    return 1 if failed or not own else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
