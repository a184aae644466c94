// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/deadline.h"

#include <gtest/gtest.h>

#include <chrono>
#include <concepts>
#include <cstdint>
#include <type_traits>

namespace vigil {
namespace {

using namespace std::chrono_literals;

static_assert(!std::convertible_to<int, Deadline>);
static_assert(!std::convertible_to<std::int64_t, Deadline>);
static_assert(!std::convertible_to<std::chrono::milliseconds, Deadline>, "a duration is no moment");
static_assert(!std::constructible_from<Deadline, std::int64_t>);
static_assert(std::convertible_to<std::chrono::sys_seconds, Deadline>);
static_assert(std::is_trivially_copyable_v<Deadline> && sizeof(Deadline) == 8);

TEST(DeadlineTest, NothingSaidMeansNever) {
  EXPECT_TRUE(Deadline().is_never());
  EXPECT_EQ(Deadline(), Deadline::never());
}

TEST(DeadlineTest, AMomentIsKeptToTheMillisecondAndNeverTooEarly) {
  using std::chrono::sys_time;
  EXPECT_EQ(Deadline(sys_time<std::chrono::milliseconds>(123'456ms)).unix_ms(), 123'456);
  EXPECT_EQ(Deadline(sys_time<std::chrono::nanoseconds>(123'456'000'001ns)).unix_ms(), 123'457);
  EXPECT_EQ(Deadline(std::chrono::sys_seconds(123s)).unix_ms(), 123'000);
}

TEST(DeadlineTest, TheBeginningOf1970IsInThePastAndNotNever) {
  for (const Deadline deadline : {Deadline(std::chrono::sys_seconds()), Deadline::at_unix_ms(0)}) {
    EXPECT_FALSE(deadline.is_never());
    EXPECT_LT(deadline.unix_ms(), unix_ms());
  }
}

TEST(DeadlineTest, AfterCountsFromNow) {
  const std::int64_t before_ms = unix_ms();
  const Deadline deadline = Deadline::after(1min);
  EXPECT_GE(deadline.unix_ms(), before_ms + 60'000);
  EXPECT_LE(deadline.unix_ms(), unix_ms() + 60'000);
}

}  // namespace
}  // namespace vigil
