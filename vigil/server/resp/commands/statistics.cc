// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/commands/statistics.h"

#include <cmath>
#include <numeric>
#include <utility>

namespace vigil::server {

Totals sum_counters(const ServerState& server) {
  Totals totals;
  for (const auto& counters : server.counters) {
    for (const Counter& family : counters->commands) totals.commands += family.value();
    totals.connections += counters->connections_accepted.value();
    totals.refused += counters->connections_refused.value();
    totals.shed += counters->connections_shed.value();
    totals.hits += counters->hits.value();
    totals.misses += counters->misses.value();
    totals.errors += counters->errors.value();
    totals.bytes_in += counters->bytes_in.value();
    totals.bytes_out += counters->bytes_out.value();
  }
  return totals;
}

std::uint64_t CommandTotals::percentile_ns(double percentile) const {
  const auto wanted =
      static_cast<std::uint64_t>(std::ceil(static_cast<double>(calls) * percentile / 100));
  std::uint64_t seen = 0;
  for (std::uint32_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
    seen += buckets[i];
    if (seen >= wanted && seen != 0) return LatencyHistogram::upper_bound_ns(i);
  }
  return 0;
}

CommandTotals command_totals(const RespShared& shared, const Command& command) {
  CommandTotals totals;
  for (const auto& statistics : shared.command_statistics) {
    const CommandStatistics::Row& row = std::as_const(*statistics).of(command.number);
    for (std::uint32_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
      totals.buckets[i] += row.time.bucket(i);
    }
    totals.time_ns += row.time.sum_ns();
    totals.rejected += row.rejected.value();
    totals.failed += row.failed.value();
  }
  totals.calls = std::accumulate(totals.buckets.begin(), totals.buckets.end(), std::uint64_t{0});
  return totals;
}

CommandStatistics::Errors error_totals(const RespShared& shared) {
  CommandStatistics::Errors totals;
  for (const auto& statistics : shared.command_statistics) {
    for (const auto& [code, count] : statistics->errors()) totals[code] += count;
  }
  return totals;
}

void reset_statistics(RespShared& shared) {
  const Totals totals = sum_counters(shared.server);
  shared.hits_at_reset.store(totals.hits, std::memory_order_relaxed);
  shared.misses_at_reset.store(totals.misses, std::memory_order_relaxed);
  shared.commands_at_reset.store(totals.commands, std::memory_order_relaxed);
  shared.connections_at_reset.store(totals.connections, std::memory_order_relaxed);
  const cache::CacheStats stats = shared.server.cache.stats();
  shared.expired_at_reset.store(stats.expired_total, std::memory_order_relaxed);
  shared.evicted_at_reset.store(stats.evicted_total, std::memory_order_relaxed);
  for (std::size_t i = 0; i < shared.mailboxes.size(); ++i) {
    shared.mailboxes[i]->post(
        [statistics = shared.command_statistics[i].get()] { statistics->reset(); });
  }
}

}  // namespace vigil::server
