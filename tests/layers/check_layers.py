#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rejects every #include of a vigil header that the including module did not declare.

    check_layers.py SOURCE_DIR LAYERS_FILE

LAYERS_FILE is written by CMake from vigil_module() and the program helpers, one declaration a line:
`module FOLDER NAME: DEPS`, `headers FOLDER NAME: FILES` or `source FOLDER FILE: MODULES`.

A module's files may include headers of the module itself and of its declared dependencies. The
sources of a program (binary, test, fuzz target, benchmark) may include headers of its modules and
of everything those depend on, and headers that a program beside them names among its SOURCES.
Every other header must be named in the HEADERS of its module, because only those are installed and
checked to compile on their own. What stands in a folder `internal` is included by files below that
folder's parent only.

A room is a header and its source together. Rooms must not include one another in a circle, inside a
module either: whoever reads one room of a circle has to read them all.

Exit code: 0 clean, 1 findings, 2 usage.
"""
import re
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCE_SUFFIXES = {".h", ".cc", ".c"}


class Layers:
    """The declared arrows between modules, and the modules that each program uses."""

    def __init__(self, text):
        self.dependencies = {}
        self.headers = set()
        self.sources = {}
        for line in text.splitlines():
            kind, folder, rest = line.split(" ", 2)
            name, _, names = rest.partition(":")
            if kind == "module":
                self.dependencies[name] = set(names.split())
            elif kind == "headers":
                self.headers.update(f"{folder}/{header}" for header in names.split())
            else:
                self.sources.setdefault(f"{folder}/{name}", set()).update(names.split())

    def module_of(self, path):
        """The module that owns `path` (vigil/maps/internal/x.h -> maps), or None."""
        parts = Path(path).parts[1:-1]
        for length in range(len(parts), 0, -1):
            name = "/".join(parts[:length])
            if name in self.dependencies:
                return name
        return None

    def closure(self, names):
        reached, pending = set(), list(names)
        while pending:
            name = pending.pop()
            if name not in reached:
                reached.add(name)
                pending.extend(self.dependencies.get(name, ()))
        return reached

    def allowed(self, path):
        """The modules that the file may include, or None when it has no rule."""
        if path in self.sources:
            return self.closure(self.sources[path])
        module = self.module_of(path)
        if module is None:
            return None
        return {module} | self.dependencies[module]

    def cycle(self):
        """A module that depends on itself through others, or None."""
        for name, dependencies in self.dependencies.items():
            if name in self.closure(dependencies):
                return name
        return None


def findings_in(path, text, layers):
    """Yields one message per forbidden include of one file."""
    allowed = layers.allowed(path)
    if allowed is None:
        yield f"{path}: belongs to no vigil_module() and no program"
        return
    if path.endswith(".h") and path not in layers.headers | layers.sources.keys():
        yield f"{path}: is not among the HEADERS of its vigil_module()"
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        bracket, target = match.groups()
        place = f"{path}:{number}"
        if not target.startswith("vigil/"):
            if bracket == '"':
                yield f'{place}: write "{target}" as its full path from vigil/ on'
            continue
        if target in layers.sources and Path(target).parent == Path(path).parent:
            continue
        if is_foreign_internal(path, target):
            yield f"{place}: {target} is internal to {Path(target).parent.parent}"
        module = layers.module_of(target)
        if module is None:
            yield f"{place}: {target} belongs to no module"
        elif module not in allowed:
            yield (f"{place}: includes {target}, but its module may only use: "
                   f"{', '.join(sorted(allowed))}")


def is_foreign_internal(path, target):
    """Whether `target` stands in an `internal` folder whose owner is not above `path`."""
    owner, internal, _ = target.partition("/internal/")
    return bool(internal) and not path.startswith(f"{owner}/")


def room_of(path):
    return path.rsplit(".", 1)[0]


def room_arrows(texts):
    """Which rooms each room includes, from {path: text}."""
    arrows = {}
    for path, text in texts.items():
        targets = arrows.setdefault(room_of(path), set())
        for line in text.splitlines():
            match = INCLUDE.match(line)
            if match and match.group(2) in texts:
                targets.add(room_of(match.group(2)))
        targets.discard(room_of(path))
    return arrows


def circles(arrows):
    """The strongly connected components of more than one room (Tarjan, 1972), sorted."""
    order, lowest, stack, found = {}, {}, [], []

    def visit(room):
        order[room] = lowest[room] = len(order)
        stack.append(room)
        for target in sorted(arrows[room]):
            if target not in order:
                visit(target)
            if target in stack:
                lowest[room] = min(lowest[room], lowest[target])
        if lowest[room] == order[room]:
            start = stack.index(room)
            found.append(sorted(stack[start:]))
            del stack[start:]

    for room in sorted(arrows):
        if room not in order:
            visit(room)
    return sorted(circle for circle in found if len(circle) > 1)


def check(source_dir, layers):
    cycle = layers.cycle()
    if cycle:
        yield f"module {cycle} depends on itself"
    texts = {}
    for file in sorted((source_dir / "vigil").rglob("*")):
        if file.suffix in SOURCE_SUFFIXES:
            path = file.relative_to(source_dir).as_posix()
            texts[path] = file.read_text(encoding="utf-8")
            yield from findings_in(path, texts[path], layers)
    for circle in circles(room_arrows(texts)):
        yield f"{len(circle)} rooms include one another in a circle: {', '.join(circle)}"


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    layers = Layers(Path(arguments[1]).read_text(encoding="utf-8"))
    findings = list(check(Path(arguments[0]), layers))
    for finding in findings:
        print(finding)
    print(f"layers: {len(layers.dependencies)} modules, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
