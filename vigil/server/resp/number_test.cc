// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/number.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace vigil::server {
namespace {

TEST(NumberTest, IntegersAreStrict) {
  EXPECT_EQ(parse_integer("0"), 0);
  EXPECT_EQ(parse_integer("-1"), -1);
  EXPECT_EQ(parse_integer("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(parse_integer("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  for (const char* text : {"", "-", "+1", " 1", "1 ", "01", "-0", "-01", "1.0", "1e3", "abc",
                           "9223372036854775808", "-9223372036854775809"}) {
    EXPECT_FALSE(parse_integer(text)) << text;
  }
}

TEST(NumberTest, LongDoublesAreWhatStrtoldTakesAsAWhole) {
  EXPECT_EQ(parse_long_double("3.0e3"), 3000.0L);
  EXPECT_EQ(parse_long_double("-1.5"), -1.5L);
  EXPECT_EQ(parse_long_double("0x10"), 16.0L);
  EXPECT_TRUE(parse_long_double("inf"));
  for (const char* text : {"", " 1", "1 ", "1x", "nan", "1e99999"}) {
    EXPECT_FALSE(parse_long_double(text)) << text;
  }
}

TEST(NumberTest, LongDoublesPrintAsRedisPrintsThem) {
  EXPECT_EQ(format_long_double(3.0L), "3");
  EXPECT_EQ(format_long_double(10.6L), "10.6");
  EXPECT_EQ(format_long_double(-0.0L), "0");
  EXPECT_EQ(format_long_double(1e20L), "100000000000000000000");
  EXPECT_EQ(format_long_double(0.00000000000000001L), "0.00000000000000001");
}

}  // namespace
}  // namespace vigil::server
