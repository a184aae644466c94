// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/clock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>

namespace vigil {
namespace {

TEST(ClockTest, MonotonicReadingsNeverDecrease) {
  std::int64_t previous = monotonic_ns();
  for (int i = 0; i < 10'000; ++i) {
    const std::int64_t now = monotonic_ns();
    ASSERT_GE(now, previous);
    previous = now;
  }
}

TEST(ClockTest, UnixTimeNeverDecreases) {
  std::int64_t previous = unix_ms();
  for (int i = 0; i < 10'000; ++i) {
    const std::int64_t now = unix_ms();
    ASSERT_GE(now, previous);
    previous = now;
  }
}

// The bound is a minute because the wall clock may be adjusted; it tells the epoch and the unit.
TEST(ClockTest, UnixTimeCountsMillisecondsSince1970) {
  const std::int64_t wall_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                   std::chrono::system_clock::now().time_since_epoch())
                                   .count();
  EXPECT_NEAR(static_cast<double>(unix_ms()), static_cast<double>(wall_ms), 60'000.0);
}

TEST(CoarseClockTest, ReadingStandsStillUntilTheNextTick) {
  CoarseClock clock;
  const std::int64_t before = clock.unix_ms();
  while (unix_ms() <= before) {
  }
  EXPECT_EQ(clock.unix_ms(), before);
  clock.tick();
  EXPECT_GT(clock.unix_ms(), before);
}

}  // namespace
}  // namespace vigil
