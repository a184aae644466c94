// SPDX-License-Identifier: Apache-2.0
//
// Sizes that no memory holds, in every parameter and option of every map; and values whose moves
// may throw.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <list>
#include <memory>
#include <queue>
#include <stdexcept>
#include <string>

#include "vigil/maps/map_family_test.h"

namespace vigil {
namespace {

using maps::testing::Case;
using maps::testing::InlineEntries;
using ::testing::Optional;

constexpr std::uint64_t kAbsurd[] = {
    std::uint64_t{1} << 61, (std::uint64_t{1} << 61) + 1, 900'000'000'000'000'000,
    std::uint64_t{1} << 62, (std::uint64_t{1} << 63) - 1, std::uint64_t{1} << 63,
    ~std::uint64_t{0} - 14, ~std::uint64_t{0} - 63,       ~std::uint64_t{0}};

template <class C>
class MapLimitsTest : public ::testing::Test {
 protected:
  template <class Key, class Value>
  using Map = typename C::template MapOf<Key, Value>;
};
using OneOfEach = ::testing::Types<Case<maps::testing::ShardedFamily, InlineEntries>,
                                   Case<maps::testing::ReadMostlyFamily, InlineEntries>,
                                   Case<maps::testing::StripedFamily, InlineEntries>,
                                   Case<maps::testing::RwFamily, InlineEntries>,
                                   Case<maps::testing::SnapshotFamily, InlineEntries>,
                                   Case<maps::testing::CheckedFamily, InlineEntries>>;
TYPED_TEST_SUITE(MapLimitsTest, OneOfEach);

template <class M>
void expect_reserve_refused(M& map) {
  const auto before = map.stats();
  for (const std::uint64_t entries : kAbsurd) {
    EXPECT_THROW(map.reserve(entries), std::length_error) << entries;
  }
  EXPECT_EQ(map.stats().slots, before.slots);
  EXPECT_EQ(map.stats().table_bytes, before.table_bytes);
  map.check_invariants();
}

TYPED_TEST(MapLimitsTest, AnAbsurdReservationIsRefusedAndTheMapUnchanged) {
  typename TestFixture::template Map<std::uint64_t, std::uint64_t> numbers;
  numbers.insert(1, 10);
  expect_reserve_refused(numbers);
  EXPECT_THAT(numbers.get(1), Optional(10));

  typename TestFixture::template Map<std::uint8_t, std::uint8_t> bytes;
  bytes.insert(1, std::uint8_t{10});
  expect_reserve_refused(bytes);
  EXPECT_THAT(bytes.get(1), Optional(10));

  typename TestFixture::template Map<std::string, std::string> texts;
  texts.insert("a", "1");
  expect_reserve_refused(texts);
  EXPECT_THAT(texts.get("a"), Optional(std::string("1")));
}

TEST(SnapshotMapLimitsTest, AnAbsurdReservationOfADraftIsRefused) {
  SnapshotMap<int, int> map;
  map.insert(1, 10);
  for (const std::uint64_t entries : kAbsurd) {
    EXPECT_THROW(map.edit([entries](auto& draft) { draft.reserve(entries); }), std::length_error);
  }
  EXPECT_THAT(map.get(1), Optional(10));
  EXPECT_EQ(map.stats().versions_total, 1U);
}

TEST(ShardedMapLimitsTest, AnAbsurdOptionIsRefused) {
  for (const std::uint64_t entries : kAbsurd) {
    EXPECT_THROW((ShardedMap<int, int>({.max_entries = entries})), std::length_error) << entries;
  }
  for (const std::uint32_t shards : {8192U, 1U << 20, 1U << 31, ~0U}) {
    EXPECT_THROW((ShardedMap<int, int>({.shards = shards})), std::length_error) << shards;
  }
}

TEST(ShardedMapLimitsTest, AnAbsurdNumberOfShardsIsRefusedAndTheMapUnchanged) {
  ShardedMap<int, int> map;
  map.insert(1, 10);
  for (const std::uint32_t shards : {8192U, 1U << 31, ~0U}) {
    EXPECT_THROW(map.set_shard_count(shards), std::length_error) << shards;
  }
  EXPECT_EQ(map.shard_count(), 64U);
  EXPECT_THAT(map.get(1), Optional(10));
}

TEST(ShardedMapLimitsTest, AnyBudgetAndAnyMomentMayBeGivenToASweep) {
  ShardedMap<int, int> map;
  map.insert(1, 10, Deadline::at_unix_ms(1));
  EXPECT_EQ(map.sweep(std::numeric_limits<std::int64_t>::max(), ~std::uint64_t{0}).expired, 1U);
  EXPECT_EQ(map.sweep(std::numeric_limits<std::int64_t>::min(), 0).expired, 0U);
}

TEST(ShardedMapLimitsTest, AsMuchAsMaxEntriesMayBeReserved) {
  ShardedMap<int, int> map({.max_entries = 10'000});
  map.reserve(10'000);
  EXPECT_THROW(map.reserve(10'001), std::length_error);
  map.check_invariants();
}

// --- Values whose moves may throw ----------------------------------------------------------------

static_assert(!std::is_nothrow_move_constructible_v<std::deque<int>>,
              "this library has no type left for these tests");

TYPED_TEST(MapLimitsTest, AValueWhoseMovesMayThrowIsStoredChangedAndTaken) {
  typename TestFixture::template Map<int, std::deque<int>> map;
  for (int n = 0; n < 200; ++n) ASSERT_TRUE(map.insert(n, std::deque<int>{n}));
  EXPECT_FALSE(map.insert_or_assign(1, std::deque<int>{1, 1}));
  EXPECT_TRUE(map.update(2, [](std::deque<int>& value) { value.push_back(2); }));
  EXPECT_THAT(map.exchange(3, std::deque<int>{33}), Optional(std::deque<int>{3}));
  EXPECT_EQ(map.exchange(1'000, std::deque<int>{}), std::nullopt);
  EXPECT_TRUE(map.compare_exchange(4, std::deque<int>{4}, std::deque<int>{44}));
  EXPECT_EQ(map.get_or_insert(5, std::deque<int>{}).value, std::deque<int>{5});
  EXPECT_EQ(map.get_or_insert(1'001, std::deque<int>{7}).value, std::deque<int>{7});
  EXPECT_THAT(map.take(6), Optional(std::deque<int>{6}));
  EXPECT_EQ(map.take(6), std::nullopt);
  EXPECT_THAT(map.get(1), Optional(std::deque<int>{1, 1}));
  EXPECT_THAT(map.get(2), Optional(std::deque<int>{2, 2}));
  EXPECT_THAT(map.get(3), Optional(std::deque<int>{33}));
  EXPECT_THAT(map.get(4), Optional(std::deque<int>{44}));
  map.check_invariants();
}

TYPED_TEST(MapLimitsTest, QueuesAndListsAreValues) {
  typename TestFixture::template Map<std::string, std::queue<int>> queues;
  EXPECT_TRUE(queues.insert("a", std::queue<int>{}));
  EXPECT_TRUE(queues.update("a", [](std::queue<int>& queue) { queue.push(1); }));
  EXPECT_EQ(queues.take("a")->front(), 1);
  typename TestFixture::template Map<int, std::list<int>> lists;
  EXPECT_TRUE(lists.insert(1, std::list<int>{1, 2}));
  EXPECT_EQ(lists.get(1)->size(), 2U);
}

struct Celsius {
  explicit Celsius(int d) : degrees(d) {}
  int degrees;
};
struct Label {
  explicit Label(const char* t) : text(t) {}
  std::string text;
};

TYPED_TEST(MapLimitsTest, AValueIsMadeByAnExplicitConstructor) {
  typename TestFixture::template Map<int, Celsius> temperatures;
  EXPECT_TRUE(temperatures.insert(1, 20));
  EXPECT_FALSE(temperatures.insert_or_assign(1, 21));
  EXPECT_EQ(temperatures.get(1)->degrees, 21);
  typename TestFixture::template Map<int, Label> labels;
  EXPECT_TRUE(labels.insert(1, "one"));
  EXPECT_EQ(labels.exchange(1, "uno")->text, "one");
}

TEST(SnapshotMapDraftTest, AnEditMayReturnWhatHasNoDefault) {
  SnapshotMap<int, int> map;
  const Celsius result = map.edit([](auto& draft) {
    EXPECT_TRUE(draft.empty());
    draft.insert(1, 1);
    EXPECT_TRUE(draft.compare_erase(1, 1));
    return Celsius(3);
  });
  EXPECT_EQ(result.degrees, 3);
}

}  // namespace
}  // namespace vigil
