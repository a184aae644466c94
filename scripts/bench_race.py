#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures `vigil race` on the programs of tests/races: the tables of docs/benchmarks/race.md.

    bench_race.py --vigil BUILD/vigil [--trials 20] [--only NAME,...] [--tables first,twins,...]

Tables:
  first      schedules until the first finding, per program and strategy, over the trials
             (median, and how many trials found it within --schedules)
  twins      findings on the fixed twins over --twin-schedules schedules (must be 0)
  minimize   decisions and preemptions of the shortest schedule, replays that show it again
  speed      seconds of 1,000 short schedules, scheduling points per second
  free       runs that report a race, free-running on real cores: ThreadSanitizer of g++ against
             vigil, in turn, same compiler and flags, for the programs that have a data race

The programs are built with `vigil race cxx`. Every trial uses other seeds; the same command prints
the same numbers but for the speed.

Exit code: 0 all as it must be, 1 a twin has a finding or a replay does not repeat, 2 usage.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

SOURCES = pathlib.Path(__file__).resolve().parent.parent / "tests" / "races"
STRATEGIES = ("portfolio", "random", "pct", "pos", "surw", "round-robin")
# It ignores the seed, so that one trial tells all.
WITHOUT_SEED = "round-robin"
# So far apart that the seeds of two trials never meet.
SEEDS_PER_TRIAL = 1_000_000


class Bench:
    def __init__(self, arguments, folder):
        self.arguments = arguments
        self.folder = pathlib.Path(folder)
        self.failed = False

    def call(self, *words):
        return subprocess.run([self.arguments.vigil, "race", *map(str, words)], cwd=self.folder,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)

    def build(self, source, fixed=False):
        program = self.folder / (source.stem + ("_norace" if fixed else ""))
        built = self.call("cxx", "-std=c++20", "-O1", "-g", f"-I{SOURCES.parent.parent}",
                          *(["-DFIXED"] if fixed else []), source, "-o", program)
        if built.returncode:
            sys.exit(f"{source}: does not build\n{built.stderr}")
        return program

    def run(self, program, *options):
        """The report of one run, and whether it was one at all."""
        report = self.folder / "report.json"
        report.unlink(missing_ok=True)
        result = self.call("run", *options, "--json", report, "--", program)
        if result.returncode not in (0, 1):
            print(f"{program.name}: exit {result.returncode}: {result.stderr}", file=sys.stderr)
            self.failed = True
            return None
        return json.loads(report.read_text(encoding="utf-8"))

    def fail(self, message):
        print(f"bench_race: {message}", file=sys.stderr)
        self.failed = True

    # ---- tables

    def first(self, sources):
        limit = self.arguments.schedules
        print(f"\nSchedules until the first finding: median of {self.arguments.trials} trials "
              f"(found within {limit} schedules).\n")
        print("| program | " + " | ".join(STRATEGIES) + " |")
        print("|---|" + "---|" * len(STRATEGIES))
        for source in sources:
            program = self.build(source)
            cells = [self.trials(program, strategy, limit) for strategy in STRATEGIES]
            print(f"| {source.stem} | " + " | ".join(cells) + " |", flush=True)

    def trials(self, program, strategy, limit):
        needed = []
        trials = 1 if strategy == WITHOUT_SEED else self.arguments.trials
        for trial in range(trials):
            report = self.run(program, "--strategy", strategy, "--schedules", limit, "--seed",
                              trial * SEEDS_PER_TRIAL + 1)
            if report and report["findings"]:
                needed.append(report["schedules"])
        if not needed:
            return f"never ({trials} x {limit})"
        return f"{statistics.median(needed):g} ({len(needed)}/{trials})"

    def twins(self, sources):
        count = self.arguments.twin_schedules
        print(f"\nFindings on the fixed twins in {count} schedules each.\n")
        print("| program | findings | scheduling points | virtual time, s |\n|---|---|---|---|")
        for source in sources:
            report = self.run(self.build(source, fixed=True), "--schedules", count, "--keep-going")
            if report is None:
                continue
            if report["findings"]:
                self.fail(f"the fixed {source.stem} has findings")
            print(f"| {source.stem} | {len(report['findings'])} | "
                  f"{report['scheduling_points']:,} | {report['virtual_seconds']:,.0f} |",
                  flush=True)

    def minimize(self, sources):
        count = self.arguments.replays
        print(f"\nThe shortest schedule of the first finding, and how many of {count} replays show "
              "it.\n")
        print("| program | kind | decisions | preemptions | replays | recipe |")
        print("|---|---|---|---|---|---|")
        for source in sources:
            program = self.build(source)
            report = self.run(program, "--schedules", self.arguments.schedules,
                              *options_of(source))
            if not report or not report["findings"]:
                self.fail(f"{source.stem}: no finding to minimize")
                continue
            self.minimize_one(program, report)

    def minimize_one(self, program, report):
        replay = self.folder / "shortest.replay"
        result = self.call("minimize", self.folder / "report.json", "--output", replay, "--",
                           program)
        sizes = re.search(r"(\d+) of (\d+) decisions are left \((\d+) preemption", result.stdout)
        if result.returncode or not sizes:
            self.fail(f"{program.name}: minimize: exit {result.returncode}: {result.stderr}")
            return
        good = sum(self.call("replay", replay, "--", program).returncode == 1
                   for _ in range(self.arguments.replays))
        if good != self.arguments.replays:
            self.fail(f"{program.name}: only {good} replays of {self.arguments.replays}")
        recipe = replay.read_text(encoding="utf-8").splitlines()[1].removeprefix("# ")
        print(f"| {program.name} | {report['findings'][0]['kind']} | {sizes[1]} of {sizes[2]} | "
              f"{sizes[3]} | {good}/{self.arguments.replays} | {recipe} |", flush=True)

    def free(self, sources):
        runs = self.arguments.free_runs
        print(f"\nRuns of {runs}, free-running, that report a race.\n")
        print("| program | ThreadSanitizer | vigil |\n|---|---|---|")
        totals = [0, 0]
        for source in sources:
            if not re.search("// EXPECT:.*race", source.read_text(encoding="utf-8")):
                continue
            program, other = self.build(source), self.build_tsan(source)
            found = [0, 0]
            for _ in range(runs):
                for number, command in enumerate((other, program)):
                    found[number] += self.reports_race(command)
            totals = [totals[0] + found[0], totals[1] + found[1]]
            if found[1] < found[0]:
                self.fail(f"{source.stem}: free-running, vigil finds it less often")
            print(f"| {source.stem} | {found[0]} | {found[1]} |", flush=True)
        print(f"| all | {totals[0]} | {totals[1]} |")

    def build_tsan(self, source):
        program = self.folder / (source.stem + "_tsan")
        subprocess.run(["g++", "-fsanitize=thread", "-std=c++20", "-O1", "-g",
                        f"-I{SOURCES.parent.parent}", source, "-o", program, "-pthread"],
                       check=True)
        return program

    def reports_race(self, program):
        try:
            done = subprocess.run(["setarch", "-R", program], stdin=subprocess.DEVNULL,
                                  capture_output=True, text=True, errors="replace",
                                  timeout=self.arguments.free_seconds, check=False)
            return "data race" in done.stderr
        except subprocess.TimeoutExpired as late:
            return b"data race" in (late.stderr or b"")

    def speed(self, _):
        program = self.build(SOURCES / "kernels" / "three_threads.cc")
        print("\n| three threads of ten operations, 1000 schedules | seconds |\n|---|---|")
        for jobs in (1, os.cpu_count()):
            print(f"| {jobs} at once | {self.timed(program, jobs, 1000)[0]:.1f} |", flush=True)
        print("\n| strategy, one core, 20 schedules of long threads "
              "| scheduling points per second |\n|---|---|")
        for strategy in STRATEGIES:
            seconds, report = self.timed(program, 1, 20, strategy, "100000")
            print(f"| {strategy} | {report['scheduling_points'] / seconds:,.0f} |", flush=True)

    def timed(self, program, jobs, schedules, strategy="portfolio", *arguments):
        report = self.folder / "report.json"
        started = time.monotonic()
        done = self.call("run", "--schedules", schedules, "--jobs", jobs, "--strategy", strategy,
                         "--json", report, "--", program, *arguments)
        seconds = time.monotonic() - started
        if done.returncode:
            sys.exit(f"{program.name}: exit {done.returncode}: {done.stderr}")
        return seconds, json.loads(report.read_text(encoding="utf-8"))


def options_of(source):
    """What the program says about the run that finds its bug."""
    line = re.search(r"// RUN: (.+)", source.read_text(encoding="utf-8"))
    return line[1].split() if line else []


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vigil", required=True, type=os.path.abspath)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--twin-schedules", type=int, default=1000)
    parser.add_argument("--replays", type=int, default=100)
    parser.add_argument("--free-runs", type=int, default=50)
    parser.add_argument("--free-seconds", type=float, default=5, help="the longest run")
    parser.add_argument("--only", default="", help="names of programs, with commas between them")
    parser.add_argument("--tables", default="first,twins,minimize,speed,free")
    return parser.parse_args()


def chosen_sources(only):
    names = set(filter(None, only.split(",")))
    sources = sorted(path for path in SOURCES.glob("*.cc")
                     if "// EXPECT:" in path.read_text(encoding="utf-8"))
    unknown = names - {path.stem for path in sources}
    if unknown:
        sys.exit(f"no such program in {SOURCES}: {', '.join(sorted(unknown))}")
    return [path for path in sources if not names or path.stem in names]


def main():
    arguments = parse_arguments()
    sources = chosen_sources(arguments.only)
    model = re.search(r"model name\s*: (.+)", pathlib.Path("/proc/cpuinfo").read_text())
    print(f"{' '.join(['scripts/bench_race.py', *sys.argv[1:]])}\n\n{platform.system()} "
          f"{platform.release()}, {os.cpu_count()} x {model[1] if model else platform.machine()}")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments, folder)
        for table in arguments.tables.split(","):
            measure = {"first": bench.first, "twins": bench.twins, "minimize": bench.minimize,
                       "speed": bench.speed, "free": bench.free}.get(table)
            if measure is None:
                sys.exit(f"unknown table {table}")
            measure(sources)
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
