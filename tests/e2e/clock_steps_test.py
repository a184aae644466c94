# SPDX-License-Identifier: Apache-2.0
"""vigild while the wall clock is stepped, by libfaketime: dates follow it, periods do not move."""

import email.utils
import glob
import json
import os
import tempfile
import time

import harness
from resp import Simple

LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"
STEPS_S = (2 * 3600, -3600, 86400, -1)


class ClockStepsTest(harness.TestCase):
    def setUp(self):
        libraries = glob.glob(LIBRARY)
        if not libraries:
            self.skipTest("faketime is not installed: run scripts/setup.sh")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = os.path.join(folder.name, "clock")
        self.data = os.path.join(folder.name, "data")
        self.library = libraries[0]
        self.step_to(0)
        self.server = self.start()

    def start(self):
        return self.start_vigild(
            *("--threads", "2", "--data-dir", self.data),
            environment={
                "LD_PRELOAD": self.library,
                "FAKETIME_TIMESTAMP_FILE": self.file,
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            },
        )

    def step_to(self, ahead_s):
        with open(self.file + ".new", "w", encoding="ascii") as file:
            file.write(f"{ahead_s:+d}")
        os.replace(self.file + ".new", self.file)
        self.ahead_s = ahead_s

    def now_s(self):
        return time.time() + self.ahead_s

    def assert_about(self, seconds, expected):
        self.assertAlmostEqual(seconds, expected, delta=3)

    def http_json(self, method, path, body=None):
        connection = self.server.http()
        self.addCleanup(connection.close)
        connection.request(method, path, body=body, headers={"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer, json.loads(answer.read())

    def test_dates_follow_every_step_and_periods_do_not_move(self):
        with self.server.resp() as client:
            client.call("SET", "period", "x", "EX", 1000)
            for step_s in STEPS_S:
                with self.subTest(step_s=step_s):
                    self.step_to(step_s)
                    date_s = int(self.now_s()) + 60
                    set_to_date = ("SET", "date", "x", "EXAT", date_s)
                    self.assertEqual(client.call(*set_to_date), Simple(b"OK"))
                    self.assert_about(client.call("TTL", "date"), 60)
                    self.assertEqual(client.call("EXPIRETIME", "date"), date_s)
                    self.assertEqual(client.call("EXPIREAT", "date", date_s + 600), 1)
                    self.assert_about(client.call("TTL", "date"), 660)
                    self.assert_about(client.call("TTL", "period"), 1000)
                    self.assert_about(client.call("EXPIRETIME", "period"), self.now_s() + 1000)

                    answer, order = self.http_json(
                        "PUT", f"/orders/{step_s}", '{"status":"pending","ttl_ms":60000}'
                    )
                    self.assert_about(order["updated_at_ms"] / 1000, self.now_s())
                    self.assert_about(order["expires_at_ms"] / 1000, self.now_s() + 60)
                    date = email.utils.parsedate_to_datetime(answer.headers["Date"])
                    self.assert_about(date.timestamp(), self.now_s())

    def test_periods_go_on_when_the_server_is_killed_after_a_step(self):
        for step_s in STEPS_S:
            with self.subTest(step_s=step_s):
                with self.server.resp() as client:
                    client.call("SET", "period", "x", "EX", 1000)
                    self.step_to(step_s)
                    date_s = int(self.now_s()) + 60
                    client.call("SET", "date", "x", "EXAT", date_s)
                    harness.wait_until(self.noted, "the step is noted")
                self.server.discard()
                self.server = self.start()
                with self.server.resp() as client:
                    self.assert_about(client.call("TTL", "period"), 1000)
                    self.assert_about(client.call("EXPIRETIME", "period"), self.now_s() + 1000)
                    self.assertEqual(client.call("EXPIRETIME", "date"), date_s)

    def noted(self):
        try:
            with open(os.path.join(self.data, "CLOCK"), encoding="ascii") as file:
                ahead_ms = int(file.read().split()[-1])
        except FileNotFoundError:
            return self.ahead_s == 0
        return abs(ahead_ms - self.ahead_s * 1000) < 1000


if __name__ == "__main__":
    harness.main()
