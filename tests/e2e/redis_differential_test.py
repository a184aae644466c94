# SPDX-License-Identifier: Apache-2.0
"""The same bytes go to vigild and to a real redis-server; every reply must be the same.

A difference is reported with the commands that led to it on the same keys, then both servers are
brought to the same state and the run goes on, so one run shows all kinds of differences.
"""

import concurrent.futures
import os
import random
import re
import socket
import time

import harness
from redis_commands import PATTERNS, CommandStream
from resp import ErrorReply, Null, encode

BATCHES = int(os.environ.get("VIGIL_BATCHES", "300"))
BATCH_COMMANDS = 50
STREAMS = 4
RAW_CASES = int(os.environ.get("VIGIL_RAW_CASES", "400"))
MAX_DIFFERENCES = 40
# Replies that tell how much time is left: the servers are asked at slightly different moments.
TIME_TOLERANCE = {b"TTL": 5, b"EXPIRETIME": 5, b"PTTL": 5000, b"PEXPIRETIME": 5000}


def same_reply(command, expected, actual):
    name = command[0].upper()
    if name in (b"HELLO", b"SCAN") and isinstance(expected, (list, dict)):
        return type(expected) is type(actual)  # about this server; SCAN has its own test
    tolerance = TIME_TOLERANCE.get(name)
    if (
        tolerance
        and isinstance(expected, int)
        and isinstance(actual, int)
        and min(expected, actual) >= 0
    ):
        return abs(expected - actual) <= tolerance
    return type(expected) is type(actual) and expected == actual


def show(command):
    return " ".join(
        repr(word)[1:] if len(word) <= 60 else f"<{len(word)} bytes>" for word in command
    )


def show_reply(reply):
    text = repr(reply)
    return text if len(text) <= 300 else text[:300] + "..."


# Where vigild ends a connection that Redis reads on.
STRICTER = re.compile(
    rb"-ERR Protocol error: expected (CRLF behind a bulk|'\*' or an inline command, got '.')\r\n$"
)


class Difference:
    """One disagreement; those with the same `kind` are counted, not repeated."""

    def __init__(self, command, expected, actual, history):
        self.kind = (command[0].upper(), self._shape(expected), self._shape(actual))
        keys = set(command[1:])
        related = [entry for entry in history if keys & set(entry[0][1:])][-4:]
        lines = [f"    after {show(earlier)} -> {show_reply(reply)}" for earlier, reply in related]
        lines.append(f"    {show(command)}")
        lines.append(f"      redis  {show_reply(expected)}")
        lines.append(f"      vigild {show_reply(actual)}")
        self.text = "\n".join(lines)

    @staticmethod
    def _shape(reply):
        return reply.text if isinstance(reply, ErrorReply) else type(reply).__name__


class Pair:
    """One connection to each server, kept in step."""

    def __init__(self, redis, vigild, protocol):
        self.redis = redis.resp()
        self.vigild = vigild.resp()
        self.protocol = protocol
        self.differences = []
        self.history = []
        for connection in (self.redis, self.vigild):
            reply = connection.call("HELLO", protocol)
            assert not isinstance(reply, ErrorReply), reply

    def close(self):
        self.redis.close()
        self.vigild.close()

    def run(self, commands, compare=same_reply):
        """Sends the commands to both in one write each; returns whether all replies agree."""
        request = b"".join(encode(*command) for command in commands)
        self.redis.socket.sendall(request)
        self.vigild.socket.sendall(request)
        agree = True
        for command in commands:
            expected, actual = self.redis.read(), self.vigild.read()
            if not compare(command, expected, actual):
                agree = False
                self.differences.append(Difference(command, expected, actual, self.history))
            self.history.append((command, expected))
        del self.history[:-500]
        return agree

    def resynchronise(self, keys):
        for connection in (self.redis, self.vigild):
            connection.call("DEL", *keys)
            connection.call("HELLO", self.protocol)
        self.history.clear()


def run_stream(redis, vigild, stream_seed, number):
    """One client's life: batches of commands, then a look at every key."""
    stream = CommandStream(random.Random(stream_seed), prefix=b"s%d:" % number)
    pair = Pair(redis, vigild, protocol=2 + number % 2)
    look = [[name, key] for key in stream.keys for name in (b"TYPE", b"GET", b"PEXPIRETIME")]
    try:
        for batch in range(BATCHES):
            size = stream.random.randint(1, BATCH_COMMANDS)
            agree = pair.run([stream.next() for _ in range(size)])
            if batch % 10 == 9:
                agree = pair.run(look) and agree
            if not agree:
                pair.resynchronise(stream.keys)
            if len({difference.kind for difference in pair.differences}) >= MAX_DIFFERENCES:
                break
    finally:
        pair.close()
    return pair.differences


def sorted_keys(reply):
    return sorted(reply) if isinstance(reply, list) else reply


def scan_all(connection, *options):
    """All keys of one full SCAN and whether the iteration ended."""
    keys, cursor = set(), b"0"
    for _ in range(10_000):
        reply = connection.call("SCAN", cursor, *options)
        if isinstance(reply, ErrorReply):
            return reply
        cursor = reply[0]
        keys.update(reply[1])
        if cursor == b"0":
            return keys
    raise AssertionError("SCAN did not end within 10,000 calls")


class RedisDifferentialTest(harness.TestCase):
    def setUp(self):
        self.redis = self.start_redis()
        self.vigild = self.start_vigild("--threads", "1")
        self.seed = harness.seed()

    def assert_no_differences(self, differences):
        kinds = {}
        for difference in differences:
            kinds.setdefault(difference.kind, []).append(difference)
        report = [f"{len(found)} x\n{found[0].text}" for found in kinds.values()]
        if report:
            self.fail(f"{len(report)} kinds of differences from Redis\n" + "\n".join(report))

    def test_every_reply_equals_that_of_redis(self):
        with concurrent.futures.ThreadPoolExecutor(STREAMS) as pool:
            jobs = [
                pool.submit(run_stream, self.redis, self.vigild, self.seed + number, number)
                for number in range(STREAMS)
            ]
            self.assert_no_differences([found for job in jobs for found in job.result()])

    def test_whole_database_commands_agree(self):
        generator = random.Random(self.seed)
        stream = CommandStream(generator, prefix=b"w:")
        with self.redis.resp() as redis, self.vigild.resp() as vigild:
            for round_number in range(30):
                commands = [stream.next() for _ in range(60)]
                commands = [command for command in commands if command[0].upper() != b"HELLO"]
                redis.pipeline(commands)
                vigild.pipeline(commands)
                if round_number % 10 == 9:
                    flush = generator.choice(
                        [("FLUSHALL",), ("FLUSHDB", "ASYNC"), ("FLUSHALL", "SYNC")]
                    )
                    self.assertEqual(redis.call(*flush), vigild.call(*flush))
                self._assert_same_view(redis, vigild, generator)

    def _assert_same_view(self, redis, vigild, generator):
        for pattern in PATTERNS:
            expected = sorted_keys(redis.call("KEYS", pattern))
            self.assertEqual(expected, sorted_keys(vigild.call("KEYS", pattern)), pattern)
        options = generator.choice(
            [
                (),
                ("COUNT", 1),
                ("COUNT", 1000),
                ("MATCH", "w:[0-4]*"),
                ("TYPE", "string"),
                ("TYPE", "list"),
            ]
        )
        keys = scan_all(redis, *options)
        self.assertEqual(keys, scan_all(vigild, *options), options)
        # Both servers count entries whose deadline is over until they have been collected.
        harness.wait_until(
            lambda: redis.call("DBSIZE") == vigild.call("DBSIZE"),
            "both count the same number of keys",
        )
        random_key = vigild.call("RANDOMKEY")
        if isinstance(random_key, Null):
            self.assertEqual(redis.call("DBSIZE"), 0)
        else:
            self.assertEqual(redis.call("EXISTS", random_key), 1)

    def test_entries_vanish_at_the_same_instant(self):
        generator = random.Random(self.seed)
        commands = (
            "GET",
            "TTL",
            "PTTL",
            "EXISTS",
            "TYPE",
            "STRLEN",
            "GETDEL",
            "PERSIST",
            "EXPIRETIME",
        )
        with self.redis.resp() as redis, self.vigild.resp() as vigild:
            for _ in range(20):
                due_ms = int(time.time() * 1000) + generator.randint(20, 60)
                for connection in (redis, vigild):
                    connection.pipeline(
                        [("SET", f"due:{i}", "v", "PXAT", due_ms) for i in range(20)]
                    )
                harness.wait_for_wall_clock_ms(due_ms + 5)
                asked = [(generator.choice(commands), f"due:{i}") for i in range(20)]
                self.assertEqual(redis.pipeline(asked), vigild.pipeline(asked), asked)
                rewrite = [("APPEND", f"due:{i}", "n") for i in range(20)] + [("PTTL", "due:0")]
                self.assertEqual(redis.pipeline(rewrite), vigild.pipeline(rewrite))

    def test_a_connection_keeps_its_protocol_state_as_in_redis(self):
        script = [
            (b"GET", b"missing"), (b"HELLO", b"3", b"SETNAME", b"me"), (b"GET", b"missing"),
            (b"MGET", b"a", b"b"), (b"CLIENT", b"GETNAME"), (b"CONFIG", b"GET", b"nosuch"),
            (b"RESET",), (b"CLIENT", b"GETNAME"), (b"GET", b"missing"),
            (b"SUBSCRIBE", b"c1", b"c2"), (b"GET", b"missing"), (b"PING",), (b"PING", b"x"),
            (b"PSUBSCRIBE", b"p*"), (b"UNSUBSCRIBE", b"c1"), (b"UNSUBSCRIBE",), (b"UNSUBSCRIBE",),
            (b"PUNSUBSCRIBE", b"p*"), (b"GET", b"missing"), (b"PUNSUBSCRIBE",), (b"HELLO", b"3"),
            (b"SUBSCRIBE", b"c3"), (b"GET", b"missing"), 
            (b"UNSUBSCRIBE", b"c3"), (b"PING",), (b"QUIT",),
        ]  # fmt: skip
        request = b"".join(encode(*command) for command in script)
        self.assertEqual(
            self._without_hello(self._raw_replies(self.redis, request)),
            self._without_hello(self._raw_replies(self.vigild, request)),
        )

    @staticmethod
    def _without_hello(replies):
        """Drops what HELLO says about the server itself: version and connection id."""
        lines = replies.split(b"\r\n")
        varies = [i + 1 for i, line in enumerate(lines) if line == b"id"]
        varies += [i + 2 for i, line in enumerate(lines) if line == b"version"]
        varies += [i + 1 for i, line in enumerate(lines) if line == b"version"]
        return b"\r\n".join(line for i, line in enumerate(lines) if i not in varies)

    @staticmethod
    def _raw_replies(server, request):
        """All bytes the server answers to `request` followed by the end of the stream."""
        with socket.create_connection(server.resp_address, timeout=30) as client:
            received = bytearray()
            try:
                client.sendall(request)
                client.shutdown(socket.SHUT_WR)
                while data := client.recv(65536):
                    received += data
            except (ConnectionResetError, BrokenPipeError):
                pass  # closed with input unread: what was received before still counts
            return bytes(received)

    def test_commands_are_described_as_redis_describes_them(self):
        """Arity, key positions, categories and the flags that vigild has, subcommands too."""
        with self.redis.resp() as redis, self.vigild.resp() as vigild:
            names = [name for name in vigild.call("COMMAND", "LIST") if b"." not in name]
            expected = {info[0]: info for info in redis.call("COMMAND", "INFO", *names) if info}
            actual = {info[0]: info for info in vigild.call("COMMAND", "INFO", *names)}
            self.assertEqual(sorted(actual), sorted(names))
            # Redis has these from 7.2 on.
            later = {b"client|setinfo", b"client|no-touch"}
            self.assertEqual(set(actual) - set(expected), later)
            for name, info in expected.items():
                with self.subTest(command=name):
                    self.assertEqual(self._described(info), self._described(actual[name]))
                    subcommands = {subcommand[0] for subcommand in actual[name][9]}
                    prefix = name + b"|"
                    self.assertEqual(
                        subcommands, {other for other in actual if other.startswith(prefix)}
                    )
            for category in (b"keyspace", b"Dangerous", b"connection", b"admin", b"nosuch"):
                words = ("COMMAND", "LIST", "FILTERBY", "ACLCAT", category)
                known = set(redis.call(*words)) & set(actual)
                listed = {name for name in vigild.call(*words) if name in expected}
                self.assertEqual(known, listed, category)
            for pattern in (b"CLIENT|I*", b"*ex*", b"nosuch"):
                words = ("COMMAND", "LIST", "FILTERBY", "PATTERN", pattern)
                known = set(redis.call(*words)) & set(actual)
                listed = {name for name in vigild.call(*words) if name in expected}
                self.assertEqual(known, listed, pattern)

    @staticmethod
    def _described(info):
        named = {b"write", b"readonly", b"denyoom", b"admin", b"pubsub", b"fast", b"no_auth"}
        named.add(b"loading")
        # Redis has notes to some key specifications.
        keys = [spec[2:] if spec[0] == b"notes" else spec for spec in info[8]]
        return info[1], set(info[2]) & named, info[3:6], set(info[6]), keys

    def test_inline_and_malformed_requests_get_the_bytes_of_redis(self):
        cases = [
            b"PING\r\n", b"PING\n", b"\r\n\r\nPING\r\n", b"   PING   \r\n",
            b"SET a 'x y'\r\nGET a\r\n", b'SET a "\\x41\\n"\r\nGET a\r\n',
            b'SET a "unbalanced\r\n', b"GET 'a'b\r\n", b"*0\r\nPING\r\n", b"*-1\r\nPING\r\n",
            b"*1\r\n$4\r\nPING\r\n", b"*1\n$4\nPING\n", b"*abc\r\n", b"*2147483648\r\n",
            b"*1\r\n$abc\r\n", b"*1\r\n$-1\r\n", b"*1\r\n$536870913\r\n", b"*1\r\nPING\r\n",
            b"*1\r\n:4\r\n", b"*2\r\n$3\r\nGET\r\n", b"*2\r\n$3\r\nGET\r\n$1\r\n",
            b"*1\r\n$0\r\n\r\nPING\r\n",
            b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$5\r\nab\r\nc\r\nPING\r\n",
            b"*" + b"1" * 100,
            b"*1\r\n$" + b"1" * 100, b"x" * 70_000, b"*" + b"0" * 70_000,
            b"PING\r\nQUIT\r\nPING\r\n",
            b"GET\r\n", b"*+1\r\n$4\r\nPING\r\n", b"* 1\r\n$4\r\nPING\r\n",
        ]  # fmt: skip
        for case in cases:
            with self.subTest(request=case[:60], size=len(case)):
                self.assertEqual(
                    self._raw_replies(self.redis, case), self._raw_replies(self.vigild, case)
                )

    def test_mutated_requests_get_the_bytes_of_redis(self):
        generator = random.Random(self.seed)
        stream = CommandStream(generator, prefix=b"m:")
        # Not SETRANGE: a mutated offset may lie between vigild's largest value and Redis's.
        timeless = (b"SET", b"GET", b"APPEND", b"INCRBY", b"INCR", b"DECR", b"GETRANGE", b"MGET",
                    b"STRLEN", b"DEL", b"EXISTS", b"TYPE")  # fmt: skip
        for case in range(RAW_CASES):
            commands = []
            while len(commands) < 6:
                command = stream.next()
                if command[0].upper() in timeless and sum(map(len, command)) < 1000:
                    commands.append(command[:3])
            request = bytearray(b"".join(encode(*command) for command in commands))
            for _ in range(generator.randint(1, 3)):
                self._mutate(request, generator)
            # Redis looks for the end of a line with strchr: after a NUL it waits for ever.
            request = request.replace(b"\0", b"0")
            expected = self._raw_replies(self.redis, request)
            actual = self._raw_replies(self.vigild, request)
            stricter = STRICTER.search(actual)
            if stricter and expected.startswith(actual[: stricter.start()]):
                self._clear_both()  # Redis carried out what followed
                continue
            if expected != actual:
                self.fail(
                    f"case {case}: {bytes(request)!r}\n  redis  {expected!r}\n  vigild {actual!r}"
                )

    def _clear_both(self):
        for server in (self.redis, self.vigild):
            with server.resp() as client:
                client.call("FLUSHALL")

    @staticmethod
    def _mutate(request, generator):
        at = generator.randrange(len(request))
        kind = generator.random()
        if kind < 0.5:
            request[at] = generator.choice(b"\r\n$*:+-0123456789 \xffGa")
        elif kind < 0.75:
            del request[at : at + generator.choice([1, 1, 2, 10])]
        else:
            request[at:at] = generator.choice([b"\r\n", b"$", b"*3\r\n", b"9", b"PING\r\n"])


if __name__ == "__main__":
    harness.main()
