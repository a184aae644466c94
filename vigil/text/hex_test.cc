// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/hex.h"

#include <gtest/gtest.h>

namespace vigil::text {
namespace {

TEST(HexTest, NumbersHaveNoLeadingZerosAndDigitsHaveAllOfThem) {
  EXPECT_EQ(hex_number(0), "0x0");
  EXPECT_EQ(hex_number(0x1f), "0x1f");
  EXPECT_EQ(hex_number(~std::uint64_t{0}), "0xffffffffffffffff");
  EXPECT_EQ(hex_digits(0), "0000000000000000");
  EXPECT_EQ(hex_digits(0xfedcba9876543210), "fedcba9876543210");
}

}  // namespace
}  // namespace vigil::text
