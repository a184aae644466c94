# SPDX-License-Identifier: Apache-2.0
"""`vigil gate` around real commands and on real logs: what passes, what blocks and why."""

import bz2
import gzip
import io
import json
import lzma
import os
import subprocess
import threading
import unittest
import zipfile

from gate_harness import GO_FIXTURES, GateTestCase, functions_of

CLEAN_GO_LOG = "ok  \texample.com/svc/cache\t0.021s\nok  \texample.com/svc/cron\t0.013s\n"

RACE_LOG = """+ go test -race ./...
WARNING: DATA RACE
Write at 0x00c000012345 by goroutine 7:
  main.a()
      /x/a.go:5 +0x1

Previous write at 0x00c000012345 by goroutine 8:
  main.b()
      /x/a.go:9 +0x1
==================
ok  \tx\t0.1s
"""


class WrappedProgramTest(GateTestCase):
    def test_a_race_blocks_and_the_output_goes_through(self):
        verdict, run = self.gate("--", *self.racy_map, "read-write", code=1)
        self.assertEqual(run.stdout, "serving\n0\n")
        self.assertIn("WARNING: ThreadSanitizer: data race", run.stderr)
        self.assertEqual(verdict["command"]["exit_code"], 66)
        [pair] = functions_of(verdict)
        self.assertIn("clean_expired", pair[0])
        self.assertIn("get", pair[1])
        self.assertFalse(verdict["issues"][0]["write_write"])
        self.assertTrue(verdict["next_stage_may_run"])
        self.assertTrue(run.stderr.endswith("blocked (1 new); the next stage may run\n"))

    def test_a_write_write_conflict_stops_the_pipeline(self):
        for stage in ("unit", "integration"):
            verdict, run = self.gate("--", *self.racy_map, "write-write", stage=stage, code=1)
            self.assertTrue(verdict["issues"][0]["write_write"])
            self.assertFalse(verdict["next_stage_may_run"])
            self.assertIn("the pipeline stops here", run.stderr)

    def test_one_race_passes_the_integration_stage(self):
        verdict, _ = self.gate("--", *self.racy_map, "read-write", stage="integration", code=0)
        self.assertEqual(verdict["event_chains"], 1)

    def test_a_clean_instrumented_program_passes_with_its_proof(self):
        verdict, _ = self.gate("--", *self.racy_map, "clean", code=0)
        self.assertEqual(verdict["inputs"][0]["proofs"],
                         ["racy_map is compiled with ThreadSanitizer"])

    def test_a_program_without_the_detector_does_not_pass(self):
        verdict, _ = self.gate("--", "true", code=1)
        self.assertIn("nothing in it proves that a race detector ran", verdict["reasons"][0])

    def test_a_failure_without_a_race_blocks(self):
        verdict, _ = self.gate("--", *self.racy_map, "fail", code=1)
        self.assertEqual(verdict["reasons"],
                         ["the command failed with exit code 3 without a race"])
        self.assertFalse(verdict["next_stage_may_run"])

    def test_a_report_that_the_runner_swallows_is_missed(self):
        script = " ".join([*self.racy_map, "read-write", "2>/dev/null"])
        verdict, _ = self.gate("--", "sh", "-c", script, code=1)
        self.assertTrue(any("its report was lost" in reason for reason in verdict["reasons"]))

    def test_reports_in_files_are_found(self):
        options = f"exitcode=0:log_path={self.folder}/tsan"
        (self.folder / "tsan.1").write_text("stale\n")
        verdict, run = self.gate("--", *self.racy_map, "read-write", code=1,
                                 env={"TSAN_OPTIONS": options})
        self.assertNotIn("WARNING", run.stderr.split("vigil gate:")[0])
        self.assertEqual(len(verdict["issues"]), 1)

    def test_reports_that_are_switched_off_do_not_pass(self):
        verdict, _ = self.gate("--", *self.racy_map, "clean", code=1,
                               env={"TSAN_OPTIONS": "report_bugs=0"})
        self.assertIn("switches reports off", verdict["reasons"][0])

    def test_the_detectors_own_banner_is_a_proof(self):
        script = " ".join([*self.racy_map, "clean"])
        self.gate("--", "sh", "-c", script, code=1)
        self.gate("--", "sh", "-c", script, code=0, env={"TSAN_OPTIONS": "verbosity=1"})

    def test_a_command_that_cannot_start_is_a_usage_error(self):
        _, run = self.gate("--", "./no-such-program", code=2)
        self.assertIn("cannot run ./no-such-program", run.stderr)


class WrappedCtestTest(GateTestCase):
    def plant_tests(self, *modes):
        lines = []
        for mode in modes:
            words = " ".join(f'"{word}"' for word in [*self.racy_map, mode])
            lines.append(f'add_test({mode} {words})\n')
        self.write("build/CTestTestfile.cmake", "".join(lines))

    def ctest(self, code, env=None):
        return self.gate("--", "ctest", "--test-dir", "build", code=code, env=env)

    def test_a_race_that_ctest_does_not_show_is_found_in_its_log(self):
        self.plant_tests("clean", "read-write")
        verdict, run = self.ctest(code=1, env={"TSAN_OPTIONS": "exitcode=0"})
        self.assertIn("100% tests passed", run.stdout)
        self.assertNotIn("ThreadSanitizer: data race", run.stdout)
        self.assertEqual(len(verdict["issues"]), 1)
        self.assertEqual(verdict["tests_run"], 2)
        self.assertIn("2 of 2 test commands run a program with a race detector",
                      verdict["inputs"][0]["proofs"])

    def test_known_races_explain_failed_tests_and_nothing_else_does(self):
        self.plant_tests("clean", "read-write")
        self.gate("--write-baseline", "base.json", "--", "ctest", "--test-dir", "build", code=0)
        self.gate("--baseline", "base.json", "--", "ctest", "--test-dir", "build", code=0)
        self.plant_tests("clean", "read-write", "fail")
        verdict, _ = self.gate("--baseline", "base.json", "--", "ctest", "--test-dir", "build",
                               code=1)
        self.assertIn("test fail failed, and not only because of a race", verdict["reasons"][0])

    def test_no_test_does_not_pass(self):
        self.plant_tests()
        verdict, _ = self.ctest(code=1)
        self.assertIn("no test ran", " ".join(verdict["reasons"]))

    def test_tests_without_the_detector_do_not_pass(self):
        self.write("build/CTestTestfile.cmake", 'add_test(plain "/bin/true")\n')
        verdict, _ = self.ctest(code=1)
        self.assertIn("nothing in it proves", verdict["reasons"][0])


class WrappedGoTest(GateTestCase):
    def test_thirteen_reports_are_eight_issues(self):
        self.plant_go()
        verdict, _ = self.gate("--", "go", "test", "-race", "./...", code=1)
        self.assertEqual(verdict["inputs"][0]["reports"], 13)
        self.assertEqual(len(verdict["issues"]), 8)
        self.assertEqual(sum(issue["occurrences"] for issue in verdict["issues"]), 13)
        self.assertFalse(verdict["next_stage_may_run"])

    def test_json_output_gives_the_same_issues(self):
        self.plant_go("gotest_race.json")
        events, _ = self.gate("--", "go", "test", "-race", "-json", "./...", code=1)
        self.plant_go("gotest_race.txt")
        text, _ = self.gate("--", "go", "test", "-race", "./...", code=1)
        self.assertEqual({issue["fingerprint"] for issue in events["issues"]},
                         {issue["fingerprint"] for issue in text["issues"]})

    def test_a_clean_run_passes_only_with_the_detector(self):
        self.plant("go", f"printf '{CLEAN_GO_LOG}'\n")
        verdict, _ = self.gate("--", "go", "test", "-race", "./...", code=0)
        self.assertEqual(verdict["tests_run"], 2)
        self.gate("--", "go", "test", "./...", code=1)
        self.gate("--", "go", "test", "./...", code=0, env={"GOFLAGS": "-race"})

    def test_packages_without_tests_do_not_pass(self):
        self.plant("go", "printf '?   \\texample.com/svc\\t[no test files]\\n'\n")
        verdict, _ = self.gate("--", "go", "test", "-race", "./...", code=1)
        self.assertIn("no test ran", verdict["reasons"][0])

    def test_known_races_explain_failed_tests(self):
        self.plant_go()
        self.gate("--write-baseline", "base.json", "--", "go", "test", "-race", code=0)
        verdict, _ = self.gate("--baseline", "base.json", "--", "go", "test", "-race", code=0)
        self.assertEqual({issue["status"] for issue in verdict["issues"]}, {"known"})
        self.plant("go", f"cat {GO_FIXTURES / 'gotest_race.txt'}\n"
                         "printf -- '--- FAIL: TestSum (0.00s)\\n    sum_test.go:9: 3 != 4\\n'\n"
                         "exit 1\n")
        verdict, _ = self.gate("--baseline", "base.json", "--", "go", "test", "-race", code=1)
        self.assertIn("TestSum failed, and not only because of a race", verdict["reasons"][0])


class LogTest(GateTestCase):
    def test_a_race_log_proves_itself(self):
        verdict, run = self.gate("--log", GO_FIXTURES / "gorace_log.txt", code=1)
        self.assertTrue(verdict["issues"])
        self.assertTrue(run.stdout.endswith("the pipeline stops here\n"))

    def test_a_log_without_proof_is_refused_unless_trusted(self):
        log = self.write("race.log", CLEAN_GO_LOG)
        verdict, _ = self.gate("--log", log, code=1)
        self.assertIn("nothing in it proves that a race detector ran", verdict["reasons"][0])
        verdict, _ = self.gate("--log", log, "--trust-log", code=0)
        self.assertIn("trusted as told", verdict["notes"][0])

    def test_a_log_that_shows_its_command_is_a_proof(self):
        log = self.write("race.log", "+ go test -race ./...\n" + CLEAN_GO_LOG)
        self.gate("--log", log, code=0)

    def test_an_empty_log_is_refused(self):
        verdict, _ = self.gate("--log", self.write("race.log", ""), "--trust-log", code=2)
        self.assertEqual(verdict["reasons"], [f"{self.folder}/race.log: is empty"])
        _, run = self.gate("--log", "/dev/null", code=2)
        self.assertIn("/dev/null: is a device", run.stdout)

    def test_globs_name_many_logs_and_each_needs_proof(self):
        self.copy_fixture("gotest_race.txt")
        self.copy_fixture("gorace_log.txt")
        verdict, _ = self.gate("--log", "*_*.txt", code=1)
        self.assertEqual(len(verdict["inputs"]), 2)
        self.write("z_clean.txt", CLEAN_GO_LOG)
        verdict, _ = self.gate("--log", "*_*.txt", code=1)
        self.assertTrue(any(reason.startswith("z_clean.txt: nothing in it proves")
                            for reason in verdict["reasons"]))

    def test_gos_own_crash_is_a_write_write_conflict(self):
        crashes = [file for file in sorted(GO_FIXTURES.glob("fatal_*.txt"))
                   if "concurrent map writes" in file.read_text().splitlines()[0]]
        self.assertTrue(crashes)
        for crash in crashes:
            verdict, _ = self.gate("--log", crash, "--trust-log", stage="integration", code=1)
            self.assertFalse(verdict["next_stage_may_run"], crash.name)


class DamagedLogTest(GateTestCase):
    """Whatever stands in a log beside its race: the race blocks, or the damage does."""

    SARIF = json.dumps({"runs": [{"tool": {"driver": {"name": "s"}}, "results": [
        {"ruleId": "r", "level": "error", "message": {"text": "m"}}]}]})

    def blocked(self, content, name="race.log"):
        """Expects one race, with and without --trust-log."""
        file = self.folder / name
        file.write_bytes(content)
        for trust in ((), ("--trust-log",)):
            verdict, _ = self.gate("--log", name, *trust, code=1)
            self.assertEqual(len(verdict["issues"]), 1)

    def unread(self, content, *parts, name="race.log", option="--log"):
        """Expects exit code 2 and a sentence with these parts."""
        (self.folder / name).write_bytes(content)
        for trust in ((), ("--trust-log",)):
            verdict, run = self.gate(option, name, *trust, code=2)
            self.assertFalse(verdict["next_stage_may_run"])
            for part in parts:
                self.assertIn(part, run.stdout)

    def test_a_zero_byte_hides_no_race(self):
        race = RACE_LOG.encode()
        for at in range(0, len(race), 41):
            self.blocked(race[:at] + b"\0" + race[at:])

    def test_a_foreign_first_line_hides_no_race(self):
        for line in (b"{", b"[", b"<", b'{"status":"up"}', b"<?xml version='1.0'?>", b"<html>",
                     b"[ RUN ] x", b'{"a": b'):
            self.blocked(line + b"\n" + RACE_LOG.encode())

    def test_encodings_are_read(self):
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
            self.blocked(RACE_LOG.encode(encoding))

    def test_compressed_logs_and_archives_are_read(self):
        race = RACE_LOG.encode()
        self.blocked(gzip.compress(race))
        self.blocked(lzma.compress(race))
        self.blocked(bz2.compress(race))
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as files:
            files.writestr("logs/race.log", gzip.compress(race))
            files.writestr("empty.log", b"")
        self.folder.joinpath("a.zip").write_bytes(archive.getvalue())
        verdict, _ = self.gate("--log", "a.zip", code=1)
        self.assertEqual([one["name"] for one in verdict["inputs"]],
                         ["a.zip/logs/race.log", "a.zip/empty.log"])
        self.assertEqual(len(verdict["issues"]), 1)

    def test_what_is_cut_short_does_not_pass(self):
        log = ("+ go test -race ./...\n" + CLEAN_GO_LOG).encode() * 100
        self.unread(gzip.compress(log)[:-9], "race.log: line ", "cut short")
        self.unread(lzma.compress(log)[:-9], "race.log: ", "cut short")
        self.unread(self.SARIF.encode()[:-9], "race.log: line 1: not valid JSON")
        self.unread(self.SARIF.encode()[:-9], "race.log: not JSON at line 1", option="--scan")

    def test_what_is_not_understood_does_not_pass(self):
        log = ("+ go test -race ./...\n" + CLEAN_GO_LOG).encode()
        broken = b'{"Action":"output","Package":"p","Output":"WARNI'
        self.unread(log + broken + b"NG}\n" + log, "race.log: line 4: go test -json")
        self.unread(bytes(range(256)) * 64, "race.log: line 1: is binary")
        self.unread(log + b"{\"runs\": [}\n", "race.log: line 4: not valid JSON")
        self.unread(log + gzip.compress(os.urandom(9000)), "is binary")
        self.unread(b"\xff\xfe\n" + RACE_LOG.encode(), "goes on in plain text from byte 2")

    def test_both_of_two_documents_count(self):
        self.blocked(RACE_LOG.encode() + b'{"a": 1}\n')
        self.folder.joinpath("two").write_text(RACE_LOG + self.SARIF + self.SARIF)
        verdict, _ = self.gate("--log", "two", stage="predeploy", code=1)
        self.assertEqual([one["name"] for one in verdict["inputs"]], ["two", "two", "two"])
        self.assertEqual(len(verdict["issues"]), 2)
        self.unread((self.SARIF + self.SARIF).encode(), "two", name="two", option="--scan")

    def test_pipes_are_read_once(self):
        os.mkfifo(self.folder / "fifo")
        race = RACE_LOG.encode()
        writer = threading.Thread(target=(self.folder / "fifo").write_bytes, args=(race,))
        writer.start()
        verdict, _ = self.gate("--log", "fifo", code=1)
        writer.join()
        self.assertEqual(len(verdict["issues"]), 1)
        for path in ("-", "/dev/stdin", "/dev/fd/0"):
            run = subprocess.run([self.vigil, "gate", "--stage", "unit", "--log", path],
                                 input=race, capture_output=True, check=False, timeout=60)
            self.assertEqual(run.returncode, 1, run.stdout)

    def test_zero_bytes_of_a_command_hide_no_race(self):
        self.folder.joinpath("race.bin").write_bytes(RACE_LOG.replace("DATA", "DA\0TA").encode())
        self.plant("go", f"cat {self.folder}/race.bin\n")
        verdict, _ = self.gate("--", "go", "test", "-race", code=1)
        self.assertEqual(len(verdict["issues"]), 1)


class TriageTest(GateTestCase):
    """The same readers, and the exit codes of `vigil triage`."""

    def triage(self, content, code, *arguments):
        run = subprocess.run([self.vigil, "triage", *arguments], input=content, timeout=60,
                             capture_output=True, check=False, cwd=self.folder)
        self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        return (run.stdout + run.stderr).decode()

    def test_a_pipe_is_read_once(self):
        race = (GO_FIXTURES / "gotest_race.txt").read_bytes()
        for path in ("-", "/dev/stdin", "/dev/fd/0"):
            self.assertIn("13 reports, 8 collisions", self.triage(race, 1, path))
        self.assertIn("13 reports, 8 collisions", self.triage(gzip.compress(race), 1, "-"))

    def test_damage_is_never_clean(self):
        self.assertIn("is empty", self.triage(b"", 3, "-"))
        self.assertIn("incomplete", self.triage(b'{"a": "b', 3, "-"))
        self.assertIn("standard input: line 1: ", self.triage(b"<?xml version='1.0'?><a></a>", 3,
                                                              "-"))
        self.assertIn("cut short", self.triage(gzip.compress(b"text" * 99)[:-9], 3, "-"))

    def test_findings_are_shown_beside_the_damage(self):
        text = self.triage(RACE_LOG.encode() + b"{\"runs\": [}\n", 3, "-", "--json", "t.json")
        self.assertIn("1 report, 1 collision", text)
        [report] = json.loads((self.folder / "t.json").read_text())["inputs"]
        self.assertEqual(report["kind"], "data race")
        self.assertIn("standard input: line 12: not valid JSON", report["error"])

    def test_a_core_may_come_from_a_pipe_or_be_compressed(self):
        core = b"\x7fELF\2\1\1" + bytes(9) + b"\4\0\x3e\0" + bytes(44)
        plain = self.triage(core, 3, "-")
        self.assertIn("standard input: ", plain)
        self.assertNotIn("binary", plain)
        self.assertNotIn("binary", self.triage(gzip.compress(core), 3, "-"))


class AcceptedIssuesTest(GateTestCase):
    SUPPRESSION = """[[suppression]]
functions = ["*clean_expired*", "*get*"]
owner = "alice@example.com"
reason = "the cache is replaced next month"
expires = 2027-01-31
"""

    def gate_on(self, today, *arguments, code):
        self.write("s.toml", self.SUPPRESSION)
        return self.gate("--suppressions", "s.toml", "--today", today, *arguments, code=code)

    def test_a_suppressed_race_passes_until_its_day(self):
        verdict, _ = self.gate_on("2027-01-31", "--", *self.racy_map, "read-write", code=0)
        self.assertEqual(verdict["issues"][0]["status"], "suppressed")
        self.assertIn("alice@example.com", verdict["issues"][0]["status_reason"])
        verdict, _ = self.gate_on("2027-02-01", "--", *self.racy_map, "read-write", code=1)
        self.assertIn("expired on 2027-01-31: what it hid counts again",
                      " ".join(verdict["notes"]))

    def test_an_unused_suppression_is_reported(self):
        verdict, _ = self.gate_on("2027-01-01", "--", *self.racy_map, "clean", code=0)
        self.assertIn("matches nothing: remove it", verdict["notes"][0])

    def test_a_baseline_accepts_what_was_there_and_nothing_new(self):
        self.gate("--write-baseline", "base.json", "--", *self.racy_map, "read-write", code=0)
        base = json.loads((self.folder / "base.json").read_text())
        self.assertEqual(len(base["issues"]), 1)
        self.gate("--baseline", "base.json", "--", *self.racy_map, "read-write", code=0)
        verdict, _ = self.gate("--baseline", "base.json", "--", *self.racy_map, "both", code=1)
        self.assertEqual([issue["status"] for issue in verdict["issues"]], ["new", "known"])
        verdict, _ = self.gate("--baseline", "base.json", "--", *self.racy_map, "clean", code=0)
        self.assertIn("not met in this run", verdict["notes"][0])


class UsageTest(GateTestCase):
    def expect(self, code, text, *arguments):
        run = self.run_vigil("gate", *arguments)
        self.assertEqual(run.returncode, code, run.stdout + run.stderr)
        self.assertIn(text, run.stderr if code else run.stdout)

    def test_mistakes_are_named(self):
        self.expect(2, "--stage is missing", "--log", "x")
        self.expect(2, "nothing to judge", "--stage", "unit")
        self.expect(2, 'no stage "nightly"', "--stage", "nightly", "--log", "x")
        self.expect(2, "missing.log: no such file", "--stage", "unit", "--log", "missing.log")
        self.expect(2, "a command is missing after --", "--stage", "unit", "--")
        self.expect(2, "--today: ", "--stage", "unit", "--today", "soon", "--", "true")
        self.write("p.toml", "[[stage]]\nname = 3\n")
        self.expect(2, "p.toml:2:8: name", "--stage", "unit", "--policy", "p.toml", "--", "true")
        self.expect(2, "no.toml: cannot be read", "--stage", "unit", "--suppressions", "no.toml",
                    "--", "true")
        self.write("b.json", "{}")
        self.expect(2, "b.json: no baseline", "--stage", "unit", "--baseline", "b.json", "--",
                    "true")

    def test_the_configuration_is_checked_before_the_tests_run(self):
        self.expect(2, "cannot be read", "--stage", "unit", "--baseline", "no.json", "--", "touch",
                    "ran")
        self.assertFalse((self.folder / "ran").exists())

    def test_an_output_that_cannot_be_written_is_an_internal_error(self):
        self.expect(3, "no/such/folder: cannot be written", "--stage", "unit", "--sarif",
                    "no/such/folder", "--", "true")

    def test_help_has_an_example(self):
        self.expect(0, "vigil gate --stage unit -- go test -race ./...", "--help")
        self.expect(0, "vigil gate explain --toml > gate.toml", "explain", "--help")

    def test_explain_says_the_policy_in_words_and_as_a_file(self):
        self.expect(0, "races: any one blocks", "explain", "--stage", "unit")
        policy = self.run_vigil("gate", "explain", "--toml").stdout
        self.write("p.toml", policy.replace("event_chains_to_block = 3",
                                            "event_chains_to_block = 9"))
        self.expect(0, "races: 9 or more distinct event chains block", "explain", "--policy",
                    "p.toml")


if __name__ == "__main__":
    unittest.main()
