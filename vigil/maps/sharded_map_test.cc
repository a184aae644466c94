// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/sharded_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cctype>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "vigil/base/random.h"

namespace vigil {
namespace {

using ::testing::ElementsAre;
using ::testing::Optional;
using ::testing::Pair;

const ShardedMapOptions kOneShard{.shards = 1, .max_entries = 1 << 20};
using Numbers = ShardedMap<std::uint64_t, std::uint64_t>;
using Texts = ShardedMap<std::string, std::string>;
using Owners = ShardedMap<std::string, std::unique_ptr<int>>;

std::string long_key(int i) { return "a key that is longer than 23 bytes: " + std::to_string(i); }

// --- Single entries ----------------------------------------------------------------------------

TEST(ShardedMapTest, GetOfAnAbsentKeyIsEmpty) { EXPECT_EQ(Numbers().get(1), std::nullopt); }

TEST(ShardedMapTest, InsertAddsOnlyIfAbsent) {
  Numbers map;
  EXPECT_TRUE(map.insert(1, 10));
  EXPECT_FALSE(map.insert(1, 11));
  EXPECT_THAT(map.get(1), Optional(10));
}

TEST(ShardedMapTest, InsertOrAssignReplaces) {
  Texts map;
  EXPECT_TRUE(map.insert_or_assign("a", "1"));
  EXPECT_FALSE(map.insert_or_assign("a", "2"));
  EXPECT_THAT(map.get("a"), Optional(std::string("2")));
  EXPECT_EQ(map.size(), 1U);
}

TEST(ShardedMapTest, GetOrInsertReturnsWhatTheMapHolds) {
  Texts map;
  EXPECT_TRUE(map.get_or_insert("a", "1").inserted);
  const Texts::GetOrInsertResult second = map.get_or_insert("a", "2");
  EXPECT_FALSE(second.inserted);
  EXPECT_EQ(second.value, "1");
}

TEST(ShardedMapTest, TakeRemovesAndReturns) {
  Texts map;
  map.insert("a", "1");
  EXPECT_THAT(map.take("a"), Optional(std::string("1")));
  EXPECT_EQ(map.take("a"), std::nullopt);
}

TEST(ShardedMapTest, ExchangeStoresAndReturnsThePrevious) {
  Numbers map;
  EXPECT_EQ(map.exchange(1, 10), std::nullopt);
  EXPECT_THAT(map.exchange(1, 11), Optional(10));
  EXPECT_THAT(map.get(1), Optional(11));
}

TEST(ShardedMapTest, CompareExchangeNeedsTheExpectedValue) {
  Texts map;
  EXPECT_FALSE(map.compare_exchange("a", "1", "2"));
  map.insert("a", "1");
  EXPECT_FALSE(map.compare_exchange("a", "0", "2"));
  EXPECT_TRUE(map.compare_exchange("a", "1", "2"));
  EXPECT_THAT(map.get("a"), Optional(std::string("2")));
}

TEST(ShardedMapTest, CompareEraseNeedsTheExpectedValue) {
  Numbers map;
  map.insert(1, 10);
  EXPECT_FALSE(map.compare_erase(1, 11));
  EXPECT_TRUE(map.compare_erase(1, 10));
  EXPECT_FALSE(map.contains(1));
}

TEST(ShardedMapTest, UpdateChangesInPlace) {
  Numbers map;
  EXPECT_FALSE(map.update(1, [](std::uint64_t&) { FAIL() << "called for an absent key"; }));
  map.insert(1, 10);
  EXPECT_TRUE(map.update(1, [](std::uint64_t& value) { ++value; }));
  EXPECT_THAT(map.get(1), Optional(11));
}

TEST(ShardedMapTest, EraseTellsWhetherThereWasAnEntry) {
  Numbers map;
  map.insert(1, 10);
  EXPECT_TRUE(map.erase(1));
  EXPECT_FALSE(map.erase(1));
  EXPECT_TRUE(map.empty());
}

TEST(ShardedMapTest, EraseIfAsksThePredicate) {
  Numbers map;
  map.insert(1, 10);
  EXPECT_FALSE(map.erase_if(1, [](std::uint64_t value) { return value > 10; }));
  EXPECT_TRUE(map.erase_if(1, [](std::uint64_t value) { return value == 10; }));
}

// --- Kinds of keys and values ------------------------------------------------------------------

TEST(ShardedMapTest, StringKeysOfEverySizeAreToldApart) {
  ShardedMap<std::string, std::size_t> map;
  for (std::size_t size = 0; size < 64; ++size) {
    ASSERT_TRUE(map.insert(std::string(size, 'x'), size));
  }
  for (std::size_t size = 0; size < 64; ++size) {
    EXPECT_THAT(map.get(std::string(size, 'x')), Optional(size));
  }
  map.check_invariants();
}

TEST(ShardedMapTest, StringKeysAreLookedUpByStringView) {
  ShardedMap<std::string, int> map;
  map.insert("key", 1);
  const std::string text = "a key in a text";
  EXPECT_TRUE(map.contains(std::string_view(text).substr(2, 3)));
}

struct Point {
  int x;
  int y;
  bool operator==(const Point&) const = default;
};
struct PointHash {
  std::size_t operator()(const Point& p) const {
    return static_cast<std::size_t>(p.x) * 31 + static_cast<std::size_t>(p.y);
  }
};

TEST(ShardedMapTest, PlainStructsAreKeysWithOwnHash) {
  ShardedMap<Point, int, PointHash> map;
  map.insert(Point{1, 2}, 12);
  map.insert(Point{2, 1}, 21);
  EXPECT_THAT(map.get(Point{1, 2}), Optional(12));
  EXPECT_THAT(map.get(Point{2, 1}), Optional(21));
}

TEST(ShardedMapTest, FloatKeysFollowEqualityNotBytes) {
  ShardedMap<double, int> map;
  map.insert(0.0, 1);
  EXPECT_TRUE(map.contains(-0.0));
}

using Route = std::vector<int>;
struct RouteHash {
  std::size_t operator()(const Route& route) const {
    std::size_t hash = 0;
    for (const int stop : route) hash = hash * 31 + static_cast<std::size_t>(stop);
    return hash;
  }
};

TEST(ShardedMapTest, AnyHashableTypeIsAKey) {
  ShardedMap<Route, std::string, RouteHash> map;
  map.insert(Route{1, 2, 3}, "there");
  map.insert(Route{3, 2, 1}, "back");
  EXPECT_THAT(map.get(Route{3, 2, 1}), Optional(std::string("back")));
  EXPECT_TRUE(map.erase(Route{1, 2, 3}));
  map.check_invariants();
}

struct IgnoreCaseHash {
  std::size_t operator()(std::string_view text) const {
    std::string lower;
    for (const char c : text) lower += static_cast<char>(std::tolower(c));
    return std::hash<std::string>()(lower);
  }
};
struct IgnoreCaseEqual {
  bool operator()(std::string_view a, std::string_view b) const {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return std::tolower(x) == std::tolower(y); });
  }
};

TEST(ShardedMapTest, AnOwnEqualityDecidesForShortAndLongStrings) {
  ShardedMap<std::string, int, IgnoreCaseHash, IgnoreCaseEqual> map;
  map.insert("Short", 1);
  map.insert("A Key Of More Than 23 Bytes", 2);
  EXPECT_THAT(map.get("sHORT"), Optional(1));
  EXPECT_THAT(map.get("a key of more than 23 bytes"), Optional(2));
}

TEST(ShardedMapTest, MoveOnlyValuesAreVisitedUpdatedAndTaken) {
  Owners map;
  EXPECT_TRUE(map.insert("a", std::make_unique<int>(1)));
  EXPECT_TRUE(map.update("a", [](std::unique_ptr<int>& value) { *value = 2; }));
  EXPECT_TRUE(map.visit("a", [](const std::unique_ptr<int>& value) { EXPECT_EQ(*value, 2); }));
  const std::optional<std::unique_ptr<int>> old = map.exchange("a", std::make_unique<int>(3));
  ASSERT_TRUE(old);
  EXPECT_EQ(**old, 2);
  const std::optional<std::unique_ptr<int>> taken = map.take("a");
  ASSERT_TRUE(taken);
  EXPECT_EQ(**taken, 3);
  EXPECT_FALSE(map.contains("a"));
}

// --- Deadlines ---------------------------------------------------------------------------------

class ShardedMapDeadlineTest : public ::testing::Test {
 protected:
  MapClock clock_{1000};
  Numbers map_{{.clock = &clock_}};
};

TEST_F(ShardedMapDeadlineTest, AnEntryLivesUntilItsDeadlineAndNoLonger) {
  map_.insert(1, 10, Deadline::at_unix_ms(2000));
  clock_.set(1999);
  EXPECT_TRUE(map_.contains(1));
  clock_.set(2000);
  EXPECT_FALSE(map_.contains(1));
}

TEST_F(ShardedMapDeadlineTest, AnExpiredEntryIsAbsentForEveryOperation) {
  const auto expire = [&] {
    map_.insert_or_assign(1, 10, Deadline::at_unix_ms(2000));
    clock_.set(2000);
  };
  const auto revive = [&] { clock_.set(1000); };
  expire();
  EXPECT_EQ(map_.get(1), std::nullopt);
  EXPECT_FALSE(map_.visit(1, [](std::uint64_t) {}));
  map_.for_each([](std::uint64_t, std::uint64_t) { FAIL() << "visited an expired entry"; });
  EXPECT_EQ(map_.erase_if([](std::uint64_t, std::uint64_t) { return true; }), 0U);
  EXPECT_EQ(map_.take(1), std::nullopt);
  revive(), expire();
  EXPECT_FALSE(map_.erase(1));
  revive(), expire();
  EXPECT_FALSE(map_.update(1, [](std::uint64_t&) {}));
  revive(), expire();
  EXPECT_FALSE(map_.compare_exchange(1, 10, 11));
  revive(), expire();
  EXPECT_FALSE(map_.compare_erase(1, 10));
  revive(), expire();
  EXPECT_EQ(map_.exchange(1, 12), std::nullopt);
  revive(), expire();
  EXPECT_TRUE(map_.insert(1, 13));
  EXPECT_THAT(map_.get(1), Optional(13));
  revive(), expire();
  EXPECT_TRUE(map_.get_or_insert(1, 14).inserted);
  revive(), expire();
  EXPECT_TRUE(map_.insert_or_assign(1, 15));
  map_.check_invariants();
}

TEST_F(ShardedMapDeadlineTest, AssigningSetsTheDeadlineAnew) {
  map_.insert(1, 10, Deadline::at_unix_ms(2000));
  map_.insert_or_assign(1, 11);
  clock_.set(5000);
  EXPECT_THAT(map_.get(1), Optional(11));
}

TEST_F(ShardedMapDeadlineTest, UpdateAndCompareExchangeKeepTheDeadline) {
  map_.insert(1, 10, Deadline::at_unix_ms(2000));
  map_.update(1, [](std::uint64_t& value) { ++value; });
  map_.compare_exchange(1, 11, 12);
  EXPECT_EQ(map_.stats().with_deadline, 1U);
  clock_.set(2000);
  EXPECT_FALSE(map_.contains(1));
}

TEST_F(ShardedMapDeadlineTest, DeadlinesSurviveGrowth) {
  map_.insert(0, 10, Deadline::at_unix_ms(2000));
  for (std::uint64_t i = 1; i < 50'000; ++i) map_.insert(i, i);
  EXPECT_TRUE(map_.contains(0));
  clock_.set(2000);
  EXPECT_FALSE(map_.contains(0));
}

TEST_F(ShardedMapDeadlineTest, SweepRemovesWhatExpiredAndNothingElse) {
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    map_.insert(i, i,
                i % 2 == 0   ? Deadline::at_unix_ms(2000)
                : i % 4 == 1 ? Deadline::at_unix_ms(3000)
                             : Deadline::never());
  }
  const Numbers::SweepResult result = map_.sweep(2000, ~std::uint64_t{0});
  EXPECT_EQ(result.expired, 5000U);
  EXPECT_TRUE(result.wrapped);
  EXPECT_EQ(map_.size(), 5000U);
  EXPECT_EQ(map_.stats().expired_total, 5000U);
  map_.check_invariants();
}

TEST_F(ShardedMapDeadlineTest, ASweepInSmallStepsReachesEverything) {
  for (std::uint64_t i = 0; i < 10'000; ++i) map_.insert(i, i, Deadline::at_unix_ms(2000));
  int steps = 0;
  while (!map_.sweep(2000, 100).wrapped) ++steps;
  EXPECT_GT(steps, 50);
  EXPECT_TRUE(map_.empty());
}

TEST_F(ShardedMapDeadlineTest, SweepPassesARefreshedEntryBy) {
  map_.insert(1, 10, Deadline::at_unix_ms(2000));
  map_.insert_or_assign(1, 11, Deadline::at_unix_ms(9000));
  EXPECT_EQ(map_.sweep(2000, ~std::uint64_t{0}).expired, 0U);
  EXPECT_THAT(map_.get(1), Optional(11));
}

TEST_F(ShardedMapDeadlineTest, TheListenerHearsOfEachExpiredEntryOnceWhateverCollectsIt) {
  std::multiset<std::pair<std::uint64_t, std::uint64_t>> heard;
  map_.on_expiry([&](std::uint64_t key, std::uint64_t value) { heard.emplace(key, value); });
  const Deadline deadline = Deadline::at_unix_ms(2000);
  for (std::uint64_t n = 0; n < 1'000; ++n) map_.insert(n, n * 10, deadline);
  map_.insert(5'000, 1);
  map_.erase(1);  // not expired
  clock_.set(2000);
  EXPECT_TRUE(map_.insert(2, 1));
  EXPECT_TRUE(map_.insert_or_assign(3, 1));
  EXPECT_FALSE(map_.erase(4));
  EXPECT_FALSE(map_.compute(5, [](auto& value) { EXPECT_FALSE(value); }));
  map_.with_keys({6, 7}, [](auto& values) { values[0] = 1; });
  EXPECT_FALSE(map_.contains(8));  // a read collects nothing
  EXPECT_EQ(heard.size(), 6U);
  while (!map_.sweep(2000, 100).wrapped) {
  }
  EXPECT_EQ(heard.size(), 999U);
  for (std::uint64_t n = 0; n < 1'000; ++n) EXPECT_EQ(heard.count({n, n * 10}), n == 1 ? 0U : 1U);
  EXPECT_EQ(map_.stats().expired_total, 999U);
  map_.check_invariants();
}

TEST(ShardedMapTest, TheExpiryListenerMayReadKeysAndValuesThatLieElsewhere) {
  MapClock clock(1'000);
  ShardedMap<std::string, std::string> map({.clock = &clock});
  std::string heard;
  map.on_expiry([&](std::string_view key, const std::string& value) {
    heard += key;
    heard += value;
    EXPECT_FALSE(map.contains("other"));
  });
  map.insert(std::string(30, 'k'), std::string(3, 'v'), Deadline::at_unix_ms(2'000));
  clock.set(3'000);
  EXPECT_TRUE(map.insert(std::string(30, 'k'), "new"));
  EXPECT_EQ(heard, std::string(30, 'k') + "vvv");
}

TEST(ShardedMapDeathTest, ADeadlineInAMapWithoutDeadlinesIsStopped) {
  using Plain = ShardedMap<int, int, DefaultHash<int>, std::equal_to<int>,
                           ShardedMapTraits{.deadlines = false}>;
  Plain map;
  EXPECT_TRUE(map.insert(1, 1));
  EXPECT_DEATH(map.insert(2, 2, Deadline::at_unix_ms(1000)), "declared without deadlines");
}

// --- Growth and memory -------------------------------------------------------------------------

TEST(ShardedMapTest, GrowthKeepsEveryEntry) {
  Numbers map(kOneShard);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    ASSERT_TRUE(map.insert(i, ~i));
    if (i % 9973 == 0) map.check_invariants();
  }
  for (std::uint64_t i = 0; i < 100'000; ++i) ASSERT_THAT(map.get(i), Optional(~i));
  EXPECT_GT(map.stats().splits_total, 500U);
}

TEST(ShardedMapTest, GrowthOfManyShardsIsSpreadOverTheDoubling) {
  Numbers map;
  const auto splits_while_inserting = [&](std::uint64_t from, std::uint64_t to) {
    const std::uint64_t before = map.stats().splits_total;
    for (std::uint64_t i = from; i < to; ++i) map.insert(i, i);
    return map.stats().splits_total - before;
  };
  splits_while_inserting(0, 64'000);
  std::uint64_t most = 0;
  std::uint64_t all = 0;
  for (std::uint64_t i = 64'000; i < 128'000; i += 8'000) {
    const std::uint64_t splits = splits_while_inserting(i, i + 8'000);
    most = std::max(most, splits);
    all += splits;
  }
  EXPECT_LT(most, all / 3) << "an eighth of the inserts caused a third of the splits";
}

TEST(ShardedMapTest, MemoryReturnsWhenEntriesAreErased) {
  Numbers map;
  const std::uint64_t empty_bytes = map.stats().table_bytes;
  for (std::uint64_t i = 0; i < 200'000; ++i) map.insert(i, i);
  const std::uint64_t full_bytes = map.stats().table_bytes;
  EXPECT_GT(full_bytes, 200'000U * 24);
  for (std::uint64_t i = 0; i < 200'000; ++i) map.erase(i);
  EXPECT_LE(map.stats().table_bytes, empty_bytes + full_bytes / 50);
  map.check_invariants();
}

TEST(ShardedMapTest, MemoryReturnsOnClear) {
  Texts map;
  const std::uint64_t empty_bytes = map.stats().table_bytes;
  for (int i = 0; i < 100'000; ++i) map.insert(long_key(i), "value");
  map.clear();
  EXPECT_TRUE(map.empty());
  EXPECT_EQ(map.stats().table_bytes, empty_bytes);
  EXPECT_EQ(map.stats().retired_nodes, 0U);
  map.check_invariants();
}

TEST(ShardedMapTest, AMapIsUsableAfterClear) {
  Texts map;
  for (int i = 0; i < 1'000; ++i) map.insert(long_key(i), "old");
  map.clear();
  EXPECT_TRUE(map.insert(long_key(5), "new"));
  EXPECT_THAT(map.get(long_key(5)), Optional(std::string("new")));
}

TEST(ShardedMapTest, ReserveLeavesLittleToGrow) {
  Numbers map;
  map.insert(1'000'000, 1);
  map.reserve(100'000);
  map.check_invariants();
  const ShardedMapStats before = map.stats();
  for (std::uint64_t i = 0; i < 100'000; ++i) map.insert(i, i);
  EXPECT_LT(map.stats().splits_total - before.splits_total, before.splits_total / 20);
  EXPECT_TRUE(map.contains(1'000'000));
}

struct ConstantHash {
  std::size_t operator()(std::uint64_t) const { return 42; }
};

TEST(ShardedMapTest, KeysWithOneHashWork) {
  ShardedMap<std::uint64_t, std::uint64_t, ConstantHash> map(kOneShard);
  for (std::uint64_t i = 0; i < 500; ++i) ASSERT_TRUE(map.insert(i, i));
  map.check_invariants();
  for (std::uint64_t i = 0; i < 500; ++i) ASSERT_THAT(map.get(i), Optional(i));
  for (std::uint64_t i = 0; i < 500; ++i) ASSERT_TRUE(map.erase(i));
  map.check_invariants();
  EXPECT_LT(map.stats().slots, 50U);
}

TEST(ShardedMapTest, ThousandsOfKeysWithOneHashWorkAndGiveTheirMemoryBack) {
  ShardedMap<std::uint64_t, std::uint64_t, ConstantHash> map(kOneShard);
  for (std::uint64_t i = 0; i < 6'000; ++i) ASSERT_TRUE(map.insert(i, i));
  map.check_invariants();
  for (std::uint64_t i = 0; i < 6'000; ++i) ASSERT_THAT(map.get(i), Optional(i));
  EXPECT_FALSE(map.contains(6'000));
  for (std::uint64_t i = 0; i < 6'000; ++i) ASSERT_TRUE(map.erase(i));
  map.check_invariants();
  EXPECT_LT(map.stats().slots, 50U);
}

struct FewHashes {
  std::size_t operator()(std::uint64_t key) const { return key % 20; }
};

TEST(ShardedMapTest, KeysWithFewHashesAreParted) {
  ShardedMap<std::uint64_t, std::uint64_t, FewHashes> map(kOneShard);
  for (std::uint64_t i = 0; i < 4'000; ++i) ASSERT_TRUE(map.insert(i, i));
  map.check_invariants();
  for (std::uint64_t i = 0; i < 4'000; ++i) ASSERT_THAT(map.get(i), Optional(i));
}

TEST(ShardedMapTest, AFullMapThrowsLengthErrorAndStays) {
  Numbers map({.shards = 1, .max_entries = 1000});
  std::uint64_t inserted = 0;
  EXPECT_THROW(for (;; ++inserted) map.insert(inserted, inserted), std::length_error);
  EXPECT_GE(inserted, 1000U);
  EXPECT_EQ(map.size(), inserted);
  map.check_invariants();
  EXPECT_TRUE(map.erase(0));
}

TEST(ShardedMapDeathTest, AShardCountThatIsNoPowerOfTwoIsStopped) {
  EXPECT_DEATH(Numbers({.shards = 65}), "power of two");
}

// --- Number of shards --------------------------------------------------------------------------

TEST(ShardedMapTest, TheNumberOfShardsChangesBothWaysAndEveryEntryStays) {
  Numbers map;
  for (std::uint64_t i = 0; i < 20'000; ++i) map.insert(i, i);
  for (const std::uint32_t shards : {128U, 64U, 1U, 4096U, 2U, 2U}) {
    map.set_shard_count(shards);
    EXPECT_EQ(map.shard_count(), shards);
    EXPECT_EQ(map.size(), 20'000U);
    map.check_invariants();
    for (std::uint64_t i = 0; i < 20'000; ++i) ASSERT_THAT(map.get(i), Optional(i));
  }
}

TEST(ShardedMapTest, AnEmptyMapMayHaveMoreShardsThanItStartedWith) {
  Numbers map({.shards = 1});
  map.set_shard_count(4096);
  for (std::uint64_t i = 0; i < 10'000; ++i) map.insert(i, i);
  for (std::uint64_t i = 0; i < 10'000; ++i) ASSERT_TRUE(map.erase(i));
  map.check_invariants();
  EXPECT_EQ(map.stats().segments, 4096U) << "no segment may belong to two shards";
  map.set_shard_count(1);
  map.clear();
  EXPECT_LT(map.stats().directory_bytes, 100U * 4);
  map.check_invariants();
}

TEST(ShardedMapTest, NodesRetiredBeforeAChangeOfTheNumberOfShardsAreDestroyed) {
  Texts map;
  for (int i = 0; i < 2'000; ++i) map.insert_or_assign(long_key(i % 100), "value");
  map.set_shard_count(128);
  for (int i = 0; i < 2'000; ++i) map.insert_or_assign(long_key(i % 100), "value");
  map.set_shard_count(32);
  map.clear();
  EXPECT_EQ(map.stats().retired_nodes, 0U);
  map.check_invariants();
}

TEST(ShardedMapDeathTest, AChangeToANumberOfShardsThatIsNoPowerOfTwoIsStopped) {
  Numbers map;
  EXPECT_DEATH(map.set_shard_count(65), "power of two");
}

TEST(ShardedMapTest, TheDirectoryShrinksWithTheMap) {
  Numbers map;
  const std::uint64_t empty_bytes = map.stats().directory_bytes;
  for (std::uint64_t i = 0; i < 300'000; ++i) map.insert(i, i);
  EXPECT_GT(map.stats().directory_bytes, 16 * empty_bytes);
  map.clear();
  EXPECT_LE(map.stats().directory_bytes, 2 * empty_bytes);
  for (std::uint64_t i = 0; i < 300'000; ++i) map.insert(i, i);
  map.check_invariants();
}

// --- Bulk --------------------------------------------------------------------------------------

TEST(ShardedMapTest, ForEachVisitsEveryEntryOnce) {
  Numbers map;
  for (std::uint64_t i = 0; i < 10'000; ++i) map.insert(i, i + 1);
  std::map<std::uint64_t, std::uint64_t> seen;
  map.for_each([&](std::uint64_t key, std::uint64_t value) {
    EXPECT_TRUE(seen.emplace(key, value).second) << key;
  });
  EXPECT_EQ(seen.size(), 10'000U);
  EXPECT_EQ(seen[77], 78U);
}

TEST(ShardedMapTest, ForEachVisitsOnceAlthoughItsVisitorMakesTheMapGrow) {
  Numbers map(kOneShard);
  for (std::uint64_t i = 0; i < 1'000; ++i) map.insert(i, 0);
  std::map<std::uint64_t, int> seen;
  std::uint64_t next = 1'000;
  map.for_each([&](std::uint64_t key, std::uint64_t) {
    ++seen[key];
    for (int i = 0; i < 20 && next < 20'000; ++i) map.insert(next++, 1);
  });
  for (std::uint64_t i = 0; i < 1'000; ++i) EXPECT_EQ(seen[i], 1) << i;
}

TEST(ShardedMapTest, ForEachVisitsOnceAlthoughItsVisitorMakesTheMapShrink) {
  Numbers map(kOneShard);
  for (std::uint64_t i = 0; i < 20'000; ++i) map.insert(i, 0);
  std::map<std::uint64_t, int> seen;
  std::uint64_t next = 1'000;
  map.for_each([&](std::uint64_t key, std::uint64_t) {
    ++seen[key];
    for (int i = 0; i < 30 && next < 20'000; ++i) map.erase(next++);
  });
  for (std::uint64_t i = 0; i < 1'000; ++i) EXPECT_EQ(seen[i], 1) << i;
}

TEST(ShardedMapTest, ForEachEndsWhenTheVisitorReturnsFalse) {
  ShardedMap<int, int> map;
  for (int key = 0; key < 1000; ++key) map.insert(key, key);
  int visited = 0;
  map.for_each([&](int, int) { return ++visited < 10; });
  EXPECT_EQ(visited, 10);
}

TEST(ShardedMapTest, ForEachGivesStringKeysAsViews) {
  Texts map;
  map.insert("short", "1");
  map.insert(long_key(1), "2");
  std::set<std::pair<std::string, std::string>> seen;
  map.for_each([&](std::string_view key, const std::string& value) { seen.emplace(key, value); });
  EXPECT_THAT(seen, ElementsAre(Pair(long_key(1), "2"), Pair("short", "1")));
}

TEST(ShardedMapTest, EraseIfRemovesWhatThePredicateSelects) {
  Numbers map;
  for (std::uint64_t i = 0; i < 10'000; ++i) map.insert(i, i);
  EXPECT_EQ(map.erase_if([](std::uint64_t key, std::uint64_t) { return key % 3 == 0; }), 3334U);
  EXPECT_EQ(map.size(), 6666U);
  EXPECT_FALSE(map.contains(3));
  EXPECT_TRUE(map.contains(4));
  map.check_invariants();
}

// --- Interleavings -----------------------------------------------------------------------------

// Runs `meanwhile_` once, in the middle of the next lookup: when it compares its key with a slot
// that it has copied and found consistent.
struct InterruptingEqual {
  static inline std::function<void()> meanwhile_;
  bool operator()(std::uint64_t a, std::uint64_t b) const {
    if (const auto action = std::exchange(meanwhile_, nullptr)) action();
    return a == b;
  }
};
// Lets a test choose the bits: 24..31 are the tag, the highest ones choose the group.
struct ExposedHash {
  using is_avalanching = void;
  std::size_t operator()(std::uint64_t key) const { return key; }
};
using Interruptible = ShardedMap<std::uint64_t, std::uint64_t, ExposedHash, InterruptingEqual>;

// The reader compares the one slot of the first group that has the tag, then goes on to the second
// group, which has been emptied meanwhile because its segment was replaced.
TEST(ShardedMapInterleavingTest, AReaderFindsAKeyWhoseSegmentWasReplacedAfterItStarted) {
  constexpr auto kKey = [](std::uint64_t tag, std::uint64_t n) { return tag << 24 | n; };
  Interruptible map(kOneShard);
  for (std::uint64_t tag = 1; tag <= 12; ++tag) map.insert(kKey(tag, 0), tag);
  map.insert(kKey(1, 1), 13);
  InterruptingEqual::meanwhile_ = [&] {
    Random random(1);
    for (int i = 0; i < 5'000; ++i) map.insert(random(), 0);
  };
  EXPECT_THAT(map.get(kKey(1, 1)), Optional(13));
  EXPECT_GT(map.stats().splits_total, 0U) << "nothing happened meanwhile";
}

TEST(ShardedMapInterleavingTest, AReaderFindsAnEntryThatWasRefreshedBeforeItExpired) {
  MapClock clock(1000);
  Interruptible map({.shards = 1, .max_entries = 1 << 16, .clock = &clock});
  map.insert(1, 10, Deadline::at_unix_ms(2000));
  InterruptingEqual::meanwhile_ = [&] {
    map.insert_or_assign(1, 11, Deadline::at_unix_ms(3000));
    clock.set(2500);
  };
  EXPECT_THAT(map.get(1), Optional(11)) << "the key was there all the time";
}

TEST(ShardedMapInterleavingTest, AReaderReturnsOneValueAlthoughTheKeyIsReplacedMeanwhile) {
  Interruptible map(kOneShard);
  map.insert(1, 10);
  InterruptingEqual::meanwhile_ = [&] {
    map.erase(1);
    map.insert(2, 20);  // takes the slot
    map.insert(1, 11);
  };
  EXPECT_THAT(map.get(1), Optional(::testing::AnyOf(10, 11)));
}

// --- Callbacks that re-enter -------------------------------------------------------------------

TEST(ShardedMapTest, AnUpdateCallbackMayReadTheMap) {
  Numbers map(kOneShard);
  map.insert(1, 10);
  map.insert(2, 20);
  map.update(1, [&](std::uint64_t& value) { value = *map.get(2) + *map.get(1); });
  EXPECT_THAT(map.get(1), Optional(30));
}

TEST(ShardedMapTest, AVisitCallbackMayWriteTheMap) {
  Texts map(kOneShard);
  map.insert("a", "1");
  map.visit("a", [&](const std::string& value) {
    map.erase("a");
    map.insert("b", value);
  });
  EXPECT_FALSE(map.contains("a"));
  EXPECT_THAT(map.get("b"), Optional(std::string("1")));
}

TEST(ShardedMapTest, ACallbackMayUseAnotherMap) {
  Numbers one;
  Numbers other;
  one.insert(1, 10);
  one.update(1, [&](std::uint64_t& value) { other.insert(1, value); });
  EXPECT_THAT(other.get(1), Optional(10));
}

TEST(ShardedMapDeathTest, AnUpdateCallbackThatWritesTheMapIsStopped) {
  Numbers map;
  map.insert(1, 10);
  EXPECT_DEATH(map.update(1, [&](std::uint64_t&) { map.insert(2, 20); }),
               "called back into the same map");
}

TEST(ShardedMapDeathTest, AnErasePredicateThatWritesTheMapIsStopped) {
  Numbers map;
  map.insert(1, 10);
  EXPECT_DEATH(map.erase_if([&](std::uint64_t, std::uint64_t) { return map.erase(1); }),
               "called back into the same map");
}

TEST(ShardedMapDeathTest, AVisitOfAMoveOnlyValueThatUsesTheMapIsStopped) {
  Owners map;
  map.insert("a", std::make_unique<int>(1));
  EXPECT_DEATH(map.visit("a", [&](const auto&) { map.erase("a"); }),
               "called back into the same map");
}

struct ErasesOnDestruction {
  ErasesOnDestruction(ShardedMap<int, std::shared_ptr<ErasesOnDestruction>>* owner, int other)
      : map(owner), key(other) {}
  ErasesOnDestruction(const ErasesOnDestruction&) = delete;
  ErasesOnDestruction& operator=(const ErasesOnDestruction&) = delete;
  ShardedMap<int, std::shared_ptr<ErasesOnDestruction>>* map;
  int key;
  ~ErasesOnDestruction() { map->erase(key); }
};

TEST(ShardedMapTest, ADestructorOfAValueMayWriteTheMap) {
  ShardedMap<int, std::shared_ptr<ErasesOnDestruction>> map(kOneShard);
  map.insert(2, nullptr);
  map.insert(1, std::make_shared<ErasesOnDestruction>(&map, 2));
  map.erase(1);
  map.clear();  // destroys what was erased
  EXPECT_TRUE(map.empty());
}

}  // namespace
}  // namespace vigil
