# SPDX-License-Identifier: Apache-2.0
"""What `PROGRAM --help` says, as data: the programs print it from their option tables.

    for command in read_program("build/dev/vigil"):
        print(" ".join(command.words), [option.name for option in command.options])
"""

import dataclasses
import re
import subprocess

# `  -h,--help  text`, `  --memory-limit,--maxmemory VALUE`: the name comes first, then its aliases.
OPTION = re.compile(r"  (?:-\w,)?(--[\w-]+)(?:,--[\w-]+)*(?: (\S.*?))?(?:  +(\S.*))?$")
COMMAND = re.compile(r"  ([a-z][\w-]*)  +(\S.*)$")
TIMEOUT_S = 60


@dataclasses.dataclass
class Option:
    name: str  # "--json"
    value: str  # "FILE"; empty: it takes none
    help: str

    @property
    def choices(self):
        """"a|b|c" in small letters are what may be written."""
        return self.value.split("|") if re.fullmatch(r"[a-z-]+(\|[a-z-]+)+", self.value) else []

    @property
    def takes_file(self):
        names = re.split(r"[|,]", self.value)
        return bool({"FILE", "DIR", "GLOB", "PATH"} & set(names)) or re.search(
            r"\bfile\b|\bdirectory\b|\bpath\b", self.help.split(";")[0]
        ) is not None and self.value == "VALUE"


@dataclasses.dataclass
class Command:
    words: list  # ["vigil", "race", "run"]
    summary: str
    usage: list
    text: list  # lines that belong to no list
    options: list
    commands: list  # pairs of a name and what it does

    def option(self, name):
        return next(option for option in self.options if option.name == name)


def parse(words, summary, text):
    """The command that printed `text` when asked for help."""
    command = Command(list(words), summary, [], [], [], [])
    section = None
    for line in text.rstrip("\n").split("\n"):
        if line.startswith("Usage: "):
            command.usage.append(line.removeprefix("Usage: "))
            section = "usage"
        elif section == "usage" and line.startswith(" " * 7):
            command.usage.append(line.strip())
        elif line in ("Options:", "Commands:"):
            section = line
        elif section == "Options:" and (found := OPTION.match(line)):
            name, value, help_text = found.groups()
            command.options.append(Option(name, value or "", help_text or ""))
        elif section == "Options:" and line.startswith(" " * 20) and command.options:
            last = command.options[-1]
            last.help = f"{last.help} {line.strip()}".strip()
        elif section == "Commands:" and (found := COMMAND.match(line)):
            command.commands.append(found.groups())
        else:
            if section == "usage" or (line and section in ("Options:", "Commands:")):
                section = "text"
            command.text.append(line)
    if not any(option.name == "--help" for option in command.options) and command.options:
        command.options.append(Option("--help", "", "print this help"))
    if not command.commands:
        command.commands = [(name, "") for name in _words_of_usage(command)]
    return command


def _words_of_usage(command):
    """Of `vigil bench maps|server` and `vigil layers print`: words in small letters."""
    names = []
    for line in command.usage:
        rest = line.split()[len(command.words) :]
        if rest and re.fullmatch(r"[a-z]+(\|[a-z]+)*", rest[0]):
            names += rest[0].split("|")
    return names


def ask(program, words):
    return subprocess.run(
        [program, *words, "--help"], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    ).stdout


def read_program(program, name):
    """The program and its commands, each before its own commands."""
    found = []

    def read(words, summary):
        text = ask(program, words[1:])
        command = parse(words, summary, text)
        if not command.usage or not command.usage[0].startswith(" ".join(words)):
            return  # it has no help of its own: `vigil version`
        found.append(command)
        for sub_name, sub_summary in command.commands:
            read([*words, sub_name], sub_summary)

    read([name], "")
    return found
