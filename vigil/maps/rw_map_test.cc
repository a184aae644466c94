// SPDX-License-Identifier: Apache-2.0
//
// What RwMap has beyond the vocabulary: operations on the whole map are atomic, and re-entry is
// stopped. The lock: internal/distributed_rw_lock_test.cc.
#include "vigil/maps/rw_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>

#include "vigil/maps/map_family_test.h"

namespace vigil {
namespace {

using Numbers = RwMap<int, int>;

TEST(RwMapTest, ForEachStopsWhenTheVisitorReturnsFalse) {
  Numbers map;
  for (int n = 0; n < 100; ++n) map.insert(n, n);
  int seen = 0;
  map.for_each([&](int, int) { return ++seen < 3; });
  EXPECT_EQ(seen, 3);
}

// Keys are inserted in order and erased all at once: one moment shows a prefix of them.
TEST(RwMapTest, ForEachSeesOneMoment) {
  constexpr int kKeys = 50;
  Numbers map;
  std::atomic<bool> done{false};
  maps::testing::on_threads(3, [&](int n) {
    if (n == 0) {
      for (int round = 0; round < 200; ++round) {
        for (int key = 0; key < kKeys; ++key) map.insert(key, round);
        map.erase_if([](int, int) { return true; });
      }
      done.store(true);
      return;
    }
    while (!done.load(std::memory_order_relaxed)) {
      int largest = -1;
      int count = 0;
      map.for_each([&](int key, int) {
        largest = std::max(largest, key);
        ++count;
      });
      ASSERT_EQ(count, largest + 1);
    }
  });
}

TEST(RwMapDeathTest, AReadInsideAVisitIsStopped) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Numbers map;
  map.insert(1, 1);
  EXPECT_DEATH(map.visit(1, [&](int) { static_cast<void>(map.get(1)); }),
               "called back into the same map");
}

}  // namespace
}  // namespace vigil
