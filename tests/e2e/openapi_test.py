# SPDX-License-Identifier: Apache-2.0
"""Every kind of answer of the HTTP interface is as the served OpenAPI description says.

A kind is a path, a method, a status and a content type. The test provokes every documented kind,
or names it in NOT_PROVOKED with the reason, and validates each answer it gets. It prints the kinds.
"""

import copy
import http.client
import json
import os
import signal
import socket

import harness
from openapi_description import NDJSON, Description, Exchange

PASSWORD, ADMIN_TOKEN = "open", "sesame"
LARGE = 3_900_000  # a payload little below the largest body

# By status and path: why no request of this test gets the answer.
NOT_PROVOKED = {
    (503, "/orders/{id}"): "needs a shard with a full queue: OrderHttpTest.AFullQueueIsBusy",
    (503, "/orders/{id}/history"): "needs data that is being read: durability_test",
    (503, "/orders:bulk"): "needs data that is being read: durability_test",
    (404, "/debug/threads"): "vigild always installs the dump: HttpAccessTest.SecretsGuard...",
}
# The others need a disk that is slow, full or broken: durability_faults_test.
NOT_PROVOKED_TYPES = {
    "urn:vigil:problem:" + name
    for name in ("busy", "loading", "log-behind", "read-only", "no-room")
}

# Each refused from its header alone, whatever path and method it has.
REJECTIONS = (
    (400, "no Host", ""),
    (413, "a body over the limit", "Host: x\r\nContent-Length: 999999999\r\n"),
    (417, "an expectation", "Host: x\r\nExpect: tea\r\nContent-Length: 0\r\n"),
    (431, "a long header", "Host: x\r\nX: " + "x" * 20_000 + "\r\n"),
    (501, "a transfer encoding", "Host: x\r\nTransfer-Encoding: gzip\r\n"),
)


class Recorder:
    """Sends requests to one server and keeps every exchange."""

    def __init__(self, server, exchanges):
        self.server = server
        self._exchanges = exchanges

    def request(self, method, path, body=None, **fields):
        """`body` is sent as JSON unless it is bytes; If_Match="x" becomes a field."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        client = self.server.http()
        try:
            client.request(method, path, body, headers)
            return self._keep(method, path, client.getresponse())
        finally:
            client.close()

    def rejected(self, method, path, head):
        with socket.create_connection(self.server.http_address, timeout=30) as client:
            client.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
            # The method of a request that is not understood is not known: read a body in any case.
            reply = http.client.HTTPResponse(client, method="GET")
            reply.begin()
            return self._keep(method, path, reply, rejected=True)

    def _keep(self, method, path, reply, rejected=False):
        fields = {name.lower(): value for name, value in reply.getheaders()}
        exchange = Exchange(method, path, reply.status, fields, reply.read(), rejected)
        self._exchanges.append(exchange)
        return exchange


def filled(path):
    return path.replace("{id}", "known")


class OpenApiTest(harness.TestCase):
    def setUp(self):
        self.exchanges = []

    def recorder(self, *flags):
        return Recorder(self.start_vigild("--threads", "2", *flags), self.exchanges)

    def secret_file(self, name, secret):
        path = os.path.join(self.own(harness.Process(["true"])).directory, name)
        with open(path, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, 0o600)) as file:
            file.write(secret + "\n")
        return path

    def expect(self, exchange, status):
        self.assertEqual(exchange.status, status, f"{exchange}: {exchange.body[:300]}")
        return exchange

    # --- What is provoked ---------------------------------------------------------------------

    def provoke_everywhere(self, api, description):
        """What every path and method answers alike."""
        for path, method in description.operations():
            for status, what, head in REJECTIONS:
                with self.subTest(method=method, path=path, what=what):
                    self.expect(api.rejected(method, filled(path), head), status)
            if method in ("HEAD", "OPTIONS") or (method == "GET" and "{id}" not in path):
                self.expect(
                    api.request(method, filled(path)), 204 if method == "OPTIONS" else 200
                )
        for path in {path for path, _ in description.operations()}:
            for method in ("TRACE", "POST", "PUT", "GET", "DELETE"):
                if (path, method) not in set(description.operations()):
                    self.expect(api.request(method, filled(path)), 405)
        for path in ("/nothing", "/orders/", "/orders/a/b", "/debug/nothing"):
            self.expect(api.request("GET", path), 404)

    def provoke_reads(self, api):
        for method in ("GET", "HEAD"):
            self.expect(api.request(method, "/orders/known"), 200)
            self.expect(api.request(method, "/orders/known", If_None_Match="*"), 304)
            self.expect(api.request(method, "/orders/unknown"), 404)
            self.expect(api.request(method, "/orders/known/history"), 200)
            self.expect(api.request(method, "/orders/unknown/history"), 404)
            self.expect(api.request(method, "/orders/%zz"), 400)
        with api.server.resp() as client:  # payloads that no HTTP client could have sent
            client.call("ORDER.PUT", "text", "pending", "not json")
            client.call("ORDER.PUT", "bytes", "pending", b"\xff\x00")
            client.call("ORDER.PUT", "empty", "pending", "")
            client.call("SET", "string", "v")
        for order in ("text", "bytes", "empty"):
            self.expect(api.request("GET", f"/orders/{order}"), 200)

    def provoke_writes(self, api):
        pending, paid = {"status": "pending"}, {"status": "paid"}
        write = api.request
        self.expect(write("PUT", "/orders/a", {**pending, "payload": [1], "ttl_ms": 60_000}), 201)
        self.expect(write("PUT", "/orders/a", pending), 200)
        self.expect(write("PATCH", "/orders/a", paid, If_Match='"9", "2"'), 200)
        self.expect(write("PATCH", "/orders/unknown", paid), 404)
        self.expect(write("DELETE", "/orders/unknown"), 404)
        for method in ("PUT", "PATCH"):
            self.expect(write(method, "/orders/a", b"{"), 400)
            self.expect(write(method, "/orders/a", b"a=b", Content_Type="text/plain"), 415)
            self.expect(write(method, "/orders/a", {"status": "payed"}), 422)
            self.expect(write(method, "/orders/a", {"status": "pending"}), 409)
            self.expect(write(method, "/orders/a", {**paid, "version": 1}), 409)
            self.expect(write(method, "/orders/string", paid), 409)
            self.expect(write(method, "/orders/a", paid, If_Match='"9"'), 412)
        self.expect(write("PUT", "/orders/a", pending, If_None_Match="*"), 412)
        self.expect(write("DELETE", "/orders/a", If_Match='"9"'), 412)
        self.expect(write("DELETE", "/orders/string"), 409)
        self.expect(write("PUT", "/orders/final", pending), 201)
        self.expect(write("PATCH", "/orders/final", {"status": "failed"}), 200)
        self.expect(write("PATCH", "/orders/final", paid), 409)
        self.expect(write("DELETE", "/orders/a"), 204)

    def provoke_retries(self, api):
        """Each first attempt and its retry, applied or refused, have one shape and one body."""
        attempts = (
            ("PUT", {"status": "pending", "payload": {"n": 1}, "ttl_ms": 60_000}, 201),
            ("PUT", {"status": "pending"}, 200),
            ("PATCH", {"status": "processing"}, 200),  # keeps the payload
            ("PATCH", {"payload": "other", "ttl_ms": None}, 200),
            ("PATCH", {"status": "refunded"}, 409),
            ("DELETE", None, 204),
            ("DELETE", None, 404),
        )
        for number, (method, body, status) in enumerate(attempts):
            key = f"key-{number}"
            first = self.expect(api.request(method, "/orders/r", body, Idempotency_Key=key), status)
            again = self.expect(api.request(method, "/orders/r", body, Idempotency_Key=key), status)
            self.assertEqual(first.body, again.body)
            self.assertEqual(first.fields.get("etag"), again.fields.get("etag"))
            self.assertEqual(again.fields.get("idempotency-replayed"), "true", str(again))
        self.expect(api.request("DELETE", "/orders/r", Idempotency_Key="key-0"), 422)
        self.expect(api.request("PATCH", "/orders/r", {}, Idempotency_Key="x" * 256), 400)

    def provoke_bulk(self, api):
        items = [
            {"id": "b", "status": "pending", "payload": 1},
            {"id": "b", "op": "patch", "status": "paid"},
            {"id": "c", "op": "patch", "status": "paid"},
            {"id": "b", "op": "patch", "if_version": 1, "payload": 2},
            {"id": "", "status": "pending"},
            {"id": "b", "op": "delete"},
        ]
        self.expect(api.request("POST", "/orders:bulk", items), 200)
        self.expect(api.request("POST", "/orders:bulk", []), 200)
        lines = b"".join(json.dumps(item).encode() + b"\n" for item in items) + b"broken\n"
        self.expect(api.request("POST", "/orders:bulk", lines, Content_Type=NDJSON), 200)
        self.expect(api.request("POST", "/orders:bulk", b"[{]"), 400)
        self.expect(api.request("POST", "/orders:bulk", b"x", Content_Type="text/csv"), 415)
        many = b"\n" * 1001
        self.expect(api.request("POST", "/orders:bulk", many, Content_Type=NDJSON), 413)

    def provoke_unauthorized(self, description):
        api = self.recorder(
            "--password-file", self.secret_file("password", PASSWORD),
            "--admin-token-file", self.secret_file("token", ADMIN_TOKEN),
        )
        for path, method in description.operations():
            guarded = path.startswith(("/orders", "/admin", "/debug"))
            exchange = api.request(method, filled(path))
            self.assertEqual(exchange.status == 401, guarded, str(exchange))
        bearer = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        self.expect(api.request("GET", "/admin/stats", **bearer), 200)

    def provoke_out_of_memory(self):
        api = self.recorder("--memory-limit", "64MiB")
        self.expect(api.request("PUT", "/orders/small", {"status": "pending"}), 201)
        large = {"status": "pending", "payload": "x" * LARGE}
        statuses = [api.request("PUT", f"/orders/{i}", large).status for i in range(20)]
        self.assertEqual(statuses[-1], 507)
        self.expect(api.request("PATCH", "/orders/small", {"payload": "x" * LARGE}), 507)

    def provoke_draining(self):
        """A reply that fills the connection keeps the next request waiting until the drain."""
        for method in ("GET", "HEAD"):
            api = self.recorder()
            with api.server.resp() as client:
                # Six bytes each as JSON.
                client.call("ORDER.PUT", "big", "pending", b"\x01" * LARGE)
            with socket.create_connection(api.server.http_address, timeout=30) as client:
                client.sendall(
                    b"GET /orders/big HTTP/1.1\r\nHost: x\r\n\r\n"
                    + f"{method} /readyz HTTP/1.1\r\nHost: x\r\n\r\n".encode()
                )
                reader = client.makefile("rb")
                self.assertIn(b"200 OK", reader.readline())
                api.server.popen.send_signal(signal.SIGTERM)
                harness.wait_until(lambda: refuses(api.server.http_address), "the drain began")
                head, _, rest = reader.read().partition(b"\r\n\r\n")
                self.assertIn(b"Content-Length", head)
                status_line, _, tail = rest[rest.index(b"HTTP/1.1 ") :].partition(b"\r\n")
                fields, _, body = tail.partition(b"\r\n\r\n")
                pairs = (line.split(": ", 1) for line in fields.decode().split("\r\n"))
                exchange = Exchange(
                    method,
                    "/readyz",
                    int(status_line.split()[1]),
                    {name.lower(): value for name, value in pairs},
                    body,
                )
                self.exchanges.append(self.expect(exchange, 503))

    # --- The test -----------------------------------------------------------------------------

    def test_every_kind_of_answer_is_as_described(self):
        api = self.recorder()
        document = json.loads(api.request("GET", "/openapi.json").body)
        description = Description(document)
        self.expect(api.request("PUT", "/orders/known", {"status": "pending"}), 201)
        self.provoke_everywhere(api, description)
        self.provoke_reads(api)
        self.provoke_writes(api)
        self.provoke_retries(api)
        self.provoke_bulk(api)
        self.provoke_unauthorized(description)
        self.provoke_out_of_memory()
        self.provoke_draining()

        self.assertEqual(findings(document, self.exchanges), [])
        self.print_kinds(description)
        self.each_planted_fault_is_found(document)

    def print_kinds(self, description):
        kinds = sorted({description.kind_of(e) for e in self.exchanges}, key=str)
        for path, method, status, content_type in kinds:
            print(f"  {method} {path or '(no such path)'} {status} {content_type or '-'}")
        print(
            f"{len(self.exchanges)} answers of {len(kinds)} kinds validated;"
            f" {len(description.kinds())} kinds documented, not provoked:"
        )
        for (status, path), reason in NOT_PROVOKED.items():
            print(f"  {status} {path}: {reason}")

    def each_planted_fault_is_found(self, document):
        """The check itself: what the description could get wrong, one fault at a time."""
        faults = {
            "one more required member": lambda d: d["components"]["schemas"]["Order"][
                "required"
            ].append("currency"),
            "one member less": lambda d: d["components"]["schemas"]["Order"]["properties"].pop(
                "updated_at_ms"
            ),
            "another type": lambda d: d["components"]["schemas"]["History"]["properties"][
                "version"
            ].update(type="string"),
            "a problem's type forgotten": lambda d: d["components"]["schemas"]["Problem"][
                "properties"
            ]["type"]["enum"].pop(0),
            "a status forgotten": lambda d: d["paths"]["/orders/{id}"]["patch"]["responses"].pop(
                "412"
            ),
            "a status that never comes": lambda d: d["paths"]["/healthz"]["get"][
                "responses"
            ].update({"418": {"description": "tea"}}),
            "a content type forgotten": lambda d: d["paths"]["/orders:bulk"]["post"]["responses"][
                "200"
            ]["content"].pop("application/x-ndjson"),
            "a method forgotten": lambda d: d["paths"]["/orders/{id}"].pop("delete"),
            "a path forgotten": lambda d: d["paths"].pop("/admin/config"),
            "a field forgotten": lambda d: d["components"]["responses"]["OrderCreated"][
                "headers"
            ].pop("Location"),
            "a field that never comes": lambda d: d["components"]["responses"]["Order"][
                "headers"
            ].update({"X-Cost": {"required": True, "schema": {"type": "string"}}}),
        }
        for name, plant in faults.items():
            with self.subTest(fault=name):
                broken = copy.deepcopy(document)
                plant(broken)
                found = findings(broken, self.exchanges)
                self.assertNotEqual(found, [])
                print(f"  planted, and found: {name}: {found[0]}")


def refuses(address):
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def findings(document, exchanges):
    """Everything in which the description and the answers disagree, one sentence each."""
    description = Description(document)
    found = [problem for e in exchanges for problem in description.problems_of(e)]
    excused = {kind for kind in description.kinds() if (kind[2], kind[0]) in NOT_PROVOKED}
    seen = {description.kind_of(exchange) for exchange in exchanges}
    unseen = description.kinds() - seen - excused
    found += [f"{kind}: documented, never provoked" for kind in unseen]
    found += [f"{kind}: provoked, so it needs no excuse" for kind in excused & seen]
    types = {
        json.loads(exchange.body)["type"]
        for exchange in exchanges
        if exchange.content_type == "application/problem+json" and exchange.body
    }
    for missing in description.problem_types() - types - NOT_PROVOKED_TYPES:
        found.append(f"{missing}: documented, never provoked")
    return found


if __name__ == "__main__":
    harness.main()
