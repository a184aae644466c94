// SPDX-License-Identifier: Apache-2.0
//
// Clock: milliseconds and nanoseconds that never jump.
//
// unix_ms() is wall-clock time at process start plus monotonic time since then, so that deadlines
// can be kept as absolute Unix milliseconds without being disturbed by a stepped wall clock. Times
// that come from outside or go there follow it: wall_clock.h.
//
// CoarseClock caches one reading for an event loop: the loop calls tick() once per turn and every
// request of that turn reads unix_ms() at the cost of a load. Resolution: one turn of the loop.
//
// Thread safety: the free functions may be called from any thread. A CoarseClock belongs to one
// thread.
#pragma once

#include <cstdint>

namespace vigil {

[[nodiscard]] std::int64_t monotonic_ns() noexcept;
[[nodiscard]] std::int64_t unix_ms() noexcept;
// The Unix milliseconds of a reading of monotonic_ns().
[[nodiscard]] std::int64_t unix_ms_at(std::int64_t monotonic_ns) noexcept;

// Lets unix_ms() begin so much behind the wall clock: a process that takes up what another one left
// goes on with that one's time, also if the wall clock was stepped meanwhile (wall_clock.h).
// REQUIRES: before the first reading.
void begin_unix_ms_behind_wall_clock(std::int64_t behind_ms);

class CoarseClock {
 public:
  CoarseClock() : now_ms_(vigil::unix_ms()) {}

  // Returns the reading, of monotonic_ns().
  std::int64_t tick() noexcept {
    const std::int64_t now_ns = monotonic_ns();
    now_ms_ = unix_ms_at(now_ns);
    return now_ns;
  }
  [[nodiscard]] std::int64_t unix_ms() const noexcept { return now_ms_; }

 private:
  std::int64_t now_ms_;
};

}  // namespace vigil
