# SPDX-License-Identifier: Apache-2.0
"""The pipelines of examples/ci: their files parse, and their commands do what they promise.

Each pipeline is walked as its CI system walks it: a stage begins if the condition in the file lets
it, commands run in a shell that ends at the first failure, the last stage decides. The tests that
the commands start are planted: clean, racy, or with a write-write conflict.
"""

import json
import re
import subprocess
import unittest

import yaml
from gate_harness import GO_FIXTURES, SOURCE_DIR, TIMEOUT_S, GateTestCase

EXAMPLES = SOURCE_DIR / "examples" / "ci"
CLEAN_GO = "printf 'ok  \\texample.com/svc\\t0.021s\\n'\n"
SCAN = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "gosec"}}, "results": [],
                                      "invocations": [{"executionSuccessful": True}]}]}


def read_write_log():
    """The first report of the fixture: a read-write conflict that nothing else explains."""
    text = (GO_FIXTURES / "gotest_race.txt").read_text()
    report = text.split("==================\n")[1]
    return (f"==================\n{report}==================\n--- FAIL: TestA (0.00s)\n"
            "    testing.go:1319: race detected during execution of test\n"
            "FAIL\nFAIL\texample.com/racetest\t0.027s\n")


class Pipelines(GateTestCase):
    """Walks a pipeline; `ran` is what each stage's gate said."""

    def setUp(self):
        super().setUp()
        self.plant("vigil", f'exec {self.vigil} "$@"\n')
        self.write(".vigil/baseline.json", '{"vigil_baseline": 1, "issues": []}')
        self.write(".vigil/suppressions.toml", "")
        self.write("scan.template", json.dumps(SCAN))
        self.plant("gosec", "cp scan.template scan.sarif\n")
        self.plant("go", CLEAN_GO)
        self.plant_ctest("clean")

    def plant_ctest(self, mode):
        words = " ".join(f'"{word}"' for word in [*self.racy_map, mode])
        self.write("build/tsan/CTestTestfile.cmake", f"add_test({mode} {words})\n")

    def shell(self, script, env=None):
        run = subprocess.run(["bash", "-e", "-c", script], cwd=self.folder, timeout=TIMEOUT_S,
                             env={**self.environment, **(env or {})}, check=False,
                             capture_output=True, text=True)
        return run.returncode

    def outcome(self, stage):
        file = self.folder / f"{stage}.json"
        return json.loads(file.read_text())["outcome"] if file.exists() else "did not run"

    def expect(self, passed, **outcomes):
        self.assertEqual({stage: self.outcome(stage) for stage in outcomes}, outcomes)
        self.assertEqual(self.pipeline_passed, passed)

    # ---- One walker per CI system ----

    def walk_github(self):
        workflow = yaml.safe_load((EXAMPLES / "github-actions.yml").read_text())
        outputs = {}
        results = {}
        for name, job in workflow["jobs"].items():
            condition = job.get("if", "")
            needed = re.fullmatch(r"needs\.(\w+)\.outputs\.next == 'true'", condition)
            if needed and outputs.get(needed[1]) != "true":
                results[name] = "skipped"
                continue
            results[name] = "success"
            for step in job["steps"]:
                if "run" not in step:
                    continue
                output = self.folder / "output"
                output.write_text("")
                code = self.shell(step["run"], {"GITHUB_OUTPUT": str(output)})
                if "next=true" in output.read_text():
                    outputs[name] = "true"
                if code != 0 and not step.get("continue-on-error"):
                    results[name] = "failure"
                    break
        self.pipeline_passed = all(result == "success" for result in results.values())

    def walk_gitlab(self):
        pipeline = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text())
        allowed = pipeline[".stage"]["allow_failure"]["exit_codes"]
        self.pipeline_passed = True
        for stage in pipeline["stages"]:
            job = pipeline[stage]
            for command in job["script"]:
                code = self.shell(command)
                if code != 0:
                    break
            if code != 0 and not (job.get("extends") and code == allowed):
                self.pipeline_passed = False
        self.assertEqual(pipeline["verdict"]["when"], "always")

    def walk_jenkins(self):
        text = (EXAMPLES / "Jenkinsfile").read_text()
        self.assertEqual(text.count("{"), text.count("}"))
        self.assertEqual(text.count("("), text.count(")"))
        self.pipeline_passed = True
        for stage in re.split(r"\n    stage\('", text)[1:]:
            condition = re.search(r"script: '([^']*)'\) == 0", stage)
            if condition and self.shell(condition[1]) != 0:
                continue
            script = re.search(r"sh '''(.*?)'''", stage, re.S) or re.search(r"sh '([^']*)'", stage)
            if self.shell(script[1].replace("\\\\\n", "\\\n")) != 0:
                self.pipeline_passed = self.pipeline_passed and "catchError" in stage

    def every_walk(self):
        for walk in (self.walk_github, self.walk_gitlab, self.walk_jenkins):
            for file in self.folder.glob("*.json"):
                file.unlink()
            with self.subTest(walk.__name__):
                walk()
                yield

    # ---- The claims ----

    def test_a_clean_change_passes_every_stage(self):
        for _ in self.every_walk():
            self.expect(True, unit="passed", integration="passed", predeploy="passed")

    def test_a_read_write_race_blocks_but_the_other_stages_run(self):
        log = self.write("race.log", read_write_log())
        self.plant("go", f"cat {log}\nexit 1\n")
        for _ in self.every_walk():
            self.expect(False, unit="blocked", integration="passed", predeploy="passed")

    def test_a_write_write_conflict_stops_the_pipeline_at_once(self):
        self.plant_go()
        for _ in self.every_walk():
            self.expect(False, unit="blocked", integration="did not run", predeploy="did not run")

    def test_a_write_write_conflict_in_integration_keeps_the_deployment_from_beginning(self):
        self.plant_ctest("write-write")
        for _ in self.every_walk():
            self.expect(False, unit="passed", integration="blocked", predeploy="did not run")

    def test_a_high_risk_pattern_blocks_the_deployment(self):
        scan = json.loads(json.dumps(SCAN))
        scan["runs"][0]["results"] = [{"ruleId": "G1", "level": "error", "message": {"text": "x"}}]
        self.write("scan.template", json.dumps(scan))
        for _ in self.every_walk():
            self.expect(False, unit="passed", integration="passed", predeploy="blocked")


if __name__ == "__main__":
    unittest.main()
