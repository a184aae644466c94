// SPDX-License-Identifier: Apache-2.0
//
// The vocabulary of the family, one claim per test, over every map.
#include "vigil/maps/concurrent_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "vigil/maps/map_family_test.h"

namespace vigil {
namespace {

using ::testing::Optional;

template <class C>
class ConcurrentMapTest : public ::testing::Test {
 protected:
  using Entries = typename C::Entries;
  using Key = typename C::Key;
  using Value = typename C::Value;

  static Key key(std::uint64_t n) { return Entries::key(n); }
  static Value value(std::uint64_t n) { return Entries::value(n); }

  typename C::Map map_;
};
TYPED_TEST_SUITE(ConcurrentMapTest, maps::testing::AllCases);

TYPED_TEST(ConcurrentMapTest, GetOfAnAbsentKeyIsEmpty) {
  EXPECT_EQ(this->map_.get(this->key(1)), std::nullopt);
  EXPECT_FALSE(this->map_.contains(this->key(1)));
  EXPECT_FALSE(this->map_.visit(this->key(1), [](const auto&) { FAIL(); }));
}

TYPED_TEST(ConcurrentMapTest, InsertAddsOnlyIfAbsent) {
  EXPECT_TRUE(this->map_.insert(this->key(1), this->value(10)));
  EXPECT_FALSE(this->map_.insert(this->key(1), this->value(11)));
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(10)));
  EXPECT_TRUE(this->map_.contains(this->key(1)));
}

TYPED_TEST(ConcurrentMapTest, InsertOrAssignReplaces) {
  EXPECT_TRUE(this->map_.insert_or_assign(this->key(1), this->value(10)));
  EXPECT_FALSE(this->map_.insert_or_assign(this->key(1), this->value(11)));
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(11)));
  EXPECT_EQ(this->map_.size(), 1U);
}

TYPED_TEST(ConcurrentMapTest, GetOrInsertReturnsWhatTheMapHolds) {
  EXPECT_TRUE(this->map_.get_or_insert(this->key(1), this->value(10)).inserted);
  const auto second = this->map_.get_or_insert(this->key(1), this->value(11));
  EXPECT_FALSE(second.inserted);
  EXPECT_EQ(second.value, this->value(10));
}

TYPED_TEST(ConcurrentMapTest, ExchangeStoresAndReturnsThePrevious) {
  EXPECT_EQ(this->map_.exchange(this->key(1), this->value(10)), std::nullopt);
  EXPECT_THAT(this->map_.exchange(this->key(1), this->value(11)), Optional(this->value(10)));
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(11)));
}

TYPED_TEST(ConcurrentMapTest, CompareExchangeNeedsTheExpectedValue) {
  EXPECT_FALSE(this->map_.compare_exchange(this->key(1), this->value(1), this->value(2)));
  this->map_.insert(this->key(1), this->value(1));
  EXPECT_FALSE(this->map_.compare_exchange(this->key(1), this->value(0), this->value(2)));
  EXPECT_TRUE(this->map_.compare_exchange(this->key(1), this->value(1), this->value(2)));
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(2)));
}

TYPED_TEST(ConcurrentMapTest, UpdateChangesThePresentValue) {
  EXPECT_FALSE(this->map_.update(this->key(1), [](auto&) { FAIL() << "called for no entry"; }));
  this->map_.insert(this->key(1), this->value(10));
  EXPECT_TRUE(this->map_.update(this->key(1), [&](auto& value) { value = this->value(11); }));
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(11)));
}

TYPED_TEST(ConcurrentMapTest, EraseTellsWhetherThereWasAnEntry) {
  this->map_.insert(this->key(1), this->value(10));
  EXPECT_TRUE(this->map_.erase(this->key(1)));
  EXPECT_FALSE(this->map_.erase(this->key(1)));
  EXPECT_TRUE(this->map_.empty());
}

TYPED_TEST(ConcurrentMapTest, TakeRemovesAndReturns) {
  this->map_.insert(this->key(1), this->value(10));
  EXPECT_THAT(this->map_.take(this->key(1)), Optional(this->value(10)));
  EXPECT_EQ(this->map_.take(this->key(1)), std::nullopt);
}

TYPED_TEST(ConcurrentMapTest, CompareEraseAndEraseIfNeedTheValue) {
  this->map_.insert(this->key(1), this->value(10));
  EXPECT_FALSE(this->map_.compare_erase(this->key(1), this->value(11)));
  EXPECT_FALSE(this->map_.erase_if(this->key(1), [](const auto&) { return false; }));
  EXPECT_TRUE(this->map_.compare_erase(this->key(1), this->value(10)));
  EXPECT_FALSE(this->map_.erase_if(this->key(1), [](const auto&) { return true; }));
}

TYPED_TEST(ConcurrentMapTest, ForEachVisitsEveryEntryOnce) {
  for (std::uint64_t n = 0; n < 100; ++n) this->map_.insert(this->key(n), this->value(n));
  std::set<std::uint64_t> seen;
  this->map_.for_each([&](const auto& key, const auto& value) {
    const std::uint64_t n = TypeParam::Entries::number(value);
    EXPECT_EQ(key, this->key(n));
    EXPECT_TRUE(seen.insert(n).second);
  });
  EXPECT_EQ(seen.size(), 100U);
}

TYPED_TEST(ConcurrentMapTest, ForEachStopsWhenTheVisitorReturnsFalse) {
  for (std::uint64_t n = 0; n < 100; ++n) this->map_.insert(this->key(n), this->value(n));
  int visited = 0;
  this->map_.for_each([&](const auto&, const auto&) { return ++visited < 3; });
  EXPECT_EQ(visited, 3);
}

TYPED_TEST(ConcurrentMapTest, EraseIfRemovesWhatThePredicateChooses) {
  for (std::uint64_t n = 0; n < 100; ++n) this->map_.insert(this->key(n), this->value(n));
  EXPECT_EQ(this->map_.erase_if([](const auto&, const auto& value) {
    return TypeParam::Entries::number(value) % 4 == 0;
  }),
            25U);
  EXPECT_EQ(this->map_.size(), 75U);
  this->map_.check_invariants();
}

TYPED_TEST(ConcurrentMapTest, GrowsAndClears) {
  const std::uint64_t count =
      std::is_same_v<typename TypeParam::Map,
                     SnapshotMap<typename TypeParam::Key, typename TypeParam::Value>>
          ? 300
          : 5'000;
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t n = 0; n < count; ++n) {
      ASSERT_TRUE(this->map_.insert(this->key(n), this->value(n)));
    }
    EXPECT_EQ(this->map_.stats().entries, count);
    EXPECT_GE(this->map_.stats().slots, count);
    this->map_.check_invariants();
    for (std::uint64_t n = 0; n < count; ++n) {
      ASSERT_THAT(this->map_.get(this->key(n)), Optional(this->value(n)));
    }
    this->map_.clear();
    EXPECT_TRUE(this->map_.empty());
    this->map_.check_invariants();
  }
}

TYPED_TEST(ConcurrentMapTest, ReserveKeepsTheEntries) {
  this->map_.insert(this->key(1), this->value(10));
  this->map_.reserve(1'000);
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(10)));
  this->map_.check_invariants();
}

TYPED_TEST(ConcurrentMapTest, AValueMayBeInsertedThatAThrowawayExpressionMade) {
  this->map_.insert_or_assign(this->key(1), this->value(10));
  const auto copy = this->map_.get(this->key(1));
  this->map_.insert_or_assign(this->key(2), *copy);
  EXPECT_EQ(this->map_.get(this->key(1)), this->map_.get(this->key(2)));
}

// --- Callbacks ---------------------------------------------------------------------------------

template <class C>
using ConcurrentMapDeathTest = ConcurrentMapTest<C>;
TYPED_TEST_SUITE(ConcurrentMapDeathTest, maps::testing::AllCases);

TYPED_TEST(ConcurrentMapDeathTest, ACallbackOfAWriteThatWritesTheMapIsStopped) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  this->map_.insert(this->key(1), this->value(1));
  EXPECT_DEATH(this->map_.update(this->key(1), [&](auto&) { this->map_.erase(this->key(1)); }),
               "called back into the same map");
  this->map_.insert(this->key(2), this->value(20));
  EXPECT_DEATH(
      this->map_.update(this->key(1),
                        [&](auto&) { this->map_.insert_or_assign(this->key(2), this->value(21)); }),
      "called back into the same map");
  EXPECT_DEATH(this->map_.erase_if([&](const auto&, const auto&) {
    this->map_.clear();
    return false;
  }),
               "called back into the same map");
}

// --- Values that can only be moved
// -----------------------------------------------------------------

template <class C>
class MoveOnlyValueTest : public ::testing::Test {
 protected:
  using Map = typename C::template MapOf<std::string, std::unique_ptr<int>>;
  static_assert(ConcurrentMap<Map>);
  Map map_;
};
using OneOfEach = ::testing::Types<
    maps::testing::Case<maps::testing::ShardedFamily, maps::testing::InlineEntries>,
    maps::testing::Case<maps::testing::ReadMostlyFamily, maps::testing::InlineEntries>,
    maps::testing::Case<maps::testing::RwFamily, maps::testing::InlineEntries>,
    maps::testing::Case<maps::testing::CheckedFamily, maps::testing::InlineEntries>>;
TYPED_TEST_SUITE(MoveOnlyValueTest, OneOfEach);

TYPED_TEST(MoveOnlyValueTest, IsVisitedUpdatedAndTaken) {
  this->map_.insert("a", std::make_unique<int>(1));
  EXPECT_TRUE(this->map_.update("a", [](std::unique_ptr<int>& value) { ++*value; }));
  int seen = 0;
  EXPECT_TRUE(this->map_.visit("a", [&](const std::unique_ptr<int>& value) { seen = *value; }));
  EXPECT_EQ(seen, 2);
  const auto previous = this->map_.exchange("a", std::make_unique<int>(3));
  ASSERT_TRUE(previous.has_value());
  EXPECT_EQ(**previous, 2);
  const auto taken = this->map_.take("a");
  ASSERT_TRUE(taken.has_value());
  EXPECT_EQ(**taken, 3);
}

TYPED_TEST(MoveOnlyValueTest, SurvivesGrowth) {
  for (int n = 0; n < 1'000; ++n) {
    this->map_.insert(std::string(n % 40, '-') + std::to_string(n), std::make_unique<int>(n));
  }
  for (int n = 0; n < 1'000; ++n) {
    int seen = -1;
    this->map_.visit(std::string(n % 40, '-') + std::to_string(n),
                     [&](const auto& value) { seen = *value; });
    ASSERT_EQ(seen, n);
  }
}

}  // namespace
}  // namespace vigil
