# SPDX-License-Identifier: Apache-2.0
"""What the gate writes, read by programs that vigil's authors did not write."""

import json
import os
import unittest

import jsonschema
import junitparser
from gate_harness import GO_FIXTURES, SOURCE_DIR, GateTestCase

SCHEMA = json.loads((SOURCE_DIR / "tests/gate/sarif-schema-2.1.0.json").read_text())
VALIDATOR = jsonschema.Draft4Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


class SarifTest(GateTestCase):
    def sarif(self, *arguments, code, stage="unit"):
        self.gate("--sarif", "gate.sarif", *arguments, code=code, stage=stage)
        sarif = json.loads((self.folder / "gate.sarif").read_text())
        self.assertEqual([error.message for error in VALIDATOR.iter_errors(sarif)], [])
        return sarif["runs"][0]

    def test_races_are_valid_and_carry_both_accesses_and_both_stacks(self):
        run = self.sarif("--log", GO_FIXTURES / "gotest_race.txt", code=1)
        self.assertEqual(len(run["results"]), 8)
        for result in run["results"]:
            self.assertEqual(len(result["locations"]), 1)
            self.assertEqual(len(result["relatedLocations"]), 1)
            [flow] = result["codeFlows"]
            self.assertEqual(len(flow["threadFlows"]), 2)
            for thread in flow["threadFlows"]:
                self.assertGreater(len(thread["locations"]), 1)
            self.assertRegex(result["partialFingerprints"]["primaryLocationLineHash"],
                             r"^[0-9a-f]{32}:1$")
        rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
        self.assertEqual({result["ruleId"] for result in run["results"]}, rules)

    def test_every_kind_of_evidence_is_valid(self):
        for log in sorted(GO_FIXTURES.glob("*.txt")):
            self.gate("--sarif", "gate.sarif", "--log", log, "--trust-log", stage="integration",
                      code=self.run_vigil("gate", "--stage", "integration", "--trust-log", "--log",
                                          log).returncode)
            sarif = json.loads((self.folder / "gate.sarif").read_text())
            self.assertEqual([error.message for error in VALIDATOR.iter_errors(sarif)], [], log)

    def test_a_clean_run_and_an_accepted_one_are_valid(self):
        run = self.sarif("--", *self.racy_map, "clean", code=0)
        self.assertEqual(run["results"], [])
        self.gate("--write-baseline", "b.json", "--", *self.racy_map, "read-write", code=0)
        run = self.sarif("--baseline", "b.json", "--", *self.racy_map, "read-write", code=0)
        self.assertEqual(run["results"][0]["baselineState"], "unchanged")
        self.assertIn("known since", run["results"][0]["suppressions"][0]["justification"])

    def test_file_names_are_relative_to_the_checkout(self):
        checkout = self.folder / "checkout"
        checkout.mkdir()
        (checkout / "store.go").write_text("package racetest\n")
        run = self.sarif("--root", checkout, "--log", GO_FIXTURES / "gotest_race.txt", code=1)
        uris = {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
                for result in run["results"]}
        self.assertIn("store.go", uris)

    def test_each_run_has_a_category_of_its_own(self):
        ids = {self.sarif("--", *self.racy_map, "clean", code=0)["automationDetails"]["id"]
               for _ in range(2)}
        self.assertEqual(len(ids), 2)
        run = self.sarif("--run-id", "7", "--", *self.racy_map, "clean", code=0)
        self.assertEqual(run["automationDetails"]["id"], "vigil-gate/unit/7")

    def test_its_own_sarif_is_read_like_a_scanners(self):
        self.gate("--sarif", "own.sarif", "--log", GO_FIXTURES / "gotest_race.txt", code=1)
        for option in ("--scan", "--log"):
            verdict, _ = self.gate(option, "own.sarif", stage="predeploy", code=1)
            self.assertEqual(len(verdict["issues"]), 8)
            self.assertEqual(verdict["reasons"], ["8 high-risk static patterns"])


class ScannerTest(GateTestCase):
    def scan(self, level, **members):
        result = {"ruleId": "unlocked-map", "level": level,
                  "message": {"text": "written without the lock"},
                  "locations": [{"physicalLocation": {
                      "artifactLocation": {"uri": "cache.cc"}, "region": {"startLine": 3}}}]}
        run = {"tool": {"driver": {"name": "scan"}}, "results": [result], **members}
        return self.write("scan.sarif", json.dumps({"version": "2.1.0", "runs": [run]}))

    def test_a_high_risk_pattern_blocks_the_deployment(self):
        verdict, _ = self.gate("--scan", self.scan("error"), stage="predeploy", code=1)
        self.assertEqual(verdict["reasons"], ["1 high-risk static pattern"])
        self.gate("--scan", self.scan("warning"), stage="predeploy", code=0)

    def test_nothing_found_needs_a_successful_invocation(self):
        self.gate("--scan", self.scan("error", results=[]), stage="predeploy", code=1)
        invocations = [{"executionSuccessful": True}]
        self.gate("--scan", self.scan("error", results=[], invocations=invocations),
                  stage="predeploy", code=0)


class JunitTest(GateTestCase):
    def junit(self, *arguments, code):
        self.gate("--junit", "gate.xml", *arguments, code=code)
        return junitparser.JUnitXml.fromfile(str(self.folder / "gate.xml"))

    def test_blocking_issues_are_failures(self):
        xml = self.junit("--log", GO_FIXTURES / "gotest_race.txt", code=1)
        self.assertEqual((xml.tests, xml.failures, xml.errors), (9, 9, 0))
        [suite] = xml
        cases = list(suite)
        self.assertEqual(len(cases), 9)
        self.assertTrue(all(isinstance(case.result[0], junitparser.Failure) for case in cases))
        self.assertIn("store.go", cases[0].result[0].text)

    def test_accepted_issues_are_skipped_and_a_clean_run_has_one_case(self):
        self.gate("--write-baseline", "b.json", "--", *self.racy_map, "read-write", code=0)
        xml = self.junit("--baseline", "b.json", "--", *self.racy_map, "read-write", code=0)
        self.assertEqual((xml.tests, xml.failures, xml.skipped), (2, 0, 1))
        xml = self.junit("--", *self.racy_map, "clean", code=0)
        self.assertEqual((xml.tests, xml.failures), (1, 0))


class CiTest(GateTestCase):
    def test_github_gets_annotations_and_a_summary_by_itself(self):
        summary = self.folder / "summary.md"
        env = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary),
               "GITHUB_WORKSPACE": str(SOURCE_DIR)}
        _, run = self.gate("--", *self.racy_map, "read-write", code=1, env=env)
        self.assertRegex(run.stderr,
                         r"(?m)^::error file=tests/gate/racy_map.cc,line=\d+,title=vigil gate::")
        self.assertIn("## vigil gate: unit blocked", summary.read_text())
        before = summary.read_text()
        _, run = self.gate("--annotations", "never", "--", *self.racy_map, "read-write", code=1,
                           env=env)
        self.assertNotIn("::error", run.stderr)
        self.assertEqual(summary.read_text(), before)

    def test_a_summary_is_appended(self):
        self.write("summary.md", "# Tests\n")
        self.gate("--summary", "summary.md", "--", *self.racy_map, "clean", code=0)
        text = (self.folder / "summary.md").read_text()
        self.assertTrue(text.startswith("# Tests\n"))
        self.assertIn("vigil gate: unit passed", text)

    def test_the_wrapped_commands_output_is_left_alone(self):
        self.plant_go("gotest_race.json")
        _, run = self.gate("--", "go", "test", "-race", "-json", code=1)
        self.assertEqual(run.stdout, (GO_FIXTURES / "gotest_race.json").read_text())

    def test_no_colour_without_a_terminal(self):
        _, run = self.gate("--", *self.racy_map, "read-write", code=1,
                           env={"TERM": os.environ.get("TERM", "xterm")})
        self.assertNotIn("\x1b[", run.stderr)


class PipelineTest(GateTestCase):
    def verdict_of(self, stage, mode, code):
        file = self.folder / f"{stage}-{mode}.json"
        self.gate("--", *self.racy_map, mode, stage=stage, code=code)
        (self.folder / "verdict.json").rename(file)
        return file.name

    def test_next_and_verdict_say_how_the_pipeline_goes_on(self):
        clean = self.verdict_of("unit", "clean", 0)
        blocked = self.verdict_of("unit", "read-write", 1)
        stopped = self.verdict_of("unit", "write-write", 1)
        for command, file, code in (("next", clean, 0), ("next", blocked, 0), ("next", stopped, 1),
                                    ("verdict", clean, 0), ("verdict", blocked, 1),
                                    ("verdict", stopped, 1), ("verdict", "missing.json", 2)):
            run = self.run_vigil("gate", command, file)
            self.assertEqual(run.returncode, code, (command, file, run.stdout, run.stderr))
        self.assertEqual(self.run_vigil("gate", "verdict", clean, blocked).returncode, 1)
        self.assertEqual(self.run_vigil("gate", "next").returncode, 2)


if __name__ == "__main__":
    unittest.main()
