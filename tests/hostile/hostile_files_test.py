#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The whole commands of `vigil` on files and names that somebody made to fool them."""

import gzip
import json
import os
import resource
import signal
import subprocess
import unittest
import xml.etree.ElementTree

from harness import ENDS_A_LINE, HIDDEN, HOSTILE, NO_UTF8, HostileTestCase

TSAN = """==================
WARNING: ThreadSanitizer: data race (pid=1)
  Write of size 8 at 0x7b0400000800 by thread T2:
    #0 %(first)s %(file)s:23 (app+0x1234)
    #1 main main.cc:5 (app+0x2)

  Previous write of size 8 at 0x7b0400000800 by thread T1:
    #0 %(second)s b.cc:24 (app+0x1234)
    #1 main main.cc:6 (app+0x2)

SUMMARY: ThreadSanitizer: data race a.cc:23 in svc::f()
==================
"""
SUPPRESSION = """[[suppression]]
functions = ["%s"]
owner = "%s"
reason = "known"
expires = 2099-01-31
"""


def tsan(first=b"svc::f()", file=b"a.cc", second=b"svc::g()"):
    return TSAN.encode() % {b"first": first, b"file": file, b"second": second}


class NothingPassesTest(HostileTestCase):
    def test_the_logs_that_passed_once(self):
        for log in sorted(HOSTILE.glob("gate-*.log")):
            with self.subTest(log.name):
                for options in ([], ["--trust-log"]):
                    run = self.run_vigil("gate", "--stage", "unit", "--log", log, *options)
                    self.assertIn(run.returncode, (1, 2), run.stdout)
                self.assertIn(self.run_vigil("triage", log).returncode, (1, 3))

    def test_whatever_a_log_is_packed_in_or_begins_with(self):
        control = (HOSTILE / "gate-control.log").read_bytes()
        disguises = {
            "nul": b"\0" + control, "json": b'{"status":"up"}\n' + control,
            "brace": b"{\n" + control,
            "xml": b'<?xml version="1.0"?>\n' + control, "gzip": gzip.compress(control),
            "utf16": "\ufeff".encode("utf-16-le") + control.decode().encode("utf-16-le"),
            "c1": b"\xc2\x9b" + control, "cut": gzip.compress(control)[:-9]}
        for name, content in disguises.items():
            with self.subTest(name):
                log = self.write(name + ".log", content)
                for options in ([], ["--trust-log"]):
                    run = self.run_vigil("gate", "--stage", "unit", "--log", log, *options)
                    self.assertIn(run.returncode, (1, 2), run.stdout)
                self.assertIn(self.run_vigil("triage", log).returncode, (1, 3))


class NamesTest(HostileTestCase):
    """What a name holds reaches no terminal, service or reader of XML, SARIF, JSON, Markdown."""

    def judge(self, log, *options):
        outputs = {kind: self.folder / ("gate." + kind) for kind in ("json", "sarif", "xml", "md")}
        for file in outputs.values():
            file.unlink(missing_ok=True)
        run = self.run_vigil(
            "gate", "--stage", "unit", "--annotations", "always", "--json", outputs["json"],
            "--sarif", outputs["sarif"], "--junit", outputs["xml"], "--summary", outputs["md"],
            "--log", log, *options)
        self.assertIn(run.returncode, (0, 1, 2), run.stderr)
        for what, output in (("stdout", run.stdout), ("stderr", run.stderr)):
            self.assert_nothing_hidden(output, what)
            self.assert_no_command(output, what, own=("::error ", "::warning "))
        for kind, file in outputs.items():
            self.assert_nothing_hidden(file.read_bytes(), kind)
        json.loads(outputs["json"].read_text())
        sarif = json.dumps(json.loads(outputs["sarif"].read_text()), ensure_ascii=False)
        self.assert_nothing_hidden(sarif.encode(), "texts of SARIF")
        xml.etree.ElementTree.fromstring(outputs["xml"].read_bytes())
        return run

    def triage(self, *inputs):
        for options in ([], ["--json", "-"]):
            run = self.run_vigil("triage", *options, *inputs)
            for what, output in (("stdout", run.stdout), ("stderr", run.stderr)):
                self.assert_nothing_hidden(output, what)
                if not options:
                    self.assert_no_command(output, what)

    def test_the_names_that_were_obeyed_once(self):
        for name in ("c1-control.log", "junit-ffff.log", "nl.sarif"):
            with self.subTest(name):
                self.judge(HOSTILE / name)
                self.triage(HOSTILE / name)
        self.judge(HOSTILE / "gate-control.log", "--scan", HOSTILE / "nl.sarif")

    def test_functions_files_and_threads_of_a_log(self):
        marks = [chr(c).encode() for c in HIDDEN if c not in ENDS_A_LINE] + NO_UTF8
        log = b"".join(
            tsan(b"svc::f" + mark + b"x%d()" % i, b"a" + mark + b"%d.cc" % i, b"g" + mark + b"()")
            for i, mark in enumerate(marks))
        file = self.write("names.log", log)
        self.judge(file)
        self.triage(file)

    def test_commands_of_ci_services(self):
        log = b"".join(tsan(name + b"()") for name in (
            b"::error::x", b"##[error]x", b"##vso[task.complete]", b"##teamcity[x]"))
        file = self.write("commands.log", log)
        self.judge(file)
        self.triage(file)

    def test_names_of_files_and_stages(self):
        log = tsan()
        for mark in (b"\n::error::x", b"\r##[error]x", b"\x1b[31m", "\u202e".encode(), b"\xff",
                     b"\x9b"):
            with self.subTest(mark):
                name = b"a" + mark.replace(b"/", b"") + b".log"
                (self.folder / os.fsdecode(name)).write_bytes(log)
                self.judge(name)
                self.triage(name)
                self.triage(b"none" + mark)
                for arguments in (
                        ["gate", "--stage", b"s" + mark, "--log", "x"], [b"no" + mark],
                        ["gate", "--stage", "unit", "--log", b"none" + mark],
                        ["gate", "--stage", "unit", "--policy", b"none" + mark, "--log", "x"],
                        ["gate", "next", b"none" + mark], ["layers", "check", b"none" + mark],
                        ["layers", "explain", b"f" + mark], ["race", b"no" + mark],
                        ["race", "replay", b"none" + mark, "--", "/bin/true"],
                        ["race", "run", "--", b"./none" + mark], ["bench", b"no" + mark],
                        ["triage", b"--no" + mark], ["advise", b"--no" + mark]):
                    run = self.run_vigil(*arguments)
                    for output in (run.stdout, run.stderr):
                        self.assert_nothing_hidden(output, arguments)
                        self.assert_no_command(output, arguments)

    def test_stages_and_rules_of_a_policy_and_owners(self):
        stage = "s\\n::error::\\u001b[31m\\u202e\\uffff"
        self.write("p.toml", f'[[stage]]\nname = "{stage}"\ndetector = "d{stage}"\n'
                             f'scan_rules_to_block = ["r{stage}"]\n')
        self.write("s.toml", SUPPRESSION % ("svc::f*", "o" + stage))
        log = self.write("race.log", tsan())
        for arguments in (["gate", "explain", "--policy", "p.toml"],
                          ["gate", "--stage", "s\n::error::\x1b[31m\u202e\uffff", "--policy",
                           "p.toml", "--log", log, "--suppressions", "s.toml"]):
            run = self.run_vigil(*arguments)
            self.assert_nothing_hidden(run.stdout + run.stderr, arguments)
            self.assert_no_command(run.stdout + run.stderr, arguments)
        self.judge(log, "--suppressions", "s.toml")


class SourcesTest(HostileTestCase):
    """A log opens no file outside of the project."""

    def log_naming(self, file):
        return self.write("race.log", tsan(file=os.fsencode(str(file))))

    def test_the_log_that_waited_for_the_kernel(self):
        run = self.run_vigil("triage", HOSTILE / "source-kmsg.log", timeout_s=10)
        self.assertEqual(run.returncode, 1)
        run = self.run_vigil("triage", "--source", "/", HOSTILE / "source-kmsg.log", timeout_s=10)
        self.assertEqual(run.returncode, 1)

    def test_a_word_of_a_file_elsewhere_is_not_told(self):
        lines = "".join("secret_table[k] = v;\n" for _ in range(30))
        outside = self.write("outside/a.cc", lines)
        project = self.folder / "project"
        project.mkdir()
        (project / "link.cc").symlink_to(outside)
        (project / "folder").symlink_to(outside.parent)
        os.mkfifo(project / "fifo.cc")
        for name in (outside, "../outside/a.cc", "link.cc", "folder/a.cc", "fifo.cc",
                     project / "link.cc", "/proc/self/cwd/outside/a.cc", "/dev/zero",
                     "/dev/../" + str(outside)):
            with self.subTest(str(name)):
                log = self.log_naming(name)
                for where in (["--source", project], []):
                    run = self.run_vigil("triage", *where, log, timeout_s=10,
                                         env={"WORKSPACE": str(project)})
                    self.assertEqual(run.returncode, 1)
                    self.assertNotIn(b"secret_table", run.stdout + run.stderr)
        (project / "a.cc").write_text(lines)
        run = self.run_vigil("triage", "--source", project, self.log_naming("/ci/svc/a.cc"))
        self.assertIn(b"secret_table", run.stdout)


class OutputsTest(HostileTestCase):
    """A file that was there is there, until the new one is whole."""

    OUTPUTS = ("--write-baseline", "--json", "--sarif", "--junit", "--summary")

    def test_a_full_device_is_an_error(self):
        log = self.write("race.log", tsan())
        for option in self.OUTPUTS:
            run = self.run_vigil("gate", "--stage", "unit", "--log", log, option, "/dev/full")
            self.assertEqual(run.returncode, 3, option)
            self.assertIn(b"No space left on device", run.stderr)
        self.assertEqual(self.run_vigil("triage", "--json", "/dev/full", log).returncode, 3)

    def test_an_output_that_nobody_keeps_is_an_error(self):
        log = self.write("race.log", tsan())
        with open("/dev/full", "wb") as full:
            for arguments in (
                    ["version"], ["--help"], ["layers", "print"], ["layers", "explain", "f"],
                    ["gate", "explain"], ["gate", "--help"], ["triage", log], ["triage", "--json",
                    "-", log], ["triage", "--list-formats"], ["gate", "--stage", "unit", "--log",
                    log], ["gate", "--stage", "unit", "--log", log, "--json", "-"],
                    ["race", "--help"], ["race", "run", "--help"], ["advise", "--help"]):
                self.assertEqual(self.run_vigil(*arguments, stdout=full).returncode, 3, arguments)
            run = self.run_vigil("gate", "--stage", "unit", "--trust-log", "--", "echo", "x",
                                 stdout=full)
            self.assertNotEqual(run.returncode, 0)

    def test_a_limit_on_files_keeps_the_old_ones(self):
        log = self.write("race.log", b"".join(tsan(b"svc::f%d()" % i) for i in range(100)))

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        for option in self.OUTPUTS:
            old = self.write("old", "old content")
            run = self.run_vigil("gate", "--stage", "unit", "--log", log, option, old,
                                 preexec_fn=limit)
            self.assertEqual(run.returncode, 3, option)
            self.assertEqual(old.read_text(), "old content", option)
            self.assertEqual(sorted(p.name for p in self.folder.iterdir()), ["old", "race.log"])

    def test_whenever_it_is_ended_a_file_is_the_old_or_the_new_one(self):
        log = self.write("race.log", b"".join(tsan(b"svc::f%d()" % i) for i in range(2000)))
        file = self.folder / "baseline.json"
        arguments = [self.vigil, "gate", "--stage", "unit", "--log", log, "--write-baseline", file]
        subprocess.run(arguments, check=False, capture_output=True, cwd=self.folder)
        whole = json.loads(file.read_text())
        for step in range(20):
            program = subprocess.Popen(arguments, cwd=self.folder, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL)
            try:
                program.wait(timeout=step * 0.02)
            except subprocess.TimeoutExpired:
                program.send_signal(signal.SIGTERM)
                program.wait()
            self.assertEqual(json.loads(file.read_text()), whole)
        self.assertEqual(sorted(p.name for p in self.folder.iterdir()),
                         ["baseline.json", "race.log"])


class LimitsTest(HostileTestCase):
    CONFIGURATIONS = (
        ["gate", "explain", "--policy"], ["layers", "check"],
        ["gate", "--stage", "unit", "--log", "x", "--suppressions"],
        ["gate", "--stage", "unit", "--log", "x", "--baseline"],
        ["gate", "--stage", "unit", "--log", "x", "--layers"], ["triage", "x", "--layers"],
        ["gate", "verdict"], ["race", "run", "--suppressions"])

    def refused(self, arguments, file, sentence):
        after = ["--", "/bin/true"] if arguments[0] == "race" else []
        run = self.run_vigil(*arguments, file, *after)
        self.assertIn(run.returncode, (1, 2), arguments)
        self.assertIn(sentence, run.stderr, arguments)

    def test_a_configuration_without_end(self):
        for arguments in (*self.CONFIGURATIONS, ["race", "replay"]):
            self.refused(arguments, "/dev/zero", b"it holds more than")

    def test_a_configuration_that_is_a_folder(self):
        for arguments in self.CONFIGURATIONS:
            self.refused(arguments, ".", b"Is a directory")

    def test_keys_and_brackets_without_end(self):
        deep = {"dots": "a" + ".a" * 131_000 + " = 1\n", "brackets": "a = " + "[" * 100_000,
                "tables": "[" + "a." * 131_000 + "a]\n", "braces": "a = " + "{a=" * 100_000,
                "mixed": "a = " + "[{a.b.c=" * 60_000}
        for name, text in deep.items():
            file = self.write(name + ".toml", text)
            for arguments in (["gate", "explain", "--policy"], ["layers", "check"],
                              ["gate", "--stage", "unit", "--log", "x", "--suppressions"]):
                run = self.run_vigil(*arguments, file)
                self.assertIn(run.returncode, (1, 2), (name, arguments))
        for name, text in {"json": "[" * 1_000_000, "objects": '{"a":' * 500_000,
                           "baseline": '{"vigil_baseline":1,"issues":' + "[" * 500_000}.items():
            file = self.write(name + ".json", text)
            for arguments in (["gate", "verdict"],
                              ["gate", "--stage", "unit", "--log", "x", "--baseline"]):
                self.assertEqual(self.run_vigil(*arguments, file).returncode, 2, name)
            self.assertIn(self.run_vigil("triage", file).returncode, (0, 1, 3), name)
        file = self.write("deep.xml", "<valgrindoutput>" + "<a>" * 500_000)
        self.assertEqual(self.run_vigil("triage", file).returncode, 3)

    def test_many_suppressions_of_long_names(self):
        name = "ns::" + "Long" * 500
        self.write("many.toml", "".join(
            SUPPRESSION % (f"*{name}_{i}<*", "o") for i in range(20_000)))
        log = self.write("race.log", b"".join(
            tsan(f"{name}_{i * 13}<int>::put()".encode()) for i in range(40)))
        run = self.run_vigil("gate", "--stage", "unit", "--log", log, "--suppressions", "many.toml")
        self.assertIn(b"40 suppressed", run.stdout)

    def test_a_message_of_ten_megabytes_on_a_terminal(self):
        self.write("report.json", json.dumps({"findings": [
            {"kind": "other", "message": "word " * 2_000_000}], "schedules": 1}))
        said, code = self.on_terminal("triage", "report.json", env={"TERM": "xterm"})
        self.assertEqual(code, 1)
        self.assertGreater(len(said), 9_000_000)


class WordsTest(HostileTestCase):
    def test_a_file_of_exactly_that_name_comes_before_a_pattern(self):
        self.write("log[1].txt", tsan())
        self.write("log1.txt", b"")
        run = self.run_vigil("gate", "--stage", "unit", "--log", "log[1].txt", "--json", "-")
        verdict = json.loads(run.stdout)
        self.assertEqual([each["name"] for each in verdict["inputs"]], ["log[1].txt"])

    def test_an_executable_that_is_none(self):
        log = self.write("race.log", tsan())
        for program, sentence in ((log, b"is no program"), ("none", b"there is no file"),
                                  (".", b"is no program"), ("/dev/zero", b"is no program")):
            run = self.run_vigil("triage", log, "--executable", program)
            self.assertEqual(run.returncode, 2)
            self.assertIn(sentence, run.stderr)

    def test_values_that_are_none(self):
        log = self.write("race.log", tsan())
        for arguments in (["advise", "--reads", "nan"], ["advise", "--reads", "-nan"],
                          ["advise", "--reads", "inf"],
                          ["gate", "--stage", "unit", "--log", log, "--policy", ""],
                          ["gate", "--stage", "unit", "--log", log, "--policy="],
                          ["gate", "explain", "--policy", ""],
                          ["gate", "--stage", "unit", "--log", log, "--baseline", ""],
                          ["gate", "--stage", "unit", "--log", log, "--sarif", ""],
                          ["gate", "--stage", "unit", "--log", ""],
                          ["triage", log, "--layers", ""]):
            self.assertEqual(self.run_vigil(*arguments).returncode, 2, arguments)
        for owner in ("", " ", "\\t", "\\u00a0", "\\u200b"):
            self.write("s.toml", SUPPRESSION % ("f", owner))
            run = self.run_vigil(
                "gate", "--stage", "unit", "--log", log, "--suppressions", "s.toml")
            self.assertEqual(run.returncode, 2, owner)
            self.assertIn(b"somebody who answers for it", run.stderr)

    def test_a_dumb_terminal_gets_no_escapes(self):
        log = self.write("race.log", tsan())
        for arguments in (["triage", log], ["gate", "--stage", "unit", "--log", log]):
            for env in ({"TERM": "dumb"}, {"TERM": ""}):
                said, code = self.on_terminal(*arguments, env=env)
                self.assertEqual(code, 1)
                self.assertNotIn(b"\x1b", said)
            said, _ = self.on_terminal(*arguments, env={"TERM": "xterm"})
            self.assertIn(b"\x1b[", said)

    def test_a_zombie(self):
        zombie = subprocess.Popen(["true"])
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        run = self.run_vigil("triage", str(zombie.pid))
        zombie.wait()
        self.assertEqual(run.returncode, 3)
        self.assertIn(b"is a zombie", run.stderr)

    def test_a_limited_address_space(self):
        source = self.write("main.cc", "int main() {}\n")
        built = self.run_vigil("race", "cxx", source, "-o", "program")
        if built.returncode != 0:
            self.skipTest("no race runtime in this build")

        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
        run = self.run_vigil("race", "run", "--", "./program", preexec_fn=limit)
        if run.returncode != 0:
            self.assertIn(b"the address space is limited to 2048 MiB (ulimit -v)", run.stderr)


if __name__ == "__main__":
    unittest.main()
