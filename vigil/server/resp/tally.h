// SPDX-License-Identifier: Apache-2.0
//
// RespTally: what the commands of a batch count, in plain integers; added to the reactor's counters
// at the batch's end.
//
// Thread safety: belongs to one reactor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "vigil/server/reactor/counters.h"

namespace vigil::server {

struct RespTally {
  std::array<std::uint32_t, kCommandFamilies> commands{};
  std::uint32_t writes = 0;
  std::uint32_t hits = 0;
  std::uint32_t misses = 0;
  std::uint32_t errors = 0;
  std::uint32_t busy = 0;

  // Adds everything to `counters`, with a batch of `requests` that took `elapsed_ns`, and starts
  // again at zero. REQUIRES: requests != 0.
  void flush(ReactorCounters& counters, std::size_t requests, std::int64_t elapsed_ns);
};

}  // namespace vigil::server
