// SPDX-License-Identifier: Apache-2.0
//
// How much of what was erased or replaced waits to be destroyed, and for whom: the maps whose
// readers take no lock.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "vigil/maps/map_family_test.h"

namespace vigil {
namespace {

using maps::testing::on_threads;

// A value that counts those like it, and pretends to hold much memory.
struct Large {
  static constexpr std::size_t kBytes = 100'000;
  static std::atomic<std::int64_t>& alive() {
    static std::atomic<std::int64_t> count{0};
    return count;
  }

  Large() { ++alive(); }
  Large(const Large&) { ++alive(); }
  Large(Large&&) noexcept { ++alive(); }
  Large& operator=(const Large&) = default;
  Large& operator=(Large&&) noexcept = default;
  ~Large() { --alive(); }
};

}  // namespace

template <>
struct HeapBytes<Large> {
  static std::size_t of(const Large&) noexcept { return Large::kBytes; }
};

namespace {

constexpr std::uint64_t kBound = 2 * maps::internal::Reclaimer::kBytes;

template <class M>
class MapReclamationTest : public ::testing::Test {};
template <class Value>
using Sharded = ShardedMap<int, Value>;
template <class Value>
using ReadMostly = ReadMostlyMap<int, Value>;
template <template <class> class M>
struct MapOf {
  template <class Value>
  using Of = M<Value>;
};
using Maps = ::testing::Types<MapOf<Sharded>, MapOf<ReadMostly>>;
TYPED_TEST_SUITE(MapReclamationTest, Maps);

TYPED_TEST(MapReclamationTest, ReplacedValuesWaitWithinTheBoundHoweverManyThreadsReplace) {
  typename TypeParam::template Of<Large> map;
  constexpr int kThreads = 4;
  std::atomic<std::int64_t> most{0};
  on_threads(kThreads, [&](int n) {
    for (int i = 0; i < 3'000; ++i) {
      map.insert_or_assign(n, Large());
      std::int64_t seen = most.load();
      const std::int64_t now = Large::alive().load();
      while (seen < now && !most.compare_exchange_weak(seen, now)) {
      }
    }
  });
  // Live ones, the bound, and per thread the value that it makes and a batch that it destroys.
  const auto bound = static_cast<std::int64_t>(kBound / Large::kBytes);
  EXPECT_LE(most.load(), kThreads + bound + kThreads * (2 + bound));
  EXPECT_LE(map.stats().retired_bytes, kBound);
  map.reclaim();
  EXPECT_EQ(map.stats().retired_nodes, 0U);
  EXPECT_EQ(Large::alive().load(), kThreads);
}

TYPED_TEST(MapReclamationTest, AReaderThatStandsStillKeepsItsOwnValueOnly) {
  typename TypeParam::template Of<Large> map;
  for (int key = 0; key < 100; ++key) map.insert(key, Large());
  map.visit(1, [&](const Large&) {
    for (int i = 0; i < 2'000; ++i) {
      std::thread([&, i] { map.insert_or_assign(i % 100, Large()); }).join();
    }
    map.reclaim();
    EXPECT_EQ(map.stats().retired_nodes, 1U);
    EXPECT_EQ(map.stats().kept_nodes, 1U);
    EXPECT_EQ(map.stats().keeping_thread, gettid());
    EXPECT_EQ(Large::alive().load(), 101);
  });
  map.reclaim();
  EXPECT_EQ(map.stats().retired_nodes, 0U);
  EXPECT_EQ(map.stats().keeping_thread, 0);
}

TYPED_TEST(MapReclamationTest, AReaderKeepsNothingOfAnotherMap) {
  typename TypeParam::template Of<Large> map;
  typename TypeParam::template Of<std::string> other;
  other.insert(1, "x");
  map.insert(1, Large());
  other.visit(1, [&](const std::string&) {
    for (int i = 0; i < 1'000; ++i) map.insert_or_assign(1, Large());
    map.reclaim();
    EXPECT_EQ(Large::alive().load(), 1);
  });
}

TYPED_TEST(MapReclamationTest, AnIterationKeepsTheEntriesOfOneSegment) {
  typename TypeParam::template Of<Large> map;
  constexpr int kEntries = 5'000;
  for (int key = 0; key < kEntries; ++key) map.insert(key, Large());
  int seen = 0;
  map.for_each([&](const int&, const Large&) {
    if (++seen != 1'000) return true;
    for (int key = 0; key < kEntries; ++key) map.erase(key);
    map.reclaim();
    EXPECT_LE(map.stats().kept_nodes, 150U);
    EXPECT_LE(Large::alive().load(), 150);
    return true;
  });
  EXPECT_LT(seen, kEntries);
  map.reclaim();
  EXPECT_EQ(Large::alive().load(), 0);
}

TYPED_TEST(MapReclamationTest, APinKeepsItsValueAndNothingElse) {
  typename TypeParam::template Of<Large> map;
  map.insert(1, Large());
  const auto pin = map.pin(1);
  ASSERT_TRUE(pin);
  for (int i = 0; i < 1'000; ++i) map.insert_or_assign(1, Large());
  map.reclaim();
  EXPECT_EQ(Large::alive().load(), 2) << "the pinned one and the one in the map";
  EXPECT_EQ(map.stats().retired_nodes, 0U);
}

TYPED_TEST(MapReclamationTest, APinnedValueDoesNotChangeAndOutlivesItsMap) {
  std::optional<typename TypeParam::template Of<std::string>> map(std::in_place);
  map->insert(1, std::string(100, 'a'));
  auto pin = map->pin(1);
  map->update(1, [](std::string& value) { value[0] = 'b'; });
  EXPECT_EQ(pin->front(), 'a');
  const auto second = map->pin(1);
  map->erase(1);
  EXPECT_FALSE(map->pin(1));
  auto copy = pin;
  auto moved = std::move(pin);
  map.reset();
  EXPECT_EQ(copy->front(), 'a');
  EXPECT_EQ(&*moved, &*copy);
  EXPECT_EQ(second->front(), 'b');
  copy = second;
  EXPECT_EQ(copy->front(), 'b');
}

TYPED_TEST(MapReclamationTest, APinOfAValueInTheTableIsACopy) {
  typename TypeParam::template Of<int> map;
  map.insert(1, 10);
  const auto pin = map.pin(1);
  map.insert_or_assign(1, 11);
  EXPECT_EQ(*pin, 10);
  EXPECT_FALSE(map.pin(2));
}

// The last owner destroys the value, whoever that is: the map, or a pin on any thread.
TYPED_TEST(MapReclamationTest, ValuesPinnedByManyThreadsAreDestroyedOnce) {
  {
    typename TypeParam::template Of<Large> map;
    for (int key = 0; key < 4; ++key) map.insert(key, Large());
    on_threads(4, [&](int thread) {
      std::vector<typename TypeParam::template Of<Large>::Pin> pins(16);
      for (std::size_t i = 0; i < 5'000; ++i) {
        const int key = static_cast<int>(i % 4);
        if (thread == 0) {
          map.insert_or_assign(key, Large());
        } else {
          pins[i % pins.size()] = map.pin(key);
          ASSERT_TRUE(pins[i % pins.size()]);
        }
      }
    });
    map.check_invariants();
  }
  EXPECT_EQ(Large::alive().load(), 0);
}

TYPED_TEST(MapReclamationTest, AnErasedValueIsDestroyedByWritesElsewhere) {
  typename TypeParam::template Of<std::shared_ptr<int>> map;
  auto value = std::make_shared<int>(1);
  const std::weak_ptr<int> erased = value;
  map.insert(1, std::move(value));
  map.erase(1);
  int writes = 0;
  for (; !erased.expired() && writes < 100'000; ++writes) {
    map.insert_or_assign(2, std::make_shared<int>(2));
  }
  EXPECT_TRUE(erased.expired());
  EXPECT_LT(writes, 10'000);
}

TYPED_TEST(MapReclamationTest, AnErasedValueIsDestroyedByWritesThatRetireNothing) {
  typename TypeParam::template Of<std::shared_ptr<int>> map;
  auto value = std::make_shared<int>(1);
  const std::weak_ptr<int> erased = value;
  map.insert(1, std::move(value));
  map.erase(1);
  constexpr int kWrites = 4 * 16'384 + 1;
  for (int i = 0; i < kWrites && !erased.expired(); ++i) map.erase(2);
  EXPECT_TRUE(erased.expired());
}

TYPED_TEST(MapReclamationTest, ReclaimDestroysAtOnce) {
  typename TypeParam::template Of<std::shared_ptr<int>> map;
  auto value = std::make_shared<int>(1);
  const std::weak_ptr<int> erased = value;
  map.insert(1, std::move(value));
  map.erase(1);
  map.reclaim();
  EXPECT_TRUE(erased.expired());
}

// The end of a value may use the map: no lock of it is held.
struct UsesMap {
  explicit UsesMap(Sharded<std::shared_ptr<UsesMap>>* m) : map(m) {}
  ~UsesMap() { map->insert_or_assign(7, nullptr); }
  Sharded<std::shared_ptr<UsesMap>>* map;
};

TEST(ShardedMapReclamationTest, TheEndOfAValueMayUseTheMap) {
  Sharded<std::shared_ptr<UsesMap>> map;
  for (int i = 0; i < 5'000; ++i) {
    map.insert_or_assign(i % 3, std::make_shared<UsesMap>(&map));
  }
  map.clear();
  map.reclaim();
  EXPECT_EQ(map.size(), 1U);
  map.check_invariants();
}

// --- Keys that point into their values -----------------------------------------------------------

struct Session {
  std::string id;
};

TEST(ShardedMapReclamationTest, AKeyMayBeAViewIntoItsValueWhileOthersLookItUp) {
  ShardedMap<std::string_view, std::shared_ptr<Session>> map;
  std::atomic<bool> stop{false};
  const std::string id(40, 'a');
  std::thread reader([&] {
    while (!stop.load(std::memory_order_relaxed)) {
      static_cast<void>(map.contains(id));
      map.visit(id, [&](const std::shared_ptr<Session>& session) { ASSERT_EQ(session->id, id); });
    }
  });
  for (int i = 0; i < 20'000; ++i) {
    auto session = std::make_shared<Session>(Session{id});
    const std::string_view key = session->id;
    map.insert(key, std::move(session));
    map.erase(id);
  }
  stop = true;
  reader.join();
}

// --- Values that can only be moved ---------------------------------------------------------------

using Owners = Sharded<std::unique_ptr<int>>;

// Readers take turns so that at every moment one of them reads.
TEST(MoveOnlyValueTest, AWriterGetsItsTurnBesideReadersWithoutAGap) {
  Owners map;
  map.insert(1, std::make_unique<int>(1));
  std::atomic<int> reading{0};
  std::atomic<bool> updated{false};
  std::vector<std::thread> readers;
  for (int n = 0; n < 3; ++n) {
    readers.emplace_back([&] {
      while (!updated.load()) {
        map.visit(1, [&](const std::unique_ptr<int>&) {
          ++reading;
          // Until another reader is inside as well, or a writer keeps it out.
          for (int i = 0; i < 2'000 && reading.load() < 2; ++i) std::this_thread::yield();
          --reading;
        });
      }
    });
  }
  EXPECT_TRUE(map.update(1, [](std::unique_ptr<int>& value) { *value = 2; }));
  updated = true;
  for (std::thread& reader : readers) reader.join();
}

TEST(MoveOnlyValueTest, AWriterThatWaitsForReadersKeepsNobodyFromOtherKeys) {
  Owners map;
  map.insert(1, std::make_unique<int>(1));
  std::latch inside(1);
  std::latch leave(1);
  std::thread reader([&] {
    map.visit(1, [&](const std::unique_ptr<int>&) {
      inside.count_down();
      leave.wait();
    });
  });
  inside.wait();
  std::thread updates([&] { map.update(1, [](auto& value) { ++*value; }); });
  std::thread takes([&] { static_cast<void>(map.take(1)); });
  std::thread erases([&] { map.erase_if(1, [](const auto&) { return false; }); });
  std::thread erases_all([&] { map.erase_if([](const int&, const auto&) { return false; }); });
  // Every shard is free meanwhile, and so is the entry itself for those who need not wait.
  for (int key = 2; key < 2'000; ++key) EXPECT_TRUE(map.insert(key, std::make_unique<int>(key)));
  EXPECT_EQ(map.size(), 1'999U);
  map.insert_or_assign(1, std::make_unique<int>(3));
  EXPECT_TRUE(map.contains(1));
  leave.count_down();
  for (std::thread* thread : {&reader, &updates, &takes, &erases, &erases_all}) thread->join();
  map.check_invariants();
}

TEST(MoveOnlyValueTest, UpdatesTakesAndExchangesOfOneKeyLoseNothing) {
  Owners map({.shards = 1});
  constexpr int kRounds = 5'000;
  std::atomic<int> taken{0};
  std::atomic<int> updates{0};
  on_threads(4, [&](int n) {
    for (int i = 0; i < kRounds; ++i) {
      switch (n) {
        case 0:
          if (auto value = map.exchange(1, std::make_unique<int>(0))) taken += **value;
          break;
        case 1:
          if (auto value = map.take(1)) taken += **value;
          break;
        default:
          if (map.update(1, [](std::unique_ptr<int>& value) { ++*value; })) ++updates;
      }
    }
  });
  if (auto value = map.take(1)) taken += **value;
  EXPECT_EQ(taken.load(), updates.load());
  map.check_invariants();
}

TEST(MoveOnlyValueTest, EntriesOfOneSegmentAreErasedByAPredicate) {
  Sharded<std::unique_ptr<int>> map;
  for (int key = 0; key < 1'000; ++key) map.insert(key, std::make_unique<int>(key));
  EXPECT_EQ(map.erase_if([](const int&, const auto& value) { return *value % 4 == 0; }), 250U);
  EXPECT_EQ(map.size(), 750U);
  map.check_invariants();
}

}  // namespace
}  // namespace vigil
