// SPDX-License-Identifier: Apache-2.0
//
// What map_modules_test and its plugin agree about: a map that both use.
//
// Thread safety: that of the map.
#pragma once

#include <atomic>
#include <cstdint>

#include "vigil/maps/sharded_map.h"

namespace vigil::maps::testing {

// A value that tells whether it was used after its end.
struct Canary {
  static constexpr std::uint64_t kAlive = 0xA11FE;

  Canary() = default;
  Canary(const Canary&) = default;
  Canary& operator=(const Canary&) = default;
  ~Canary() { state = 0; }

  volatile std::uint64_t state = kAlive;
};

using SharedMap = ShardedMap<int, Canary>;

// Reads the keys 0 to 7 until told to stop; returns how many values it found ended.
using ReadUntil = std::uint64_t (*)(const SharedMap* map, const std::atomic<bool>* stop);

}  // namespace vigil::maps::testing
