#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures vigild against redis-server and nginx on this machine and judges it by its bars.

Every server runs pinned to one core on a free loopback port, every load generator on another core.
Loads alternate between the servers (A B A B ...) and the table quotes medians; the JSON file keeps
every run. Two generators put the pipelined loads: redis-benchmark, for figures that others can
compare with theirs, and resp_load, which the bars use because redis-benchmark is saturated before
a fast server is.

example:
  scripts/bench_server.py --json server.json
  scripts/bench_server.py --quick --runs 1 --only throughput,http

exit status: 0 all bars met (or --quick, which judges nothing), 1 a bar missed, 2 usage, 3 failure
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import statistics
import sys

import bench_server_loads as loads
from bench_server_processes import BenchmarkError, Nginx, Redis, Vigild

ROOT = pathlib.Path(__file__).resolve().parent.parent
SECTIONS = ("throughput", "http", "memory", "expiry", "growth")


class Scale:
    """How much work each load is: the real thing, or a quick look that proves it all runs."""

    def __init__(self, quick):
        self.seconds = 0.5 if quick else 3
        self.keys = 50_000 if quick else 1_000_000
        self.pipelined_requests = 200_000 if quick else 2_000_000
        self.single_requests = 20_000 if quick else 200_000
        self.memory_sizes = (50_000, 100_000) if quick else (1_000_000, 1_500_000, 2_000_000)
        self.due = (100, 2_000) if quick else (1_000, 200_000)
        self.expiry_wait_s = 2 if quick else 10
        self.growth_keys = 100_000 if quick else 4_000_000


class Progress:
    """One line that rewrites itself, on a terminal only."""

    def __init__(self):
        self._shown = sys.stderr.isatty()

    def __call__(self, text):
        if self._shown:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def done(self):
        self("")


class Bench:
    """Runs the sections and keeps every run: runs[section][measure][server] = [figures, ...]."""

    def __init__(self, options, progress):
        self.options = options
        self.scale = Scale(options.quick)
        self.client = loads.Client(options.client_core, options.resp_load)
        self.progress = progress
        self.runs = {}

    def vigild(self):
        return Vigild(self.options.server_core, self.options.vigild)

    def redis(self):
        return Redis(self.options.server_core)

    def record(self, section, measure, server, load, *arguments):
        self.progress(f"{section}: {measure} of {server.name}")
        figures = load(self.client, server, *arguments)
        self.runs.setdefault(section, {}).setdefault(measure, {}).setdefault(server.name, [])
        self.runs[section][measure][server.name].append(figures)

    def throughput(self):
        scale = self.scale
        with self.redis() as redis, self.vigild() as vigild:
            for server in (redis, vigild):
                self.progress(f"throughput: preload {server.name}")
                loads.preload(self.client, server, 0, scale.keys)
            for _ in range(self.options.runs):
                for command, pipeline in _COMMANDS:
                    for server in (redis, vigild):
                        measure = f"{command} p{pipeline}"
                        requests = (
                            scale.single_requests if pipeline == 1 else scale.pipelined_requests
                        )
                        self.record("throughput", f"{measure} resp_load", server, loads.throughput,
                                    command, pipeline, scale.seconds, scale.keys)  # fmt: skip
                        self.record("throughput", f"{measure} redis-benchmark", server,
                                    loads.redis_benchmark, command, pipeline, requests,
                                    scale.keys)  # fmt: skip

    def http(self):
        with self.vigild() as vigild:
            with Nginx(self.options.server_core, loads.put_order(vigild)) as nginx:
                for _ in range(self.options.runs):
                    for server in (nginx, vigild):
                        self.record("http", "GET order", server, loads.http_get, self.scale.seconds)

    def memory(self):
        for start in (self.redis, self.vigild):
            with start() as server:
                self.record("memory", "keys with a deadline", server, loads.memory_per_key,
                            self.scale.memory_sizes)  # fmt: skip

    def expiry(self):
        """The notifications of a slow server take minutes, so it is waited for a bounded time and
        measured once."""
        for due in self.scale.due:
            for start, runs in ((self.redis, 1), (self.vigild, self.options.runs)):
                with start() as server:
                    for _ in range(runs):
                        self.record("expiry", f"{due} due", server, loads.expiry_lag,
                                    self.scale.keys, due, self.scale.expiry_wait_s)  # fmt: skip

    def growth(self):
        for _ in range(self.options.runs):
            for start in (self.redis, self.vigild):
                with start() as server:
                    self.record("growth", "load", server, loads.growth, self.scale.growth_keys)


_COMMANDS = (("get", 64), ("set", 64), ("setex", 64), ("get", 1), ("set", 1))


class Row:
    """One line of the table. `bar` compares the ratio or the value itself; None only informs."""

    def __init__(self, name, vigild, peer, peer_name, bar="", met=None):
        self.name = name
        self.vigild = vigild
        self.peer = peer
        self.peer_name = peer_name
        self.bar = bar
        self.met = met

    def ratio(self):
        return self.vigild / self.peer if self.vigild is not None and self.peer else None


def ratio_row(name, vigild, peer, peer_name, at_least=None, at_most=None):
    row = Row(name, vigild, peer, peer_name)
    ratio = row.ratio()
    if at_least is not None:
        row.bar, row.met = f">= {at_least} x", ratio is not None and ratio >= at_least
    if at_most is not None:
        row.bar, row.met = f"<= {at_most} x", ratio is not None and ratio <= at_most
    return row


def value_row(name, vigild, peer, at_most):
    met = vigild is not None and vigild <= at_most
    return Row(name, vigild, peer, "redis", f"<= {at_most}", met)


def median(runs, figure):
    """The median over runs; a value that never came (None) counts as above all others."""
    values = sorted((run[figure] for run in runs), key=lambda v: (v is None, v))
    if not values or values[len(values) // 2] is None:
        return None
    return statistics.median(v for v in values if v is not None)


_THROUGHPUT_FIGURES = {
    True: (("requests_per_second", "per s"), ("cpu_us_per_request", "server CPU us")),
    False: (
        ("requests_per_second", "per s"),
        ("cpu_us_per_request", "server CPU us"),
        ("p50_us", "p50 us"),
        ("p99_us", "p99 us"),
        ("p99.9_us", "p99.9 us"),
    ),
}
# redis-benchmark's rows inform only: its own core is busy before a fast server's is.
_BARS = {
    ("get p64 resp_load", "requests_per_second"): {"at_least": 4},
    ("set p64 resp_load", "requests_per_second"): {"at_least": 3.5},
    ("setex p64 resp_load", "requests_per_second"): {"at_least": 4},
    ("get p64 resp_load", "cpu_us_per_request"): {"at_most": 0.35},
    ("get p1 resp_load", "p99_us"): {"at_most": 1},
    ("set p1 resp_load", "p99_us"): {"at_most": 1},
}


def throughput_rows(runs):
    for command, pipeline in _COMMANDS:
        for tool in ("resp_load", "redis-benchmark"):
            measure = f"{command} p{pipeline} {tool}"
            for figure, unit in _THROUGHPUT_FIGURES[pipeline > 1]:
                bar = _BARS.get((measure, figure), {})
                vigild, redis = (
                    median(runs[measure][name], figure) for name in ("vigild", "redis")
                )
                name = f"{command.upper()} p{pipeline} {tool} {unit}"
                yield ratio_row(name, vigild, redis, "redis", **bar)


def http_rows(runs):
    vigild, nginx = runs["GET order"]["vigild"], runs["GET order"]["nginx"]
    for figure, unit, bar in (
        ("requests_per_second", "per s", 0.9),
        ("cpu_us_per_request", "server CPU us", None),
        ("p50_us", "p50 us", None),
        ("p99_us", "p99 us", None),
    ):
        yield ratio_row(f"HTTP GET order {unit}", median(vigild, figure), median(nginx, figure),
                        "nginx", at_least=bar)  # fmt: skip


def memory_rows(runs):
    measured = runs["keys with a deadline"]
    for figure in measured["vigild"][0]:
        name = f"resident {figure.replace('_', ' ')}"
        yield value_row(
            name, median(measured["vigild"], figure), median(measured["redis"], figure), 160
        )


def expiry_rows(runs):
    for index, (measure, measured) in enumerate(runs.items()):
        vigild, redis = measured["vigild"], measured["redis"]
        due = vigild[0]["due"]
        least = min(run["notified"] for run in vigild)
        yield Row(f"expiry, {measure}: notified", least, min(run["notified"] for run in redis),
                  "redis", f"= {due}", least == due)  # fmt: skip
        for figure, bar in (("p50_ms", None), ("p99_ms", (5, 150)[index]), ("max_ms", None)):
            name = f"expiry, {measure}: lag {figure.replace('_', ' ')}"
            values = median(vigild, figure), median(redis, figure)
            yield value_row(name, *values, bar) if bar else Row(name, *values, "redis")


def growth_rows(runs):
    """A stall counts against the server only beyond what the null target shows of the machine."""
    measured = runs["load"]
    for role in ("loader", "reader", "writer"):
        for figure in ("p50_us", "p99_us", "p99.9_us", "max_us", "over_1ms", "over_5ms"):
            values = {}
            for server in ("vigild", "redis"):
                for target in ("null", "growth"):
                    tails = [run[f"{target}_{role}"] for run in measured[server]]
                    values[server, target] = median(tails, figure)
            name = f"growth {role} {figure.replace('_', ' ')}"
            row = Row(name, values["vigild", "growth"], values["redis", "growth"], "redis")
            noise = values["vigild", "null"]
            if figure == "over_5ms":
                row.bar, row.met = f"<= {noise:g} (null)", row.vigild <= noise
            elif figure == "over_1ms":
                row.bar = f"null: {noise:g}"
            yield row


ROWS = {
    "throughput": throughput_rows,
    "http": http_rows,
    "memory": memory_rows,
    "expiry": expiry_rows,
    "growth": growth_rows,
}


def number(value):
    if value is None:
        return "never"
    if value >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def table(rows, judged):
    lines = ["| measure | vigild | peer | ratio | bar | verdict |", "|---|---:|---:|---:|---|---|"]
    for row in rows:
        ratio = row.ratio()
        verdict = {None: "", True: "met", False: "**missed**"}[row.met] if judged else ""
        ratio_text = f"{ratio:.2f} x" if ratio is not None else ""
        peer = f"{number(row.peer)} {row.peer_name}"
        lines.append(
            f"| {row.name} | {number(row.vigild)} | {peer} | {ratio_text} | {row.bar} | {verdict} |"
        )
    return "\n".join(lines)


def machine():
    model = "unknown processor"
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}"


def parse_arguments():
    summary, rest = __doc__.split("\n\n", 1)
    parser = argparse.ArgumentParser(
        description=summary, epilog=rest, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5, help="runs of each load (default 5)")
    parser.add_argument("--quick", action="store_true", help="small loads, no verdicts")
    parser.add_argument("--only", default=",".join(SECTIONS), help="sections, of: %(default)s")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write every run to FILE")
    parser.add_argument("--vigild", type=pathlib.Path, help="default: build/bench/vigild")
    parser.add_argument("--resp-load", type=pathlib.Path, help="default: beside vigild's build")
    parser.add_argument("--server-core", type=int, default=0, help="default 0")
    parser.add_argument("--client-core", type=int, default=1, help="default 1")
    options = parser.parse_args()
    options.sections = options.only.split(",")
    unknown = set(options.sections) - set(SECTIONS)
    if unknown:
        parser.error(
            f"--only: unknown section {sorted(unknown)[0]!r}, expected {', '.join(SECTIONS)}"
        )
    if options.runs < 1:
        parser.error("--runs: at least 1")
    missing_cores = {options.server_core, options.client_core} - os.sched_getaffinity(0)
    if missing_cores:
        parser.error(
            f"core {min(missing_cores)} is not available;"
            " name others by --server-core and --client-core"
        )
    options.vigild = (options.vigild or ROOT / "build/bench/vigild").resolve()
    options.resp_load = (
        options.resp_load or options.vigild.parent / "tests/e2e/resp_load"
    ).resolve()
    for path in (options.vigild, options.resp_load):
        if not os.access(path, os.X_OK):
            parser.error(
                f"{path} does not exist: run `cmake --preset bench && cmake --build --preset bench`"
            )
    return options


def main():
    options = parse_arguments()
    progress = Progress()
    bench = Bench(options, progress)
    load_average = os.getloadavg()[0]
    started = datetime.datetime.now().isoformat(timespec="seconds")
    try:
        for section in options.sections:
            getattr(bench, section)()
    except (BenchmarkError, OSError) as error:
        progress.done()
        print(f"bench_server: {error}", file=sys.stderr)
        return 3
    progress.done()
    rows = [row for section in options.sections for row in ROWS[section](bench.runs[section])]
    print(f"{machine()}; {started}; medians of {options.runs} alternating runs")
    print(f"load average before the first run: {load_average:.2f}\n")
    print(table(rows, judged=not options.quick))
    missed = [row.name for row in rows if row.met is False and not options.quick]
    if options.json:
        document = {
            "machine": machine(),
            "started": started,
            "load_average_before": load_average,
            "command": sys.argv,
            "quick": options.quick,
            "missed": missed,
            "runs": bench.runs,
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
