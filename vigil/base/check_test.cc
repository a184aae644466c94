// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/check.h"

#include <gtest/gtest.h>

namespace vigil {
namespace {

constexpr int checked_half(int even) {
  VIGIL_CHECK(even % 2 == 0, "checked_half() needs an even number");
  return even / 2;
}

TEST(CheckTest, TrueConditionIsEvaluatedOnceAndPasses) {
  int evaluations = 0;
  VIGIL_CHECK(++evaluations == 1, "evaluated more than once");
  EXPECT_EQ(evaluations, 1);
}

TEST(CheckTest, MayBeUsedInConstantExpressions) {
  static_assert(checked_half(8) == 4);
  EXPECT_EQ(checked_half(8), 4);
}

TEST(CheckDeathTest, FalseConditionNamesConditionPlaceAndMessage) {
  EXPECT_DEATH(static_cast<void>(checked_half(7)),
               "check failed: even % 2 == 0\n  at .*check_test\\.cc:[0-9]+\n"
               "  checked_half\\(\\) needs an even number");
}

}  // namespace
}  // namespace vigil
