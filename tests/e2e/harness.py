# SPDX-License-Identifier: Apache-2.0
"""Starts what an end-to-end test needs on free loopback ports and stops exactly that.

CTest names the binaries in the environment: VIGILD is the server under test. Without it, for a
run by hand, the first vigild found in build/*/ is taken. VIGIL_SEED replays a randomised test.

    class MyTest(harness.TestCase):
        def test_it_answers(self):
            server = self.start_vigild("--threads", "2")
            with server.resp() as client:
                self.assertEqual(client.call("PING"), Simple(b"PONG"))
"""

import http.client
import os
import pathlib
import random
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

from resp import Connection

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 30
SOURCE_DIR = pathlib.Path(__file__).resolve().parents[2]


def vigild_path():
    configured = os.environ.get("VIGILD")
    if configured:
        return configured
    for candidate in sorted(SOURCE_DIR.glob("build/*/vigild")):
        return str(candidate)
    raise unittest.SkipTest("VIGILD is not set and build/*/vigild does not exist")


def seed():
    """The seed of this run, printed so that VIGIL_SEED=<it> replays the run."""
    value = int(os.environ.get("VIGIL_SEED") or random.SystemRandom().getrandbits(32))
    print(f"seed: VIGIL_SEED={value}", flush=True)
    return value


def wait_until(condition, what, timeout_s=30.0):
    """Polls `condition` until it is true; the bound only decides when to call it a failure."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"gave up after {timeout_s} s waiting until {what}")
        time.sleep(0.005)


def wait_for_wall_clock_ms(unix_ms):
    """Returns when the wall clock has passed `unix_ms`."""
    while (left_ms := unix_ms - time.time() * 1000) >= 0:
        time.sleep(left_ms / 1000 + 0.001)


class Process:
    """A child process with its output in files, in a directory of its own."""

    def __init__(self, arguments, stdout=None, environment=None):
        self.directory = tempfile.mkdtemp(prefix="vigil-e2e-")
        self._log = open(os.path.join(self.directory, "log"), "wb")
        self.popen = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=stdout or self._log,
            stderr=self._log,
            cwd=self.directory,
            env={**os.environ, **(environment or {})},
        )

    @property
    def pid(self):
        return self.popen.pid

    def log(self):
        with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def alive(self):
        return self.popen.poll() is None

    def stop(self, signal_number=signal.SIGTERM):
        """Signals the process and returns its exit status; kills it if it does not end."""
        if self.alive():
            self.popen.send_signal(signal_number)
        try:
            return self.popen.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(
                f"{self.popen.args[0]} ignored signal {signal_number} for {STOP_TIMEOUT_S} s"
            ) from None

    def discard(self):
        if self.alive():
            self.popen.kill()
            self.popen.wait()
        if self.popen.stdout:
            self.popen.stdout.close()
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


class Vigild(Process):
    """The server under test; constructed when it is ready."""

    def __init__(self, *flags, environment=None):
        ports = ["--resp-port", "0", "--http-port", "0"]
        if "--bind" not in flags:
            ports += ["--bind", "127.0.0.1"]
        super().__init__(
            [vigild_path(), *ports, *flags], stdout=subprocess.PIPE, environment=environment
        )
        try:
            self.resp_address, self.http_address = self._read_ready_line()
        except BaseException:
            self.discard()
            raise

    def _read_ready_line(self):
        readable, _, _ = select.select([self.popen.stdout], [], [], START_TIMEOUT_S)
        line = self.popen.stdout.readline().decode() if readable else ""
        words = line.split()
        if len(words) != 3 or words[0] != "ready":
            raise AssertionError(f"vigild printed {line!r} instead of its ready line\n{self.log()}")
        fields = dict(word.split("=", 1) for word in words[1:])
        return _parse_address(fields["resp"]), _parse_address(fields["http"])

    def resp(self, timeout_s=30.0):
        return Connection(self.resp_address, timeout_s)

    def http(self, timeout_s=30.0):
        return http.client.HTTPConnection(*self.http_address, timeout=timeout_s)

    def url(self, path):
        host, port = self.http_address
        return f"http://{host}:{port}{path}"


class RedisServer(Process):
    """A real redis-server without persistence, as an oracle."""

    def __init__(self):
        for _ in range(5):  # another process may take the port between the look and the start
            self.resp_address = ("127.0.0.1", free_port())
            super().__init__(
                ["redis-server", "--port", self.resp_address[1], "--bind", "127.0.0.1"]
                + ["--save", "", "--appendonly", "no"]
            )
            if wait_until(self._listening_or_dead, "redis-server listens") == "listening":
                return
            self.discard()
        raise AssertionError("redis-server found no free port")

    def _listening_or_dead(self):
        if not self.alive():
            return "dead"
        try:
            with Connection(self.resp_address) as client:
                info = client.call("INFO", "server")
        except OSError:
            return None
        return "listening" if b"process_id:%d\r" % self.pid in info else "dead"

    def resp(self, timeout_s=30.0):
        return Connection(self.resp_address, timeout_s)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _parse_address(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


class TestCase(unittest.TestCase):
    """Discards what a test started, and shows the server's log when the test fails."""

    def own(self, process):
        self.addCleanup(process.discard)
        return process

    def start_vigild(self, *flags, environment=None):
        return self.own(Vigild(*flags, environment=environment))

    def start_redis(self):
        if not shutil.which("redis-server"):
            self.skipTest("redis-server is not installed")
        return self.own(RedisServer())

    def require(self, program):
        if not shutil.which(program):
            self.fail(f"{program} is not installed: run scripts/setup.sh")
        return program

    def assert_drains(self, server, signal_number=signal.SIGTERM):
        self.assertEqual(server.stop(signal_number), 0, server.log())


def run(*arguments, stdin="", timeout_s=60, environment=None):
    """Runs a client program to its end; returns the CompletedProcess with text output."""
    return subprocess.run(
        [str(argument) for argument in arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env={**os.environ, **(environment or {})},
    )


def main():
    sys.stdout.reconfigure(line_buffering=True)
    unittest.main(verbosity=2)
