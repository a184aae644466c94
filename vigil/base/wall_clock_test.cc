// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/wall_clock.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "vigil/base/clock.h"

namespace vigil {
namespace {

constexpr std::int64_t kStart_ms = 1'800'000'000'000;
constexpr std::int64_t kHour_ms = 3'600'000;

TEST(WallClockTest, AgreesWithUnixTimeUntilItIsStepped) {
  WallClock clock;
  clock.follow({kStart_ms, kStart_ms});
  EXPECT_EQ(clock.ahead_ms(), 0);
  EXPECT_EQ(clock.shown_at(kStart_ms), kStart_ms);
  EXPECT_EQ(clock.unix_of(kStart_ms), kStart_ms);
}

TEST(WallClockTest, FollowsEveryStepThereAndBack) {
  WallClock clock;
  for (const std::int64_t step_ms : {2 * kHour_ms, -kHour_ms, 24 * kHour_ms, std::int64_t{1000},
                                     -WallClock::kTolerance_ms, std::int64_t{0}}) {
    clock.follow({kStart_ms, kStart_ms + step_ms});
    EXPECT_EQ(clock.ahead_ms(), step_ms);
    EXPECT_EQ(clock.unix_of(clock.shown_at(kStart_ms)), kStart_ms);
  }
}

TEST(WallClockTest, IsNotMovedByReadingsThatAreNotOfOneInstant) {
  WallClock clock;
  clock.follow({kStart_ms, kStart_ms + kHour_ms});
  for (std::int64_t late_ms = 1 - WallClock::kTolerance_ms; late_ms < WallClock::kTolerance_ms;
       ++late_ms) {
    clock.follow({kStart_ms, kStart_ms + kHour_ms + late_ms});
    EXPECT_EQ(clock.ahead_ms(), kHour_ms);
  }
}

// A second is spread over a day, as the large time servers do.
TEST(WallClockTest, IsNeverFarFromAClockThatIsSmeared) {
  WallClock clock;
  for (std::int64_t passed_ms = 0; passed_ms <= 24 * kHour_ms; passed_ms += 1000) {
    const std::int64_t smeared_ms = passed_ms / (24 * kHour_ms / 1000);
    clock.follow({kStart_ms + passed_ms, kStart_ms + passed_ms - smeared_ms});
    ASSERT_LT(std::abs(clock.ahead_ms() + smeared_ms), WallClock::kTolerance_ms);
  }
  EXPECT_LT(clock.ahead_ms(), -1000 + WallClock::kTolerance_ms);
}

TEST(WallClockTest, DatesBeyondTheNumbersStayAtTheirEnds) {
  WallClock clock;
  clock.follow({kStart_ms, kStart_ms + kHour_ms});
  EXPECT_EQ(clock.unix_of(std::numeric_limits<std::int64_t>::min()),
            std::numeric_limits<std::int64_t>::min());
  clock.follow({kStart_ms, kStart_ms - kHour_ms});
  EXPECT_EQ(clock.unix_of(std::numeric_limits<std::int64_t>::max()),
            std::numeric_limits<std::int64_t>::max());
}

// The bound is a minute because somebody may set the clock meanwhile.
TEST(WallClockTest, ShowsWhatTheSystemShows) {
  WallClock clock;
  clock.follow(unix_ms());
  const std::int64_t system_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count();
  EXPECT_LT(std::abs(clock.shown_at(unix_ms()) - system_ms), 60'000);
}

}  // namespace
}  // namespace vigil
