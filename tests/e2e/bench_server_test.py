# SPDX-License-Identifier: Apache-2.0
"""scripts/bench_server.py runs every load to its end and reports all of them; what the figures are
is the benchmark's own matter, so nothing here judges them."""

import json
import os
import pathlib
import sys
import tempfile

import harness

SCRIPT = harness.SOURCE_DIR / "scripts" / "bench_server.py"


class BenchServerTest(harness.TestCase):
    def bench(self, *arguments):
        return harness.run(sys.executable, "-B", SCRIPT, *arguments, timeout_s=500)

    def test_a_quick_run_reports_every_section(self):
        if len(os.sched_getaffinity(0)) < 2:
            self.skipTest("the benchmark needs two cores")
        with tempfile.TemporaryDirectory() as directory:
            result = pathlib.Path(directory, "result.json")
            first, second = sorted(os.sched_getaffinity(0))[:2]
            done = self.bench(
                "--quick", "--runs", "1", "--json", result, "--vigild", harness.vigild_path(),
                "--resp-load", os.environ["RESP_LOAD"], 
                "--server-core", first, "--client-core", second,
            )  # fmt: skip
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            runs = json.loads(result.read_text(encoding="utf-8"))["runs"]
        self.assertEqual(list(runs), ["throughput", "http", "memory", "expiry", "growth"])
        for measures in runs.values():
            for servers in measures.values():
                self.assertEqual({len(figures) for figures in servers.values()}, {1})
        self.assertIn("| GET p64 resp_load per s |", done.stdout)
        self.assertNotIn("\x1b", done.stdout + done.stderr)

    def test_wrong_usage_exits_2_and_says_what_to_do(self):
        for arguments, hint in (
            (("--runs", "0"), "at least 1"),
            (("--only", "nosuch"), "expected throughput"),
            (("--vigild", "/nonexistent/vigild"), "cmake --preset bench"),
            (("--server-core", "100000"), "--server-core"),
        ):
            with self.subTest(arguments=arguments):
                done = self.bench(*arguments)
                self.assertEqual(done.returncode, 2)
                self.assertIn(hint, done.stderr)


if __name__ == "__main__":
    harness.main()
