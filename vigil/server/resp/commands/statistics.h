// SPDX-License-Identifier: Apache-2.0
//
// The totals over all reactors that INFO shows and CONFIG RESETSTAT resets.
//
// Thread safety: any thread; a sum is not a snapshot of one instant.
#pragma once

#include <cstdint>

#include "vigil/server/resp/shared.h"

namespace vigil::server {

struct Totals {
  std::uint64_t commands = 0;
  std::uint64_t connections = 0;
  std::uint64_t refused = 0;
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t errors = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

[[nodiscard]] Totals sum_counters(const ServerState& server);

// What INFO counts starts at zero again; the metrics go on.
void reset_statistics(RespShared& shared);

}  // namespace vigil::server
