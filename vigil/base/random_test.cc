// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <random>

namespace vigil {
namespace {

static_assert(std::uniform_random_bit_generator<Random>);

// The first outputs for the seed 1234567 of the public-domain reference implementation,
// splitmix64.c (Vigna, 2015).
TEST(RandomTest, SequenceIsThatOfSplitMix64) {
  constexpr std::array<std::uint64_t, 5> kExpected = {6457827717110365317U, 3203168211198807973U,
                                                      9817491932198370423U, 4593380528125082431U,
                                                      16408922859458223821U};
  Random random(1234567);
  for (const std::uint64_t expected : kExpected) EXPECT_EQ(random(), expected);
}

TEST(RandomTest, SameSeedGivesTheSameSequence) {
  Random first(42);
  Random second(42);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(first(), second());
}

TEST(RandomTest, BelowReachesEveryValueAndStaysBelowTheBound) {
  constexpr std::uint64_t kBound = 7;
  Random random(1);
  std::array<int, kBound> seen{};
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t value = random.below(kBound);
    ASSERT_LT(value, kBound);
    ++seen[value];
  }
  EXPECT_GT(*std::min_element(seen.begin(), seen.end()), 0);
}

TEST(RandomTest, BelowAcceptsTheLargestBound) {
  constexpr std::uint64_t kBound = std::uint64_t{1} << 32;
  Random random(2);
  std::uint64_t largest = 0;
  for (int i = 0; i < 1'000; ++i) largest = std::max(largest, random.below(kBound));
  EXPECT_LT(largest, kBound);
  EXPECT_GT(largest, kBound / 2);
}

TEST(RandomTest, UnitStaysInTheHalfOpenInterval) {
  Random random(3);
  for (int i = 0; i < 1'000; ++i) {
    const double value = random.unit();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
  }
}

TEST(RandomTest, SeedsOfTheSystemDiffer) { EXPECT_NE(random_seed(), random_seed()); }

}  // namespace
}  // namespace vigil
