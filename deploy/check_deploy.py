#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what is shipped to run vigild, as far as that goes without Docker and Grafana.

Usage: check_deploy.py VIGILD METRICS_CC   (the binary, the source of the metrics)
"""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import yaml

FOLDER = pathlib.Path(__file__).resolve().parent
VIGILD, METRICS_SOURCE = sys.argv[1:3]
EXPOSURE_MAX = 2.0
HISTOGRAM_SUFFIX = re.compile(r"_(bucket|sum|count)$")


def run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=False)


def load(name):
    return yaml.safe_load((FOLDER / name).read_text())


def flags_of_vigild():
    return set(re.findall(r"--[a-z-]+", run(VIGILD, "--help").stdout))


class ServiceTest(unittest.TestCase):
    def setUp(self):
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd is not installed")

    def test_the_unit_is_valid(self):
        with tempfile.TemporaryDirectory() as folder:
            unit = pathlib.Path(folder) / "vigild.service"
            text = (FOLDER / "vigild.service").read_text().replace("/usr/bin/vigild", VIGILD)
            # What it refers to is there once it is installed.
            unit.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE))
            result = run("systemd-analyze", "verify", "--man=no", str(unit))
            self.assertEqual((result.returncode, result.stdout + result.stderr), (0, ""))

    def test_the_unit_is_hardened(self):
        unit = str(FOLDER / "vigild.service")
        result = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit)
        exposure = re.search(r"exposure level for \S+: ([\d.]+)", result.stdout)
        self.assertIsNotNone(exposure, result.stdout + result.stderr)
        self.assertLessEqual(float(exposure[1]), EXPOSURE_MAX)

    def test_its_command_line_is_understood(self):
        text = (FOLDER / "vigild.service").read_text()
        command = re.search(r"^ExecStart=(.*)$", text, re.MULTILINE)[1]
        flags = {word for word in shlex.split(command) if word.startswith("--")}
        self.assertLessEqual(flags, flags_of_vigild())


def instructions(text):
    """(instruction, arguments) of a Dockerfile, continuation lines joined."""
    lines = [line for line in text.split("\n") if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in joined.split("\n") if line.strip()]


class ContainerTest(unittest.TestCase):
    def setUp(self):
        self.steps = instructions((FOLDER / "Dockerfile").read_text())
        starts = [i for i, (name, _) in enumerate(self.steps) if name == "FROM"]
        self.stages = [self.steps[i:j] for i, j in zip(starts, [*starts[1:], len(self.steps)])]

    def test_the_last_stage_has_what_the_first_built_and_no_root(self):
        self.assertEqual(len(self.stages), 2)
        names = {arguments.split(" AS ")[1] for _, arguments in (self.stages[0][0],)}
        for name, arguments in self.stages[1]:
            if name == "COPY":
                self.assertIn(re.match(r"--from=(\w+) ", arguments)[1], names)
        users = [arguments for name, arguments in self.stages[1] if name == "USER"]
        self.assertEqual(len(users), 1)
        self.assertNotIn(users[0].split(":")[0], ("root", "0"))
        after = [name for name, _ in self.stages[1]][[n for n, _ in self.stages[1]].index("USER") :]
        self.assertNotIn("RUN", after)

    def test_images_are_named_with_their_versions(self):
        images = [stage[0][1].split(" AS ")[0] for stage in self.stages]
        images += [s["image"] for s in load("compose.yaml")["services"].values() if "image" in s]
        for image in images:
            self.assertRegex(image, r":[\w.-]*\d")

    def test_forms_in_brackets_are_json(self):
        for name, arguments in self.steps:
            if name in ("ENTRYPOINT", "CMD", "SHELL", "VOLUME"):
                self.assertIsInstance(json.loads(arguments), list)
            if name == "HEALTHCHECK":
                self.assertEqual(json.loads(arguments.split("CMD ", 1)[1])[0], "bash")

    def test_the_health_check_tells_ready_from_not(self):
        check = next(a for name, a in self.steps if name == "HEALTHCHECK")
        command = json.loads(check.split("CMD ", 1)[1])
        # Nothing listens on that port of this machine, or a vigild that is ready does.
        self.assertEqual(run("bash", "-n", "-c", command[2]).returncode, 0)

    def test_options_are_those_of_vigild(self):
        words = [
            word
            for name, arguments in self.steps
            if name in ("ENTRYPOINT", "CMD")
            for word in json.loads(arguments)
        ]
        flags = {word for word in words if word.startswith("--")}
        self.assertLessEqual(flags, flags_of_vigild())

    def test_the_composition_refers_to_what_it_has(self):
        compose = load("compose.yaml")
        for name, service in compose["services"].items():
            for secret in service.get("secrets", []):
                self.assertIn(secret, compose["secrets"])
            for other in service.get("depends_on", []):
                self.assertIn(other, compose["services"])
            for volume in service.get("volumes", []):
                source = volume.split(":")[0]
                if source.startswith("."):
                    self.assertTrue((FOLDER / source).exists(), f"{name}: {source}")
                else:
                    self.assertIn(source, compose["volumes"])
            for port in service["ports"]:
                self.assertTrue(port.startswith("127.0.0.1:"), port)
        self.assertTrue((FOLDER / compose["services"]["vigild"]["build"]["context"]).is_dir())


class DashboardTest(unittest.TestCase):
    def setUp(self):
        self.board = json.loads((FOLDER / "grafana" / "vigild.json").read_text())
        self.queries = [t["expr"] for panel in self.board["panels"] for t in panel["targets"]]

    def test_every_query_is_promql(self):
        variables = {"$__rate_interval": "5m", "$instance": ".*"}
        rules = []
        for number, query in enumerate(self.queries):
            for name, value in variables.items():
                query = query.replace(name, value)
            self.assertNotIn("$", query)
            rules.append({"record": f"query:{number}", "expr": query})
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}, file)
            file.flush()
            result = run("promtool", "check", "rules", file.name)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_every_metric_is_exported_or_recorded(self):
        source = pathlib.Path(METRICS_SOURCE).read_text()
        known = set(re.findall(r'"((?:cache|vigild|process)_[a-z_]+)"', source))
        for group in load("alerts.yml")["groups"]:
            known |= {rule["record"] for rule in group["rules"] if "record" in rule}
        for query in self.queries:
            for name in re.findall(r"\b(?:cache|vigild|process)[_:][a-z0-9_:]+", query):
                self.assertIn(HISTOGRAM_SUFFIX.sub("", name), known)

    def test_panels_have_places_and_sources_of_their_own(self):
        places = [tuple(panel["gridPos"].values()) for panel in self.board["panels"]]
        self.assertEqual(len(set(places)), len(places))
        self.assertEqual(len({panel["id"] for panel in self.board["panels"]}), len(places))
        sources = load("grafana/datasources.yaml")["datasources"]
        for panel in self.board["panels"]:
            self.assertEqual(panel["datasource"]["uid"], sources[0]["uid"])
        providers = load("grafana/dashboards.yaml")["providers"]
        mounts = load("compose.yaml")["services"]["grafana"]["volumes"]
        self.assertTrue(any(providers[0]["options"]["path"] in mount for mount in mounts))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
