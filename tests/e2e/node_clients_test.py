# SPDX-License-Identifier: Apache-2.0
"""ioredis and node-redis, as a service would use them."""

import pathlib

import harness

HERE = pathlib.Path(__file__).resolve().parent


class NodeClientsTest(harness.TestCase):
    def run_script(self, script):
        if not (HERE / "node_modules").is_dir():
            self.fail("tests/e2e/node_modules is missing: run scripts/setup.sh")
        server = self.start_vigild("--threads", "2")
        done = harness.run(
            self.require("node"), HERE / script, server.resp_address[1], timeout_s=120
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assert_drains(server)

    def test_ioredis_sets_reads_scans_pipelines_and_subscribes(self):
        self.run_script("ioredis_smoke.mjs")

    def test_node_redis_works_in_resp2_and_resp3(self):
        self.run_script("node_redis_smoke.mjs")


if __name__ == "__main__":
    harness.main()
