// SPDX-License-Identifier: Apache-2.0
#include "vigil/stacks/type_name.h"

#include <gtest/gtest.h>

#include <string>

namespace vigil {
namespace {

struct Order {};
template <class T>
struct Box {};

TEST(TypeNameTest, NamesAreThoseOfTheSource) {
  EXPECT_EQ(type_name<int>(), "int");
  EXPECT_EQ(type_name<const char*>(), "const char*");
  EXPECT_EQ(type_name<std::string>(), "std::string");
  EXPECT_TRUE(type_name<Order>().ends_with("::Order"));
  EXPECT_TRUE(type_name<Box<Order>>().ends_with("Order>"));
}

TEST(TypeNameTest, AMapIsNamedWithKeyAndValue) {
  constexpr std::string_view kName = map_type_name<"ShardedMap", std::string, int>();
  EXPECT_EQ(kName, "ShardedMap<std::string, int>");
}

}  // namespace
}  // namespace vigil
