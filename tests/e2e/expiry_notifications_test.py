# SPDX-License-Identifier: Apache-2.0
"""Expiry notifications: every key that reaches its deadline is announced exactly once."""

import time

import harness
from resp import Push

CHANNEL = b"__keyevent@0__:expired"


class ExpiryNotificationsTest(harness.TestCase):
    def setUp(self):
        self.server = self.start_vigild("--threads", "2")
        self.client = self.server.resp()
        self.addCleanup(self.client.close)
        self.client.call("CONFIG", "SET", "notify-keyspace-events", "KEA")

    def subscribe(self, *channels, protocol=2):
        subscriber = self.server.resp()
        self.addCleanup(subscriber.close)
        subscriber.call("HELLO", protocol)
        for channel in channels:
            subscriber.call("SUBSCRIBE", channel)
        return subscriber

    def set_due(self, names, due_ms):
        for start in range(0, len(names), 200):
            batch = names[start : start + 200]
            self.client.pipeline([("SET", name, "value", "PXAT", due_ms) for name in batch])

    def test_a_thousand_keys_due_at_one_instant_are_all_announced_once(self):
        live = [f"live:{i}" for i in range(20_000)]
        self.set_due(live, int(time.time() * 1000) + 3_600_000)
        subscriber = self.subscribe(CHANNEL)
        names = [f"due:{i}" for i in range(1000)]
        due_ms = int(time.time() * 1000) + 1500
        self.set_due(names, due_ms)
        messages = [subscriber.read() for _ in names]
        self.assertGreaterEqual(time.time() * 1000, due_ms)
        self.assertEqual({tuple(message[:2]) for message in messages}, {(b"message", CHANNEL)})
        self.assertEqual(sorted(m[2] for m in messages), sorted(name.encode() for name in names))
        self.assertEqual(self.client.call("DBSIZE"), len(live))
        # Nothing more was sent: the next message is the one published now.
        self.client.call("PUBLISH", CHANNEL, "end")
        self.assertEqual(subscriber.read()[2], b"end")

    def test_resp3_subscribers_get_push_messages_on_both_kinds_of_channels(self):
        keyspace = self.subscribe("__keyspace@0__:order:1", protocol=3)
        self.client.call("SET", "order:1", "v")
        self.client.call("PEXPIRE", "order:1", 20)
        self.client.call("EXISTS", "order:1")
        events = []
        while not events or events[-1] != b"expired":
            message = keyspace.read()
            self.assertIsInstance(message, Push)
            events.append(message[2])
        self.assertEqual(events, [b"set", b"expire", b"expired"])

    def test_a_refreshed_deadline_is_announced_only_when_it_comes(self):
        subscriber = self.subscribe(CHANNEL)
        now_ms = int(time.time() * 1000)
        self.set_due(["refreshed"], now_ms + 2000)
        self.client.call("PEXPIREAT", "refreshed", now_ms + 3_600_000)
        self.set_due(["persisted"], now_ms + 2010)
        self.client.call("PERSIST", "persisted")
        self.set_due(["deleted"], now_ms + 2020)
        self.client.call("DEL", "deleted")
        self.set_due(["last"], now_ms + 2300)
        self.assertEqual(subscriber.read()[2], b"last")
        self.assertEqual(self.client.call("EXISTS", "refreshed", "persisted", "deleted"), 2)

    def test_a_pattern_subscriber_sees_the_expiry_of_an_order(self):
        subscriber = self.server.resp()
        self.addCleanup(subscriber.close)
        subscriber.call("PSUBSCRIBE", "__keyevent@0__:expir*")
        self.client.call("ORDER.PUT", "订单:1", "pending", "{}", "PX", 30)
        messages = [subscriber.read()]
        while messages[-1][2] != CHANNEL:
            messages.append(subscriber.read())
        self.assertEqual(messages[-1][3], "订单:1".encode())

    def test_readers_never_see_an_expired_value(self):
        due_ms = int(time.time() * 1000) + 100
        self.set_due([f"seen:{i}" for i in range(100)], due_ms)
        asked_ms = 0
        while asked_ms <= due_ms + 20:
            asked_ms = time.time() * 1000
            values = self.client.call("MGET", *[f"seen:{i}" for i in range(100)])
            if (
                asked_ms > due_ms + 2
            ):  # asked after the deadline, by more than the clocks' resolution
                self.assertEqual(set(map(bool, values)), {False})


if __name__ == "__main__":
    harness.main()
