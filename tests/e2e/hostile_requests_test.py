# SPDX-License-Identifier: Apache-2.0
"""No request, however long its parts, malformed or broken off, ends vigild or another connection.

VIGIL_HOSTILE_REQUESTS=1000000 sends as many generated requests instead of 20,000.
"""

import contextlib
import os
import random
import re
import socket

import harness
from hostile_requests import (
    CHUNK, CHUNKED, GET, HTTP_PARTS, LAST, Limits,
    any_case, http_header_case, mutate, resp_argument, resp_arguments, resp_inline, short_cases,
)  # fmt: skip
from resp import Simple

WAIT_S = 60  # bounds a hang
# The other protocol is told so in its own words.
ANSWER = {
    "http": re.compile(rb"\A(\Z|HTTP/1\.1 \d\d\d |-ERR this port speaks HTTP)"),
    "resp": re.compile(rb"\A(\Z|[-+:$*]|HTTP/1\.1 400 )"),
}
REQUESTS = int(os.environ.get("VIGIL_HOSTILE_REQUESTS", "20000"))
MEMORY_BYTES_MAX = 64 << 20
LIMITS = Limits()


class HostileRequestsTest(harness.TestCase):
    def setUp(self):
        self.server = self.start_vigild("--threads", "2", *LIMITS.flags())
        self.witness = self.server.resp(WAIT_S)
        self.addCleanup(self.witness.close)
        self.sent = 0

    def connect(self, protocol):
        address = self.server.http_address if protocol == "http" else self.server.resp_address
        # More addresses than one, for a million connections have more ports than one has.
        source = f"127.0.0.{2 + self.sent % 250}"
        self.sent += 1
        return socket.create_connection(address, WAIT_S, (source, 0))

    def exchange(self, protocol, data, finish=True, pieces=1):
        """All that is answered to `data`, up to the end of the connection."""
        received = bytearray()
        with self.connect(protocol) as peer:
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                step = max(len(data) // pieces, 1)
                for start in range(0, len(data), step):
                    peer.sendall(data[start : start + step])
                if finish:
                    peer.shutdown(socket.SHUT_WR)
            with contextlib.suppress(ConnectionResetError):
                while part := peer.recv(65536):
                    received += part
        return bytes(received)

    def assert_refused(self, protocol, answer, what):
        """An error, or a close without a word."""
        if protocol == "http":
            statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 (\d\d\d) ", answer)]
            self.assertTrue(all(status >= 400 for status in statuses), (what, answer[:200]))
            self.assertLessEqual(len(statuses), 1, (what, answer[:200]))
        else:
            self.assertTrue(answer == b"" or answer.startswith(b"-ERR "), (what, answer[:200]))

    def assert_served(self, protocol, answer, what):
        if protocol == "http":
            self.assertRegex(answer, rb"\AHTTP/1\.1 (200 OK|404 Not Found)\r\n", what)
        else:
            self.assertRegex(answer, rb"\A(\+PONG|:\d+|\$\d+)\r\n", what)

    def assert_unharmed(self, faults=0):
        self.assertTrue(self.server.alive(), self.server.log())
        self.assertEqual(self.witness.call("PING"), Simple(b"PONG"))
        connection = self.server.http(WAIT_S)
        self.addCleanup(connection.close)
        connection.request("GET", "/metrics")
        metrics = connection.getresponse().read()
        self.assertIn(b"\nvigild_connection_faults_total %d\n" % faults, metrics)

    def resident_bytes(self):
        with open(f"/proc/{self.server.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def test_the_requests_that_once_ended_the_process_are_refused(self):
        for size in (65_533, 65_534, 65_535, 65_536, 66_000, 1_000_000, 15_000_000):
            for part in HTTP_PARTS:
                case = http_header_case(part, size, LIMITS)
                answer = self.exchange("http", case.data, finish=False)
                self.assert_refused("http", answer, (case.what, size))
        self.assert_unharmed()

    def test_every_form_is_served_whole_and_refused_when_it_is_broken_off_at_any_byte(self):
        for case in short_cases(LIMITS):
            self.assert_served(case.protocol, self.exchange(case.protocol, case.data), case)
            for cut in range(len(case.data)):
                answer = self.exchange(case.protocol, case.data[:cut])
                self.assert_refused(case.protocol, answer, (case.what, cut))
        self.assert_unharmed()

    def test_generated_requests_are_judged_as_their_limits_say(self):
        dice = random.Random(harness.seed())
        for number in range(REQUESTS):
            case = any_case(dice, LIMITS)
            place = (number, case.what, len(case.data))
            kind = dice.randrange(3)
            if kind == 0:
                pieces = dice.choice((1, 1, 2, 5))
                answer = self.exchange(case.protocol, case.data, case.served, pieces)
                check = self.assert_served if case.served else self.assert_refused
                check(case.protocol, answer, place)
            elif kind == 1:
                cut = dice.randrange(len(case.data))
                answer = self.exchange(case.protocol, case.data[:cut])
                self.assert_refused(case.protocol, answer, (*place, cut))
            else:
                answer = self.exchange(case.protocol, mutate(dice, case.data))
                self.assertRegex(answer, ANSWER[case.protocol], place)
            if number % 500 == 0:
                self.assertEqual(self.witness.call("PING"), Simple(b"PONG"), place)
        self.assert_unharmed()

    def unfinished(self):
        """Requests that are as long as they may be, and lack their last bytes."""
        for part in HTTP_PARTS:
            yield "http", http_header_case(part, LIMITS.header, LIMITS).data[:-1]
        yield "http", GET + b"Content-Length: %d\r\n\r\n" % LIMITS.body + b"x" * (LIMITS.body - 1)
        yield "resp", resp_inline(LIMITS.line, LIMITS).data[:-1]
        yield "resp", resp_arguments(LIMITS.arguments, LIMITS).data[:-1]
        yield "resp", resp_argument(LIMITS.request, LIMITS).data[:-1]

    def test_two_hundred_unfinished_requests_need_little_memory(self):
        forms = list(self.unfinished())
        for protocol, data in forms:  # what the server needs once
            self.exchange(protocol, data)
        quiet_bytes = self.resident_bytes()
        with contextlib.ExitStack() as peers:
            for number in range(200):
                protocol, data = forms[number % len(forms)]
                peers.enter_context(self.connect(protocol)).sendall(data)
            self.assert_unharmed()
            harness.wait_until(self.has_received_everything, "the server has read it all")
            self.assertLess(self.resident_bytes() - quiet_bytes, MEMORY_BYTES_MAX)
        self.assert_unharmed()

    def has_received_everything(self):
        counts = []
        for _ in range(2):
            info = self.witness.call("INFO", "stats")
            counts.append(re.search(rb"total_net_input_bytes:(\d+)", info).group(1))
        return int(counts[1]) - int(counts[0]) < 1000

    def test_what_never_ends_is_cut_off_and_needs_little_memory(self):
        quiet_bytes = self.resident_bytes()
        starts = (
            ("http", b"GET /", b"a" * 4096),
            ("http", GET + b"a:", b"b" * 4096),
            ("http", GET, b"a: b\r\n" * 500),
            ("http", CHUNKED + b"1;", b"a" * 4096),
            ("http", CHUNKED, b"1;a=b\r\nx\r\n" * 400),
            ("http", CHUNKED + b"0", b"0" * 4096),
            ("http", CHUNKED + CHUNK + b"0\r\n", b"a: b\r\n" * 500),
            ("http", CHUNKED + CHUNK + b"0\r\na: ", b"b" * 4096),
            ("resp", b"", b"PING " * 800),
            ("resp", b"*", b"1" * 4096),
        )
        for protocol, start, more in starts * 2:
            with self.connect(protocol) as peer:
                with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                    peer.sendall(start)
                    for _ in range(20_000):
                        peer.sendall(more)
                    self.fail(f"80 MB were taken behind {start!r}")
        self.assertLess(self.resident_bytes() - quiet_bytes, MEMORY_BYTES_MAX)
        self.assert_unharmed()

    def test_a_pipeline_is_served_up_to_its_first_bad_request(self):
        good = GET + b"\r\n" + CHUNKED + CHUNK + LAST
        for part in HTTP_PARTS:
            bad = http_header_case(part, LIMITS.header + 1, LIMITS).data
            answer = self.exchange("http", good * 3 + bad + good, finish=False)
            self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 6, (part[0], answer[-200:]))
            self.assertEqual(answer.count(b"HTTP/1.1 431"), 1, (part[0], answer[-200:]))
        self.assert_unharmed()


if __name__ == "__main__":
    harness.main()
