# SPDX-License-Identifier: Apache-2.0
"""/metrics: promtool finds nothing to complain about and a real Prometheus scrapes it."""

import json
import os
import urllib.parse
import urllib.request

import harness


class MetricsTest(harness.TestCase):
    def setUp(self):
        self.server = self.start_vigild("--threads", "2")
        with self.server.resp() as client:
            client.pipeline([("SET", f"key:{i}", "v", "EX", 1000) for i in range(100)])
            client.pipeline([("GET", f"key:{i}") for i in range(200)])
            client.call("SET", "short", "v", "PX", 1)
            client.call("ORDER.PUT", "order:1", "pending", "{}")

    def fetch(self, path):
        with urllib.request.urlopen(self.server.url(path), timeout=30) as reply:
            return reply.read().decode()

    def samples(self):
        lines = self.fetch("/metrics").splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if line and not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def test_curl_piped_into_promtool_is_clean(self):
        page = harness.run(self.require("curl"), "-fsS", self.server.url("/metrics"))
        self.assertEqual(page.returncode, 0, page.stderr)
        check = harness.run(self.require("promtool"), "check", "metrics", stdin=page.stdout)
        self.assertEqual((check.returncode, check.stdout + check.stderr), (0, ""))

    def test_the_promised_metrics_are_there_and_count(self):
        samples = self.samples()
        names = {name.split("{")[0] for name in samples}
        for name in (
            "cache_shard_load_factor",
            "cache_write_latency_seconds_bucket",
            "cache_write_latency_seconds_count",
            "cache_evict_total",
            "cache_queue_depth",
            "cache_expiry_lag_seconds_bucket",
        ):
            self.assertIn(name, names)
        shards = [name for name in samples if name.startswith("cache_shard_load_factor{")]
        self.assertEqual(len(shards), 64)

    def test_an_expiry_is_counted_with_its_reason(self):
        def expired():
            return sum(
                value
                for name, value in self.samples().items()
                if name.startswith("cache_evict_total") and "expired" in name
            )

        harness.wait_until(lambda: expired() >= 1, "the expiry of key `short` is counted")

    def test_prometheus_scrapes_vigild(self):
        prometheus = self.require("prometheus")
        port = harness.free_port()
        host, http_port = self.server.http_address
        directory = os.path.join(self.server.directory, "prometheus")
        os.makedirs(directory)
        configuration = os.path.join(directory, "prometheus.yml")
        with open(configuration, "w", encoding="ascii") as file:
            file.write(
                "scrape_configs:\n- job_name: vigild\n  scrape_interval: 1s\n"
                f"  static_configs:\n  - targets: ['{host}:{http_port}']\n"
            )
        process = self.own(
            harness.Process(
                [
                    prometheus,
                    f"--config.file={configuration}",
                    f"--storage.tsdb.path={directory}/data",
                ]
                + [f"--web.listen-address=127.0.0.1:{port}"]
            )
        )

        def scraped():
            self.assertTrue(process.alive(), process.log())
            wanted = 'up{job="vigild"} and on(instance) cache_shard_load_factor{shard="0"}'
            query = urllib.parse.quote(wanted)
            url = f"http://127.0.0.1:{port}/api/v1/query?query={query}"
            try:
                with urllib.request.urlopen(url, timeout=10) as reply:
                    return json.load(reply)["data"]["result"]
            except OSError:
                return None

        (result,) = harness.wait_until(scraped, "Prometheus has scraped vigild", timeout_s=60)
        self.assertEqual(result["value"][1], "1")


if __name__ == "__main__":
    harness.main()
