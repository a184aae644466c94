# SPDX-License-Identifier: Apache-2.0
"""Runs `vigil gate` in an empty folder of its own, with programs planted before the real ones.

CTest names the binaries in the environment: VIGIL and RACY_MAP.
"""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SOURCE_DIR = pathlib.Path(__file__).resolve().parents[2]
GO_FIXTURES = SOURCE_DIR / "tests" / "fixtures" / "go"
TIMEOUT_S = 120
# What a CI system sets, or a developer; a test sets what it needs.
CI_VARIABLES = ("GITHUB_", "CI_", "TSAN_OPTIONS", "GORACE", "GOFLAGS", "BUILD_TAG", "WORKSPACE")


def fixed_addresses():
    """ThreadSanitizer 12 and 14 need them on newer kernels; not every container permits it."""
    permitted = subprocess.run(["setarch", "-R", "true"], capture_output=True, check=False)
    return ["setarch", "-R"] if permitted.returncode == 0 else []


class GateTestCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vigil-gate-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.planted = self.folder / "planted"
        self.planted.mkdir()
        self.environment = {
            key: value for key, value in os.environ.items() if not key.startswith(CI_VARIABLES)
        }
        self.environment["PATH"] = f"{self.planted}:{os.environ['PATH']}"
        self.vigil = os.environ["VIGIL"]
        self.racy_map = fixed_addresses() + [os.environ["RACY_MAP"]]

    def run_vigil(self, *arguments, env=None):
        return subprocess.run(
            [self.vigil, *map(str, arguments)], cwd=self.folder, timeout=TIMEOUT_S, check=False,
            env={**self.environment, **(env or {})}, capture_output=True, text=True)

    def gate(self, *arguments, stage="unit", code, env=None):
        """Runs the gate at a stage, expects its exit code and returns its JSON verdict and run."""
        file = self.folder / "verdict.json"
        file.unlink(missing_ok=True)
        run = self.run_vigil("gate", "--stage", stage, "--json", file, *arguments, env=env)
        self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        return (json.loads(file.read_text()) if file.exists() else None), run

    def plant(self, name, script):
        """A program found before the real one of that name."""
        program = self.planted / name
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(0o755)

    def plant_go(self, log="gotest_race.txt", exit_code=1):
        self.plant("go", f"cat {GO_FIXTURES / log}\nexit {exit_code}\n")

    def write(self, name, text):
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def copy_fixture(self, name):
        return shutil.copy(GO_FIXTURES / name, self.folder / name)


def functions_of(verdict):
    return [sorted(side["function"] for side in issue["sides"]) for issue in verdict["issues"]]
