#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares the hit ratio of allkeys-lru in vigild and redis-server on the same Zipfian trace.

A client reads a key and stores 1,000 bytes when it was not there (cache-aside). redis-server runs
twice: with the same memory limit, and with what it needs to hold as many keys as vigild did.

    scripts/bench_eviction.py [--requests 500000] [--keys 300000] [--skew 0.9] [--seed 1]
"""

import argparse
import bisect
import itertools
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests" / "e2e"))

import harness  # noqa: E402

MIB = 1 << 20
BATCH = 500
VALUE = b"v" * 1000


def trace(options):
    """Key numbers; the popular ones are spread over all numbers."""
    rng = random.Random(options.seed)
    weights = itertools.accumulate(1 / (i + 1) ** options.skew for i in range(options.keys))
    cumulative = list(weights)
    ids = list(range(options.keys))
    rng.shuffle(ids)
    for _ in range(options.requests):
        yield ids[bisect.bisect_left(cumulative, rng.random() * cumulative[-1])]


def run(server, options):
    """Returns the hit ratio over the second half of the trace, and the number of keys held."""
    hits = requests = 0
    with server.resp(120) as client:
        numbers = trace(options)
        while batch := list(itertools.islice(numbers, BATCH)):
            keys = [b"order:%010d" % number for number in batch]
            found = [bool(reply) for reply in client.pipeline([("GET", key) for key in keys])]
            missed = dict.fromkeys(key for key, hit in zip(keys, found) if not hit)
            client.pipeline([("SET", key, VALUE) for key in missed])
            requests += len(batch)
            if requests > options.requests // 2:
                hits += sum(found)
        return hits / (options.requests - options.requests // 2), client.call("DBSIZE")


def run_redis(limit_bytes, options):
    server = harness.RedisServer()
    try:
        with server.resp() as client:
            client.call("CONFIG", "SET", "maxmemory", str(limit_bytes))
            client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        return run(server, options)
    finally:
        server.discard()


def show(name, limit_bytes, keys, ratio):
    size = limit_bytes / MIB
    print(f"{name:12}  {size:6.1f} MiB  {keys:8d} keys  hit ratio {ratio:.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=500_000)
    parser.add_argument("--keys", type=int, default=300_000)
    parser.add_argument("--skew", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    limit = 64 * MIB
    server = harness.Vigild("--memory-limit", "64MiB", "--maxmemory-policy", "allkeys-lru")
    try:
        ratio, keys = run(server, options)
    finally:
        server.discard()
    show("vigild", limit, keys, ratio)
    ratio, redis_keys = run_redis(limit, options)
    show("redis-server", limit, redis_keys, ratio)
    limit = limit * keys // redis_keys
    show("redis-server", limit, *reversed(run_redis(limit, options)))


if __name__ == "__main__":
    main()
