// SPDX-License-Identifier: Apache-2.0
#include "vigil/orders/transition_table.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace vigil::orders {
namespace {

TEST(TransitionTableTest, ErrorsSayWhatIsWrong) {
  EXPECT_NE(TransitionTable::create({}, {}).error().message.find("no initial status"),
            std::string::npos);
  EXPECT_NE(TransitionTable::create({"a"}, {{"a", ""}}).error().message.find("not a status"),
            std::string::npos);
  std::vector<TransitionTable::Step> steps;
  for (int i = 0; i < 65; ++i) steps.push_back({"s" + std::to_string(i), "end"});
  EXPECT_NE(TransitionTable::create({"s0"}, steps).error().message.find("more than 64"),
            std::string::npos);
}

TEST(TransitionTableTest, ReachabilityIsTheClosureOfTheSteps) {
  const auto table = TransitionTable::create({"a"}, {{"a", "b"}, {"b", "c"}, {"c", "b"}});
  ASSERT_TRUE(table);
  const auto id = [&](const char* name) { return *table->find(name); };
  EXPECT_TRUE(table->reachable(id("a"), id("c")));
  EXPECT_FALSE(table->reachable(id("c"), id("a")));
  EXPECT_FALSE(table->terminal(id("c")));
  EXPECT_TRUE(table->reachable_from_start(id("c")));
}

}  // namespace
}  // namespace vigil::orders
