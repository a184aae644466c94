#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Counts what a read writes: stores outside the stack and locked instructions of a function.

    scripts/read_path_stores.py BINARY REGEX

disassembles every function of BINARY whose demangled name matches REGEX, and lists each instruction
that stores to memory other than the stack frame, or that locks the bus. A read that scales writes
nothing that another core may read: what remains must be the caller's own result. Calls are listed
too: what they do is not counted.

    scripts/read_path_stores.py build/release/modules/maps/sharded_map_bench 'ShardedMap.*::visit<'

    scripts/read_path_stores.py BINARY --expect NAME=STORES,LOCKED ...

checks instead that function NAME has at most so many of each (the test read_path_stores).

Exit code: 0 if no matching function locks, or all are as expected; 1 if not; 2 if none matches.
"""
import argparse
import re
import subprocess
import sys

HEADER = re.compile(r"^[0-9a-f]+ <(.*)>:$")
INSTRUCTION = re.compile(r"^\s+[0-9a-f]+:\s+(\S.*)$")
# Instructions that only read even though a memory operand comes last (AT&T syntax).
READS_ONLY = re.compile(r"^(cmp|test|ucomis|comis|bt[lqw]? |prefetch|nop|data16|cs nop|lea|call|j)")
LOCKED = re.compile(r"^(lock |xchg\S* .*\(|mfence|cpuid)")


def functions(binary):
    """(name, [instruction]) of every function, demangled."""
    text = subprocess.run(
        ["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", binary],
        check=True, capture_output=True, text=True).stdout
    name, body = None, []
    for line in text.splitlines():
        if header := HEADER.match(line):
            if name:
                yield name, body
            name, body = header.group(1), []
        elif instruction := INSTRUCTION.match(line):
            body.append(instruction.group(1).split("#")[0].strip())
    if name:
        yield name, body


def stores_outside_the_stack(instruction):
    if READS_ONLY.match(instruction) or not instruction.endswith(")"):
        return False
    base = instruction[instruction.rfind("("):]
    return not any(own in base for own in ("%rsp", "%rbp")) and "%fs:" not in instruction


def report(name, body):
    """Prints one function; returns whether it locks."""
    stores = [i for i in body if stores_outside_the_stack(i)]
    locked = [i for i in body if LOCKED.match(i)]
    calls = [i for i in body if i.startswith("call")]
    print(f"{name[:160]}\n  {len(body)} instructions, {len(stores)} stores outside the stack, "
          f"{len(locked)} locked, {len(calls)} calls")
    for instruction in stores + locked + calls:
        print(f"    {instruction[:120]}")
    return bool(locked)


def check(binary, expectations):
    """Compares functions with what is expected of them; returns the exit code."""
    bodies = dict(functions(binary))
    failed = False
    for expectation in expectations:
        name, limits = expectation.split("=")
        stores_max, locked_max = map(int, limits.split(","))
        if name not in bodies:
            print(f"{binary} has no function {name}", file=sys.stderr)
            return 2
        body = bodies[name]
        stores = sum(map(stores_outside_the_stack, body))
        locked = sum(bool(LOCKED.match(i)) for i in body)
        if stores > stores_max or locked > locked_max:
            failed = True
            print(f"expected of {name}: at most {stores_max} stores, {locked_max} locked")
            report(name, body)
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("regex", nargs="?", default="")
    parser.add_argument("--expect", nargs="+", default=[], metavar="NAME=STORES,LOCKED")
    arguments = parser.parse_args()
    if arguments.expect:
        return check(arguments.binary, arguments.expect)
    wanted = re.compile(arguments.regex)
    found = [f for f in functions(arguments.binary) if wanted.search(f[0])]
    if not found:
        print(f"no function of {arguments.binary} matches {arguments.regex}", file=sys.stderr)
        return 2
    return 1 if any([report(*f) for f in found]) else 0


if __name__ == "__main__":
    sys.exit(main())
