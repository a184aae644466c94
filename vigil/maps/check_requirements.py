#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks that misuse of a map's type or signature ends in a sentence, not in the library's insides.

    check_requirements.py COMPILER INCLUDE_DIR

compiles programs that must not compile, each of many misuses, and looks for the sentence of each
in what the compiler says. A program that must compile comes first, so that a broken header is not
taken for success.

Exit code: 0 all as expected, 1 not.
"""
import subprocess
import sys

# One of each root: ShardedMap and ReadMostlyMap share theirs, as do the maps over a FlatMap.
HEADERS = {"ShardedMap": "sharded_map", "RwMap": "rw_map"}
TYPES = """
struct Plain { int n; };
struct HashOfPlain { std::size_t operator()(const Plain& p) const { return std::size_t(p.n); } };
struct HashOfString { std::size_t operator()(const std::string& s) const { return s.size(); } };
struct NeverMoved { NeverMoved() = default; NeverMoved(NeverMoved&&) = delete; };
"""

COMPILES = """
struct EqualOfPlain {
  bool operator()(const Plain& a, const Plain& b) const { return a.n == b.n; }
};
vigil::M<Plain, std::unique_ptr<int>, HashOfPlain, EqualOfPlain> map;
"""

# (what the compiler says, a program of one line with M for the map)
OF_EVERY_MAP = (
    ("the Key of a map must be copy-constructible", "vigil::M<std::unique_ptr<int>, int> map1;"),
    ("the Key of a map must be an object type without const", "vigil::M<const int, int> map2;"),
    ("the Value of a map must be move-constructible", "vigil::M<int, NeverMoved> map3;"),
    ("the Value of a map must be an object type", "vigil::M<int, int&> map4;"),
    ("a Key without std::hash needs a Hash of its own", "vigil::M<Plain, int> map5;"),
    ("the Hash of a map must be callable", "vigil::M<std::string, int, HashOfString> map6;"),
    ("the Equal of a map must compare two keys", "vigil::M<Plain, int, HashOfPlain> map7;"),
)
OF_ONE_MAP = (
    ("snapshot_map", "a SnapshotMap copies its entries",
     "vigil::SnapshotMap<int, std::unique_ptr<int>> map;"),
    ("sharded_map", "Deadline",
     'void use(vigil::ShardedMap<std::string, int>& m) { m.insert("k", 1, 60\'000); }'),
    ("sharded_map", "Deadline",
     "void use(vigil::ShardedMap<std::string, int>& m) "
     '{ m.insert("k", 1, std::chrono::milliseconds(60\'000)); }'),
)


class Compiler:
    def __init__(self, path, include_dir):
        self.command = [path, "-std=c++20", "-fsyntax-only", f"-I{include_dir}", "-x", "c++", "-"]

    def complaints(self, header, program):
        """What the compiler says about a program; empty if it compiles."""
        text = f'#include <memory>\n#include <string>\n#include "vigil/maps/{header}.h"\n'
        result = subprocess.run(self.command, input=text + TYPES + program, capture_output=True,
                                text=True, check=False)
        return result.stderr if result.returncode else ""


def failures(compiler):
    for name, header in HEADERS.items():
        if complaints := compiler.complaints(header, COMPILES.replace("::M<", f"::{name}<")):
            yield f"what must compile does not: {complaints}"
        program = "\n".join(line for _, line in OF_EVERY_MAP)
        complaints = compiler.complaints(header, program.replace("::M<", f"::{name}<"))
        for sentence, line in OF_EVERY_MAP:
            if sentence not in complaints:
                yield f"{name}: \"{sentence}\" is not said of {line}"
    for header, sentence, program in OF_ONE_MAP:
        if sentence not in compiler.complaints(header, program):
            yield f"\"{sentence}\" is not said of {program}"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    found = list(failures(Compiler(*sys.argv[1:])))
    print("\n".join(found) or "every misuse ends in its sentence")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
