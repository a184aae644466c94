// SPDX-License-Identifier: Apache-2.0
//
// MapClock: the time by which a map judges deadlines, as Unix milliseconds cached in one word.
//
// Use when: reading the system's clock for every entry with a deadline costs too much (an event
// loop calls tick() once per turn), or a test owns time (set()). Use instead: nothing; a map
// without a MapClock asks vigil::unix_ms() itself, and only when it meets a deadline.
//
// Thread safety: all members may be called from any thread. Time set by one thread is seen by
// others soon, in no order with other memory.
//
// Example:
//   vigil::MapClock clock(1'000);  // a test owns time
//   clock.set(2'000);
//   assert(clock.now_ms() == 2'000);
#pragma once

#include <atomic>
#include <cstdint>

#include "vigil/base/clock.h"

namespace vigil {

class MapClock {
 public:
  MapClock() : MapClock(unix_ms()) {}
  explicit MapClock(std::int64_t now_ms) noexcept : now_ms_(now_ms) {}

  void tick() noexcept { set(unix_ms()); }
  void set(std::int64_t now_ms) noexcept { now_ms_.store(now_ms, std::memory_order_relaxed); }
  [[nodiscard]] std::int64_t now_ms() const noexcept {
    return now_ms_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::int64_t> now_ms_;
};

}  // namespace vigil
