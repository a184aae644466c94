#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compiles and runs one small program that uses the installed maps as many projects would: by
CMake and by pkg-config, with other compilers, standards, sanitizers and options than the library
was built with.

    check_consumers.py BUILD_DIR WORK_DIR [--only TEXT]

Installs the component `library` of the build into WORK_DIR/prefix. What the machine lacks (a
compiler, libc++) is said and left out.

Exit code: 0 every program said that it is well, 1 one did not, 2 usage.
"""
import argparse
import os
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

CONSUMERS = Path(__file__).resolve().parent / "consumer/maps"
SOURCES = Path(__file__).resolve().parent.parent.parent
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wsign-conversion", "-Wshadow",
            "-Wold-style-cast", "-Werror"]
# Of the library, for a program whose standard library is another one than the archive's.
MODULES = ["base", "stacks", "maps/internal"]


@dataclass
class Consumer:
    what: str
    compiler: str
    options: list = field(default_factory=list)
    from_sources: bool = False  # compiles the library's sources along


MATRIX = [
    Consumer("g++, C++20, every warning an error", "g++", ["-std=c++20", "-O0", *WARNINGS]),
    Consumer("g++, C++23, without exceptions and RTTI", "g++",
             ["-std=c++23", "-O0", "-fno-exceptions", "-fno-rtti"]),
    Consumer("g++, link-time optimisation", "g++", ["-std=gnu++20", "-O1", "-flto=auto"]),
    Consumer("g++, AddressSanitizer", "g++", ["-std=c++20", "-O0", "-fsanitize=address"]),
    Consumer("g++, ThreadSanitizer", "g++", ["-std=c++20", "-O0", "-fsanitize=thread"]),
    Consumer("clang++, C++2b, hidden visibility, every warning an error", "clang++",
             ["-std=c++2b", "-O0", "-fvisibility=hidden", *WARNINGS]),
    Consumer("clang++, libc++", "clang++", ["-std=c++20", "-O0", "-stdlib=libc++"],
             from_sources=True),
]


class Failed(Exception):
    pass


def run(command, **options):
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}\nexit {done.returncode}\n{done.stdout}")
    return done.stdout


def run_consumer(command):
    # Without randomised addresses, which ThreadSanitizer of older compilers cannot cope with.
    output = run(["setarch", "-R", *command])
    if output.strip() != "consumer: ok":
        raise Failed(f"{' '.join(map(str, command))}\nsaid {output}")


class Matrix:
    def __init__(self, build, work):
        self.prefix = work / "prefix"
        self.work = work
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        run(["cmake", "--install", build, "--prefix", self.prefix, "--component", "library"])

    def pkg_config(self, *what):
        folder = next(self.prefix.rglob("vigil-maps.pc")).parent
        return run(["pkg-config", *what, "vigil-maps"],
                   env={**os.environ, "PKG_CONFIG_PATH": str(folder)}).split()

    def missing(self, consumer):
        if shutil.which(consumer.compiler) is None:
            return f"there is no {consumer.compiler}"
        probe = subprocess.run([consumer.compiler, *consumer.options, "-x", "c++",
                                "-fsyntax-only", "-"], input="#include <string>\n", text=True,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return "" if probe.returncode == 0 else f"{consumer.compiler} cannot do this here"

    def check(self, consumer):
        program = self.work / consumer.what.replace(" ", "-").replace(",", "")
        sources = [CONSUMERS / "consumer.cc"]
        libraries = self.pkg_config("--libs")
        if consumer.from_sources:
            sources += [path for module in MODULES
                        for path in (SOURCES / "vigil" / module).glob("*.cc")
                        if not path.stem.endswith(("_test", "_bench"))]
            libraries = ["-pthread", '-DVIGIL_VERSION="sources"']
        run([consumer.compiler, *consumer.options, *self.pkg_config("--cflags"), *sources,
             "-o", program, *libraries, "-ldl"])
        run_consumer([program])

    def check_cmake(self):
        build = self.work / "cmake"
        run(["cmake", "-S", CONSUMERS, "-B", build, "-G", "Ninja",
             f"-DCMAKE_PREFIX_PATH={self.prefix}"])
        run(["cmake", "--build", build])
        plugin = self.work / "plugin.so"
        run(["g++", "-std=c++20", "-O0", "-shared", "-fPIC", "-fvisibility=hidden",
             *self.pkg_config("--cflags"), CONSUMERS / "plugin.cc", "-o", plugin,
             *self.pkg_config("--libs")])
        run_consumer([build / "consumer", plugin])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("build", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--only", default="", help="part of a consumer's description")
    arguments = parser.parse_args()
    matrix = Matrix(arguments.build, arguments.work)
    checks = [("CMake, COMPONENTS maps, and a plug-in of hidden visibility", "",
               matrix.check_cmake)]
    checks += [(consumer.what, matrix.missing(consumer),
                lambda consumer=consumer: matrix.check(consumer)) for consumer in MATRIX]

    def judge(check):
        what, missing, verify = check
        if arguments.only not in what:
            return True
        begin = time.monotonic()
        try:
            if not missing:
                verify()
        except Failed as failure:
            print(f"FAILED  {what}\n{failure}", flush=True)
            return False
        verdict = f"left out ({missing})" if missing else f"ok {time.monotonic() - begin:4.1f} s"
        print(f"{verdict}  {what}", flush=True)
        return True

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        well = list(pool.map(judge, checks))
    print(f"consumers: {well.count(False)} of {len(well)} failed")
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
