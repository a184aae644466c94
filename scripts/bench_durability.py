#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures what durability costs: vigild's log against Redis's append-only file and against no log.

Every server runs pinned to one core, every load generator on another; loads alternate between the
servers (A B C A B C ...) and the table quotes medians. Both keep their files in folders beside each
other (--directory), so the disk is the same.

  throughput   SET of 100 bytes, 50 connections, pipeline 64 and 1, and the bytes it writes
  snapshot     the latency of SETs while snapshots are written, against that without
  recovery     start of a server that was killed, until it serves, with a million orders in its log;
               for Redis a million SETs of the same payload in its append-only file

example:
  scripts/bench_durability.py --vigild build/release/vigild --json durability.json
  scripts/bench_durability.py --quick --runs 1

exit status: 0 all bars met (or --quick, which judges nothing), 1 a bar missed, 2 usage, 3 failure
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import socket
import sys
import tempfile
import threading
import time

import bench_server_loads as loads
from bench_server import Progress, machine, median, ratio_row, table
from bench_server_processes import BenchmarkError, Redis, Vigild

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECTIONS = ("throughput", "snapshot", "recovery")
MODES = ("always", "everysec")
PAYLOAD = b'{"amount":%010d,"currency":"EUR","customer":"c-%010d","items":[1,2,3],"note":"none"}'


class Bench:
    """Runs the sections and keeps every run: runs[measure][server] = [figures, ...]."""

    def __init__(self, options, progress):
        self.options = options
        self.client = loads.Client(options.client_core, options.resp_load)
        self.progress = progress
        self.seconds = 0.5 if options.quick else 3
        self.keys = 20_000 if options.quick else 1_000_000
        self.runs = {}

    def folder(self):
        return tempfile.mkdtemp(prefix="data-", dir=self.options.directory)

    def vigild(self, mode, folder=None):
        flags = ["--durability", mode]
        if mode != "off":
            flags += ["--data-dir", folder or self.folder()]
        server = Vigild(self.options.server_core, self.options.vigild, *flags)
        server.name = f"vigild {mode}"
        return server

    def redis(self, mode, folder=None):
        settings = ["--save", "", "--dir", folder or self.folder(), "--appendonly", "yes"]
        settings += ["--appendfsync", mode, "--aof-use-rdb-preamble", "no"]
        settings += ["--auto-aof-rewrite-percentage", "0"]
        server = Redis(self.options.server_core, *settings)
        server.name = f"redis {mode}"
        return server

    def record(self, measure, server, figures):
        self.runs.setdefault(measure, {}).setdefault(server, []).append(figures)

    # --- Throughput ---

    def throughput(self):
        servers = [self.vigild("off")]
        try:
            for mode in MODES:
                servers += [self.vigild(mode), self.redis(mode)]
            for server in servers:
                self.progress(f"preload {server.name}")
                loads.preload(self.client, server, 0, min(self.keys, 200_000))
            for _ in range(self.options.runs):
                for pipeline in (64, 1):
                    for server in servers:
                        self.set_load(server, pipeline)
        finally:
            for server in servers:
                server.__exit__()

    def set_load(self, server, pipeline):
        self.progress(f"SET at pipeline {pipeline} of {server.name}")
        before = written_bytes(server)
        figures = loads.throughput(
            self.client, server, "set", pipeline, self.seconds, min(self.keys, 200_000)
        )
        requests = figures["requests_per_second"] * self.seconds
        figures["log_bytes_per_set"] = (written_bytes(server) - before) / requests
        self.record(f"SET p{pipeline}", server.name, figures)

    # --- Snapshot ---

    def snapshot(self):
        with self.vigild("always") as server:
            self.progress("snapshot: preload")
            loads.preload(self.client, server, 0, self.keys)
            for _ in range(self.options.runs):
                loads.call(server, "SAVE")  # none begins by itself in the quiet run
                self.record("SET p1 beside snapshots", "quiet", self.latency(server))
                stop = threading.Event()
                saver = threading.Thread(target=keep_saving, args=(server, stop))
                saver.start()
                self.record("SET p1 beside snapshots", "snapshot", self.latency(server))
                stop.set()
                saver.join()
            info = persistence(server)
            self.record("snapshots", "vigild", {"written": int(info["rdb_saves"])})

    def latency(self, server):
        self.progress("snapshot: latency")
        return loads.throughput(self.client, server, "set", 1, self.seconds, self.keys)

    # --- Recovery ---

    def recovery(self):
        folders = {"vigild": self.folder(), "redis": self.folder()}
        start = {
            "vigild": lambda: self.vigild("everysec", folders["vigild"]),
            "redis": lambda: self.redis("everysec", folders["redis"]),
        }
        command = {
            "vigild": lambda i: (b"ORDER.PUT", b"order:%010d" % i, b"pending", PAYLOAD % (i, i)),
            "redis": lambda i: (b"SET", b"order:%010d" % i, PAYLOAD % (i, i)),
        }
        for name, starts in start.items():
            self.progress(f"recovery: fill {name}")
            server = starts()
            fill(server, command[name], self.keys)
            server.process.kill()
            server.__exit__()
        for _ in range(self.options.runs):
            for name, starts in start.items():
                self.progress(f"recovery: {name}")
                begun = time.monotonic()
                server = starts()
                keys = wait_for_keys(server)
                took_s = time.monotonic() - begun
                server.process.kill()
                server.__exit__()
                if keys != self.keys:
                    raise BenchmarkError(f"{name} recovered {keys} keys of {self.keys}")
                self.record("recovery", name, {"seconds": took_s})


def persistence(server):
    """The fields of INFO persistence."""
    with socket.create_connection(("127.0.0.1", server.resp_port), timeout=60) as peer:
        peer.sendall(b"INFO persistence\r\n")
        with peer.makefile("rb") as replies:
            size = int(replies.readline()[1:])
            text = replies.read(size).decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def written_bytes(server):
    """Bytes of the log so far; of Redis the size of its file."""
    info = persistence(server)
    return int(info.get("log_written_bytes", info.get("aof_current_size", 0)))


def keep_saving(server, stop):
    while not stop.is_set():
        loads.call(server, "BGSAVE", "SCHEDULE")
        while not stop.is_set() and persistence(server)["rdb_bgsave_in_progress"] == "1":
            time.sleep(0.01)


def fill(server, command, keys):
    """Pipelines of 500; the replies are only counted."""
    with socket.create_connection(("127.0.0.1", server.resp_port), timeout=120) as peer:
        with peer.makefile("rb") as replies:
            for first in range(0, keys, 500):
                last = min(first + 500, keys)
                peer.sendall(b"".join(encode(command(i)) for i in range(first, last)))
                for _ in range(first, last):
                    skip_reply(replies)


def encode(words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def skip_reply(replies):
    line = replies.readline()
    if line[:1] == b"-":
        raise BenchmarkError(f"answered {line.decode().strip()}")
    if line[:1] == b"*":
        for _ in range(int(line[1:])):
            skip_reply(replies)
    elif line[:1] == b"$":
        replies.read(int(line[1:]) + 2)


def wait_for_keys(server):
    """The number of keys, as soon as the server tells it."""
    with socket.create_connection(("127.0.0.1", server.resp_port), timeout=120) as peer:
        with peer.makefile("rb") as replies:
            while True:
                peer.sendall(b"DBSIZE\r\n")
                line = replies.readline().decode().strip()
                if re.fullmatch(r":\d+", line):
                    return int(line[1:])
                if not line.startswith("-LOADING"):
                    raise BenchmarkError(f"{server.name} answered {line}")
                time.sleep(0.002)


# --- Judging -------------------------------------------------------------------------------------

# pipeline, figure, server, peer, bar
_BARS = (
    (64, "requests_per_second", "vigild always", "vigild off", {"at_least": 0.5}),
    (64, "requests_per_second", "vigild always", "redis always", {"at_least": 2}),
    (64, "cpu_us_per_request", "vigild always", "redis always", {"at_most": 0.5}),
    (1, "requests_per_second", "vigild always", "redis always", {"at_least": 1}),
    (1, "p99_us", "vigild always", "redis always", {}),
    (64, "requests_per_second", "vigild everysec", "vigild off", {"at_least": 0.85}),
    (64, "requests_per_second", "vigild everysec", "redis everysec", {}),
    (1, "requests_per_second", "vigild everysec", "redis everysec", {}),
    (64, "log_bytes_per_set", "vigild always", "redis always", {"at_most": 1}),
    (1, "log_bytes_per_set", "vigild always", "redis always", {}),
)


def rows_of(runs):
    rows = []
    for pipeline, figure, server, peer, bar in _BARS:
        measured = runs.get(f"SET p{pipeline}")
        if measured:
            name = f"SET p{pipeline} {figure.replace('_', ' ')}, {server}"
            values = median(measured[server], figure), median(measured[peer], figure)
            rows.append(ratio_row(name, *values, peer, **bar))
    beside = runs.get("SET p1 beside snapshots")
    if beside:
        for figure, bar in (("p99.9_us", {"at_most": 1.5}), ("requests_per_second", {})):
            values = median(beside["snapshot"], figure), median(beside["quiet"], figure)
            rows.append(ratio_row(f"SET p1 {figure} during snapshots", *values, "quiet", **bar))
    if "recovery" in runs:
        values = (median(runs["recovery"][name], "seconds") for name in ("vigild", "redis"))
        rows.append(ratio_row("start with a million orders, s", *values, "redis", at_most=0.5))
    return rows


def parse_arguments():
    summary, rest = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each load (default 5)")
    parser.add_argument("--quick", action="store_true", help="small loads, no verdicts")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, of: %(default)s")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write every run to FILE")
    parser.add_argument("--vigild", type=pathlib.Path, default=ROOT / "build/bench/vigild")
    parser.add_argument("--resp-load", type=pathlib.Path, help="default: beside vigild's build")
    parser.add_argument("--directory", type=pathlib.Path, help="where the data goes; default: /tmp")
    parser.add_argument("--server-core", type=int, default=0, help="default 0")
    parser.add_argument("--client-core", type=int, default=1, help="default 1")
    options = parser.parse_args()
    options.sections = options.only.split(",")
    if options.runs < 1 or set(options.sections) - set(SECTIONS):
        parser.error(f"at least one run, and sections among {', '.join(SECTIONS)}")
    options.vigild = options.vigild.resolve()
    beside = options.vigild.parent / "tests/e2e/resp_load"
    options.resp_load = (options.resp_load or beside).resolve()
    for path in (options.vigild, options.resp_load):
        if not os.access(path, os.X_OK):
            parser.error(
                f"{path} does not exist: run `cmake --preset bench && cmake --build --preset bench`"
            )
    return options


def main():
    options = parse_arguments()
    progress = Progress()
    options.directory = tempfile.mkdtemp(prefix="vigil-bench-", dir=options.directory)
    bench = Bench(options, progress)
    load_average = os.getloadavg()[0]
    started = datetime.datetime.now().isoformat(timespec="seconds")
    try:
        for section in options.sections:
            getattr(bench, section)()
    except (BenchmarkError, OSError) as error:
        progress.done()
        print(f"bench_durability: {error}", file=sys.stderr)
        return 3
    finally:
        shutil.rmtree(options.directory, ignore_errors=True)
    progress.done()
    rows = rows_of(bench.runs)
    print(f"{machine()}; {started}; medians of {options.runs} alternating runs")
    print(f"load average before the first run: {load_average:.2f}\n")
    print(table(rows, judged=not options.quick))
    for run in bench.runs.get("snapshots", {}).get("vigild", ()):
        print(f"\n{run['written']} snapshots were written beside the SETs")
    missed = [row.name for row in rows if row.met is False and not options.quick]
    if options.json:
        document = {
            "machine": machine(),
            "started": started,
            "load_average_before": load_average,
            "command": sys.argv,
            "missed": missed,
            "runs": bench.runs,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
