// SPDX-License-Identifier: Apache-2.0
//
// What SnapshotMap has beyond the vocabulary: versions. The vocabulary: concurrent_map_test.cc.
#include "vigil/maps/snapshot_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "vigil/maps/map_family_test.h"

namespace vigil {
namespace {

using ::testing::Optional;
using Numbers = SnapshotMap<int, int>;

TEST(SnapshotMapTest, ASnapshotDoesNotChange) {
  Numbers map;
  map.insert(1, 10);
  const Numbers::Snapshot before = map.snapshot();
  map.insert_or_assign(1, 11);
  map.insert(2, 20);
  EXPECT_THAT(before.get(1), Optional(10));
  EXPECT_FALSE(before.contains(2));
  EXPECT_EQ(before.size(), 1U);
  EXPECT_THAT(map.snapshot().get(1), Optional(11));
}

TEST(SnapshotMapTest, ASnapshotOutlivesTheMap) {
  std::optional<Numbers::Snapshot> kept;
  {
    Numbers map;
    map.insert(1, 10);
    kept = map.snapshot();
  }
  EXPECT_THAT(kept->get(1), Optional(10));
}

TEST(SnapshotMapTest, AnEditIsOneVersion) {
  Numbers map;
  const std::uint64_t before = map.stats().versions_total;
  EXPECT_EQ(map.edit([](Numbers::Draft& draft) {
    for (int n = 0; n < 100; ++n) draft.insert(n, n);
    return draft.size();
  }),
            100U);
  EXPECT_EQ(map.stats().versions_total, before + 1);
  EXPECT_EQ(map.size(), 100U);
}

TEST(SnapshotMapTest, AnEditThatThrowsChangesNothing) {
  Numbers map;
  map.insert(1, 10);
  EXPECT_THROW(map.edit([](Numbers::Draft& draft) {
    draft.clear();
    throw std::runtime_error("no");
  }),
               std::runtime_error);
  EXPECT_THAT(map.get(1), Optional(10));
}

TEST(SnapshotMapTest, AWriteThatChangesNothingMakesNoVersion) {
  Numbers map;
  map.insert(1, 10);
  const std::uint64_t before = map.stats().versions_total;
  EXPECT_FALSE(map.insert(1, 11));
  EXPECT_FALSE(map.erase(2));
  EXPECT_FALSE(map.compare_exchange(1, 99, 11));
  EXPECT_FALSE(map.get_or_insert(1, 12).inserted);
  EXPECT_EQ(map.stats().versions_total, before);
}

TEST(SnapshotMapTest, ReadCallbacksMayWriteAndStillSeeTheirVersion) {
  Numbers map;
  for (int n = 0; n < 10; ++n) map.insert(n, n);
  int seen = 0;
  map.for_each([&](int key, int value) {
    EXPECT_EQ(value, key);
    map.insert_or_assign(key, -1);
    ++seen;
  });
  EXPECT_EQ(seen, 10);
  EXPECT_THAT(map.get(3), Optional(-1));
}

TEST(SnapshotMapTest, OldVersionsAreDestroyedWhenNobodyReadsThem) {
  const auto counted = std::make_shared<int>(0);
  SnapshotMap<int, std::shared_ptr<int>> map;
  map.insert(0, counted);
  for (int n = 1; n < 100; ++n) map.insert_or_assign(0, counted);
  // Ours, the current version's, and those of the few versions that wait to be reclaimed.
  EXPECT_LE(counted.use_count(), 6);
  EXPECT_LE(map.stats().versions_waiting, 4U);
}

// Readers of a configuration that is replaced as a whole never see half of two.
TEST(SnapshotMapTest, AReloadIsSeenWholeOrNotAtAll) {
  SnapshotMap<std::string, int> config;
  const auto load = [&](int generation) {
    config.edit([&](auto& draft) {
      draft.clear();
      for (int n = 0; n < 20; ++n) draft.insert("key " + std::to_string(n), generation);
    });
  };
  load(0);
  std::atomic<bool> done{false};
  maps::testing::on_threads(3, [&](int n) {
    if (n == 0) {
      for (int generation = 1; generation < 500; ++generation) load(generation);
      done.store(true);
      return;
    }
    while (!done.load(std::memory_order_relaxed)) {
      const auto now = config.snapshot();
      const int generation = now.get("key 0").value_or(-1);
      ASSERT_EQ(now.size(), 20U);
      now.for_each([&](std::string_view, int value) { ASSERT_EQ(value, generation); });
    }
  });
}

}  // namespace
}  // namespace vigil
