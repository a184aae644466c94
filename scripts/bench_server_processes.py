# SPDX-License-Identifier: Apache-2.0
"""The servers that bench_server.py and bench_durability.py measure: each runs pinned to one core
on a free loopback port, in a directory of its own, and tells its CPU time and resident memory."""

import os
import pathlib
import select
import shutil
import socket
import subprocess
import tempfile
import time

START_TIMEOUT_S = 30
STOP_TIMEOUT_S = 60
CLOCK_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class BenchmarkError(Exception):
    """The benchmark cannot go on: a program is missing, or a server failed."""


def require(program):
    path = shutil.which(program)
    if not path:
        raise BenchmarkError(f"{program} is not installed: run scripts/setup.sh")
    return path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A running server. Use as a context manager; leaving it stops the process."""

    name = ""

    def __init__(self, core, arguments):
        self.directory = tempfile.mkdtemp(prefix="vigil-bench-")
        self.prepare()
        self._log = open(os.path.join(self.directory, "log"), "wb")
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core)] + [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=self.directory,
        )

    def prepare(self):
        """Writes what the server reads at its start into its directory, which it starts in."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def fail(self, reason):
        log = pathlib.Path(self.directory, "log").read_text(encoding="utf-8", errors="replace")
        self.__exit__()
        raise BenchmarkError(f"{self.name} {reason}\n{log[-2000:]}")

    def wait_for_port(self, port):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.01)
        self.fail(f"does not listen on port {port}")

    def process_ids(self):
        """The server's process and its children (nginx works in one)."""
        pid = self.process.pid
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def cpu_seconds(self):
        """User and system time so far, of all threads."""
        ticks = 0
        for pid in self.process_ids():
            stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
            fields = stat.rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / CLOCK_TICKS_PER_S

    def resident_bytes(self):
        rollup = pathlib.Path(f"/proc/{self.process.pid}/smaps_rollup").read_text()
        for line in rollup.splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
        raise BenchmarkError(f"no Rss line in smaps_rollup of {self.name}")


class Redis(Server):
    name = "redis"

    def __init__(self, core, *settings):
        self.resp_port = free_port()
        binary = require("redis-server")
        common = ["--bind", "127.0.0.1", "--port", self.resp_port, "--loglevel", "warning"]
        settings = settings or ("--save", "", "--appendonly", "no")
        super().__init__(core, [binary, *common, *settings])
        self.wait_for_port(self.resp_port)


class Vigild(Server):
    name = "vigild"

    def __init__(self, core, binary, *flags):
        common = ["--bind", "127.0.0.1", "--resp-port", "0", "--http-port", "0", "--threads", "1"]
        super().__init__(core, [binary, *common, *flags])
        readable, _, _ = select.select([self.process.stdout], [], [], START_TIMEOUT_S)
        words = self.process.stdout.readline().decode().split() if readable else []
        if len(words) != 3 or words[0] != "ready":
            self.fail(f"printed {words} instead of its ready line")
        ports = dict(word.split("=", 1) for word in words[1:])
        self.resp_port = int(ports["resp"].rsplit(":", 1)[1])
        self.http_port = int(ports["http"].rsplit(":", 1)[1])


class Nginx(Server):
    """One worker that answers every request from memory: the ceiling of a plain HTTP server."""

    name = "nginx"

    CONFIGURATION = """
daemon off;
master_process on;
worker_processes 1;
pid pid;
error_log stderr error;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen 127.0.0.1:{port};
    default_type application/json;
    location / {{ return 200 '{body}'; }}
  }}
}}
"""

    def __init__(self, core, body_bytes):
        self.http_port = free_port()
        self._body_bytes = body_bytes
        binary = shutil.which("nginx") or require("/usr/sbin/nginx")
        super().__init__(core, [binary, "-p", ".", "-c", "nginx.conf", "-e", "stderr"])
        self.wait_for_port(self.http_port)

    def prepare(self):
        text = self.CONFIGURATION.format(port=self.http_port, body="x" * self._body_bytes)
        pathlib.Path(self.directory, "nginx.conf").write_text(text, encoding="ascii")
