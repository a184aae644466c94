# SPDX-License-Identifier: Apache-2.0
"""Orders over HTTP: curl as a person would type it, and the conditional requests of a service."""

import json
import urllib.parse

import harness


class HttpOrdersTest(harness.TestCase):
    def setUp(self):
        self.server = self.start_vigild("--threads", "2")

    def curl(self, method, path, body=None, **headers):
        """Status, headers (lower case) and decoded JSON body of one curl call."""
        arguments = ["-sS", "-i", "-X", method, self.server.url(path)]
        for name, value in headers.items():
            arguments += ["-H", f"{name.replace('_', '-')}: {value}"]
        if body is not None:
            arguments += ["-H", "Content-Type: application/json", "--data-binary", json.dumps(body)]
        done = harness.run(self.require("curl"), *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)
        head, _, text = done.stdout.replace("\r\n", "\n").partition("\n\n")
        status_line, *lines = head.split("\n")
        fields = {}
        for line in lines:
            name, _, value = line.partition(": ")
            fields[name.lower()] = value
        is_json = "json" in fields.get("content-type", "")
        return int(status_line.split()[1]), fields, json.loads(text) if is_json and text else text

    def test_an_order_is_put_read_patched_and_deleted(self):
        body = {"status": "pending", "payload": {"amount": "12.50"}, "ttl_ms": 60_000}
        status, fields, order = self.curl("PUT", "/orders/A-1", body)
        self.assertEqual((status, fields["etag"]), (201, '"1"'))
        self.assertEqual((order["status"], order["version"]), ("pending", 1))
        self.assertEqual(order["payload"], {"amount": "12.50"})

        status, fields, read = self.curl("GET", "/orders/A-1")
        self.assertEqual((status, fields["etag"], read), (200, '"1"', order))
        self.assertTrue(fields["content-type"].startswith("application/json"))

        status, fields, order = self.curl(
            "PATCH", "/orders/A-1", {"status": "paid"}, If_Match='"1"'
        )
        self.assertEqual((status, fields["etag"], order["status"]), (200, '"2"', "paid"))
        self.assertEqual(order["payload"], {"amount": "12.50"})

        self.assertEqual(self.curl("DELETE", "/orders/A-1")[0], 204)
        self.assertEqual(self.curl("GET", "/orders/A-1")[0], 404)

    def test_a_stale_if_match_is_refused_with_412_and_changes_nothing(self):
        self.curl("PUT", "/orders/A-2", {"status": "pending", "payload": 1})
        self.curl("PATCH", "/orders/A-2", {"status": "processing"}, If_Match='"1"')
        for method in ("PUT", "PATCH"):
            status, fields, problem = self.curl(
                method, "/orders/A-2", {"status": "paid"}, If_Match='"1"'
            )
            self.assertEqual((status, problem["status"]), (412, 412))
            self.assertTrue(fields["content-type"].startswith("application/problem+json"))
        self.assertEqual(self.curl("DELETE", "/orders/A-2", If_Match='"1"')[0], 412)
        _, _, order = self.curl("GET", "/orders/A-2")
        self.assertEqual((order["status"], order["version"]), ("processing", 2))

    def test_if_none_match_creates_at_most_once(self):
        body = {"status": "pending", "payload": None}
        self.assertEqual(self.curl("PUT", "/orders/A-3", body, If_None_Match="*")[0], 201)
        self.assertEqual(self.curl("PUT", "/orders/A-3", body, If_None_Match="*")[0], 412)
        self.assertEqual(self.curl("GET", "/orders/A-3", If_None_Match='"1"')[0], 304)

    def test_stale_illegal_and_terminal_changes_are_conflicts(self):
        self.curl("PUT", "/orders/A-4", {"status": "pending", "version": 5})
        for body in (
            {"status": "processing", "version": 4},
            {"status": "processing", "version": 5},
            {"status": "refunded"},
        ):
            self.assertEqual(self.curl("PUT", "/orders/A-4", body)[0], 409, body)
        self.assertEqual(self.curl("PATCH", "/orders/A-4", {"status": "failed"})[0], 200)
        self.assertEqual(self.curl("PATCH", "/orders/A-4", {"status": "paid"})[0], 409)
        self.assertEqual(self.curl("PUT", "/orders/A-4", {"status": "no such status"})[0], 422)

    def test_a_retry_with_the_same_idempotency_key_gets_the_same_answer(self):
        body = {"status": "pending", "payload": {"n": 1}}
        first = self.curl("PUT", "/orders/A-5", body, Idempotency_Key="k1")
        again = self.curl("PUT", "/orders/A-5", body, Idempotency_Key="k1")
        self.assertEqual(
            (first[0], first[1]["etag"], first[2]), (again[0], again[1]["etag"], again[2])
        )
        self.assertEqual(self.curl("GET", "/orders/A-5")[2]["version"], 1)
        other = {"status": "pending", "payload": {"n": 2}}
        self.assertEqual(self.curl("PUT", "/orders/A-5", other, Idempotency_Key="k1")[0], 422)

    def test_chinese_ids_are_one_order_through_http_and_resp(self):
        path = "/orders/" + urllib.parse.quote("订单-42")
        self.assertEqual(
            self.curl("PUT", path, {"status": "pending", "payload": {"名": "值"}})[0], 201
        )
        self.assertEqual(self.curl("GET", path)[2]["id"], "订单-42")
        with self.server.resp() as client:
            self.assertEqual(client.call("EXISTS", "订单-42"), 1)
            self.assertIn("WRONGTYPE", client.call("GET", "订单-42").text)
            client.call("SET", "plain", "v")
        self.assertEqual(self.curl("PUT", "/orders/plain", {"status": "pending"})[0], 409)

    def test_bad_requests_get_a_problem_document(self):
        self.curl("PUT", "/orders/A-6", {"status": "pending"})
        for method, path, body, headers, expected in (
            ("PUT", "/orders/A-6", {"status": 1}, {}, 400),
            ("PUT", "/orders/A-6", {"unknown": 1}, {}, 400),
            ("PUT", "/orders/A-6", {"status": "paid"}, {"If_Match": "1"}, 400),
            ("POST", "/orders/A-6", {}, {}, 405),
            ("GET", "/nothing", None, {}, 404),
            ("GET", "/orders/%zz", None, {}, 400),
            ("PUT", "/orders/A-6", {"payload": "x" * 5_000_000, "status": "paid"}, {}, 413),
        ):
            with self.subTest(method=method, path=path, expected=expected):
                if method == "PUT" and len(json.dumps(body)) > 100_000:
                    status, problem = self.put_large(path, json.dumps(body))
                else:
                    status, _, problem = self.curl(method, path, body, **headers)
                self.assertEqual((status, problem["status"]), (expected, expected))
                self.assertTrue(problem["title"] and problem["detail"] is not None)
        self.assertEqual(self.curl("GET", "/orders/A-6")[2]["version"], 1)

    def put_large(self, path, text):
        client = self.server.http()
        self.addCleanup(client.close)
        client.putrequest("PUT", path)
        client.putheader("Content-Type", "application/json")
        client.putheader("Content-Length", str(len(text)))
        client.endheaders()
        try:
            client.send(text.encode())
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused by its header alone; the answer is there to read
        reply = client.getresponse()
        return reply.status, json.loads(reply.read())

    def test_health_and_readiness_are_served(self):
        self.assertEqual(self.curl("GET", "/healthz")[0], 200)
        self.assertEqual(self.curl("GET", "/readyz")[0], 200)
        self.assertEqual(self.curl("GET", "/openapi.json")[2]["openapi"][:2], "3.")

    def test_keep_alive_serves_many_pipelined_requests_on_one_connection(self):
        self.curl("PUT", "/orders/A-7", {"status": "pending"})
        client = self.server.http()
        self.addCleanup(client.close)
        client.connect()
        request = b"GET /orders/A-7 HTTP/1.1\r\nHost: vigil\r\n\r\n"
        client.sock.sendall(
            request * 99 + request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        received = bytearray()
        while data := client.sock.recv(65536):
            received += data
        self.assertEqual(received.count(b"HTTP/1.1 200 OK\r\n"), 100)


if __name__ == "__main__":
    harness.main()
