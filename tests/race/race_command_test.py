#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Drives the real `vigil race` with small programs. VIGIL names the command under test."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

VIGIL = os.environ.get("VIGIL", "vigil")

RACY = """
#include <cstdio>
#include <thread>
int hits;
void handle() { ++hits; }
int main() {
  std::thread first(handle), second(handle);
  first.join(), second.join();
  std::puts("served");
}
"""

RACY_C = """
#include <pthread.h>
static int hits;
static void *handle(void *unused) { ++hits; return unused; }
int main(void) {
  pthread_t thread;
  pthread_create(&thread, 0, handle, 0);
  ++hits;
  return pthread_join(thread, 0);
}
"""

DEADLOCK = """
#include <mutex>
#include <thread>
std::mutex checking, savings;
void transfer(std::mutex& from, std::mutex& to) {
  std::lock_guard first(from), second(to);
}
int main() {
  std::thread there(transfer, std::ref(checking), std::ref(savings));
  transfer(savings, checking);
  there.join();
}
"""

QUIET = """
#include <atomic>
#include <cstdlib>
#include <thread>
std::atomic<int> hits;
int main(int count, char** arguments) {
  std::thread first([] { ++hits; });
  ++hits;
  first.join();
  return count > 1 ? std::atoi(arguments[1]) : 0;
}
"""

RELAY = """
#include <sys/wait.h>
#include <unistd.h>
#include <thread>
int misses;
void miss() { ++misses; }
int main() {
  if (fork() == 0) {
    execl("./racy", "racy", nullptr);
    _exit(2);
  }
  wait(nullptr);
  std::thread first(miss), second(miss);
  first.join(), second.join();
}
"""

ENDLESS = """
int main() { for (;;) asm volatile(""); }
"""

PLUGIN = """
#include <thread>
static int hits;
extern "C" void serve() {
  std::thread first([] { ++hits; });
  ++hits;
  first.join();
}
"""

HOST = """
#include <dlfcn.h>
int main(int, char** arguments) {
  void* plugin = dlopen(arguments[1], RTLD_NOW);
  reinterpret_cast<void (*)()>(dlsym(plugin, "serve"))();
}
"""


# Its own suppressions, as ThreadSanitizer asks for them.
KNOWN = RACY_C + """
const char *__tsan_default_suppressions(void) { return "race:^main$\\n"; }
"""

BUSY = """
#include <atomic>
#include <thread>
std::atomic<long> count;
int main() {
  std::thread other([] { for (int i = 0; i < 100000; ++i) count.fetch_add(i); });
  other.join();
}
"""


class RaceCommandTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.folder.name)
        for name, text in {"racy.cc": RACY, "racy.c": RACY_C, "deadlock.cc": DEADLOCK,
                           "quiet.cc": QUIET, "relay.cc": RELAY, "endless.cc": ENDLESS,
                           "plugin.cc": PLUGIN, "host.cc": HOST, "known.c": KNOWN,
                           "busy.cc": BUSY}.items():
            (cls.path / name).write_text(text)
        for name in ("racy", "deadlock", "quiet"):
            cls.call("cxx", "-std=c++20", "-O1", f"{name}.cc", "-o", name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def call(cls, *arguments, code=0, environment=None):
        """Runs `vigil race ARGUMENTS`; the exit code must be `code`."""
        result = subprocess.run([VIGIL, "race", *arguments], cwd=cls.path, text=True,
                                stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                                env={**os.environ, **(environment or {})}, check=False)
        if result.returncode != code:
            raise AssertionError(f"vigil race {' '.join(arguments)}: exit {result.returncode}, "
                                 f"not {code}\n{result.stdout}{result.stderr}")
        return result

    def start(self, program, code, **environment):
        """Runs a program by itself, with vigil in PATH; what it wrote to standard error."""
        folder = str(pathlib.Path(VIGIL).resolve().parent)
        result = subprocess.run([f"./{program}"], cwd=self.path, text=True, capture_output=True,
                                env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}",
                                     **environment}, timeout=60, check=False)
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stderr

    def report(self, name):
        return json.loads((self.path / name).read_text())

    def test_every_compiler_and_every_way_to_build_gives_a_program_whose_race_is_found(self):
        self.call("cc", "-O1", "racy.c", "-o", "c_at_once")
        self.call("cc", "-c", "racy.c", "-o", "racy_c.o")
        self.call("cc", "racy_c.o", "-o", "c_by_steps")
        self.call("cxx", "--compiler=clang++", "-O1", "racy.cc", "-o", "clang_at_once")
        self.call("cxx", "-c", "-fsanitize=thread", "racy.cc", "-o", "racy.o",
                  environment={"VIGIL_CXX": "clang++"})
        self.call("cxx", "-fsanitize=thread", "racy.o", "-o", "clang_by_steps")
        self.call("cxx", "-no-pie", "racy.cc", "-o", "fixed_place")
        for program in ("racy", "c_at_once", "c_by_steps", "clang_at_once", "clang_by_steps",
                        "fixed_place"):
            with self.subTest(program):
                report = self.call("run", "--", f"./{program}", code=1).stdout
                self.assertIn("data race on 'hits'", report)
                self.assertIn("racy.c", report)

    def test_a_loaded_library_finds_the_runtime_in_the_program(self):
        self.call("cxx", "-shared", "-fPIC", "-Wl,-z,defs", "plugin.cc", "-o", "plugin.so")
        self.call("cxx", "host.cc", "-o", "host")
        report = self.call("run", "--", "./host", "./plugin.so", code=1).stdout
        self.assertIn("plugin.cc", report)

    def test_what_neither_compiles_nor_links_is_the_compilers_own_answer(self):
        direct = subprocess.run(["g++", "--version"], capture_output=True, text=True, check=True)
        self.assertEqual(self.call("cxx", "--version").stdout, direct.stdout)
        macros = self.call("cc", "-E", "-dM", "-x", "c", "/dev/null").stdout
        self.assertIn("__SANITIZE_THREAD__", macros)

    def test_the_report_has_the_fields_that_other_tools_read(self):
        self.call("run", "--seed", "3", "--json", "racy.json", "--", "./racy", code=1)
        report = self.report("racy.json")
        finding = report["findings"][0]
        self.assertEqual(finding["kind"], "race")
        self.assertEqual(finding["seed"], 3)
        self.assertEqual(finding["location"]["object"], "hits")
        self.assertEqual(finding["replay"], "vigil race replay --seed 3 -- ./racy")
        self.assertEqual(len(finding["accesses"]), 2)
        for access in finding["accesses"]:
            self.assertEqual(access["stack"][0]["function"], "handle")
            self.assertEqual(access["stack"][0]["line"], 5)
            self.assertEqual(access["size"], 4)
        self.assertEqual(report["schedules"], 1)

    def test_the_report_goes_to_standard_error_when_json_goes_to_standard_output(self):
        result = self.call("run", "--json", "-", "--", "./racy", code=1)
        self.assertEqual(json.loads(result.stdout)["findings"][0]["kind"], "race")
        self.assertIn("data race on 'hits'", result.stderr)

    def test_equal_seeds_give_equal_reports_whatever_runs_at_the_same_time(self):
        texts = []
        for jobs in ("1", "1", "3"):
            self.call("run", "--jobs", jobs, "--schedules", "60", "--keep-going", "--json",
                      "same.json", "--", "./deadlock", code=1)
            texts.append((self.path / "same.json").read_text())
        self.assertEqual(texts[0], texts[1])
        self.assertEqual(texts[0], texts[2])

    def test_a_finding_is_replayed_and_minimized(self):
        self.call("run", "--schedules", "300", "--json", "deadlock.json", "--", "./deadlock",
                  code=1)
        seed = self.report("deadlock.json")["findings"][0]["seed"]
        self.call("replay", "--seed", str(seed), "--", "./deadlock", code=1)
        self.call("replay", "deadlock.json", "--", "./deadlock", code=1)
        text = self.call("minimize", "deadlock.json", "--output", "d.replay", "--",
                         "./deadlock").stdout
        self.assertIn("1 of ", text)  # one preemption is enough
        self.assertIn("T1 waits at deadlock.cc:6", text)
        for _ in range(20):
            self.call("replay", "d.replay", "--", "./deadlock", code=1)

    def test_a_replay_of_another_program_is_said_to_diverge(self):
        self.call("run", "--json", "racy2.json", "--", "./racy", code=1)
        result = self.call("replay", "racy2.json", "--", "./quiet", code=3)
        self.assertIn("DIVERGED", result.stderr)

    def test_a_program_without_a_bug_is_clean_and_its_exit_status_is_noted(self):
        self.assertIn("no finding in 50 schedules",
                      self.call("run", "--schedules", "50", "--", "./quiet").stdout)
        text = self.call("run", "--schedules", "4", "--", "./quiet", "9").stdout
        self.assertIn("exited with 9 in 4 schedules (first with seed 1)", text)

    def test_free_mode_finds_the_race_and_passes_the_output_on(self):
        result = self.call("run", "--mode", "free", "--", "./racy", code=1)
        self.assertIn("served", result.stdout)
        self.assertIn("data race on 'hits'", result.stdout)

    def test_a_program_and_another_one_that_it_starts_are_each_named_from_their_own_file(self):
        self.call("cxx", "-std=c++20", "-O1", "relay.cc", "-o", "relay")
        for mode in ("free", "controlled"):
            with self.subTest(mode):
                self.call("run", "--mode", mode, "--keep-going", "--json", "relay.json", "--",
                          "./relay", code=1)
                races = {finding["location"]["object"]: finding["accesses"][0]["stack"][0]
                         for finding in self.report("relay.json")["findings"]}
                self.assertEqual(races["hits"]["function"], "handle")
                self.assertTrue(races["hits"]["file"].endswith("racy.cc"))
                self.assertEqual(races["misses"]["function"], "miss")
                self.assertTrue(races["misses"]["file"].endswith("relay.cc"))

    def test_suppressed_findings_do_not_count_and_unused_lines_are_told(self):
        (self.path / "known.txt").write_text("race:^handle$\nrace:long_gone\n")
        text = self.call("run", "--suppressions", "known.txt", "--", "./racy").stdout
        self.assertIn("suppressed", text)
        self.assertIn("not needed: race:long_gone (known.txt:2)", text)
        (self.path / "bad.txt").write_text("nonsense\n")
        self.assertIn("bad.txt:1: ",
                      self.call("run", "--suppressions", "bad.txt", "--", "./racy", code=2).stderr)

    def test_a_program_started_by_itself_names_what_it_finds_if_vigil_is_in_the_path(self):
        text = self.start("racy", 66)
        self.assertIn("data race on 'hits'", text)
        self.assertIn("racy.cc:5", text)
        plain = self.start("racy", 66, PATH="/nowhere")
        self.assertIn("vigil race: data race", plain)
        self.assertIn("with vigil in PATH", plain)

    def test_a_program_may_bring_suppressions_as_for_threadsanitizer(self):
        self.call("cc", "-O1", "known.c", "-o", "known")
        self.assertEqual(self.start("known", 0), "")
        self.assertIn("no finding", self.call("run", "--schedules", "5", "--", "./known").stdout)
        self.assertIn("need vigil in PATH", self.start("known", 66, PATH="/nowhere"))

    def test_threadsanitizers_options_mean_the_same_or_are_told(self):
        (self.path / "options.txt").write_text("race:^handle$\n")
        self.assertEqual(self.start("racy", 0, TSAN_OPTIONS="suppressions=options.txt"), "")
        self.start("racy", 9, TSAN_OPTIONS="exitcode=9:halt_on_error=1")
        self.start("racy", 42, TSAN_OPTIONS="exitcode=9", VIGIL_RACE_OPTIONS="exit_code=42")
        text = self.start("quiet", 0, TSAN_OPTIONS="history_size=7 second_deadlock_stack=1")
        self.assertIn("mean nothing here", text)
        self.assertIn("history_size second_deadlock_stack", text)
        self.assertNotIn("data race", self.start("racy", 66, TSAN_OPTIONS="log_path=log"))
        logs = list(self.path.glob("log.*"))
        self.assertEqual(len(logs), 1)
        self.assertIn("data race on 'hits'", logs[0].read_text())

    def test_the_end_of_max_points_is_no_livelock(self):
        self.call("cxx", "-O1", "busy.cc", "-o", "busy")
        text = self.call("run", "--schedules", "1", "--max-points", "1000", "--", "./busy").stdout
        self.assertIn("ended by --max-points, no finding so far", text)
        self.call("run", "--schedules", "1", "--", "./busy")

    def test_a_record_file_is_shown_with_names(self):
        self.start("racy", 66, VIGIL_RACE_OPTIONS="out=racy.records")
        self.assertIn("data race on 'hits'", self.call("show", "racy.records").stdout)
        self.call("show", "absent.records", code=2)
        self.call("show", "--latest-of", "x", "racy.records", code=2)

    def test_a_schedule_without_an_end_is_killed_and_reported(self):
        self.call("cxx", "endless.cc", "-o", "endless")
        text = self.call("run", "--timeout-s", "1", "--", "./endless", code=1).stdout
        self.assertIn("did not end within 1 s", text)

    def test_what_cannot_be_examined_is_a_clear_error(self):
        self.assertIn("No such file", self.call("run", "--", "./absent", code=2).stderr)
        self.assertIn("was not built for the race runtime",
                      self.call("run", "--", "/bin/true", code=2).stderr)
        self.assertIn("neither a replay file nor a report",
                      self.call("replay", "racy.cc", "--", "./racy", code=2).stderr)
        self.assertIn("without -static",
                      self.call("cxx", "-static", "racy.cc", "-o", "static", code=2).stderr)
        self.assertIn("unknown option", self.call("run", "--wrong", code=2).stderr)
        self.assertIn("unknown command", self.call("walk", code=2).stderr)

    def test_every_command_has_help_with_an_example(self):
        for command in ("cc", "cxx", "run", "replay", "show", "minimize"):
            self.assertIn("Examples:", self.call(command, "--help").stdout)
        self.assertIn("Example:", self.call("--help").stdout)


if __name__ == "__main__":
    print(f"vigil: {VIGIL}", file=sys.stderr)
    unittest.main()
