# SPDX-License-Identifier: Apache-2.0
"""redis-cli and redis-benchmark, as a person would type them."""

import harness


class RedisCliTest(harness.TestCase):
    def setUp(self):
        self.server = self.start_vigild("--threads", "2")

    def cli(self, *arguments, stdin=""):
        port = self.server.resp_address[1]
        done = harness.run(self.require("redis-cli"), "-p", port, *arguments, stdin=stdin)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout.rstrip("\n")

    def test_a_key_is_set_read_and_expired(self):
        self.assertEqual(self.cli("SET", "order:1", "paid"), "OK")
        self.assertEqual(self.cli("GET", "order:1"), "paid")
        self.assertEqual(self.cli("TTL", "order:1"), "-1")
        self.assertEqual(self.cli("EXPIRE", "order:1", "100"), "1")
        self.assertIn(int(self.cli("TTL", "order:1")), range(95, 101))
        self.assertEqual(self.cli("EXPIRE", "order:1", "-1"), "1")
        self.assertEqual(self.cli("GET", "order:1"), "")
        self.assertEqual(self.cli("TTL", "order:1"), "-2")

    def test_scan_finds_every_key(self):
        commands = "".join(f"SET scan:{i} {i}\n" for i in range(500))
        self.assertEqual(self.cli(stdin=commands).split(), ["OK"] * 500)
        found = self.cli("--scan", "--pattern", "scan:*").split()
        self.assertEqual(sorted(found), sorted(f"scan:{i}" for i in range(500)))

    def test_hello_speaks_resp3(self):
        hello = self.cli("-3", "HELLO")
        self.assertIn('"proto" => (integer) 3', self.cli("-3", "--no-raw", "HELLO"))
        self.assertIn("server", hello)

    def test_pipe_mode_loads_many_keys(self):
        protocol = "".join(f"SET pipe:{i} value{i}\r\n" for i in range(20_000))
        self.assertIn("errors: 0, replies: 20000", self.cli("--pipe", stdin=protocol))
        self.assertEqual(self.cli("DBSIZE"), "20000")

    def test_info_tells_what_tools_read(self):
        info = self.cli("INFO")
        for field in ("redis_version:", "uptime_in_seconds:", "connected_clients:", "used_memory:"):
            self.assertIn(field, info)

    def test_redis_benchmark_runs(self):
        done = harness.run(
            self.require("redis-benchmark"), "-p", self.server.resp_address[1],
            "-t", "ping,set,get,incr,mset", "-n", "20000", "-P", "16", "-r", "1000", "-q",
        )  # fmt: skip
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("Error", done.stdout + done.stderr)
        self.assertEqual(done.stdout.count("requests per second"), 6, done.stdout)


if __name__ == "__main__":
    harness.main()
