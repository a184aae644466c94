// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/commands/statistics.h"

namespace vigil::server {

Totals sum_counters(const ServerState& server) {
  Totals totals;
  for (const auto& counters : server.counters) {
    for (const Counter& family : counters->commands) totals.commands += family.value();
    totals.connections += counters->connections_accepted.value();
    totals.refused += counters->connections_refused.value();
    totals.hits += counters->hits.value();
    totals.misses += counters->misses.value();
    totals.errors += counters->errors.value();
    totals.bytes_in += counters->bytes_in.value();
    totals.bytes_out += counters->bytes_out.value();
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
}

}  // namespace vigil::server
