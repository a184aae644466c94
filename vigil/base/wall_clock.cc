// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/wall_clock.h"

#include <ctime>
#include <limits>

#include "vigil/base/clock.h"

namespace vigil {
namespace {

constexpr std::int64_t kNanosPerMilli = 1'000'000;
// A thread may lose its processor between the readings: the pair is taken again then, at most so
// often that a crowded machine costs little.
constexpr int kReadingsMax = 5;

std::int64_t wall_ms() noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / kNanosPerMilli;
}

// Whether it was read without an interruption.
bool read_both(WallClock::Reading* now) noexcept {
  const std::int64_t before_ns = monotonic_ns();
  now->wall_ms = wall_ms();
  const std::int64_t after_ns = monotonic_ns();
  now->unix_ms = unix_ms_at(before_ns + (after_ns - before_ns) / 2);
  return after_ns - before_ns < kNanosPerMilli;
}

}  // namespace

std::int64_t WallClock::unix_of(std::int64_t wall_ms) const noexcept {
  std::int64_t unix_ms = 0;
  if (!__builtin_sub_overflow(wall_ms, ahead_ms(), &unix_ms)) return unix_ms;
  return wall_ms < 0 ? std::numeric_limits<std::int64_t>::min()
                     : std::numeric_limits<std::int64_t>::max();
}

void WallClock::follow(std::int64_t unix_ms) noexcept {
  if (follows({unix_ms, wall_ms()})) return;
  Reading now{};
  for (int i = 0; i < kReadingsMax; ++i) {
    const bool sure = read_both(&now);
    if (follows(now)) return;
    if (sure) return follow(now);
  }
}

void WallClock::follow(Reading now) noexcept {
  if (!follows(now)) ahead_ms_.store(now.wall_ms - now.unix_ms, std::memory_order_relaxed);
}

bool WallClock::follows(const Reading& now) const noexcept {
  const std::int64_t difference_ms = now.wall_ms - shown_at(now.unix_ms);
  return difference_ms > -kTolerance_ms && difference_ms < kTolerance_ms;
}

}  // namespace vigil
