# SPDX-License-Identifier: Apache-2.0
"""Disks that are slow, full or broken, and folders that are damaged, taken or too new: what a
vigild does then, and that nothing acknowledged is lost."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest.mock

import harness
from resp import ConnectionClosed, ErrorReply, Simple

OK = Simple(b"OK")
SEGMENT = ("--log-segment-bytes", "8MiB")


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


class DataDirectoryTest(harness.TestCase):
    def setUp(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="vigil-faults-"))
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.data = self.root / "data"
        self.faults = self.root / "faults"

    def start(self, *flags, mode="always"):
        return self.start_vigild("--data-dir", self.data, "--durability", mode, *SEGMENT, *flags)

    def start_on_faults(self, *flags, **options):
        library = os.environ.get("DISK_FAULTS")
        if not library:
            self.skipTest("DISK_FAULTS does not name the library disk_faults")
        environment = {"LD_PRELOAD": library, "VIGIL_DISK_FAULTS": str(self.faults)}
        with unittest.mock.patch.dict(os.environ, environment):
            return self.start(*flags, **options)

    def set_faults(self, text):
        written = self.root / "faults.new"
        written.write_text(text)
        written.rename(self.faults)

    def refusal(self, *flags):
        """What a vigild that does not start says."""
        ports = ("--resp-port", "0", "--http-port", "0", "--data-dir", self.data)
        ended = harness.run(harness.vigild_path(), *ports, *SEGMENT, *flags)
        self.assertEqual(ended.returncode, 2, ended.stderr)
        return ended.stderr

    def http(self, server, method, path, body=None):
        return self.http_at(server.http_address, method, path, body)

    @staticmethod
    def http_at(address, method, path, body=None):
        connection = harness.http.client.HTTPConnection(*address, timeout=30)
        try:
            headers = {"Content-Type": "application/json"} if body else {}
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return reply.status, reply.read().decode(), reply.getheader("Retry-After")
        finally:
            connection.close()


class SlowDiskTest(DataDirectoryTest):
    def test_reads_and_new_connections_do_not_wait_for_a_slow_sync(self):
        server = self.start_on_faults()
        with server.resp() as client:
            client.call("SET", "read", "me")
        for delay_ms in (50, 2000):
            with self.subTest(delay_ms=delay_ms):
                self.set_faults(f"sync_ms {delay_ms}\n")
                took = []
                writer = threading.Thread(target=lambda: took.append(self.timed_set(server, "w")))
                writer.start()
                slowest = 0
                while writer.is_alive():
                    begun = time.monotonic()
                    with server.resp() as client:
                        self.assertEqual(client.call("GET", "read"), b"me")
                    slowest = max(slowest, time.monotonic() - begun)
                writer.join()
                self.assertGreaterEqual(took[0], delay_ms / 1000)
                self.assertLess(slowest, 1.0 if delay_ms == 2000 else 0.5)
        self.set_faults("")
        self.assert_drains(server)

    def timed_set(self, server, key):
        with server.resp() as client:
            begun = time.monotonic()
            self.assertEqual(client.call("SET", key, "value"), OK)
            return time.monotonic() - begun

    def test_everysec_does_not_wait_for_a_slow_sync_also_during_a_snapshot(self):
        server = self.start_on_faults(mode="everysec")
        self.set_faults("sync_ms 2000\n")
        times = []
        with server.resp() as client:
            for i in range(3000):
                if i == 1000:
                    self.assertEqual(client.call("BGSAVE"), Simple(b"Background saving started"))
                begun = time.monotonic()
                self.assertEqual(client.call("SET", f"k{i}", "v" * 100), OK)
                times.append(time.monotonic() - begun)
        self.assertLess(sorted(times)[int(len(times) * 0.999)], 0.5)
        self.set_faults("")

    def test_nobody_waits_for_ever_and_nothing_grows_without_bound(self):
        """Pipelines of large values against a disk that stands still: each connection stops at its
        held replies; all of it is stored when the disk goes on."""
        server = self.start_on_faults("--log-backlog-bytes", "4MiB")
        self.set_faults("sync_ms 1000\n")
        value, count = b"x" * 200_000, 40
        answers = []

        def write(number):
            with server.resp(timeout_s=60) as client:
                commands = [("SET", f"big:{number}:{i}", value) for i in range(count)]
                sender = threading.Thread(
                    target=lambda: [client.send(*command) for command in commands]
                )
                sender.start()
                answers.extend(client.read() for _ in commands)
                sender.join()

        writers = [threading.Thread(target=write, args=(i,)) for i in range(3)]
        for writer in writers:
            writer.start()
        with server.resp() as client:
            for _ in range(20):
                backlog = int(self.info(client, "aof_buffer_length"))
                self.assertLess(backlog, 16 << 20)
                time.sleep(0.05)
        self.set_faults("")
        for writer in writers:
            writer.join()
        self.assertEqual(len(answers), 3 * count)
        busy = [answer for answer in answers if answer != OK]
        self.assertTrue(all(answer.text.startswith("BUSY") for answer in busy), busy[:3])
        with server.resp() as client:
            self.assertEqual(client.call("DBSIZE"), 3 * count - len(busy))
        self.assert_drains(server)

    @staticmethod
    def info(client, field):
        text = client.call("INFO", "persistence").decode()
        return re.search(rf"^{field}:(.*)\r$", text, re.MULTILINE).group(1)


class BrokenDiskTest(DataDirectoryTest):
    def test_nothing_is_acknowledged_after_a_failed_sync(self):
        for mode in ("always", "everysec"):
            for nth in (1, 2, 5):
                with self.subTest(mode=mode, nth=nth):
                    self.fail_at(mode, nth)

    def fail_at(self, mode, nth):
        shutil.rmtree(self.data, ignore_errors=True)
        self.set_faults("")
        server = self.start_on_faults(mode=mode)
        with server.resp() as client:
            self.assertEqual(client.call("SET", "before", "it"), OK)
            # The next segment is ready: the syncs that follow are those of commits.
            ready = lambda: b"log_segments:2\r\n" in client.call("INFO", "persistence")
            harness.wait_until(ready, "the next segment is made")
        self.set_faults(f"fail_sync {nth}\n")
        acknowledged = self.write_until_refused(server)
        self.read_only(server)
        self.assertIn("the log failed", server.log())
        server.stop()
        self.set_faults("")
        again = self.start(mode=mode)
        with again.resp() as client:
            self.assertEqual(client.call("GET", "before"), b"it")
            for i in range(acknowledged):
                self.assertEqual(client.call("GET", f"k{i}"), b"v")
            self.assertEqual(client.call("SET", "after", "it"), OK)
        self.assert_drains(again)

    def write_until_refused(self, server):
        acknowledged = 0
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                with server.resp() as client:
                    while True:
                        reply = client.call("SET", f"k{acknowledged}", "v")
                        if reply != OK:
                            self.assertTrue(reply.text.startswith("MISCONF "), reply)
                            return acknowledged
                        acknowledged += 1
                        time.sleep(0.01)
            except (ConnectionClosed, ConnectionResetError):
                continue
        self.fail("the server never said that its disk is broken")

    def read_only(self, server):
        with server.resp() as client:
            reply = client.call("SET", "k", "v")
            self.assertTrue(reply.text.startswith("MISCONF the log failed"), reply)
            self.assertTrue(client.call("DEL", "before").text.startswith("MISCONF "))
            self.assertEqual(client.call("GET", "before"), b"it")
            info = client.call("INFO", "persistence")
            self.assertIn(b"log_state:failed\r\n", info)
            self.assertIn(b"aof_last_write_status:err\r\n", info)
        status, body, _ = self.http(server, "GET", "/readyz")
        self.assertEqual((status, json.loads(body)["type"]), (503, "urn:vigil:problem:read-only"))
        status, body, _ = self.http(server, "PUT", "/orders/o", '{"status":"pending"}')
        self.assertEqual((status, json.loads(body)["type"]), (503, "urn:vigil:problem:read-only"))
        self.assertEqual(self.http(server, "GET", "/orders/o")[0], 404)
        self.assertEqual(self.http(server, "GET", "/healthz")[0], 200)
        metrics = self.http(server, "GET", "/metrics")[1]
        self.assertIn('vigild_log_state{state="failed"} 1', metrics)


class FullDiskTest(DataDirectoryTest):
    def setUp(self):
        super().setUp()
        self.data.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", self.data],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if mounted.returncode != 0:
            self.skipTest(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
        self.addCleanup(subprocess.run, ["umount", self.data], check=False)

    def test_reads_and_deletes_go_on_and_writes_return_when_there_is_room(self):
        ballast = self.data / "ballast"
        ballast.write_bytes(bytes(16 << 20))
        server = self.start()
        stored, waiting = self.fill(server)
        self.assertGreater(stored, 50)
        with server.resp() as client, server.resp() as remover:
            reply = client.call("SET", "more", b"v" * 100_000)
            self.assertTrue(reply.text.startswith("MISCONF the log has no room"), reply)
            self.assertEqual(client.call("GET", "k0"), b"v" * 100_000)
            # Taken at once; answered at once too where the last file of the log has room.
            remover.send("DEL", "k1")
            remover.send("EXPIRE", "k2", 1000)
            harness.wait_until(lambda: client.call("EXISTS", "k1") == 0, "k1 is gone")
            status, body, _ = self.http(server, "PUT", "/orders/o", '{"status":"pending"}')
            self.assertEqual((status, json.loads(body)["type"]), (507, "urn:vigil:problem:no-room"))
            status, body, _ = self.http(server, "GET", "/readyz")
            self.assertEqual(status, 503)
            self.assertIn("the log has no room", body)
            ballast.unlink()
            harness.wait_until(lambda: client.call("SET", "again", "v") == OK, "there is room")
            self.assertEqual([remover.read(), remover.read()], [1, 1])
            if waiting:
                self.assertEqual(waiting.read(), OK)
                waiting.close()
                stored += 1
            self.assertEqual(self.http(server, "GET", "/readyz")[0], 200)
        server.popen.kill()
        server.popen.wait()
        again = self.start()
        with again.resp() as client:
            self.assertEqual(client.call("DBSIZE"), stored)  # without k1, with "again"
            self.assertEqual(client.call("EXISTS", "k1"), 0)
            self.assertGreater(client.call("TTL", "k2"), 0)
        self.assert_drains(again)


    def fill(self, server):
        """The number of keys that were stored before one was refused; and the connection of the
        last one, if the room ended under it: then its reply waits for room."""
        client = server.resp(timeout_s=3.0)
        for stored in range(1000):
            try:
                reply = client.call("SET", f"k{stored}", b"v" * 100_000)
            except TimeoutError:
                client.socket.settimeout(60)
                return stored, client
            if reply != OK:
                client.close()
                return stored, None
        raise AssertionError("the disk never became full")


class FolderTest(DataDirectoryTest):
    def test_the_second_server_on_a_folder_refuses_and_the_first_is_left_alone(self):
        server = self.start()
        why = self.refusal()
        self.assertIn(str(self.data), why)
        self.assertIn(str(server.pid), why)
        self.assertIn(f"pid={server.pid}\n", (self.data / "vigild.ready").read_text())
        with server.resp() as client:
            self.assertEqual(client.call("SET", "k", "v"), OK)
        self.assert_drains(server)
        self.assertFalse((self.data / "vigild.ready").exists())

    def test_a_newer_format_is_refused_in_a_sentence(self):
        self.assert_drains(self.start())
        path = self.data / "FORMAT"
        lines = path.read_text().replace("vigil log 1", "vigil log 2").splitlines(keepends=True)
        path.write_text("".join(lines[:-1]) + f"crc {crc32c(''.join(lines[:-1]).encode()):08x}\n")
        self.assertRegex(self.refusal(), r"FORMAT: .*format 2.*reads formats up to 1")

    def test_a_torn_tail_is_cut_and_said(self):
        server = self.start()
        with server.resp() as client:
            for i in range(100):
                client.call("SET", f"k{i}", "v" * 50)
        server.popen.kill()
        server.popen.wait()
        log = self.last_segment()
        content = bytearray(log.read_bytes())
        end = len(content.rstrip(b"\0"))
        content[end + 8 : end + 308] = os.urandom(300)
        log.write_bytes(content)
        again = self.start()
        with again.resp() as client:
            self.assertEqual(client.call("DBSIZE"), 100)
        self.assertRegex(again.log(), rf"{re.escape(str(log))}.*\d+")
        self.assert_drains(again)

    def test_damage_in_the_middle_names_file_offset_and_command(self):
        server = self.start()
        with server.resp() as client:
            for i in range(100):
                client.call("SET", f"k{i}", "v" * 50)
        server.popen.kill()
        server.popen.wait()
        log = self.last_segment()
        content = bytearray(log.read_bytes())
        content[4096 + 2000] ^= 1
        log.write_bytes(content)
        why = self.refusal()
        self.assertIn(str(log), why)
        self.assertRegex(why, r"\d{4,}")
        self.assertIn("vigil log repair", why)

    def last_segment(self):
        """The one that holds records."""
        segments = sorted(self.data.glob("log.*"))
        return max(segments, key=lambda path: len(path.read_bytes().rstrip(b"\0")))


class BackupTest(DataDirectoryTest):
    def test_a_copy_made_while_writes_go_on_has_all_that_was_acknowledged_before(self):
        """The commands of docs/operations.md, while segments and snapshots come and go."""
        page = (harness.SOURCE_DIR / "docs/operations.md").read_text(encoding="utf-8")
        (script,) = re.findall(r"```sh\n(# Backup.*?)```", page, re.DOTALL)
        server = self.start("--snapshot-log-bytes", "4MiB")
        stop = threading.Event()
        written = [0]

        def write():
            with server.resp() as client:
                while not stop.is_set():
                    first = written[0]
                    commands = [("SET", f"k{first + i}", b"v" * 5000) for i in range(50)]
                    self.assertEqual(client.pipeline(commands), [OK] * 50)
                    written[0] = first + 50

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for number in range(5):
                aim = written[0] + 1000
                harness.wait_until(lambda: written[0] >= aim, "more is written")
                before = written[0]
                backup = self.root / f"backup-{number}"
                environment = {"DATA": str(self.data), "BACKUP": str(backup)}
                copied = harness.run("sh", "-e", "-c", script, environment=environment)
                self.assertEqual(copied.returncode, 0, copied.stderr)
                with self.subTest(backup=number):
                    self.check_copy(backup, before)
        finally:
            stop.set()
            writer.join()
        self.assert_drains(server)

    def check_copy(self, backup, before):
        copy = self.start_vigild("--data-dir", backup, *SEGMENT)
        with copy.resp() as client:
            keys = (f"k{i}" for i in range(before))
            self.assertEqual(client.call("EXISTS", *keys), before)
        self.assert_drains(copy)


class LoadingTest(DataDirectoryTest):
    def test_what_needs_the_data_is_answered_that_it_is_being_read(self):
        server = self.start()
        with server.resp() as client:
            self.assertEqual(client.call("SET", "k", "v"), OK)
        self.assert_drains(server)
        self.set_faults("read_ms 400\n")
        address = ("127.0.0.1", harness.free_port())
        with self.starting("--resp-port", address[1]) as (popen, http_address):
            client = harness.wait_until(lambda: self.connected(address), "the port is bound")
            for command in (("PING",), ("GET", "k"), ("SET", "k", "w"), ("DBSIZE",)):
                reply = client.call(*command)
                self.assertTrue(reply.text.startswith("LOADING the server reads its data"), reply)
            info = client.call("INFO", "persistence")
            self.assertIn(b"loading:1\r\n", info)
            self.assertIn(b"loading_total_bytes:", info)
            self.assertEqual(client.call("SELECT", 0), OK)
            for path in ("/readyz", "/orders/o"):
                status, body, retry = self.http_at(http_address, "GET", path)
                self.assertEqual(status, 503)
                self.assertEqual(json.loads(body)["type"], "urn:vigil:problem:loading")
                self.assertEqual(retry, "1")
            self.assertEqual(self.http_at(http_address, "GET", "/healthz")[0], 200)
            self.assertEqual(self.http_at(http_address, "GET", "/metrics")[0], 200)
            self.set_faults("")
            harness.wait_until(lambda: client.call("GET", "k") == b"v", "the data is read")
            client.close()
            popen.terminate()
            self.assertEqual(popen.wait(30), 0)

    def test_a_signal_while_the_data_is_read_ends_the_server(self):
        self.assert_drains(self.start())
        self.set_faults("read_ms 400\n")
        address = ("127.0.0.1", harness.free_port())
        with self.starting("--resp-port", address[1]) as (popen, _):
            harness.wait_until(lambda: self.connected(address), "the port is bound").close()
            popen.terminate()
            self.assertEqual(popen.wait(30), 0)

    @contextlib.contextmanager
    def starting(self, *flags):
        """A vigild that is not ready yet."""
        library = os.environ.get("DISK_FAULTS")
        if not library:
            self.skipTest("DISK_FAULTS does not name the library disk_faults")
        http_port = harness.free_port()
        environment = {"LD_PRELOAD": library, "VIGIL_DISK_FAULTS": str(self.faults)}
        popen = subprocess.Popen(
            [harness.vigild_path(), "--data-dir", self.data, "--http-port", str(http_port)]
            + [str(flag) for flag in flags],
            env={**os.environ, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield popen, ("127.0.0.1", http_port)
        finally:
            popen.kill()
            popen.wait()

    @staticmethod
    def connected(address):
        try:
            return harness.Connection(address)
        except ConnectionRefusedError:
            return None


class CommandsTest(DataDirectoryTest):
    def test_snapshots_by_command(self):
        server = self.start()
        with server.resp() as client:
            started = client.call("LASTSAVE")
            self.assertEqual(client.call("SET", "k", "v"), OK)
            self.assertEqual(client.call("SAVE"), OK)
            self.assertGreaterEqual(client.call("LASTSAVE"), started)
            self.assertEqual(len(list(self.data.glob("snapshot.*"))), 1)
            self.assertEqual(client.call("BGSAVE"), Simple(b"Background saving started"))
            self.assertEqual(client.call("CONFIG", "GET", "append*"),
                             [b"appendfsync", b"always", b"appendonly", b"yes"])  # fmt: skip
            pipeline = [("SET", "a", "1"), ("SAVE",), ("GET", "a"), ("SAVE",), ("PING",)]
            self.assertEqual(client.pipeline(pipeline), [OK, OK, b"1", OK, Simple(b"PONG")])
            self.assertIsInstance(client.call("SHUTDOWN", "SAVE", "NOSAVE"), ErrorReply)
            self.assertIsInstance(client.call("SHUTDOWN", "ABORT"), ErrorReply)
            client.send("SHUTDOWN", "SAVE")
            with self.assertRaises((ConnectionClosed, ConnectionResetError)):
                client.read()
        self.assertEqual(server.popen.wait(harness.STOP_TIMEOUT_S), 0, server.log())

    def test_without_a_folder_nothing_is_saved_and_shutdown_works(self):
        server = self.start_vigild()
        with server.resp() as client:
            for command in ("SAVE", "BGSAVE"):
                self.assertIn("nothing is kept", client.call(command).text)
            self.assertEqual(client.call("CONFIG", "GET", "appendonly"), [b"appendonly", b"no"])
            client.send("SHUTDOWN")
            with self.assertRaises((ConnectionClosed, ConnectionResetError)):
                client.read()
        self.assertEqual(server.popen.wait(harness.STOP_TIMEOUT_S), 0, server.log())


if __name__ == "__main__":
    harness.main()
