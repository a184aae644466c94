# SPDX-License-Identifier: Apache-2.0
"""Thread dumps of the real vigild: on request, by SIGQUIT, and before a fatal signal ends it."""

import re
import signal
import threading
import urllib.request

import harness

END = "=== end of thread dump: "


class ThreadDumpTest(harness.TestCase):
    def get(self, server, path):
        with urllib.request.urlopen(server.url(path)) as answer:
            return answer.read().decode()

    def test_the_debug_path_shows_every_reactor(self):
        server = self.start_vigild("--threads", "3")
        dump = self.get(server, "/debug/threads")
        self.assertIn("4 threads, GET /debug/threads ===", dump)
        self.assertIn("4 of 4 threads answered ===", dump)
        for reactor in range(3):
            self.assertIn(f'"reactor-{reactor}": ', dump)
        self.assertIn("vigil::server::Reactor::run()", dump)

    def test_the_debug_path_names_the_map_of_a_thread_under_load(self):
        server = self.start_vigild("--threads", "2")
        stopped = threading.Event()

        def write():
            client = server.resp()
            value = b"v" * 16384
            while not stopped.is_set():
                client.pipeline([("SET", f"key:{number}", value) for number in range(64)])

        writers = [threading.Thread(target=write) for _ in range(2)]
        for writer in writers:
            writer.start()
        try:
            line = harness.wait_until(
                lambda: re.search(r"^  map .*", self.get(server, "/debug/threads"), re.MULTILINE),
                "a dump meets a writer inside the cache",
            )
        finally:
            stopped.set()
            for writer in writers:
                writer.join()
        self.assertRegex(
            line.group(), r'^  map write: "cache" \(vigil::cache::Cache\) at 0x\w+, concurrent$'
        )

    def test_sigquit_dumps_and_the_server_goes_on(self):
        server = self.start_vigild("--threads", "2")
        server.popen.send_signal(signal.SIGQUIT)
        log = harness.wait_until(
            lambda: END in server.log() and server.log(), "the dump is written"
        )
        self.assertIn("3 threads, on demand ===", log)
        self.assertIn("3 of 3 threads answered", log)
        self.assertEqual(self.get(server, "/healthz"), "ok\n")

    def test_a_fatal_signal_dumps_and_ends_the_server(self):
        server = self.start_vigild("--threads", "2")
        server.popen.send_signal(signal.SIGABRT)
        self.assertEqual(server.popen.wait(harness.STOP_TIMEOUT_S), -signal.SIGABRT)
        log = server.log()
        self.assertIn("fatal error: SIGABRT in thread ", log)
        self.assertIn("3 of 3 threads answered", log)


if __name__ == "__main__":
    harness.main()
