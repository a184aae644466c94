#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Seeded changes of good inputs, through the whole commands of `vigil`.

    VIGIL=build/asan/vigil python3 tests/hostile/mutations_test.py --count 20000 --seed 7

No input ends the program by a signal or by a sanitizer's report, none takes longer than --limit-s,
and no log with a race in it passes the gate or is called clean by triage.
"""

import argparse
import dataclasses
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures"
EXIT_CODES = (0, 1, 2, 3)
SANITIZER_MARKS = ("==ERROR: ", "runtime error: ")
PROGRAM = """
#include <map>
#include <string>
#include <thread>
std::map<int, std::string> table;
void fill(int from) { for (int i = from; i < from + 9; ++i) table[i] = "x"; }
int main() { std::thread other(fill, 0); fill(100); other.join(); }
"""
POLICY = """[pipeline]
stop_at_write_write = true
[[stage]]
name = "unit"
detector = "race detector"
event_chains_to_block = 1
scan_levels_to_block = ["error"]
scan_rules_to_block = ["conc*"]
"""
SUPPRESSIONS = """[[suppression]]
functions = ["svc::*", "main"]
owner = "alice"
reason = "known"
expires = 2099-01-31
[[suppression]]
file = "a?.cc"
owner = "bob"
reason = 'soon'
expires = 2020-01-31
"""
LAYERS = """[[rule]]
layer = "timer/cron"
functions = ["*cron*"]
files = ["cron/*"]
"""
REPLAY = """vigil replay 1
# T1 runs to cache.cc:45
seed 7
strategy pct
depth 3
points sync
time virtual
schedule-hash 1234567890
finding race|Cache::put cache.cc:45|Cleaner::run clean.cc:33
follow decisions
run 1 12 2
"""
BASELINE = """{"vigil_baseline": 1, "issues": [
{"fingerprint": "%s", "since": "2026-11-02", "rule": "r", "title": "t"}
]}
""" % ("5c" * 16)
# Tokens that readers give a meaning to.
WORDS = [
    b"\0", b"\n", b"\r\n", b"{", b"}", b"[", b"]", b'"', b"<", b">", b"<?xml?>", b"==",
    b"WARNING: ",
    b"goroutine 1 [running]:\n", b"\x1b[31m", b"\xff", b"\xc2\x9b", b"#0 ", b"::error::", b"%s%n",
    b"'''", b'"""', b"a.b.c", b"0x", b"18446744073709551616", b"-1", b"\x7fELF", b"\x1f\x8b",
    b"PK\3\4"]


@dataclasses.dataclass
class Kind:
    name: str
    seeds: list  # of bytes
    commands: list  # with FILE where the changed file goes
    is_race: bool = False  # keeps a race: never passed, never clean
    head: int = 0  # changes fall into so many first bytes three times out of four


def core_of(vigil, folder, threads):
    """A core as testing/core_file.h makes it: stacks in segments, registers in notes."""
    del vigil
    stack, first, code = 4096, 0x7F0000000000, 0x400000
    notes = b""
    for i in range(threads):
        regs = [0] * 27
        regs[4] = regs[19] = first + i * 2 * stack
        regs[16] = code
        status = bytearray(336)
        struct.pack_into("<i", status, 32, 1000 + i)
        struct.pack_into("<27Q", status, 112, *regs)
        notes += struct.pack("<III", 5, len(status), 1) + b"CORE\0\0\0\0" + bytes(status)
    program = os.fsencode(folder / "program") + b"\0"
    mapped = struct.pack("<QQQQQ", 1, 4096, code, code + (1 << 20), 0) + program
    mapped += b"\0" * (-len(mapped) % 4)
    notes += struct.pack("<III", 5, len(mapped), 0x46494C45) + b"CORE\0\0\0\0" + mapped
    auxiliary = struct.pack("<QQQQ", 9, code, 0, 0)
    notes += struct.pack("<III", 5, len(auxiliary), 6) + b"CORE\0\0\0\0" + auxiliary
    header = b"\x7fELF\2\1\1" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, threads + 1, 0, 0, 0)
    offset = 64 + 56 * (threads + 1)
    headers = struct.pack("<IIQQQQQQ", 4, 4, offset, 0, 0, len(notes), 0, 4)
    offset += len(notes)
    for i in range(threads):
        headers += struct.pack("<IIQQQQQQ", 1, 6, offset + i * stack, first + i * 2 * stack, 0,
                               stack, stack, 4096)
    stacks = b""
    for i in range(threads):
        frames = b"".join(
            struct.pack("<QQ", first + i * 2 * stack + (k + 1) * 64 if k < 5 else 0,
                        code + k * 64 if k < 5 else 0) + bytes(48) for k in range(6))
        stacks += frames.ljust(stack, b"\0")
    return header + headers + notes + stacks


def build_program(folder):
    source = folder / "program.cc"
    source.write_text(PROGRAM)
    for flags in (["-fsanitize=thread", "-g"], ["-g"]):
        made = subprocess.run(["g++", "-std=c++20", "-O1", *flags, "-pthread", source, "-o",
                               folder / "program"], capture_output=True, check=False)
        if made.returncode == 0:
            return (folder / "program").read_bytes()
    raise RuntimeError("no g++: " + made.stderr.decode())


def kinds_of(vigil, folder):
    program = build_program(folder)
    core = core_of(vigil, folder, 4)
    (folder / "core").write_bytes(core)
    (folder / "unnamed.log").write_text(
        "WARNING: ThreadSanitizer: data race (pid=1)\n  Write of size 8 at 0x7b04 by thread T2:\n"
        "    #0 <null> <null> (changed+0x1234)\n    #1 <null> <null> (changed+0x1300)\n\n"
        "  Previous read of size 8 at 0x7b04 by thread T1:\n"
        "    #0 <null> <null> (changed+0x1250)\n\nSUMMARY: ThreadSanitizer: data race in x\n")
    read = lambda names: [p.read_bytes() for name in names for p in sorted(FIXTURES.glob(name))]
    races = read(["go/gotest_race.txt", "cpp/tsan-*.txt", "hostile/*control.log",
                  "go/fatal_*crash.txt"])
    log = ["--log", str(FIXTURES / "hostile/gate-control.log")]
    gate = ["gate", "--stage", "unit"]
    return [
        Kind("core", [core], [["triage", "FILE"], ["triage", "--json", "-", "FILE"]], head=3000),
        Kind("program", [program],
             [["triage", "core", "--executable", "FILE"],
              ["triage", "unnamed.log", "--executable", "FILE"],
              [*gate, "--", "/bin/true", "FILE"]], head=4096),
        Kind("race log", races, [["triage", "FILE"], [*gate, "--log", "FILE"],
                                 [*gate, "--trust-log", "--log", "FILE"]], is_race=True),
        Kind("log", read(["go/*.txt", "cpp/*.txt", "cpp/*.xml", "go_versions/*"]),
             [["triage", "--json", "-", "FILE"], [*gate, "--log", "FILE", "--json", "-"]]),
        Kind("policy", [POLICY.encode()], [["gate", "explain", "--policy", "FILE"],
                                           [*gate, *log, "--policy", "FILE"]]),
        Kind("suppressions", [SUPPRESSIONS.encode()], [[*gate, *log, "--suppressions", "FILE"]]),
        Kind("layers", [LAYERS.encode()], [["layers", "check", "FILE"],
                                           [*gate, *log, "--layers", "FILE"]]),
        Kind("baseline", [BASELINE.encode()],
             [[*gate, *log, "--baseline", "FILE"]]),
        Kind("scan", read(["hostile/*.sarif"]), [[*gate, "--scan", "FILE"]]),
        Kind("replay", [REPLAY.encode()], [["race", "replay", "FILE", "--", "/bin/true"]]),
    ]


def changed(kind, rng):
    data = bytearray(rng.choice(kind.seeds))
    planted = bytes(data) if kind.is_race else b""
    for _ in range(1 << rng.randrange(5)):
        end = len(data)
        if kind.head and rng.randrange(4):
            end = min(end, kind.head)
        at = rng.randrange(end + 1)
        size = min(1 << rng.randrange(10), len(data) - at)
        how = rng.randrange(8)
        if kind.is_race:
            how = 3 + rng.randrange(2)  # only adds: the race stays
        if how == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif how == 1 and at < len(data):
            data[at] = rng.randrange(256)
        elif how == 2:
            del data[at:at + size]
        elif how == 3:
            at = begin_of_line(data, at) if kind.is_race else at
            line = rng.choice(WORDS) * (1 << rng.randrange(6))
            data[at:at] = line + (b"\n" if kind.is_race else b"")
        elif how == 4:
            at = begin_of_line(data, at) if kind.is_race else at
            noise = bytes(rng.randrange(256) for _ in range(rng.randrange(64)))
            data[at:at] = noise + (b"\n" if kind.is_race else b"")
        elif how == 5:
            data[at:at] = data[at:at + size] * (1 << rng.randrange(6))
        elif how == 6:
            del data[at:]
        elif len(data) >= at + 8:
            struct.pack_into("<Q", data, at, rng.choice(
                [0, 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1, len(data), rng.getrandbits(64)]))
    if kind.is_race:
        data += b"\n" + planted  # it stands whole behind what was broken
    return bytes(data)


def begin_of_line(data, at):
    return data.rfind(b"\n", 0, at) + 1


class Run:
    def __init__(self, options):
        self.options = options
        self.vigil = os.path.abspath(os.environ["VIGIL"])
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vigil-mutations-"))
        self.file = self.folder / "changed"
        self.kinds = kinds_of(self.vigil, self.folder)
        self.environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0",
                            "UBSAN_OPTIONS": "print_stacktrace=1"}
        self.counts = {}
        self.broken = 0
        self.slowest_s = (0.0, "")

    def one(self, number):
        rng = random.Random(f"{self.options.seed}/{number}")
        kind = self.kinds[number % len(self.kinds)]
        self.file.unlink(missing_ok=True)
        self.file.write_bytes(changed(kind, rng))
        self.file.chmod(0o755)
        command = [str(self.file) if word == "FILE" else word for word in rng.choice(kind.commands)]
        start = time.monotonic()
        try:
            run = subprocess.run([self.vigil, *command], cwd=self.folder, capture_output=True,
                                 check=False, timeout=self.options.limit_s, env=self.environment,
                                 stdin=subprocess.DEVNULL)
            trouble = self.trouble_of(kind, command, run)
        except subprocess.TimeoutExpired:
            trouble = f"no end within {self.options.limit_s} s"
        took_s = time.monotonic() - start
        self.slowest_s = max(self.slowest_s, (took_s, f"{kind.name} {number}"))
        self.counts[kind.name] = self.counts.get(kind.name, 0) + 1
        if trouble is not None:
            self.report(number, kind, command, trouble)

    @staticmethod
    def trouble_of(kind, command, run):
        said = run.stderr.decode(errors="replace")
        if run.returncode < 0:
            return f"ended by {signal.Signals(-run.returncode).name}\n{said}"
        if any(mark in said for mark in SANITIZER_MARKS):
            return said
        if run.returncode not in EXIT_CODES:
            return f"exit code {run.returncode}\n{said}"
        if "internal error" in said:
            return said
        if kind.is_race and run.returncode == 0:
            return "a log with a race in it " + ("passed" if command[0] == "gate" else "is clean")
        return None

    def report(self, number, kind, command, trouble):
        self.broken += 1
        kept = pathlib.Path(tempfile.gettempdir()) / f"vigil-mutation-{self.options.seed}-{number}"
        shutil.copy(self.file, kept)
        print(f"BROKEN: --seed {self.options.seed} --only {number}: {kind.name}, "
              f"{' '.join(command)}, kept as {kept}\n{trouble[:2000]}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=int(os.environ.get("VIGIL_MUTATIONS", "300")))
    parser.add_argument("--seed", type=int, default=int(
        os.environ.get("VIGIL_SEED", str(random.randrange(1 << 30)))))
    parser.add_argument("--only", type=int, help="the number of one input")
    parser.add_argument("--begin", type=int, default=0, help="the number of the first input")
    parser.add_argument("--limit-s", type=float, default=10)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    run = Run(options)
    numbers = range(options.begin, options.begin + options.count)
    for number in [options.only] if options.only is not None else numbers:
        run.one(number)
        if sum(run.counts.values()) % 1000 == 0:
            print(f"{sum(run.counts.values())} inputs, {run.broken} broken", flush=True)
    shutil.rmtree(run.folder)
    print(f"{sum(run.counts.values())} inputs, {run.broken} broken; slowest: "
          f"{run.slowest_s[0]:.1f} s, {run.slowest_s[1]}; {run.counts}")
    return 1 if run.broken else 0


if __name__ == "__main__":
    sys.exit(main())
