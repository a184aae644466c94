// SPDX-License-Identifier: Apache-2.0
//
// Metrics: the server's counters (counters.h) and the cache's statistics as Prometheus metrics.
// docs/metrics.md lists them.
//
// prometheus-cpp gives the model, the registry and the text format; its own counters and histograms
// are not used, because they contend. Nothing is kept here: a scrape sums what the reactors
// counted.
//
// Thread safety: Collect() may run on any thread while the server serves. A scrape is not a
// snapshot of one instant. Complexity: O(shards + reactors); well under a millisecond.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <vector>

#include "vigil/server/reactor/server_state.h"

namespace vigil::server {

inline constexpr std::string_view kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

class Metrics final : public prometheus::Collectable {
 public:
  // The state must outlive this object.
  explicit Metrics(const ServerState& server) : server_(server) {}

  [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const ServerState& server_;
};

// The text exposition format 0.0.4.
[[nodiscard]] std::string render_metrics(const prometheus::Collectable& metrics);

}  // namespace vigil::server
