// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/delta_debugging.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <random>
#include <set>
#include <vector>

namespace vigil::tools::race {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<int> up_to(int count) {
  std::vector<int> numbers(static_cast<std::size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

bool has_all(const std::vector<int>& part, const std::set<int>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](int number) {
    return std::find(part.begin(), part.end(), number) != part.end();
  });
}

TEST(DeltaDebuggingTest, NothingIsLeftWhereNothingIsNeeded) {
  EXPECT_THAT(smallest_part(up_to(50), [](const auto&) { return true; }), IsEmpty());
}

TEST(DeltaDebuggingTest, OnlyTheNeededElementsAreLeftInTheirOrder) {
  const std::set<int> wanted = {3, 4, 70, 99};
  EXPECT_THAT(smallest_part(up_to(100), [&](const auto& part) { return has_all(part, wanted); }),
              ElementsAre(3, 4, 70, 99));
}

TEST(DeltaDebuggingTest, ATestThatGivesUpKeepsTheShortestPartSoFar) {
  int tests = 0;
  const auto part = smallest_part(
      up_to(64), [&](const std::vector<int>& each) { return ++tests < 8 && has_all(each, {5}); });
  EXPECT_TRUE(has_all(part, {5}));
  EXPECT_LT(part.size(), 64U);
}

TEST(DeltaDebuggingTest, FewOfManyAreFoundInFewTests) {
  int tests = 0;
  smallest_part(up_to(4096), [&](const auto& part) {
    ++tests;
    return has_all(part, {17, 4000});
  });
  EXPECT_LT(tests, 100);
}

// Any monotone or other test: the result passes, and no single element of it can go.
TEST(DeltaDebuggingTest, TheResultIsOneMinimalForRandomTests) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<std::set<int>> alternatives(1 + random() % 3);
    for (std::set<int>& wanted : alternatives) {
      for (unsigned i = 0; i < 1 + random() % 6; ++i)
        wanted.insert(static_cast<int>(random() % 60));
    }
    const auto test = [&](const std::vector<int>& part) {
      return std::any_of(alternatives.begin(), alternatives.end(),
                         [&](const auto& wanted) { return has_all(part, wanted); });
    };
    const std::vector<int> result = smallest_part(up_to(60), test);
    ASSERT_TRUE(test(result)) << "seed " << seed;
    for (std::size_t i = 0; i < result.size(); ++i) {
      std::vector<int> shorter = result;
      shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_FALSE(test(shorter)) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace vigil::tools::race
