# SPDX-License-Identifier: Apache-2.0
"""The loads of bench_server.py: each function puts one load on one server and answers a flat
dictionary of figures."""

import json
import math
import re
import socket
import subprocess
import time
import urllib.request

from bench_server_processes import BenchmarkError, require

VALUE = "x" * 100
CONNECTIONS = 50
LONG_TTL_S = 100_000
LOAD_TIMEOUT_S = 900


class Client:
    """Runs load generators on the client's core."""

    def __init__(self, core, resp_load):
        self.core = core
        self.resp_load_path = resp_load

    def run(self, *arguments):
        command = ["taskset", "-c", str(self.core)] + [str(argument) for argument in arguments]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LOAD_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            raise BenchmarkError(f"{' '.join(command)}\n{done.stdout[-500:]}{done.stderr[-500:]}")
        return done.stdout

    def resp_load(self, server, *streams, seconds=0):
        """Figures per stream, in order. Every request must be answered without an error."""
        arguments = ["--port", server.resp_port, "--seconds", seconds]
        for stream in streams:
            arguments += ["--stream", stream]
        return json.loads(self.run(self.resp_load_path, *arguments))["streams"]


def preload(client, server, first, last, ttl_s=0):
    """Writes the keys first..last-1 once each, with 100-byte values."""
    ttl = f",ttl={ttl_s}" if ttl_s else ""
    stream = f"set,sequential,connections=8,pipeline=32,first={first},requests={last - first}{ttl}"
    client.resp_load(server, stream)


def call(server, *words):
    """One command on a connection of its own; returns the first line of the reply."""
    request = b"".join([b"*%d\r\n" % len(words)] + [_bulk(word) for word in words])
    with socket.create_connection(("127.0.0.1", server.resp_port), timeout=LOAD_TIMEOUT_S) as peer:
        peer.sendall(request)
        with peer.makefile("rb") as replies:
            line = replies.readline().decode().rstrip()
    if line.startswith("-"):
        raise BenchmarkError(f"{server.name} answered {line} to {' '.join(words)}")
    return line


def _bulk(word):
    data = word.encode() if isinstance(word, str) else word
    return b"$%d\r\n%s\r\n" % (len(data), data)


def throughput(client, server, command, pipeline, seconds, keys):
    """resp_load: a closed loop over 50 connections and random keys."""
    name, ttl = ("set", ",ttl=1000") if command == "setex" else (command, "")
    stream = f"{name},connections={CONNECTIONS},pipeline={pipeline},keys={keys}{ttl}"
    before_s = server.cpu_seconds()
    (figures,) = client.resp_load(server, stream, seconds=seconds)
    cpu_s = server.cpu_seconds() - before_s
    if figures["nulls"]:
        raise BenchmarkError(f"{server.name} lost {figures['nulls']} of the preloaded keys")
    latency = figures["latency_us"]
    return {
        "requests_per_second": figures["requests_per_second"],
        "cpu_us_per_request": cpu_s * 1e6 / figures["requests"],
        "p50_us": latency["p50"],
        "p99_us": latency["p99"],
        "p99.9_us": latency["p99.9"],
    }


def redis_benchmark(client, server, command, pipeline, requests, keys):
    """The same by redis-benchmark, whose own core is the limit before a fast server's is."""
    arguments = ["-p", server.resp_port, "-c", CONNECTIONS, "-P", pipeline, "-n", requests]
    arguments += ["-r", keys, "--precision", "3"]
    words = {
        "get": ["GET", "key:__rand_int__"],
        "set": ["SET", "key:__rand_int__", VALUE],
        "setex": ["SET", "key:__rand_int__", VALUE, "EX", "1000"],
    }
    before_s = server.cpu_seconds()
    output = client.run(require("redis-benchmark"), *arguments, *words[command])
    cpu_s = server.cpu_seconds() - before_s
    rate = re.search(r"throughput summary: ([\d.]+) requests per second", output)
    quantiles = [
        (float(percent), float(ms) * 1000)
        for percent, ms in re.findall(r"([\d.]+)% <= ([\d.]+) milliseconds", output)
    ]
    if not rate or not quantiles:
        raise BenchmarkError(f"redis-benchmark printed no summary:\n{output[-1000:]}")
    return {
        "requests_per_second": float(rate.group(1)),
        "cpu_us_per_request": cpu_s * 1e6 / requests,
        "p50_us": _first_at(quantiles, 50),
        "p99_us": _first_at(quantiles, 99),
        "p99.9_us": _first_at(quantiles, 99.9),
    }


def _first_at(quantiles, percent):
    return next((value for reached, value in quantiles if reached >= percent), quantiles[-1][1])


ORDER_PATH = "/orders/bench-0000000001"


def put_order(server):
    """Stores the order that the HTTP load reads; answers the size of its JSON."""
    url = f"http://127.0.0.1:{server.http_port}{ORDER_PATH}"
    body = json.dumps({"status": "pending", "payload": {"amount": 1999, "currency": "EUR"}})
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, body.encode(), headers, method="PUT")
    with urllib.request.urlopen(request, timeout=30):
        pass
    with urllib.request.urlopen(url, timeout=30) as reply:
        return len(reply.read())


def http_get(client, server, seconds):
    """wrk: 64 keep-alive connections, one thread."""
    url = f"http://127.0.0.1:{server.http_port}{ORDER_PATH}"
    before_s = server.cpu_seconds()
    output = client.run(
        require("wrk"), "-t1", "-c64", f"-d{max(1, round(seconds))}s", "--latency", url
    )
    cpu_s = server.cpu_seconds() - before_s
    if "Non-2xx" in output or "Socket errors" in output:
        raise BenchmarkError(f"{server.name} failed requests:\n{output}")
    requests = int(re.search(r"(\d+) requests in", output).group(1))
    latency = {percent: _wrk_us(output, percent) for percent in (50, 99)}
    return {
        "requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", output).group(1)),
        "cpu_us_per_request": cpu_s * 1e6 / requests,
        "p50_us": latency[50],
        "p99_us": latency[99],
    }


def _wrk_us(output, percent):
    value, unit = re.search(rf"{percent}%\s+([\d.]+)(us|ms|s)\b", output).groups()
    return float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def memory_per_key(client, server, sizes):
    """Resident bytes per key with a deadline (16-byte key, 100-byte value) at growing sizes."""
    empty = server.resident_bytes()
    figures, loaded = {}, 0
    for size in sizes:
        preload(client, server, loaded, size, ttl_s=LONG_TTL_S)
        loaded = size
        figures[f"bytes_per_key_at_{size}"] = (server.resident_bytes() - empty) / size
    return figures


def expiry_lag(client, server, live, due, wait_s):
    """Time from the common deadline of `due` keys to the arrival of each one's notification, while
    `live` other keys have a deadline far away; waits at most `wait_s` for the last."""
    call(server, "FLUSHALL")
    call(server, "CONFIG", "SET", "notify-keyspace-events", "Ex")
    preload(client, server, 0, live, ttl_s=LONG_TTL_S)
    with socket.create_connection(("127.0.0.1", server.resp_port), timeout=wait_s) as subscriber:
        subscriber.sendall(b"*2\r\n$9\r\nSUBSCRIBE\r\n$22\r\n__keyevent@0__:expired\r\n")
        subscriber.recv(4096)
        due_ms = _write_due_keys(server, due)
        lags_ms = _receive_expired(subscriber, due, due_ms, wait_s)
    lags_ms.sort()
    return {
        "due": due,
        "notified": len(lags_ms),
        "p50_ms": _quantile(lags_ms, due, 0.50),
        "p99_ms": _quantile(lags_ms, due, 0.99),
        "max_ms": _quantile(lags_ms, due, 1.0),
    }


def _write_due_keys(server, due):
    """Writes the keys well before the instant at which all of them are due; answers it."""
    due_ms = int(time.time() * 1000) + 1000 + due // 20
    requests = [
        b"*5\r\n$3\r\nSET\r\n$16\r\ndue:%012d\r\n$5\r\nvalue\r\n$4\r\nPXAT\r\n$13\r\n%d\r\n"
        % (i, due_ms)
        for i in range(due)
    ]
    with socket.create_connection(("127.0.0.1", server.resp_port), timeout=60) as writer:
        with writer.makefile("rb") as replies:
            for start in range(0, due, 500):
                batch = requests[start : start + 500]
                writer.sendall(b"".join(batch))
                answer = replies.read(len(b"+OK\r\n") * len(batch))
                if answer != b"+OK\r\n" * len(batch):
                    raise BenchmarkError(f"{server.name} answered {answer[:100]!r} to SET PXAT")
    if time.time() * 1000 >= due_ms:
        raise BenchmarkError(f"{server.name} took {due} keys too slowly for their deadline")
    return due_ms


def _receive_expired(subscriber, due, due_ms, wait_s):
    """The lag of each notified key. Chunks are only stamped while they arrive and read later."""
    message = len(b"*3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:expired\r\n$16\r\n\r\n") + 16
    end = due_ms / 1000 + wait_s
    chunks, received = [], 0
    while received < due * message and (left_s := end - time.time()) > 0:
        subscriber.settimeout(left_s)
        try:
            chunk = subscriber.recv(1 << 20)
        except TimeoutError:
            break
        chunks.append((time.time() * 1000, chunk))
        received += len(chunk)
        if not chunk:
            raise BenchmarkError("the server closed the subscriber's connection")
    return _lags(chunks, due, due_ms)


def _lags(chunks, due, due_ms):
    stream = b"".join(chunk for _, chunk in chunks)
    keys = list(re.finditer(rb"\$16\r\ndue:(\d{12})\r\n", stream))
    if len({match.group(1) for match in keys}) != len(keys) or len(keys) > due:
        raise BenchmarkError("a key's expiry was notified twice")
    arrivals, end = [], 0
    for arrival_ms, chunk in chunks:
        end += len(chunk)
        arrivals.append((end, arrival_ms))
    lags_ms, at = [], 0
    for match in keys:
        while arrivals[at][0] < match.end():
            at += 1
        lags_ms.append(arrivals[at][1] - due_ms)
    return lags_ms


def _quantile(sorted_values, total, fraction):
    """Of `total` values; None if it is among those that never arrived."""
    rank = max(0, math.ceil(fraction * total) - 1)
    return sorted_values[rank] if rank < len(sorted_values) else None


def growth(client, server, keys):
    """Latency of every request while the key space grows from nothing: a loader that writes each
    key once, a reader and a writer of the keys that are already there. The null target answers the
    same pattern of PINGs, so what it shows is the machine's."""
    shape = "connections=8,pipeline=16"
    null = client.resp_load(server, f"ping,{shape},requests={keys}", "ping", "ping")
    grown = client.resp_load(
        server, f"set,sequential,{shape},requests={keys}", "get,loaded", "set,loaded"
    )
    figures = {}
    for target, streams in (("null", null), ("growth", grown)):
        for role, stream in zip(("loader", "reader", "writer"), streams):
            figures[f"{target}_{role}"] = _tail(stream)
    return figures


def _tail(stream):
    counts = stream["histogram"]
    over = {bound: 0 for bound in (1000, 5000)}
    for label, count in counts.items():
        bound_us = math.inf if label.startswith(">") else int(re.sub(r"\D", "", label))
        for limit in over:
            over[limit] += count if bound_us > limit else 0
    return {
        "requests": stream["requests"],
        **{f"{name}_us": value for name, value in stream["latency_us"].items()},
        "over_1ms": over[1000],
        "over_5ms": over[5000],
        "histogram": counts,
    }
