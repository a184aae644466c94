// SPDX-License-Identifier: Apache-2.0
//
// The totals over all reactors that INFO shows and CONFIG RESETSTAT resets.
//
// Thread safety: any thread; a sum is not a snapshot of one instant.
#pragma once

#include <array>
#include <cstdint>

#include "vigil/server/resp/command.h"
#include "vigil/server/resp/shared.h"

namespace vigil::server {

struct Totals {
  std::uint64_t commands = 0;
  std::uint64_t connections = 0;
  std::uint64_t refused = 0;
  std::uint64_t shed = 0;
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t errors = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

[[nodiscard]] Totals sum_counters(const ServerState& server);

// Of one command, since CONFIG RESETSTAT.
struct CommandTotals {
  std::uint64_t calls = 0;
  std::uint64_t time_ns = 0;
  std::uint64_t rejected = 0;
  std::uint64_t failed = 0;
  std::array<std::uint64_t, LatencyHistogram::kBuckets> buckets{};

  // What that share of the calls did not exceed, by its bucket; 0 without calls.
  [[nodiscard]] std::uint64_t percentile_ns(double percentile) const;
};
[[nodiscard]] CommandTotals command_totals(const RespShared& shared, const Command& command);
[[nodiscard]] CommandStatistics::Errors error_totals(const RespShared& shared);

// What INFO counts starts at zero again, per command as soon as each reactor gets to it; the
// metrics go on.
void reset_statistics(RespShared& shared);

}  // namespace vigil::server
