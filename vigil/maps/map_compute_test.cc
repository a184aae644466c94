// SPDX-License-Identifier: Apache-2.0
//
// try_emplace, get_or_compute, upsert, compute, update_if and update_all over every map.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "vigil/maps/map_family_test.h"

namespace vigil {
namespace {

using maps::testing::Case;
using maps::testing::InlineEntries;
using maps::testing::on_threads;
using ::testing::Optional;

template <class C>
class MapComputeTest : public ::testing::Test {
 protected:
  using Entries = typename C::Entries;
  using Value = typename C::Value;
  static auto key(std::uint64_t n) { return Entries::key(n); }
  static Value value(std::uint64_t n) { return Entries::value(n); }
  static std::uint64_t number(const Value& v) { return Entries::number(v); }

  typename C::Map map_;
};
TYPED_TEST_SUITE(MapComputeTest, maps::testing::AllCases);

TYPED_TEST(MapComputeTest, TryEmplaceAddsOnlyIfAbsent) {
  EXPECT_TRUE(this->map_.try_emplace(this->key(1), this->value(10)));
  EXPECT_FALSE(this->map_.try_emplace(this->key(1), this->value(11)));
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(10)));
}

TYPED_TEST(MapComputeTest, GetOrComputeMakesTheValueOnlyIfThereIsNone) {
  int made = 0;
  const auto make = [&] { return ++made, this->value(10); };
  EXPECT_TRUE(this->map_.get_or_compute(this->key(1), make).inserted);
  const auto second = this->map_.get_or_compute(this->key(1), make);
  EXPECT_FALSE(second.inserted);
  EXPECT_EQ(second.value, this->value(10));
  EXPECT_EQ(made, 1);
}

TYPED_TEST(MapComputeTest, AValueThatCannotBeMadeIsNotAdded) {
  const auto fails = []() -> typename TestFixture::Value { throw std::runtime_error("no"); };
  EXPECT_THROW(this->map_.get_or_compute(this->key(1), fails), std::runtime_error);
  EXPECT_THROW(this->map_.upsert(this->key(1), fails, [](auto&) {}), std::runtime_error);
  EXPECT_TRUE(this->map_.empty());
  EXPECT_TRUE(this->map_.insert(this->key(1), this->value(1)));
  this->map_.check_invariants();
}

TYPED_TEST(MapComputeTest, UpsertRunsExactlyOneOfItsCallbacks) {
  const auto count = [this] {
    return this->map_.upsert(
        this->key(1), [this] { return this->value(1); },
        [this](auto& value) { value = this->value(this->number(value) + 1); });
  };
  EXPECT_TRUE(count());
  for (int i = 0; i < 9; ++i) EXPECT_FALSE(count());
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(10)));
}

TYPED_TEST(MapComputeTest, ComputeAddsChangesAndErases) {
  using Slot = std::optional<typename TestFixture::Value>;
  EXPECT_FALSE(this->map_.compute(this->key(1), [](Slot& slot) { EXPECT_FALSE(slot); }));
  EXPECT_TRUE(this->map_.empty());
  EXPECT_TRUE(this->map_.compute(this->key(1), [&](Slot& slot) { slot = this->value(1); }));
  EXPECT_TRUE(this->map_.compute(this->key(1), [&](Slot& slot) {
    EXPECT_EQ(slot, this->value(1));
    slot = this->value(2);
  }));
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(2)));
  EXPECT_FALSE(this->map_.compute(this->key(1), [](Slot& slot) { slot.reset(); }));
  EXPECT_FALSE(this->map_.contains(this->key(1)));
  this->map_.check_invariants();
}

TYPED_TEST(MapComputeTest, AComputationThatThrowsHasNotHappened) {
  using Slot = std::optional<typename TestFixture::Value>;
  this->map_.insert(this->key(1), this->value(1));
  EXPECT_THROW(this->map_.compute(this->key(1),
                                  [&](Slot& slot) {
                                    slot = this->value(2);
                                    throw std::runtime_error("no");
                                  }),
               std::runtime_error);
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(1)));
}

TYPED_TEST(MapComputeTest, UpdateIfNeedsTheValue) {
  const auto is_one = [this](const auto& value) { return this->number(value) == 1; };
  const auto to_two = [this](auto& value) { value = this->value(2); };
  EXPECT_FALSE(this->map_.update_if(this->key(1), is_one, to_two));
  this->map_.insert(this->key(1), this->value(1));
  EXPECT_TRUE(this->map_.update_if(this->key(1), is_one, to_two));
  EXPECT_FALSE(this->map_.update_if(this->key(1), is_one, to_two));
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(2)));
}

TYPED_TEST(MapComputeTest, UpdateAllChangesEveryEntryOnce) {
  for (std::uint64_t n = 0; n < 300; ++n) this->map_.insert(this->key(n), this->value(n));
  EXPECT_EQ(this->map_.update_all([this](const auto& key, auto& value) {
    EXPECT_EQ(key, this->key(this->number(value)));
    value = this->value(this->number(value) + 1'000);
  }),
            300U);
  for (std::uint64_t n = 0; n < 300; ++n) {
    ASSERT_THAT(this->map_.get(this->key(n)), Optional(this->value(n + 1'000)));
  }
  this->map_.check_invariants();
}

TYPED_TEST(MapComputeTest, ShrinkToFitKeepsTheEntriesAndGivesBackTheRest) {
  this->map_.reserve(20'000);
  for (std::uint64_t n = 0; n < 200; ++n) this->map_.insert(this->key(n), this->value(n));
  this->map_.shrink_to_fit();
  EXPECT_LT(this->map_.stats().slots, 1'000U);
  for (std::uint64_t n = 0; n < 200; ++n) {
    ASSERT_THAT(this->map_.get(this->key(n)), Optional(this->value(n)));
  }
  this->map_.clear();
  this->map_.shrink_to_fit();
  EXPECT_TRUE(this->map_.empty());
  this->map_.check_invariants();
}

TYPED_TEST(MapComputeTest, ParallelForEachVisitsEveryEntryOnceAndStops) {
  constexpr std::uint64_t kEntries = 3'000;
  for (std::uint64_t n = 0; n < kEntries; ++n) this->map_.insert(this->key(n), this->value(n));
  std::vector<std::atomic<int>> visits(kEntries);
  const auto count = [&](const auto& key, const auto& value) {
    EXPECT_EQ(key, this->key(this->number(value)));
    ++visits[this->number(value)];
  };
  for (const unsigned threads : {0U, 1U, 3U}) this->map_.parallel_for_each(threads, count);
  for (const std::atomic<int>& visited : visits) ASSERT_EQ(visited.load(), 3);
  std::atomic<std::uint64_t> seen{0};
  this->map_.parallel_for_each(1, [&](const auto&, const auto&) { return ++seen < 10; });
  EXPECT_EQ(seen.load(), 10U);
}

TYPED_TEST(MapComputeTest, WhatAVisitorOnAnyThreadThrowsIsThrownByParallelForEach) {
  for (std::uint64_t n = 0; n < 3'000; ++n) this->map_.insert(this->key(n), this->value(n));
  EXPECT_THROW(this->map_.parallel_for_each(
                   3, [](const auto&, const auto&) { throw std::runtime_error("no"); }),
               std::runtime_error);
  EXPECT_TRUE(this->map_.erase(this->key(1)));
}

// --- Several threads ---------------------------------------------------------------------------

template <class C>
using MapComputeThreadsTest = MapComputeTest<C>;
TYPED_TEST_SUITE(MapComputeThreadsTest, maps::testing::ConcurrentCases);

TYPED_TEST(MapComputeThreadsTest, NoCountIsLostHoweverManyThreadsUpsert) {
  constexpr std::uint64_t kKeys = 20;
  constexpr std::uint64_t kRounds = 400;
  on_threads(4, [&](int) {
    for (std::uint64_t n = 0; n < kRounds; ++n) {
      this->map_.upsert(
          this->key(n % kKeys), [this] { return this->value(1); },
          [this](auto& value) { value = this->value(this->number(value) + 1); });
    }
  });
  std::uint64_t sum = 0;
  this->map_.for_each([&](const auto&, const auto& value) { sum += this->number(value); });
  EXPECT_EQ(sum, 4 * kRounds);
}

TYPED_TEST(MapComputeThreadsTest, AFactoryRunsOncePerKeyHoweverManyThreadsAsk) {
  constexpr std::uint64_t kKeys = 200;
  std::atomic<std::uint64_t> made{0};
  std::atomic<std::uint64_t> inserted{0};
  on_threads(4, [&](int) {
    for (std::uint64_t n = 0; n < kKeys; ++n) {
      const auto result = this->map_.get_or_compute(this->key(n), [&] {
        ++made;
        return this->value(n);
      });
      if (result.inserted) ++inserted;
      ASSERT_EQ(result.value, this->value(n));
    }
  });
  EXPECT_EQ(made.load(), kKeys);
  EXPECT_EQ(inserted.load(), kKeys);
}

// Each computation takes one from what it finds and erases at nothing, or adds three: what was
// added is taken, whoever comes between.
TYPED_TEST(MapComputeThreadsTest, ComputationsOfOneKeyFollowOneAnother) {
  using Slot = std::optional<typename TestFixture::Value>;
  std::atomic<std::uint64_t> added{0};
  std::atomic<std::uint64_t> taken{0};
  on_threads(4, [&](int) {
    for (int i = 0; i < 500; ++i) {
      this->map_.compute(this->key(1), [&](Slot& slot) {
        if (!slot.has_value()) {
          slot = this->value(3);
          added += 3;
          return;
        }
        const std::uint64_t left = this->number(*slot) - 1;
        ++taken;
        if (left == 0) {
          slot.reset();
        } else {
          slot = this->value(left);
        }
      });
    }
  });
  const auto rest = this->map_.get(this->key(1));
  EXPECT_EQ(added.load(), taken.load() + (rest ? this->number(*rest) : 0));
  this->map_.check_invariants();
}

// --- Values that can only be moved ---------------------------------------------------------------

template <class C>
class MapComputeMoveOnlyTest : public ::testing::Test {
 protected:
  typename C::template MapOf<int, std::unique_ptr<int>> map_;
};
using MoveOnlyMaps = ::testing::Types<Case<maps::testing::ShardedFamily, InlineEntries>,
                                      Case<maps::testing::ReadMostlyFamily, InlineEntries>,
                                      Case<maps::testing::StripedFamily, InlineEntries>,
                                      Case<maps::testing::RwFamily, InlineEntries>,
                                      Case<maps::testing::CheckedFamily, InlineEntries>>;
TYPED_TEST_SUITE(MapComputeMoveOnlyTest, MoveOnlyMaps);

TYPED_TEST(MapComputeMoveOnlyTest, IsUpsertedComputedAndErased) {
  using Slot = std::optional<std::unique_ptr<int>>;
  auto& map = this->map_;
  const auto count = [&] {
    return map.upsert(
        1, [] { return std::make_unique<int>(1); }, [](std::unique_ptr<int>& value) { ++*value; });
  };
  EXPECT_TRUE(count());
  EXPECT_FALSE(count());
  EXPECT_TRUE(map.compute(1, [](Slot& slot) { **slot += 40; }));
  EXPECT_THROW(map.compute(1, [](Slot&) { throw std::runtime_error("no"); }), std::runtime_error);
  EXPECT_TRUE(map.update_if(
      1, [](const auto& value) { return *value == 42; }, [](auto& value) { ++*value; }));
  EXPECT_EQ(map.update_all([](const int&, std::unique_ptr<int>& value) { ++*value; }), 1U);
  int seen = 0;
  EXPECT_FALSE(map.compute(1, [&](Slot& slot) {
    seen = **slot;
    slot.reset();
  }));
  EXPECT_EQ(seen, 44);
  EXPECT_FALSE(map.contains(1));
  EXPECT_TRUE(map.compute(1, [](Slot& slot) { slot = std::make_unique<int>(5); }));
  EXPECT_TRUE(map.try_emplace(2, std::make_unique<int>(6)));
  EXPECT_EQ(**map.take(1), 5);
  map.check_invariants();
}

TEST(ShardedMapComputeTest, WhatWasAddedHasItsDeadlineAndWhatWasChangedKeepsIt) {
  ShardedMap<int, int> map;
  const Deadline soon = Deadline::at_unix_ms(1);
  const auto one = [] { return 1; };
  const auto more = [](int& value) { ++value; };
  EXPECT_TRUE(map.upsert(1, one, more, soon));
  EXPECT_FALSE(map.contains(1)) << "it has expired";
  EXPECT_TRUE(map.upsert(1, one, more));
  EXPECT_FALSE(map.upsert(1, one, more, soon));
  EXPECT_EQ(map.get(1), 2);
  EXPECT_TRUE(map.compute(
      1, [](std::optional<int>& slot) { slot = 3; }, soon));
  EXPECT_EQ(map.get(1), 3);
  EXPECT_TRUE(map.get_or_compute(2, one, soon).inserted);
  EXPECT_TRUE(map.get_or_compute(2, one).inserted);
}

}  // namespace
}  // namespace vigil
