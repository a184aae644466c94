// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/position.h"

#include <gtest/gtest.h>

namespace vigil::text {
namespace {

TEST(PositionTest, CountsFromOneInCharacters) {
  EXPECT_EQ(position_of("", 0), (Position{1, 1}));
  EXPECT_EQ(position_of("ab\nc", 1), (Position{1, 2}));
  EXPECT_EQ(position_of("ab\nc", 2), (Position{1, 3}));
  EXPECT_EQ(position_of("ab\nc", 3), (Position{2, 1}));
  EXPECT_EQ(position_of("\xE4\xB8\xADx", 3), (Position{1, 2}));
  EXPECT_EQ(position_of("\n\n", 2), (Position{3, 1}));
}

TEST(PositionTest, AnErrorBeginsWithItsPlace) {
  EXPECT_EQ(error_at("a.json", {3, 14}, "wrong").message, "a.json:3:14: wrong");
}

}  // namespace
}  // namespace vigil::text
