# SPDX-License-Identifier: Apache-2.0
"""Runs the program under test, which CTest names in VIGIL, in an empty folder of its own."""

import os
import pathlib
import pty
import subprocess
import tempfile
import unittest

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures"
HOSTILE = FIXTURES / "hostile"
TIMEOUT_S = 60
CI_VARIABLES = ("GITHUB_", "CI_", "TSAN_OPTIONS", "GORACE", "BUILD_TAG", "WORKSPACE")


def is_hidden(code):
    """Control, bidi, separators, non-characters: said again, not taken from the program."""
    return (code < 0x20 or 0x7F <= code < 0xA0 or code in (0x61C, 0x200E, 0x200F, 0x2028, 0x2029)
            or 0x202A <= code <= 0x202E or 0x2066 <= code <= 0x2069 or 0xFDD0 <= code <= 0xFDEF
            or code & 0xFFFE == 0xFFFE or 0xE0000 <= code <= 0xE007F)


# Every one in a name of its own would be a long log: some from each range, and all below U+0100.
HIDDEN = [c for c in range(0x100) if is_hidden(c)] + [
    0x61C, 0x200E, 0x200F, 0x2028, 0x2029, 0x202A, 0x202B, 0x202C, 0x202D, 0x202E, 0x2066, 0x2067,
    0x2068, 0x2069, 0xFDD0, 0xFDEF, 0xFFFE, 0xFFFF, 0x1FFFE, 0x1FFFF, 0x10FFFE, 0x10FFFF, 0xE0001,
    0xE0041]
# A name cannot hold these where the format of a log gives them a meaning.
ENDS_A_LINE = (0x00, 0x0A, 0x0D)
NO_UTF8 = [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf4\x90\x80\x80", b"\xe2\x80"]


class HostileTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vigil-hostile-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.vigil = os.environ["VIGIL"]
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith(CI_VARIABLES)}

    def run_vigil(self, *arguments, env=None, timeout_s=TIMEOUT_S, **options):
        return subprocess.run(
            [self.vigil, *map(os.fsencode, map(self._word, arguments))], cwd=self.folder,
            timeout=timeout_s, check=False, env={**self.environment, **(env or {})},
            stdin=subprocess.DEVNULL, **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
                                         **options})

    @staticmethod
    def _word(argument):
        return argument if isinstance(argument, bytes) else str(argument)

    def on_terminal(self, *arguments, env):
        """What a terminal of 80 columns gets, and how the program ended."""
        master, slave = pty.openpty()
        subprocess.run(["stty", "cols", "80"], stdin=slave, check=True)
        program = subprocess.Popen(
            [self.vigil, *map(str, arguments)], cwd=self.folder, stdin=subprocess.DEVNULL,
            stdout=slave, stderr=slave, env={**self.environment, **env})
        os.close(slave)
        said = b""
        while True:
            try:
                piece = os.read(master, 1 << 16)
            except OSError:  # its last end was closed
                break
            if not piece:
                break
            said += piece
        os.close(master)
        return said, program.wait(timeout=TIMEOUT_S)

    def write(self, name, content):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    def assert_nothing_hidden(self, output, what):
        """In lines of text: valid UTF-8, and no hidden character but the ends of lines."""
        text = output.decode("utf-8", errors="strict")
        hidden = {f"U+{ord(c):04X}" for c in text if is_hidden(ord(c)) and c not in "\n\t"}
        self.assertEqual(hidden, set(), what)

    def assert_no_command(self, output, what, own=()):
        """No line that GitHub, Azure or TeamCity would obey, but the program's own annotations."""
        for line in output.decode().splitlines():
            if line.startswith(own):
                continue
            self.assertFalse(line.lstrip().startswith("::"), f"{what}: {line}")
            for mark in ("##[", "##vso[", "##teamcity["):
                self.assertNotIn(mark, line, what)
