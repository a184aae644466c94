# SPDX-License-Identifier: Apache-2.0
"""Order events arrive late, twice and at once, through RESP and HTTP; the orders end as if every
event had come once and in order."""

import concurrent.futures
import json
import os
import random

import harness
from resp import ErrorReply

ORDERS = int(os.environ.get("VIGIL_ORDERS", "400"))
STEPS = {
    "pending": ["processing", "paid", "failed", "cancelled", "expired"],
    "processing": ["paid", "failed"],
    "paid": ["refunding"],
    "refunding": ["refunded", "paid"],
}


def story(generator, order_id):
    """The events of one order's life, in order: a legal walk with versions from 1 on."""
    statuses = ["pending"]
    while statuses[-1] in STEPS and len(statuses) < 12:
        stay = generator.random() < 0.2
        statuses.append(statuses[-1] if stay else generator.choice(STEPS[statuses[-1]]))
    return [
        {"id": order_id, "version": i + 1, "status": status, "payload": {"n": i + 1, "文": order_id}}
        for i, status in enumerate(statuses)
    ]


def compact(payload):
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


class HttpClient:
    """One keep-alive connection."""

    def __init__(self, server):
        self._connection = server.http()

    def request(self, method, order_id, body=None, **headers):
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        data = None
        if body is not None:
            fields["Content-Type"] = "application/json"
            data = compact(body).encode()
        self._connection.request(method, "/orders/" + order_id, data, fields)
        reply = self._connection.getresponse()
        text = reply.read()
        return reply.status, json.loads(text) if text else None

    def close(self):
        self._connection.close()


class OrderEventsTest(harness.TestCase):
    def setUp(self):
        self.server = self.start_vigild("--threads", "2")

    def resp_client(self):
        client = self.server.resp()
        self.addCleanup(client.close)
        return client

    def http_client(self):
        client = HttpClient(self.server)
        self.addCleanup(client.close)
        return client

    def order(self, order_id):
        return self.http_client().request("GET", order_id)[1]

    def test_a_storm_of_late_and_repeated_events_ends_in_the_ordered_state(self):
        generator = random.Random(harness.seed())
        stories = [story(generator, f"storm-{i}") for i in range(ORDERS)]
        events = [
            event for events in stories for event in events for _ in range(generator.randint(1, 3))
        ]
        generator.shuffle(events)
        senders = [self.send_by_resp] * 3 + [self.send_by_http] * 3
        with concurrent.futures.ThreadPoolExecutor(len(senders)) as pool:
            jobs = [pool.submit(send, events[i :: len(senders)]) for i, send in enumerate(senders)]
            applied = sum(job.result() for job in jobs)
        print(f"{len(events)} events, {applied} applied", flush=True)
        reader = self.http_client()
        for events in stories:
            status, order = reader.request("GET", events[-1]["id"])
            self.assertEqual(status, 200)
            self.assertEqual({name: order[name] for name in events[-1]}, events[-1])
        self.assert_drains(self.server)

    def send_by_resp(self, events):
        client, applied = self.resp_client(), 0
        waiting = list(events)
        while waiting:
            batch, waiting = waiting[:16], waiting[16:]
            replies = client.pipeline(
                [
                    ("ORDER.PUT", event["id"], event["status"], compact(event["payload"]))
                    + ("VERSION", event["version"])
                    for event in batch
                ]
            )
            for event, reply in zip(batch, replies):
                refusal = reply.text.split()[0] if isinstance(reply, ErrorReply) else None
                assert refusal in (None, "STALE", "BUSY"), reply
                applied += refusal is None
                if refusal == "BUSY":  # not applied: to be sent again
                    waiting.append(event)
        return applied

    def send_by_http(self, events):
        client, applied = self.http_client(), 0
        waiting = list(events)
        while waiting:
            event = waiting.pop()
            body = {name: event[name] for name in ("version", "status", "payload")}
            status, problem = client.request("PUT", event["id"], body)
            assert status in (200, 201, 409, 503), (status, problem)
            assert status != 409 or problem["type"].endswith("stale-version"), problem
            applied += status < 300
            if status == 503:
                waiting.append(event)
        return applied

    def test_conditional_writers_of_one_order_never_lose_an_update(self):
        rounds, clients = 50, 3
        self.http_client().request("PUT", "contended", {"status": "pending", "payload": 0})

        def by_http():
            client = self.http_client()
            for _ in range(rounds):
                while True:
                    _, order = client.request("GET", "contended")
                    body = {"payload": order["payload"] + 1}
                    status, _ = client.request(
                        "PATCH", "contended", body, If_Match=f'"{order["version"]}"'
                    )
                    if status == 200:
                        break
                    assert status in (412, 503), status

        def by_resp():
            client, reader = self.resp_client(), self.http_client()
            for _ in range(rounds):
                while True:
                    _, order = reader.request("GET", "contended")
                    reply = client.call("ORDER.PUT", "contended", "pending", order["payload"] + 1,
                                        "IFVERSION", order["version"])  # fmt: skip
                    if not isinstance(reply, ErrorReply):
                        break
                    assert reply.text.split()[0] in ("CONFLICT", "BUSY"), reply

        with concurrent.futures.ThreadPoolExecutor(2 * clients) as pool:
            jobs = [pool.submit(work) for work in [by_http, by_resp] * clients]
            for job in jobs:
                job.result()
        order = self.order("contended")
        self.assertEqual(order["payload"], 2 * clients * rounds)
        self.assertEqual(order["version"], 2 * clients * rounds + 1)

    def test_one_of_many_equal_requests_with_an_idempotency_key_takes_effect(self):
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for attempt in range(25):
                name = f"once-{attempt}"
                body = {"status": "pending", "payload": {"attempt": attempt}}

                def send(name=name, body=body):
                    return self.http_client().request("PUT", name, body, Idempotency_Key="key-1")

                answers = [job.result() for job in [pool.submit(send) for _ in range(8)]]
                self.assertEqual(answers, [answers[0]] * 8)
                self.assertEqual(self.order(name)["version"], 1)

    def test_a_late_event_cannot_bring_a_deleted_order_back(self):
        web, cli = self.http_client(), self.resp_client()
        web.request("PUT", "gone", {"status": "pending", "version": 5})
        self.assertEqual(web.request("DELETE", "gone")[0], 204)
        self.assertEqual(web.request("PUT", "gone", {"status": "paid", "version": 5})[0], 409)
        late = cli.call("ORDER.PUT", "gone", "paid", "{}", "VERSION", 4)
        self.assertTrue(late.text.startswith("STALE"), late)
        self.assertEqual(web.request("GET", "gone")[0], 404)

    def test_orders_written_by_one_protocol_are_read_by_the_other(self):
        web, cli = self.http_client(), self.resp_client()
        web.request("PUT", "both", {"status": "pending", "payload": {"a": 1}})
        self.assertIn(b"pending", cli.call("ORDER.GET", "both"))
        self.assertNotIsInstance(cli.call("ORDER.TRANSITION", "both", "paid"), ErrorReply)
        self.assertEqual(self.order("both")["status"], "paid")
        refused = cli.call("ORDER.TRANSITION", "both", "pending")
        self.assertTrue(refused.text.startswith("ILLEGAL"), refused)
        self.assertEqual(cli.call("DEL", "both"), 1)
        self.assertEqual(web.request("GET", "both")[0], 404)


if __name__ == "__main__":
    harness.main()
