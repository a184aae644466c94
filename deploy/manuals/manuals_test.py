# SPDX-License-Identifier: Apache-2.0
"""The manual pages are well-formed and whole; the completions work in bash, zsh and fish.

    manuals_test.py PROGRAM...   (vigild and vigil)
"""

import contextlib
import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import program_help

FOLDER = pathlib.Path(__file__).resolve().parent
PROGRAMS = {pathlib.Path(path).name: path for path in sys.argv[1:]}
TIMEOUT_S = 60


def run(*arguments, **options):
    return subprocess.run(
        [str(argument) for argument in arguments],
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False, **options,
    )  # fmt: skip


class Terminal:
    """An interactive shell; reads until something is there, and fails if it never is."""

    def __init__(self, *arguments):
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.environ["TERM"] = "dumb"
            os.execvp(arguments[0], arguments)

    def send(self, text):
        os.write(self._terminal, text.encode())

    def read_until(self, wanted):
        seen, deadline = "", time.monotonic() + TIMEOUT_S
        while not re.search(wanted, seen):
            readable, _, _ = select.select([self._terminal], [], [], deadline - time.monotonic())
            if not readable:
                raise AssertionError(f"no {wanted!r} in {seen[-500:]!r}")
            seen += os.read(self._terminal, 65536).decode(errors="replace")
        return seen

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, 9)
        os.waitpid(self._pid, 0)
        os.close(self._terminal)


class ManualsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.output = pathlib.Path(folder.name)
        made = run(sys.executable, "-B", FOLDER / "generate.py", "--output", cls.output,
                   *PROGRAMS.values())  # fmt: skip
        assert made.returncode == 0, made.stderr
        cls.commands = {
            name: program_help.read_program(path, name) for name, path in PROGRAMS.items()
        }

    def require(self, program):
        if not shutil.which(program):
            self.skipTest(f"{program} is not installed: run scripts/setup.sh")

    def each_command(self):
        return [command for commands in self.commands.values() for command in commands]

    def test_every_option_of_the_help_was_read(self):
        for command in self.each_command():
            text = program_help.ask(PROGRAMS[command.words[0]], command.words[1:])
            listed = set(re.findall(r"^  (?:-\w,)?(--[\w-]+)", text, re.MULTILINE))
            read = {option.name for option in command.options}
            self.assertEqual(listed - read, set(), command.words)
            for option in command.options:
                self.assertNotEqual(option.help, "", (command.words, option.name))

    def test_pages_are_well_formed_and_name_every_option(self):
        self.require("groff")
        for command in self.each_command():
            page = self.output / "man" / "man1" / ("-".join(command.words) + ".1")
            result = run("groff", "-man", "-ww", "-Tutf8", "-P-cbou", page)
            self.assertEqual(result.stderr, "", page)
            self.assertIn("SYNOPSIS", result.stdout)
            for option in command.options:
                self.assertIn(option.name, result.stdout.replace("\u2010", "-"), page)

    # --- bash ---------------------------------------------------------------------------------

    def bash(self, *words):
        """What bash would offer for the last word."""
        program = words[0]
        script = self.output / "bash-completion" / "completions" / program
        quoted = " ".join(f"'{word}'" for word in words)
        result = run(
            "bash", "--norc", "-c",
            f"source {script}; COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; "
            f"_{program}; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        )  # fmt: skip
        self.assertEqual(result.stderr, "", words)
        return result.stdout.split()

    def test_bash_offers_the_options_of_every_command(self):
        for command in self.each_command():
            wanted = {option.name for option in command.options}
            self.assertEqual(set(self.bash(*command.words, "--")), wanted, command.words)
            names = [name for name, _ in command.commands]
            if names:
                self.assertLessEqual(set(names), set(self.bash(*command.words, "")))

    def test_bash_offers_values_and_leaves_programs_alone(self):
        if "vigil" not in PROGRAMS:
            self.skipTest("vigil was not built")
        self.assertEqual(self.bash("vigil", "race", "run", "--mode", ""), ["controlled", "free"])
        self.assertEqual(self.bash("vigil", "race", "run", "--json", ""), [])
        self.assertEqual(self.bash("vigil", "race", "run", "--", "./service", "--"), [])
        self.assertEqual(self.bash("vigil", "benc"), ["bench"])

    # --- zsh ----------------------------------------------------------------------------------

    def test_zsh_completes_options_and_commands(self):
        self.require("zsh")
        shell = Terminal("zsh", "-f", "-i")
        self.addCleanup(shell.close)
        functions = self.output / "zsh" / "site-functions"
        shell.send(
            f"PS1='prompt''> '; fpath=({functions} $fpath); autoload -U compinit;"
            f" compinit -D -u; cd {self.output}\n"
        )
        shell.read_until("prompt> ")
        cases = [("vigild --resp-p", "--resp-port"), ("vigild --demo --allow-un", "authenticated")]
        if "vigil" in PROGRAMS:
            cases += [("vigil benc", "bench"), ("vigil race minim", "minimize"),
                      ("vigil race run --sched", "--schedules")]  # fmt: skip
        for typed, wanted in cases:
            shell.send(typed + "\t")
            shell.read_until(re.escape(wanted[-4:]))  # its end was not typed
            shell.send("\x15\n")  # an empty line instead
            shell.read_until("prompt> ")

    # --- fish ---------------------------------------------------------------------------------

    def fish(self, line):
        program = line.split()[0]
        script = self.output / "fish" / "vendor_completions.d" / f"{program}.fish"
        result = run("fish", "--no-config", "-c", f"source {script}; complete -C '{line}'",
                     cwd=self.output)  # fmt: skip
        self.assertEqual(result.stderr, "", line)
        return [offer.split("\t")[0] for offer in result.stdout.splitlines()]

    def test_fish_offers_the_options_of_every_command(self):
        self.require("fish")
        for command in self.each_command():
            offered = set(self.fish(" ".join([*command.words, "--"])))
            wanted = {option.name for option in command.options}
            self.assertLessEqual(wanted, {offer.rstrip("=") for offer in offered}, command.words)

    def test_fish_offers_values(self):
        self.require("fish")
        if "vigil" not in PROGRAMS:
            self.skipTest("vigil was not built")
        self.assertEqual(set(self.fish("vigil race run --mode ")), {"controlled", "free"})
        self.assertIn("bench", self.fish("vigil be"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
