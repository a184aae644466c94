#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A client in another process talks to a server under `vigil race run --time real`.

usage: check_server.py VIGIL SERVER [--requests N]

Every request must be answered, and the schedule must end without a finding. Prints how many
requests a second that were. Exit code: 0 so, 1 not so.
"""
import argparse
import socket
import subprocess
import sys
import time


def talk(port, requests):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rwb", buffering=0)
        started = time.monotonic()
        for number in range(requests):
            line = f"request {number}\n".encode()
            stream.write(line)
            if stream.readline() != line:
                sys.exit(f"request {number} was not answered")
        rate = requests / (time.monotonic() - started)
        stream.write(b"end\n")
        stream.readline()
    print(f"{requests} requests, {rate:,.0f} a second")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("vigil")
    parser.add_argument("server")
    parser.add_argument("--requests", type=int, default=2000)
    arguments = parser.parse_args()
    command = [arguments.vigil, "race", "run", "--schedules", "1", "--time", "real", "--",
               arguments.server]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        talk(int(process.stdout.readline()), arguments.requests)
        print(process.stdout.read(), end="")
    sys.exit(process.returncode)


if __name__ == "__main__":
    main()
