# SPDX-License-Identifier: Apache-2.0
"""Oversized, slow, half-closed and never-reading clients are cut off while others are served.

Every test keeps a witness at work: a thread whose requests must all be answered correctly before,
while and after the hostile client is dealt with.
"""

import contextlib
import select
import socket
import threading
import time

import harness
from resp import ConnectionClosed, ErrorReply, Simple, encode

WAIT_S = 60  # bounds a hang; the server's own limits are far below
LIMITS = (
    "--threads", "1",
    "--request-timeout", "500ms",
    "--slow-client-timeout", "500ms",
    "--http-idle-timeout", "500ms",
    "--request-bytes-max", "1MiB",
    "--http-body-bytes-max", "64KiB",
    "--output-high-water", "64KiB",
    "--output-limit", "4MiB",
    "--pubsub-output-limit", "1MiB",
    "--connections-max", "40",
)  # fmt: skip


class Witness:
    """A well-behaved client that works until it is stopped."""

    def __init__(self, server):
        self._server = server
        self._stop = threading.Event()
        self._progress = threading.Condition()
        self._rounds = 0
        self._failure = None
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self):
        try:
            with self._server.resp(WAIT_S) as client:
                while not self._stop.is_set():
                    value = b"%d" % self._rounds
                    replies = client.pipeline(
                        [("SET", "witness", value), ("GET", "witness"), ("PING",)]
                    )
                    assert replies == [Simple(b"OK"), value, Simple(b"PONG")], replies
                    with self._progress:
                        self._rounds += 1
                        self._progress.notify_all()
                    time.sleep(0.0005)  # leaves the core to the server and the hostile client
        except BaseException as failure:  # reported by the test's thread
            with self._progress:
                self._failure = failure
                self._progress.notify_all()

    def is_served(self):
        """Returns when 20 more rounds were answered from now on."""
        with self._progress:
            goal = self._rounds + 20
            served = self._progress.wait_for(lambda: self._failure or self._rounds >= goal, WAIT_S)
            assert served and not self._failure, f"the witness was not served: {self._failure!r}"

    def stop(self):
        self._stop.set()
        self._thread.join()


class HostileClientsTest(harness.TestCase):
    def setUp(self):
        self.server = self.start_vigild(*LIMITS)
        self.witness = Witness(self.server)
        self.addCleanup(self.witness.stop)
        self.witness.is_served()

    def connect(self, address=None, **options):
        peer = socket.create_connection(address or self.server.resp_address, timeout=WAIT_S)
        self.addCleanup(peer.close)
        for name, value in options.items():
            peer.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        return peer

    def read_to_end(self, peer):
        """What arrives before the server closes the connection."""
        received = bytearray()
        with contextlib.suppress(ConnectionResetError):
            while data := peer.recv(65536):
                received += data
        return bytes(received)

    def wait_until_alone(self, client):
        """Until `client` and the witness are the only connections: the end of a connection whose
        receive buffer is full cannot be seen from its other side without reading."""
        harness.wait_until(
            lambda: b"connected_clients:2\r\n" in client.call("INFO", "clients"),
            "the hostile client is cut off",
            WAIT_S,
        )

    def flood(self, peer, request):
        """Sends until the server closes the connection or takes nothing more until it does."""
        deadline = time.monotonic() + WAIT_S
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            while time.monotonic() < deadline:
                peer.sendall(request)
            self.fail("the server took requests without end")

    def test_a_client_that_pipelines_without_reading_is_cut_off(self):
        with self.server.resp() as client:
            client.call("SET", "big", b"x" * 100_000)
        hostile = self.connect(SO_RCVBUF=4096)
        self.flood(hostile, encode("GET", "big") * 1000)
        self.witness.is_served()

    def test_a_reply_larger_than_the_output_limit_cuts_the_client_off(self):
        with self.server.resp() as client:
            client.call("SET", "big", b"x" * 500_000)
            hostile = self.connect(SO_RCVBUF=4096)
            hostile.sendall(encode("MGET", *["big"] * 100))
            self.wait_until_alone(client)
        self.witness.is_served()

    def test_a_subscriber_that_never_reads_is_cut_off(self):
        hostile = self.connect(SO_RCVBUF=4096)
        hostile.sendall(encode("SUBSCRIBE", "news"))
        with self.server.resp() as publisher:
            harness.wait_until(
                lambda: publisher.call("PUBLISH", "news", "x") == 1, "it is subscribed"
            )
            message = b"m" * 10_000
            harness.wait_until(
                lambda: publisher.pipeline([("PUBLISH", "news", message)] * 50)[-1] == 0,
                "the subscriber is gone", WAIT_S,
            )  # fmt: skip
            self.wait_until_alone(publisher)
        self.witness.is_served()

    def test_an_unfinished_request_is_cut_off_after_the_time_out(self):
        for protocol, address, start in (
            ("RESP", self.server.resp_address, b"*2\r\n$3\r\nGET\r\n$5\r\nab"),
            ("inline", self.server.resp_address, b"PIN"),
            ("HTTP head", self.server.http_address, b"GET /orders/a HTTP/1.1\r\nHost: v"),
            ("HTTP body", self.server.http_address,
             b"PUT /orders/a HTTP/1.1\r\nHost: v\r\nContent-Length: 100\r\n\r\n{"),
        ):  # fmt: skip
            with self.subTest(protocol=protocol):
                hostile = self.connect(address)
                hostile.sendall(start)
                self.read_to_end(hostile)
                self.witness.is_served()

    def test_a_request_that_drips_in_is_cut_off_as_well(self):
        hostile = self.connect()
        request = encode("SET", "drip", b"x" * 100_000)
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            for byte in request:
                hostile.sendall(bytes([byte]))
                if select.select([hostile], [], [], 0.02)[0]:
                    break
            else:
                self.fail("the drip was endured to its end")
        self.witness.is_served()
        with self.server.resp() as client:
            self.assertEqual(client.call("EXISTS", "drip"), 0)

    def test_oversized_requests_are_refused(self):
        for request, answer in (
            (b"*2\r\n$3\r\nGET\r\n$536870913\r\n", b"-ERR Protocol error: invalid bulk length\r\n"),
            (b"*1048577\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
            (b"x" * 100_000, b"-ERR Protocol error: too big inline request\r\n"),
            (b"*" + b"1" * 100_000, b"-ERR Protocol error: too big mbulk count string\r\n"),
        ):
            with self.subTest(request=request[:30]):
                hostile = self.connect()
                hostile.sendall(request)
                self.assertEqual(self.read_to_end(hostile), answer)
                self.witness.is_served()

    def test_a_request_over_the_size_limit_is_cut_off_before_it_is_stored(self):
        hostile = self.connect()
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            hostile.sendall(encode("SET", "large", b"x" * 8_000_000))
        answer = self.read_to_end(hostile)
        self.assertTrue(answer == b"" or answer.startswith(b"-ERR "), answer[:100])
        self.witness.is_served()
        with self.server.resp() as client:
            self.assertEqual(client.call("EXISTS", "large"), 0)

    def test_oversized_http_requests_are_refused(self):
        for request, status in (
            (b"GET /orders/" + b"a" * 100_000 + b" HTTP/1.1\r\n\r\n", (414, 431, 400)),
            (b"GET /healthz HTTP/1.1\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", (431,)),
            (b"GET /healthz HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", (431,)),
            (b"PUT /orders/a HTTP/1.1\r\nHost: v\r\nContent-Length: 9999999999\r\n\r\n{}", (413,)),
            (b"PUT /orders/a HTTP/1.1\r\nHost: v\r\nTransfer-Encoding: chunked\r\n\r\n"
             + (b"8000\r\n" + b" " * 0x8000 + b"\r\n") * 2 + b"1\r\n{\r\n0\r\n\r\n",
             (413,)),
        ):  # fmt: skip
            with self.subTest(request=request[:40]):
                hostile = self.connect(self.server.http_address)
                with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                    hostile.sendall(request)
                answer = self.read_to_end(hostile)
                self.assertIn(int(answer.split(b" ", 2)[1]), status, answer[:200])
                self.witness.is_served()

    def test_a_half_closed_client_gets_its_pending_replies_and_then_the_end(self):
        peer = self.connect()
        peer.sendall(encode("SET", "half", "v") + encode("GET", "half") * 1000)
        peer.shutdown(socket.SHUT_WR)
        self.assertEqual(self.read_to_end(peer), b"+OK\r\n" + b"$1\r\nv\r\n" * 1000)
        web = self.connect(self.server.http_address)
        web.sendall(b"GET /healthz HTTP/1.1\r\nHost: v\r\n\r\n" * 10)
        web.shutdown(socket.SHUT_WR)
        self.assertEqual(self.read_to_end(web).count(b"HTTP/1.1 200 OK"), 10)
        self.witness.is_served()

    def test_a_half_closed_client_in_the_middle_of_a_request_is_closed(self):
        for address in (self.server.resp_address, self.server.http_address):
            peer = self.connect(address)
            peer.sendall(b"*2\r\n$3\r\nGET")
            peer.shutdown(socket.SHUT_WR)
            self.read_to_end(peer)
        self.witness.is_served()

    def test_connections_over_the_limit_are_told_so_and_closed(self):
        accepted, refused = [], []
        for _ in range(80):
            peer = self.connect()
            with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                peer.sendall(encode("PING"))
            try:
                answer = peer.recv(100)
            except ConnectionResetError:
                answer = b""
            (accepted if answer == b"+PONG\r\n" else refused).append((peer, answer))
        self.assertEqual(len(accepted), 39)  # and the witness
        self.assertIn(b"-ERR max number of clients reached\r\n", {answer for _, answer in refused})
        self.assertLessEqual(
            {answer for _, answer in refused}, {b"-ERR max number of clients reached\r\n", b""}
        )
        self.witness.is_served()
        for peer, _ in accepted:
            peer.close()
        harness.wait_until(self.is_accepted, "closed connections make room again")

    def is_accepted(self):
        try:
            with self.server.resp() as client:
                return client.call("PING") == Simple(b"PONG")
        except (ConnectionClosed, ConnectionError):
            return False

    def test_garbage_of_other_protocols_is_answered_or_closed_never_fatal(self):
        tls_hello = bytes.fromhex("16030100c8010000c40303") + bytes(range(190))
        for address in (self.server.resp_address, self.server.http_address):
            for garbage in (
                tls_hello,
                b"\x00" * 1000,
                b"\xff" * 70_000,
                b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                b"*1\r\n$4\r\nPING\r\n",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            ):
                with self.subTest(address=address, garbage=garbage[:20]):
                    peer = self.connect(address)
                    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                        peer.sendall(garbage)
                        peer.shutdown(socket.SHUT_WR)
                    self.read_to_end(peer)
        self.witness.is_served()

    def test_clients_that_vanish_by_reset_leave_the_server_at_work(self):
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # on, 0 s: close() sends a reset
        for _ in range(200):
            peer = socket.create_connection(self.server.resp_address, timeout=WAIT_S)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            peer.sendall(encode("GET", "witness") * 50)
            peer.close()
        self.witness.is_served()
        with self.server.resp() as client:
            self.assertNotIsInstance(client.call("INFO"), ErrorReply)


if __name__ == "__main__":
    harness.main()
