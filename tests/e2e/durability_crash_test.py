# SPDX-License-Identifier: Apache-2.0
"""kill -9 at random points under load: what was acknowledged is there after a restart.

VIGIL_CRASH_ROUNDS=300 for the long run. A round kills the server when a random number of replies
has come, in half of them while a snapshot is being written, and checks the restarted one against
the ledgers of all clients (durability_ledger.py).
"""

import os
import pathlib
import random
import shutil
import tempfile
import threading

import harness
from durability_ledger import Ledger, LedgerError
from resp import ConnectionClosed

ROUNDS = int(os.environ.get("VIGIL_CRASH_ROUNDS", "12"))
CLIENTS = 4
BALLAST_KEYS = 40_000  # so that a snapshot takes a while
DEAD = (ConnectionClosed, ConnectionResetError, BrokenPipeError, ConnectionRefusedError)


class Doom:
    """Kills the server when the replies of all clients have reached a number."""

    def __init__(self, server, kill_at, snapshot_at):
        self._server = server
        self._kill_at = kill_at
        self._snapshot_at = snapshot_at
        self._lock = threading.Lock()
        self._replies = 0

    def count(self):
        with self._lock:
            self._replies += 1
            if self._replies == self._snapshot_at:
                with self._server.resp() as client:
                    client.call("BGSAVE")
            if self._replies == self._kill_at:
                self._server.popen.kill()


class DurabilityCrashTest(harness.TestCase):
    def setUp(self):
        self.data = tempfile.mkdtemp(prefix="vigil-crash-")
        self.addCleanup(shutil.rmtree, self.data, ignore_errors=True)
        self.generator = random.Random(harness.seed())

    def start(self, mode):
        flags = ["--data-dir", self.data, "--durability", mode, "--threads", "2"]
        flags += ["--log-segment-bytes", "8MiB", "--snapshot-log-bytes", "4MiB"]
        return self.start_vigild(*flags)

    def load(self, server, ledger, doom, problems):
        try:
            with server.resp() as client:
                while True:
                    requests = ledger.next_requests()
                    for request, _ in requests:
                        client.send(*request)
                    for _, take_reply in requests:
                        take_reply(client.read())
                        doom.count()
        except DEAD:
            pass
        except LedgerError as error:
            problems.append(str(error))
            server.popen.kill()

    def round(self, number, server, ledgers):
        kill_at = self.generator.randrange(20, 6000)
        snapshot_at = max(1, kill_at - self.generator.randrange(1, 60)) if number % 2 else 0
        doom = Doom(server, kill_at, snapshot_at)
        problems = []
        threads = [
            threading.Thread(target=self.load, args=(server, ledger, doom, problems))
            for ledger in ledgers
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        server.popen.wait(harness.STOP_TIMEOUT_S)
        self.assertEqual(problems, [], f"round {number}")
        return kill_at

    def test_what_was_acknowledged_survives_kill_9(self):
        ledgers = [
            Ledger(f"client-{i}", random.Random(self.generator.random())) for i in range(CLIENTS)
        ]
        server = self.start("always")
        with server.resp() as client:
            for first in range(0, BALLAST_KEYS, 500):
                client.pipeline(
                    [("SET", f"ballast:{i}", b"b" * 100) for i in range(first, first + 500)]
                )
        acknowledged = snapshots = checked = 0
        for number in range(ROUNDS):
            acknowledged += self.round(number, server, ledgers)
            snapshots += len(list(pathlib.Path(self.data).glob("*.tmp")))
            server = self.start(self.generator.choice(("always", "everysec")))
            with server.resp() as client:
                for ledger in ledgers:
                    checked += ledger.check(client)
                ballast = client.call("EXISTS", *(f"ballast:{i}" for i in range(BALLAST_KEYS)))
                self.assertEqual(ballast, BALLAST_KEYS)
        print(
            f"{ROUNDS} kills, {acknowledged} replies before them, {checked} keys checked, "
            f"{snapshots} snapshots were being written",
            flush=True,
        )
        self.assert_drains(server)


if __name__ == "__main__":
    harness.main()
