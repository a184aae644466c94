// SPDX-License-Identifier: Apache-2.0
//
// Makes the strategy of a schedule by its kind, in storage of its own: the runtime has no heap.
//
// Thread safety: none; the token serialises.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/sched/strategy.h"

namespace vigil::race {

// Storage for any one strategy.
class StrategyStorage {
 public:
  // Starts a new schedule. kReplay is not made here: it needs its decisions (replay.h).
  Strategy* begin(StrategyKind kind, const StrategySettings& settings);

 private:
  static constexpr std::size_t kBytes = 160 * std::size_t{1024};
  alignas(64) unsigned char bytes_[kBytes];
};

// The member of the portfolio that has its turn with this seed.
StrategyKind portfolio_member(std::uint64_t seed);

}  // namespace vigil::race
