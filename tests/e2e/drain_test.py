# SPDX-License-Identifier: Apache-2.0
"""Stopping vigild: what was received is answered, then it exits 0."""

import os
import signal
import socket
import threading

import harness
from resp import ConnectionClosed, Simple, encode


class DrainTest(harness.TestCase):
    def test_both_signals_end_an_idle_server_with_status_0(self):
        for signal_number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=signal_number):
                server = self.start_vigild("--threads", "2")
                with server.resp() as client:
                    self.assertEqual(client.call("SET", "a", "b"), Simple(b"OK"))
                    self.assert_drains(server, signal_number)
                    with self.assertRaises((ConnectionClosed, ConnectionResetError)):
                        client.read()

    def test_replies_under_way_are_delivered_before_the_end(self):
        server = self.start_vigild("--threads", "1")
        value = os.urandom(100_000)
        gets = 100
        with server.resp() as client:
            client.call("SET", "big", value)
            client.socket.sendall(encode("GET", "big") * gets)
            first = client.read()  # the pipeline has been received and is being answered
            server.popen.send_signal(signal.SIGINT)
            replies = [first] + [client.read() for _ in range(gets - 1)]
            self.assertEqual([len(reply) for reply in replies], [len(value)] * gets)
            self.assertTrue(all(reply == value for reply in replies))
        self.assertEqual(server.popen.wait(harness.STOP_TIMEOUT_S), 0, server.log())

    def test_every_acknowledged_write_was_answered_in_full(self):
        """Writers run into the drain; each must see whole replies in order and then the end."""
        server = self.start_vigild("--threads", "2")
        started = threading.Barrier(5)
        problems = []

        def write(number):
            count = 0
            with server.resp() as client:
                try:
                    while True:
                        replies = client.pipeline([("INCR", f"counter:{number}")] * 20)
                        if replies != list(range(count + 1, count + 21)):
                            problems.append(replies)
                        count += 20
                        if count == 200:
                            started.wait(timeout=60)
                except (ConnectionClosed, ConnectionResetError, BrokenPipeError):
                    return

        writers = [threading.Thread(target=write, args=(i,)) for i in range(4)]
        for writer in writers:
            writer.start()
        started.wait(timeout=60)
        self.assert_drains(server)
        for writer in writers:
            writer.join()
        self.assertEqual(problems, [])

    def test_a_client_that_never_reads_cannot_hold_the_drain(self):
        server = self.start_vigild("--threads", "1")
        with server.resp() as client:
            client.call("SET", "big", b"x" * 1_000_000)
            client.socket.sendall(encode("GET", "big") * 20)
            self.assert_drains(server)

    def test_the_ports_are_free_after_the_end(self):
        server = self.start_vigild("--threads", "1")
        addresses = (server.resp_address, server.http_address)
        self.assert_drains(server)
        for address in addresses:
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection(address, timeout=5).close()


if __name__ == "__main__":
    harness.main()
