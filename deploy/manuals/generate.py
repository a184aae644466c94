#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the manual pages and the completions of vigil and vigild, from what their --help says.

    deploy/manuals/generate.py --output build/manuals build/release/vigild build/release/vigil

    build/manuals/man/man1/vigild.1, vigil-race-run.1, ...
    build/manuals/bash-completion/completions/vigild
    build/manuals/zsh/site-functions/_vigild
    build/manuals/fish/vendor_completions.d/vigild.fish
"""

import argparse
import pathlib
import sys

import completions
import man_pages
from program_help import read_program


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("programs", nargs="+", type=pathlib.Path)
    arguments = parser.parse_args()
    for program in arguments.programs:
        name = program.name
        commands = read_program(str(program.resolve()), name)
        if not commands:
            print(f"{program} --help has no usage", file=sys.stderr)
            return 1
        for command in commands:
            page = "-".join(command.words) + ".1"
            write(arguments.output / "man" / "man1" / page, man_pages.page(command))
        write(
            arguments.output / "bash-completion" / "completions" / name, completions.bash(commands)
        )
        write(arguments.output / "zsh" / "site-functions" / f"_{name}", completions.zsh(commands))
        write(
            arguments.output / "fish" / "vendor_completions.d" / f"{name}.fish",
            completions.fish(commands),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
