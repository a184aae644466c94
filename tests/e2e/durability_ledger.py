# SPDX-License-Identifier: Apache-2.0
"""What clients of a server that may die know: the ledger of a crash test.

Every key has one writer, so what it may hold after a crash is known: its state when the last reply
came, or any state that a request without a reply would have led to. A Ledger writes, notes what
was acknowledged, and checks a restarted server against that.

Thread safety: one thread per Ledger.
"""

import time

from resp import ErrorReply, Null

STRINGS, COUNTERS, ORDERS, TRIPLES = 60, 4, 6, 4
# A walk of legal steps without an end; between two deletions.
NEXT_STATUS = {None: "pending", "pending": "paid", "paid": "refunding", "refunding": "paid"}


class LedgerError(AssertionError):
    """The server lost, doubled or resurrected something."""


class Register:
    """A key whose state is (value, deadline in Unix milliseconds or 0), or None."""

    def __init__(self, key):
        self.key = key
        self.sure = None
        self.unsure = []  # states of requests without a reply, in their order

    def last(self):
        return self.unsure[-1] if self.unsure else self.sure

    def sent(self, state):
        self.unsure.append(state)

    def acknowledged(self):
        self.sure = self.unsure.pop(0)

    def check(self, observed, now_ms):
        if any(self._may_be(observed, state, now_ms) for state in [self.sure, *self.unsure]):
            self.sure, self.unsure = observed, []
            return
        raise LedgerError(
            f"{self.key} is {observed}, acknowledged was {self.sure}, then sent {self.unsure[:5]}"
        )

    @staticmethod
    def _may_be(observed, state, now_ms):
        if observed is None and state is not None:
            return state[1] != 0 and now_ms >= state[1] - 5
        return observed == state


class OrderBook:
    """One order: each applied event makes its version one higher, also a deletion. Versions are
    counted from the first one, which the server chooses."""

    def __init__(self, key):
        self.key = key
        self.before = None  # the first version, less one
        self.version = 0
        self.status = None
        self.unsure = []  # (request, version, status) without a reply
        self.answered = None  # the last one that has
        self._events = 0

    def next_event(self, generator):
        version = (self.unsure[-1][1] if self.unsure else self.version) + 1
        status = self.unsure[-1][2] if self.unsure else self.status
        self._events += 1
        name = f"{self.key}/{self._events}"
        if status is not None and generator.random() < 0.1:
            event = (("ORDER.DEL", self.key, "IDEMPOTENCY", name), version, None)
        elif status is None:
            request = ("ORDER.PUT", self.key, "pending", "{}", "IDEMPOTENCY", name)
            event = (request, version, "pending")
        else:
            step = NEXT_STATUS[status]
            event = (("ORDER.TRANSITION", self.key, step, "IDEMPOTENCY", name), version, step)
        self.unsure.append(event)
        return event[0]

    def acknowledged(self, reply):
        event = self.unsure.pop(0)
        self._expect(event, reply)
        self.answered = event
        self.version, self.status = event[1], event[2]

    def _expect(self, event, reply, replayed=None):
        if isinstance(reply, (ErrorReply, Null)):
            raise LedgerError(f"{event[0]} was answered {reply}")
        fields = dict(zip(reply[::2], reply[1::2]))
        if self.before is None:
            self.before = fields[b"version"] - event[1]
        version = fields[b"version"] - self.before
        if version != event[1]:
            raise LedgerError(f"{event[0]} led to version {version}, not {event[1]}")
        if replayed is not None and fields[b"replayed"] != replayed:
            raise LedgerError(f"the retry of {event[0]} was applied twice")

    def check(self, client):
        """Retries what has no reply, and once more what has."""
        if self.answered is not None:
            self._expect(self.answered, client.call(*self.answered[0]), replayed=1)
        while self.unsure:
            self.acknowledged(client.call(*self.unsure[0][0]))
        reply = client.call("ORDER.GET", self.key)
        exists = not isinstance(reply, Null)
        if exists != (self.status is not None):
            raise LedgerError(f"{self.key} should be {self.status}, found {reply}")
        if exists:
            fields = dict(zip(reply[::2], reply[1::2]))
            version = fields[b"version"] - self.before
            if version != self.version or fields[b"status"] != self.status.encode():
                raise LedgerError(f"{self.key} should be at {self.version}, found {reply}")


class Ledger:
    """The keys of one client."""

    def __init__(self, name, generator):
        self._generator = generator
        self._registers = [Register(f"{name}:s:{i}") for i in range(STRINGS)]
        self._counters = [Register(f"{name}:c:{i}") for i in range(COUNTERS)]
        self._orders = [OrderBook(f"{name}:o:{i}") for i in range(ORDERS)]
        # Each stands for three keys that are always set together.
        self._triples = [Register(f"{name}:t:{i}") for i in range(TRIPLES)]
        self._writes = 0

    def next_requests(self):
        """A pipeline of requests, each with the function that takes its reply."""
        return [self._next_request() for _ in range(self._generator.choice((1, 4, 16, 48)))]

    def _next_request(self):
        generator, dice = self._generator, self._generator.random()
        self._writes += 1
        if dice < 0.25:
            book = generator.choice(self._orders)
            return book.next_event(generator), book.acknowledged
        if dice < 0.35:
            counter = generator.choice(self._counters)
            value = int(counter.last()[0]) + 1 if counter.last() else 1
            counter.sent((str(value).encode(), 0))
            return ("INCR", counter.key), self._expecting(counter, value)
        if dice < 0.45:
            triple = generator.choice(self._triples)
            value = f"{self._writes}".encode() + b"t" * generator.randrange(200)
            triple.sent((value, 0))
            request = ("MSET", *(part for i in "abc" for part in (triple.key + i, value)))
            return request, self._expecting(triple, b"OK")
        register = generator.choice(self._registers)
        if dice < 0.6 and register.last() is not None and register.last()[1] == 0:
            register.sent(None)
            return ("DEL", register.key), self._expecting(register, 1)
        value = f"{self._writes}:".encode() + b"x" * generator.choice((0, 10, 100, 1000, 9000))
        deadline_ms = 0
        request = ["SET", register.key, value]
        if generator.random() < 0.4:
            deadline_ms = int(time.time() * 1000) + generator.choice((30, 300, 60_000))
            request += ["PXAT", deadline_ms]
        register.sent((value, deadline_ms))
        return tuple(request), self._expecting(register, b"OK")

    @staticmethod
    def _expecting(register, expected):
        def take(reply):
            answer = bytes(reply) if isinstance(reply, bytes) else reply
            if answer != expected:
                raise LedgerError(f"{register.key} was answered {reply!r}, not {expected!r}")
            register.acknowledged()

        return take

    def check(self, client):
        """Compares a server with what was acknowledged; what is there now is the new beginning."""
        for register in (*self._registers, *self._counters):
            register.check(observe(client, register.key), time.time() * 1000)
        for triple in self._triples:
            observed = {observe(client, triple.key + i) for i in "abc"}
            if len(observed) != 1:
                raise LedgerError(f"the MSET of {triple.key} is there in part: {observed}")
            triple.check(observed.pop(), time.time() * 1000)
        for book in self._orders:
            book.check(client)
        return len(self._registers) + len(self._counters) + 3 * len(self._triples) + ORDERS


def observe(client, key):
    """The state of a string."""
    value, deadline_ms = client.pipeline([("GET", key), ("PEXPIRETIME", key)])
    if isinstance(value, Null) or deadline_ms == -2:
        return None
    return bytes(value), max(deadline_ms, 0)
