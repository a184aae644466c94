// SPDX-License-Identifier: Apache-2.0
//
// WallClock: what the system's clock shows, beside a unix_ms() that never jumps.
//
// Use when: a time comes from outside or goes there (a deadline given as a date, an answer that
// names a moment). Use instead: unix_ms() (clock.h) for everything that is waited for. Deadlines
// are kept in unix_ms(), so that what was to happen in a minute happens in a minute; a date is
// translated at the edge, by what the wall clock shows at that moment.
//
// The two part when the wall clock is stepped: set by hand, by NTP or a leap second, or because the
// machine slept. A clock that is slewed (a smeared leap second) is followed in steps of
// kTolerance_ms: two clocks are never read at one instant, and a translation there and back must
// not change a date.
//
// Thread safety: any thread. Complexity: a load per translation.
//
//   WallClock clock;
//   clock.follow({.unix_ms = 1'000'000, .wall_ms = 1'000'000 + 7'200'000});  // two hours ahead
//   assert(clock.shown_at(1'000'000) == 8'200'000);
//   assert(clock.unix_of(8'200'000) == 1'000'000);
#pragma once

#include <atomic>
#include <cstdint>

namespace vigil {

class WallClock {
 public:
  static constexpr std::int64_t kTolerance_ms = 10;

  // Both clocks, read at one instant.
  struct Reading {
    std::int64_t unix_ms;
    std::int64_t wall_ms;
  };

  // What the wall clock shows when unix_ms() shows `unix_ms`.
  [[nodiscard]] std::int64_t shown_at(std::int64_t unix_ms) const noexcept {
    return unix_ms + ahead_ms();
  }
  // What unix_ms() shows when the wall clock shows `wall_ms`; beyond 64 bits the nearest that is
  // not.
  [[nodiscard]] std::int64_t unix_of(std::int64_t wall_ms) const noexcept;
  // Of the wall clock before unix_ms(); negative: it is behind.
  [[nodiscard]] std::int64_t ahead_ms() const noexcept {
    return ahead_ms_.load(std::memory_order_relaxed);
  }

  // Follows the system's clock, if it was stepped; unix_ms() showed `unix_ms` just now. Costs one
  // reading of the clock, if it was not.
  void follow(std::int64_t unix_ms) noexcept;
  void follow(Reading now) noexcept;

 private:
  [[nodiscard]] bool follows(const Reading& now) const noexcept;

  std::atomic<std::int64_t> ahead_ms_{0};
};

}  // namespace vigil
