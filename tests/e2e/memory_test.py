# SPDX-License-Identifier: Apache-2.0
"""What vigild makes of its memory limits, by the resident memory of the real process.

The limit of stored keys holds 75 % of payload whatever sizes came before, deleting works at it,
evicting makes room, and freed memory goes back to the system. The buffers of all connections have
a limit together, and whoever holds most is cut off.
"""

import contextlib
import random
import socket

import harness
from resp import ErrorReply, Simple, encode

MIB = 1 << 20
LIMIT = 64 * MIB
BUFFERS = 32 * MIB
# Of an idle vigild, freed pages that are kept, bookkeeping, one read and its replies per thread.
BESIDE = 40 * MIB
OK = Simple(b"OK")


def resident(server):
    with open(f"/proc/{server.pid}/statm") as statm:
        return int(statm.read().split()[1]) * 4096


def peak(server):
    with open(f"/proc/{server.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024


def info(client, name):
    lines = client.call("INFO").decode().splitlines()
    return next(line.split(":", 1)[1] for line in lines if line.startswith(name + ":"))


class MemoryTest(harness.TestCase):
    def start(self, *flags):
        return self.start_vigild("--threads", "2", "--memory-limit", "64MiB", *flags)

    def metrics(self, server):
        with contextlib.closing(server.http()) as http:
            http.request("GET", "/metrics")
            return http.getresponse().read().decode()

    def fill(self, client, size_of, prefix=b"key"):
        """Stores keys until one is refused; returns their number and their payload."""
        keys = payload = 0
        refused = False
        while not refused:
            batch = [
                (prefix + b":%010d" % i, b"v" * size_of(i)) for i in range(keys, keys + 512)
            ]
            replies = client.pipeline([("SET", key, value) for key, value in batch])
            for (key, value), reply in zip(batch, replies):
                if reply != OK:
                    self.assertIsInstance(reply, ErrorReply)
                    self.assertTrue(reply.text.startswith("OOM"), reply.text)
                    refused = True
                    break
                keys += 1
                payload += len(key) + len(value)
        return keys, payload

    def test_payload_fills_the_limit_and_goes_back_to_the_system(self):
        server = self.start()
        with server.resp(60) as client:
            idle = resident(server)
            sizes = [20 + 8 * i for i in range(50)]
            for size_of in (lambda i: sizes[i % 50], lambda i: 20_000, lambda i: 6_600,
                            lambda i: 60_000, lambda i: sizes[-1 - i % 50]):  # fmt: skip
                _, payload = self.fill(client, size_of)
                self.assertGreaterEqual(payload, LIMIT * 75 // 100)
                self.assertLessEqual(resident(server), LIMIT + BESIDE)
                self.assertEqual(client.call("FLUSHALL"), OK)
                self.assertLessEqual(resident(server), idle + 16 * MIB)
            self.assertLessEqual(int(info(client, "used_memory_arena")), 2 * MIB)

    def test_deleting_works_at_the_limit(self):
        server = self.start()
        with server.resp(60) as client:
            orders = 400
            for i in range(orders):
                client.call("ORDER.PUT", "order:%d" % i, "pending", "p" * 300)
            self.fill(client, lambda i: 900)
            self.fill(client, lambda i: 1, prefix=b"small")
            for i in range(0, orders, 4):
                self.assertEqual(client.call("DEL", "order:%d" % i), 1)
                self.assertEqual(client.call("UNLINK", "order:%d" % (i + 1)), 1)
                self.assertEqual(client.call("EXPIRE", "order:%d" % (i + 2), "0"), 1)
                self.assertEqual(self.http_delete(server, "order:%d" % (i + 3)), 204)
            self.assertEqual(client.call("EXISTS", *["order:%d" % i for i in range(orders)]), 0)
            self.assertEqual(client.call("SET", b"key:%010d" % 7, "smaller"), OK)
            self.assertEqual(client.call("EXPIRE", b"key:%010d" % 7, "100"), 1)
            self.assertEqual(client.call("DEL", b"key:%010d" % 7), 1)

    def http_delete(self, server, order):
        with contextlib.closing(server.http()) as http:
            http.request("DELETE", "/orders/" + order)
            return http.getresponse().status

    def test_policies_evict_but_never_a_pending_order(self):
        server = self.start("--maxmemory-policy", "allkeys-lru")
        with server.resp(60) as client:
            client.call("CONFIG", "SET", "notify-keyspace-events", "Ee")
            self.assertEqual(info(client, "maxmemory_policy"), "allkeys-lru")
            for i in range(200):
                client.call("ORDER.PUT", "order:%d" % i, "pending", "p" * 100)
            rng = random.Random(harness.seed())
            for start in range(0, 300_000, 1000):
                keys = range(start, start + 1000)
                replies = client.pipeline(
                    [("SET", b"k:%d" % i, b"v" * rng.randrange(400)) for i in keys]
                )
                self.assertEqual([r for r in replies if r != OK], [])
            self.assertGreater(int(info(client, "evicted_keys")), 10_000)
            self.assertEqual(client.call("EXISTS", *["order:%d" % i for i in range(200)]), 200)
            self.assertIn('cache_evict_total{reason="memory"}', self.metrics(server))
            self.assertEqual(client.call("CONFIG", "SET", "maxmemory-policy", "volatile-ttl"), OK)
            self.assertEqual(client.call("CONFIG", "SET", "maxmemory", "128mb"), OK)
            self.assertEqual(info(client, "maxmemory"), str(128 * MIB))
            self.assertEqual(info(client, "maxmemory_policy"), "volatile-ttl")
            for name, value in (("maxmemory", "1mb"), ("maxmemory-policy", "allkeys-random")):
                self.assertIsInstance(client.call("CONFIG", "SET", name, value), ErrorReply)
            self.fill(client, lambda i: 100, prefix=b"more")

    def hold(self, stack, server, data, count):
        """Connections that send `data` and do not read."""
        held = []
        for _ in range(count):
            peer = stack.enter_context(socket.create_connection(server.resp_address))
            peer.settimeout(20)
            with contextlib.suppress(OSError):  # cut off
                peer.sendall(data)
            held.append(peer)
        return held

    def shed(self, server):
        name = "vigild_connections_shed_total "
        lines = [line for line in self.metrics(server).splitlines() if line.startswith(name)]
        return float(lines[0].split()[1])

    def assert_bounded(self, server, data, count, shed=0):
        """While `count` connections sent `data`, of which at least `shed` are cut off for it."""
        with contextlib.ExitStack() as stack, server.resp(60) as witness:
            self.hold(stack, server, data, count)
            self.assertEqual(witness.call("PING"), Simple(b"PONG"))
            harness.wait_until(lambda: self.shed(server) >= shed, "the largest are cut off")
            harness.wait_until(
                lambda: int(info(witness, "mem_clients_normal")) <= BUFFERS, "the limit holds"
            )
            self.assertGreater(int(info(witness, "mem_clients_normal")), BUFFERS // 4)
        self.assertLessEqual(peak(server), BUFFERS + BESIDE)
        harness.wait_until(lambda: resident(server) < BESIDE, "memory has gone back")

    def test_unfinished_requests_have_a_limit_together(self):
        server = self.start("--connection-memory-limit", "32MiB")
        unfinished = b"*3\r\n$4\r\nMSET\r\n$1\r\nk\r\n$4000000\r\n" + b"v" * 3_900_000
        self.assert_bounded(server, unfinished, 30, shed=10)
        self.assertIn("the limit of all connections' memory", server.log())

    def test_answers_that_are_not_read_have_a_limit_together(self):
        server = self.start("--connection-memory-limit", "32MiB")
        with server.resp(60) as client:
            client.call("SET", "large", b"v" * 1_000_000)
        self.assert_bounded(server, encode("GET", "large") * 100, 30)

    def test_a_connection_that_does_not_read_does_not_execute_on(self):
        server = self.start()
        with server.resp(60) as client, contextlib.ExitStack() as stack:
            client.call("SET", "large", b"v" * 1_000_000)
            requests = b"".join(
                encode("GET", "large") + encode("INCR", "executed") for _ in range(200)
            )
            (peer,) = self.hold(stack, server, requests, 1)
            executed = int(client.call("GET", "executed") or 0)
            self.assertLess(executed, 64)
            # Nothing is lost: once it reads, it gets all of them in order.
            large = len(b"$1000000\r\n") + 1_000_000 + 2
            wanted = sum(large + len(b":%d\r\n" % i) for i in range(1, 201))
            received = bytearray()
            while len(received) < wanted:
                received += peer.recv(1 << 20)
            self.assertEqual(len(received), wanted)
            self.assertTrue(received.endswith(b"\r\n:200\r\n"))
            self.assertEqual(client.call("GET", "executed"), b"200")

    def test_subscribers_queues_count(self):
        server = self.start("--connection-memory-limit", "32MiB")
        with server.resp(60) as publisher, contextlib.ExitStack() as stack:
            peers = self.hold(stack, server, encode("SUBSCRIBE", "c"), 10)
            for peer in peers:
                peer.recv(100)
            for _ in range(60):
                publisher.call("PUBLISH", "c", b"m" * 200_000)
            self.assertEqual(publisher.call("PING"), Simple(b"PONG"))
        self.assertLessEqual(peak(server), BUFFERS + BESIDE)


if __name__ == "__main__":
    harness.main()
