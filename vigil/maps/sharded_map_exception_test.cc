// SPDX-License-Identifier: Apache-2.0
//
// Whatever throws (a copy, a callback, the hash, an allocation), the map afterwards is as it was.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>

#include "vigil/maps/sharded_map.h"

namespace {

// Allocations that succeed before one fails; negative: all succeed.
thread_local int allocations_left = -1;

bool allocation_fails() {
  if (allocations_left < 0) return false;
  return allocations_left-- == 0;
}

}  // namespace

// Not inlined: g++ would see malloc and delete, or new and free, and warn of a mismatch.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (allocation_fails()) throw std::bad_alloc();
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace vigil {
namespace {

using ::testing::Optional;

struct Thrown {};

// Throws on the n-th copy made while `countdown_` is n.
struct Fragile {
  static inline int countdown_ = 0;
  static inline int alive_ = 0;

  explicit Fragile(int n) : number(n) { ++alive_; }
  Fragile(const Fragile& other) : number(other.number) {
    if (countdown_ > 0 && --countdown_ == 0) throw Thrown{};
    ++alive_;
  }
  Fragile(Fragile&& other) noexcept : number(other.number) { ++alive_; }
  Fragile& operator=(const Fragile&) = delete;
  ~Fragile() { --alive_; }
  bool operator==(const Fragile&) const = default;

  int number;
};

class ShardedMapExceptionTest : public ::testing::Test {
 protected:
  using Map = ShardedMap<std::string, Fragile>;

  ShardedMapExceptionTest() { map_.insert("present", Fragile(1)); }

  // Runs `operation` failing its first, second, ... copy until it succeeds; after each failure the
  // entry must be the old one. Returns how many copies could fail.
  template <class Operation>
  int fail_each_copy(Operation&& operation) {
    for (int n = 1;; ++n) {
      Fragile::countdown_ = n;
      try {
        operation();
        Fragile::countdown_ = 0;
        map_.check_invariants();
        return n - 1;
      } catch (const Thrown&) {
      }
      Fragile::countdown_ = 0;
      map_.check_invariants();
      EXPECT_EQ(map_.size(), 1U);
      EXPECT_TRUE(map_.visit("present", [](const Fragile& f) { EXPECT_EQ(f.number, 1); }));
    }
  }

  Map map_;
};

TEST_F(ShardedMapExceptionTest, AFailedCopyInInsertAddsNothing) {
  const Fragile value(2);
  EXPECT_EQ(fail_each_copy([&] { map_.insert("absent", value); }), 1);
}

TEST_F(ShardedMapExceptionTest, AFailedCopyInInsertOrAssignKeepsTheOldValue) {
  const Fragile value(2);
  EXPECT_EQ(fail_each_copy([&] { map_.insert_or_assign("present", value); }), 1);
}

TEST_F(ShardedMapExceptionTest, AFailedCopyInGetOrInsertAddsNothing) {
  const Fragile value(2);
  EXPECT_GE(fail_each_copy([&] { map_.get_or_insert("absent", value); }), 2);
}

TEST_F(ShardedMapExceptionTest, AFailedCopyInExchangeKeepsTheOldValue) {
  const Fragile value(2);
  EXPECT_GE(fail_each_copy([&] { map_.exchange("present", value); }), 2);
}

TEST_F(ShardedMapExceptionTest, AFailedCopyInTakeKeepsTheEntry) {
  EXPECT_GE(fail_each_copy([&] { map_.take("present"); }), 1);
}

TEST_F(ShardedMapExceptionTest, AFailedCopyInUpdateKeepsTheOldValue) {
  EXPECT_EQ(fail_each_copy([&] { map_.update("present", [](Fragile& f) { f.number = 2; }); }), 1);
}

TEST_F(ShardedMapExceptionTest, AnUpdateCallbackThatThrowsChangesNothing) {
  EXPECT_THROW(map_.update("present",
                           [](Fragile& f) {
                             f.number = 2;
                             throw Thrown{};
                           }),
               Thrown);
  map_.visit("present", [](const Fragile& f) { EXPECT_EQ(f.number, 1); });
  EXPECT_TRUE(map_.update("present", [](Fragile& f) { f.number = 3; })) << "still locked?";
}

TEST_F(ShardedMapExceptionTest, AnUpdateOfAnInlineValueThatThrowsChangesNothing) {
  ShardedMap<int, int> map;
  map.insert(1, 10);
  EXPECT_THROW(map.update(1,
                          [](int& value) {
                            value = 11;
                            throw Thrown{};
                          }),
               Thrown);
  EXPECT_THAT(map.get(1), Optional(10));
}

TEST_F(ShardedMapExceptionTest, AVisitorThatThrowsLeavesTheMapUsable) {
  EXPECT_THROW(map_.visit("present", [](const Fragile&) { throw Thrown{}; }), Thrown);
  EXPECT_THROW(map_.for_each([](std::string_view, const Fragile&) { throw Thrown{}; }), Thrown);
  EXPECT_TRUE(map_.erase("present"));
}

TEST_F(ShardedMapExceptionTest, APredicateThatThrowsErasesNothing) {
  EXPECT_THROW(map_.erase_if("present", [](const Fragile&) -> bool { throw Thrown{}; }), Thrown);
  EXPECT_THROW(map_.erase_if([](std::string_view, const Fragile&) -> bool { throw Thrown{}; }),
               Thrown);
  EXPECT_TRUE(map_.contains("present"));
}

TEST_F(ShardedMapExceptionTest, EveryFailedAllocationOfAnInsertAddsNothing) {
  const std::string key = "a key that is longer than 23 bytes";
  for (int successes = 0;; ++successes) {
    allocations_left = successes;
    bool inserted = false;
    try {
      inserted = map_.insert(key, Fragile(2));
    } catch (const std::bad_alloc&) {
    }
    allocations_left = -1;
    map_.check_invariants();
    EXPECT_EQ(map_.contains(key), inserted);
    if (inserted) {
      EXPECT_GE(successes, 2) << "key and value nodes";
      break;
    }
  }
}

TEST_F(ShardedMapExceptionTest, EveryFailedCopyOrAllocationOfWithKeysChangesNothing) {
  const std::string added = "a key that is longer than 23 bytes";
  const auto both = [&] {
    map_.with_keys({"present", added}, [](MapValues<Fragile>& values) {
      values[0].emplace(5);
      values[1].emplace(6);
    });
  };
  Fragile::countdown_ = 1;  // the copy for the callback
  EXPECT_THROW(both(), Thrown);
  for (int successes = 0;; ++successes) {
    allocations_left = successes;
    bool done = true;
    try {
      both();
    } catch (const std::bad_alloc&) {
      done = false;
    }
    allocations_left = -1;
    map_.check_invariants();
    EXPECT_EQ(map_.contains(added), done);
    EXPECT_THAT(map_.get("present"), Optional(Fragile(done ? 5 : 1)));
    if (done) {
      EXPECT_GE(successes, 5) << "the key's node, two values' nodes, and what tells keys apart";
      break;
    }
  }
}

struct FragileHash {
  static inline int countdown_ = 0;
  std::size_t operator()(std::uint64_t key) const {
    if (countdown_ > 0 && --countdown_ == 0) throw Thrown{};
    return key;
  }
};

using FragileHashMap = ShardedMap<std::uint64_t, std::uint64_t, FragileHash>;

// Inserts while the n-th hash throws; the first is that of the key itself. Whether it succeeded.
bool insert_failing_hash(FragileHashMap& map, std::uint64_t key, int n) {
  FragileHash::countdown_ = n;
  bool inserted = false;
  try {
    inserted = map.insert(key, key);
  } catch (const Thrown&) {
  }
  FragileHash::countdown_ = 0;
  return inserted;
}

// The hashes of all entries of a segment are computed again when it grows.
TEST(ShardedMapHashExceptionTest, AHashThatThrowsDuringGrowthChangesNothing) {
  FragileHashMap map({.shards = 1, .max_entries = 1 << 20});
  std::uint64_t failures = 0;
  for (std::uint64_t i = 0; i < 2'000; ++i) {
    if (insert_failing_hash(map, i, static_cast<int>(2 + i % 50))) continue;
    ++failures;
    ASSERT_EQ(map.size(), i);
    ASSERT_FALSE(map.contains(i));
    map.check_invariants();
    ASSERT_TRUE(map.insert(i, i));
  }
  EXPECT_GT(failures, 20U);
  for (std::uint64_t i = 0; i < 2'000; ++i) ASSERT_THAT(map.get(i), Optional(i));
}

TEST(ShardedMapHashExceptionTest, AHashThatThrowsWhileShrinkingDoesNotUndoTheErase) {
  FragileHashMap map({.shards = 1, .max_entries = 1 << 20});
  for (std::uint64_t i = 0; i < 2'000; ++i) map.insert(i, i);
  for (std::uint64_t i = 0; i < 2'000; ++i) {
    FragileHash::countdown_ = 2;  // the erase itself hashes once
    ASSERT_TRUE(map.erase(i));
    FragileHash::countdown_ = 0;
  }
  EXPECT_TRUE(map.empty());
  map.check_invariants();
}

TEST(ShardedMapLifetimeTest, EveryValueIsDestroyedWithTheMap) {
  const int before = Fragile::alive_;
  {
    ShardedMap<std::string, Fragile> map;
    for (int i = 0; i < 1'000; ++i) map.insert(std::to_string(i), Fragile(i));
    for (int i = 0; i < 500; ++i) map.erase(std::to_string(i));
    for (int i = 500; i < 700; ++i) map.insert_or_assign(std::to_string(i), Fragile(0));
  }
  EXPECT_EQ(Fragile::alive_, before);
}

}  // namespace
}  // namespace vigil
