# SPDX-License-Identifier: Apache-2.0
"""Several pipelined clients run random commands on their own keys, deadlines included; a Python
dictionary per client predicts every reply. Run against vigild with two reactors, so that clients on
different threads write the same shards at once."""

import concurrent.futures
import os
import random
import time

import harness
from resp import ErrorReply, Null, Simple

CLIENTS = 6
BATCHES = int(os.environ.get("VIGIL_BATCHES", "300"))
BATCH_COMMANDS = 40
KEYS = 30
INTEGER_MIN, INTEGER_MAX = -(2**63), 2**63 - 1
OK = Simple(b"OK")
NULL = Null("$-1")
CLOCK_SLACK_MS = 5  # the server reads its clock once per turn of its event loop


class Model:
    """What one client's keys hold: name -> [value, deadline in Unix ms or None]."""

    def __init__(self, prefix):
        self.keys = [prefix + b"%d" % i for i in range(KEYS)]
        self.entries = {}
        self.unknown = set()  # keys whose deadline passed while a batch was under way

    def settle(self, sent_ms, answered_ms):
        """Drops what was surely expired before the next batch; marks what may or may not be."""
        for key, (_, deadline_ms) in list(self.entries.items()):
            if deadline_ms is None or deadline_ms > answered_ms + CLOCK_SLACK_MS:
                continue
            if deadline_ms >= sent_ms - CLOCK_SLACK_MS:
                self.unknown.add(key)
            del self.entries[key]

    def get(self, key):
        return self.entries[key][0] if key in self.entries else NULL

    def set(self, key, value, deadline_ms=None):
        self.entries[key] = [value, deadline_ms]
        return OK

    def set_nx(self, key, value):
        if key in self.entries:
            return 0
        self.set(key, value)
        return 1

    def get_del(self, key):
        value = self.get(key)
        self.entries.pop(key, None)
        return value

    def delete(self, *keys):
        return sum(self.entries.pop(key, None) is not None for key in keys)

    def exists(self, *keys):
        return sum(key in self.entries for key in keys)

    def append(self, key, value):
        entry = self.entries.setdefault(key, [b"", None])
        entry[0] += value
        return len(entry[0])

    def increment(self, key, by):
        entry = self.entries.get(key, [b"0", None])
        try:
            total = int(entry[0])
        except ValueError:
            return "not an integer"
        if entry[0] != b"%d" % total or not INTEGER_MIN <= total <= INTEGER_MAX:
            return "not an integer"
        if not INTEGER_MIN <= total + by <= INTEGER_MAX:
            return "would overflow"
        entry[0] = b"%d" % (total + by)
        self.entries[key] = entry
        return total + by

    def set_range(self, key, offset, value):
        entry = self.entries.setdefault(key, [b"", None])
        old = entry[0].ljust(offset, b"\0")
        entry[0] = old[:offset] + value + old[offset + len(value) :]
        return len(entry[0])

    def expire_at(self, key, deadline_ms):
        if key not in self.entries:
            return 0
        self.entries[key][1] = deadline_ms
        return 1

    def persist(self, key):
        if key not in self.entries or self.entries[key][1] is None:
            return 0
        self.entries[key][1] = None
        return 1

    def rename(self, source, target):
        if source not in self.entries:
            return "no such key"
        self.entries[target] = self.entries.pop(source)
        return OK

    def deadline(self, key):
        if key not in self.entries:
            return -2
        return self.entries[key][1] if self.entries[key][1] is not None else -1


class Client:
    def __init__(self, server, seed, number):
        self.random = random.Random(seed)
        self.connection = server.resp()
        self.model = Model(b"c%d:" % number)
        self.checked = 0
        self.busy = 0

    def command(self):
        """A random command: its words, the keys it uses and a function that asks the model."""
        model, random_ = self.model, self.random
        key = random_.choice(model.keys)
        other = random_.choice(model.keys)
        value = random_.randbytes(random_.randint(1, 60))
        if random_.random() < 0.4:
            value = b"%d" % random_.randint(-(10**9), 10**9)
        soon_ms = int(time.time() * 1000) + random_.randint(100, 400)
        by = random_.randint(-(10**6), 10**6)
        offset = random_.randint(0, 80)
        commands = [
            (("GET", key), [key], lambda: model.get(key)),
            (("GET", key), [key], lambda: model.get(key)),
            (("SET", key, value), [key], lambda: model.set(key, value)),
            (("SET", key, value, "PXAT", soon_ms), [key], lambda: model.set(key, value, soon_ms)),
            (("SETNX", key, value), [key], lambda: model.set_nx(key, value)),
            (("GETDEL", key), [key], lambda: model.get_del(key)),
            (("DEL", key, other), [key, other], lambda: model.delete(key, other)),
            (("EXISTS", key, other), [key, other], lambda: model.exists(key, other)),
            (("APPEND", key, value), [key], lambda: model.append(key, value)),
            (("INCRBY", key, by), [key], lambda: model.increment(key, by)),
            (("SETRANGE", key, offset, value), [key], lambda: model.set_range(key, offset, value)),
            (("PEXPIREAT", key, soon_ms), [key], lambda: model.expire_at(key, soon_ms)),
            (("PERSIST", key), [key], lambda: model.persist(key)),
            (("RENAME", key, other), [key, other], lambda: model.rename(key, other)),
            (("PEXPIRETIME", key), [key], lambda: model.deadline(key)),
            (("MGET", key, other), [key, other], lambda: [model.get(key), model.get(other)]),
        ]
        return random_.choice(commands)

    def run_batch(self):
        commands = [self.command() for _ in range(self.random.randint(1, BATCH_COMMANDS))]
        commands = [c for c in commands if not self.model.unknown & set(c[1])]
        sent_ms = time.time() * 1000
        replies = self.connection.pipeline([words for words, _, _ in commands])
        answered_ms = time.time() * 1000
        touched_by_time = self._touched_by_time(commands, sent_ms, answered_ms)
        for (words, keys, ask), reply in zip(commands, replies):
            if isinstance(reply, ErrorReply) and reply.text.startswith("BUSY"):
                self.busy += 1  # a promise as well: nothing was changed
                continue
            expected = ask()
            if touched_by_time & set(keys):
                continue
            self.checked += 1
            agree = expected in reply.text if isinstance(expected, str) else expected == reply
            assert agree, f"{words}: expected {expected!r}, got {reply!r}"
        self.model.unknown |= touched_by_time
        self.model.settle(sent_ms, answered_ms)
        self.relearn()

    def _touched_by_time(self, commands, sent_ms, answered_ms):
        """Keys with a deadline inside this batch, old or set by it, and keys renamed with them."""
        deadlines = {key: entry[1] for key, entry in self.model.entries.items()}
        touched = {
            key
            for key, deadline_ms in deadlines.items()
            if deadline_ms is not None and deadline_ms <= answered_ms + CLOCK_SLACK_MS
        }
        for words, keys, _ in commands:
            numbers = [word for word in words[2:] if isinstance(word, int)]
            due = any(sent_ms - 1000 < word <= answered_ms + CLOCK_SLACK_MS for word in numbers)
            if due or touched & set(keys):
                touched |= set(keys)
        return touched

    def relearn(self):
        """Removes the keys whose state is not known, so that it is."""
        if self.model.unknown:
            self.connection.call("DEL", *self.model.unknown)
            for key in self.model.unknown:
                self.model.entries.pop(key, None)
            self.model.unknown.clear()

    def run(self):
        for _ in range(BATCHES):
            self.run_batch()
        self.connection.close()
        return self.checked


class StringModelTest(harness.TestCase):
    def test_every_reply_is_what_a_dictionary_predicts(self):
        server = self.start_vigild("--threads", "2")
        seed = harness.seed()
        clients = [Client(server, seed + number, number) for number in range(CLIENTS)]
        with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
            checked = sum(pool.map(Client.run, clients))
        busy = sum(client.busy for client in clients)
        print(f"{checked} replies checked, {busy} were BUSY", flush=True)
        self.assertGreater(checked, CLIENTS * BATCHES)
        self.assert_drains(server)


if __name__ == "__main__":
    harness.main()
