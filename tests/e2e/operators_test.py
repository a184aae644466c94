# SPDX-License-Identifier: Apache-2.0
"""What an operator does with vigild: signals, logs, sockets, service managers, odd starts."""

import http.client
import os
import signal
import socket
import subprocess
import time

import harness
from resp import Connection, ErrorReply, Simple


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


class OperatorsTest(harness.TestCase):
    def folder(self):
        return self.own(harness.Process(["true"])).directory

    # --- Signals ------------------------------------------------------------------------------

    def test_idle_connections_do_not_hold_the_end(self):
        server = self.start_vigild("--threads", "2")
        with server.resp() as client, server.resp():
            self.assertEqual(client.call("PING"), Simple(b"PONG"))
            keep_alive = server.http()
            keep_alive.request("GET", "/healthz")
            keep_alive.getresponse().read()
            started = time.monotonic()
            self.assert_drains(server)
            self.assertLess(time.monotonic() - started, 0.5)
            keep_alive.close()

    def test_signals_without_a_meaning_do_nothing(self):
        server = self.start_vigild("--threads", "1")
        with server.resp() as client:
            for number in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP):
                server.popen.send_signal(number)
                self.assertEqual(client.call("PING"), Simple(b"PONG"))
        self.assert_drains(server)

    def test_the_log_goes_on_in_a_new_file_after_sighup(self):
        log = os.path.join(self.folder(), "vigild.log")
        server = self.start_vigild("--threads", "1", "--log-file", log)
        harness.wait_until(lambda: "listens for RESP" in read(log), "the log began")
        os.rename(log, log + ".1")
        server.popen.send_signal(signal.SIGHUP)
        harness.wait_until(lambda: "SIGHUP" in read(log), "the log goes on")
        self.assert_drains(server)
        self.assertIn("stopped", read(log))
        self.assertNotIn("stopped", read(log + ".1"))
        self.assertEqual(server.log(), "")

    def test_shutdown_ends_the_process(self):
        server = self.start_vigild("--threads", "2")
        with server.resp() as client:
            client.send("SHUTDOWN", "NOSAVE")
            self.assertEqual(client.socket.recv(100), b"")
        self.assertEqual(server.popen.wait(harness.STOP_TIMEOUT_S), 0, server.log())

    # --- Where it listens ---------------------------------------------------------------------

    def test_both_protocols_are_served_on_unix_sockets(self):
        folder = self.folder()
        resp, web = os.path.join(folder, "resp"), os.path.join(folder, "http")
        server = self.start_vigild("--resp-socket", resp, "--http-socket", web)
        client = Connection(resp)
        self.addCleanup(client.close)
        self.assertEqual(client.call("SET", "a", "1"), Simple(b"OK"))
        self.assertIn(f"addr={resp}:0 laddr={resp}:0".encode(), client.call("CLIENT", "INFO"))
        browser = UnixHttp(web)
        browser.request("GET", "/healthz")
        self.assertEqual(browser.getresponse().status, 200)
        browser.close()
        second = subprocess.run(
            [harness.vigild_path(), "--resp-port", "0", "--http-port", "0", "--resp-socket", resp],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        self.assertEqual(second.returncode, 2)
        self.assertIn("another server listens there", second.stderr)
        server.popen.kill()
        server.popen.wait()
        self.assertTrue(os.path.exists(resp))  # the next one replaces it
        again = self.start_vigild("--resp-socket", resp, "--http-socket", web)
        self.assert_drains(again)
        self.assertFalse(os.path.exists(resp))
        self.assertFalse(os.path.exists(web))

    def test_a_file_in_the_way_of_a_socket_stays(self):
        path = os.path.join(self.folder(), "precious")
        with open(path, "w", encoding="ascii") as file:
            file.write("data")
        for wrong, reason in ((path, "no socket"), ("/" + "x" * 108, "longer than")):
            result = self.refused("--resp-socket", wrong)
            self.assertIn(reason, result)
        self.assertEqual(read(path), "data")

    def refused(self, *flags):
        result = subprocess.run(
            [harness.vigild_path(), "--resp-port", "0", "--http-port", "0", *flags],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        self.assertEqual(result.returncode, 2, result.stderr)
        return result.stderr

    def test_addresses_in_other_forms(self):
        self.assertIn("did you mean 127.0.0.1?", self.refused("--bind", "127.1"))
        self.assertIn("expected a numeric", self.refused("--bind", "localhost"))
        server = self.start_vigild("--bind", "::ffff:127.0.0.1")
        address = ("127.0.0.1", server.resp_address[1])
        with Connection(address) as client:
            self.assertEqual(client.call("PING"), Simple(b"PONG"))

    # --- How it is started --------------------------------------------------------------------

    def test_an_empty_configuration_is_one(self):
        empty = os.path.join(self.folder(), "empty.toml")
        with open(empty, "w", encoding="ascii"):
            pass
        for path in (empty, "/dev/null"):
            self.assert_drains(self.start_vigild("--config", path))

    def test_closed_standard_descriptors_are_not_given_to_sockets(self):
        for closed in ("0<&-", "0<&- 2>&-", "2>&-"):
            with self.subTest(closed=closed):
                command = f"exec {harness.vigild_path()} --resp-port 0 --http-port 0 {closed}"
                process = subprocess.Popen(
                    ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
                )
                self.addCleanup(process.stdout.close)
                line = process.stdout.readline().decode()
                for fd in (0, 2):
                    target = os.readlink(f"/proc/{process.pid}/fd/{fd}")
                    self.assertNotRegex(target, "anon_inode|socket")
                host, port = line.split()[1].removeprefix("resp=").rsplit(":", 1)
                with Connection((host, int(port))) as client:
                    self.assertEqual(client.call("PING"), Simple(b"PONG"))
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(harness.STOP_TIMEOUT_S), 0)

    def test_a_service_manager_is_told(self):
        path = os.path.join(self.folder(), "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            manager.settimeout(30)
            environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "100000"}
            server = self.start_vigild("--threads", "2", environment=environment)
            self.assertTrue(manager.recv(1000).startswith(b"READY=1\nSTATUS=serves RESP on "))
            for _ in range(3):
                self.assertEqual(manager.recv(1000), b"WATCHDOG=1")
            server.popen.send_signal(signal.SIGTERM)
            while (told := manager.recv(1000)) == b"WATCHDOG=1":
                pass
            self.assertEqual(told, b"STOPPING=1\nSTATUS=drains")
            self.assertEqual(server.popen.wait(harness.STOP_TIMEOUT_S), 0, server.log())

    # --- The other port -----------------------------------------------------------------------

    def test_each_port_says_what_it_speaks(self):
        server = self.start_vigild()
        with Connection(server.http_address) as client:
            reply = client.call("PING")
            self.assertIsInstance(reply, ErrorReply)
            self.assertIn(f"RESP is served on port {server.resp_address[1]}", reply.text)
        web = http.client.HTTPConnection(*server.resp_address, timeout=30)
        web.request("PUT", "/", body="SET pwned 1\r\n")
        answer = web.getresponse()
        self.assertEqual(answer.status, 400)
        self.assertIn(f"port {server.http_address[1]}".encode(), answer.read())
        web.close()
        with server.resp() as client:
            self.assertEqual(client.call("EXISTS", "pwned"), 0)


def read(path):
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return ""


if __name__ == "__main__":
    harness.main()
