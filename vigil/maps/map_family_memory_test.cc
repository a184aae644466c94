// SPDX-License-Identifier: Apache-2.0
//
// Resident memory stays flat: what a map takes while it grows comes back when it is cleared, and
// threads that used it leave nothing behind. Two measures: the resident set, page by page, and what
// malloc has handed out, byte by byte.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdint>
#include <fstream>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "vigil/maps/map_family_test.h"

namespace vigil {
namespace {

struct Memory {
  std::int64_t resident_bytes;
  std::int64_t heap_bytes;

  // The kernel's cheaper counters (statm) lag behind by some hundred pages.
  static Memory now() {
    std::ifstream file("/proc/self/smaps_rollup");
    std::int64_t kilobytes = 0;
    for (std::string word; kilobytes == 0 && file >> word;) {
      if (word == "Rss:") file >> kilobytes;
    }
    return {kilobytes * 1024, static_cast<std::int64_t>(mallinfo2().uordblks)};
  }
};

// What lasts per thread or cycle is more than this after some thousands.
void expect_flat(const Memory& before, const Memory& after) {
  constexpr std::int64_t kSlackBytes = 1 << 20;
  EXPECT_GT(before.resident_bytes, 0);
  EXPECT_LE(after.resident_bytes - before.resident_bytes, kSlackBytes);
  EXPECT_LE(after.heap_bytes - before.heap_bytes, kSlackBytes);
}

template <class C>
class MapFamilyMemoryTest : public ::testing::Test {
 protected:
  using Entries = typename C::Entries;
  using Numbers = typename C::template MapOf<std::uint64_t, std::uint64_t>;
  static constexpr bool kIsSnapshot =
      std::is_same_v<Numbers, SnapshotMap<std::uint64_t, std::uint64_t>>;
  static constexpr bool kIsForOneThread =
      std::is_same_v<Numbers, CheckedMap<std::uint64_t, std::uint64_t>>;

  void grow_and_clear(int cycles) {
    constexpr std::uint64_t kEntries = kIsSnapshot ? 40 : 1'000;  // a write copies a SnapshotMap
    for (int cycle = 0; cycle < cycles; ++cycle) {
      for (std::uint64_t n = 0; n < kEntries; ++n) {
        map_.insert(Entries::key(n), Entries::value(n));
      }
      map_.clear();
    }
  }

  void use_from_threads(int threads) {
    constexpr int kAtOnce = kIsForOneThread ? 1 : 4;
    for (int done = 0; done < threads; done += kAtOnce) {
      maps::testing::on_threads(kAtOnce, [&](int n) {
        const auto key = Entries::key(static_cast<std::uint64_t>(n));
        map_.insert_or_assign(key, Entries::value(1));
        map_.visit(key, [](const auto&) {});
        map_.erase(key);
      });
    }
    if constexpr (requires { map_.reclaim(); }) map_.reclaim();
  }

  typename C::Map map_;
};
TYPED_TEST_SUITE(MapFamilyMemoryTest, maps::testing::AllCases);

TYPED_TEST(MapFamilyMemoryTest, AThousandCyclesOfGrowingAndClearingLeaveItFlat) {
  this->grow_and_clear(100);
  const Memory before = Memory::now();
  this->grow_and_clear(900);
  expect_flat(before, Memory::now());
}

TYPED_TEST(MapFamilyMemoryTest, TenThousandShortLivedThreadsLeaveItFlat) {
  this->use_from_threads(5'000);  // until as much waits to be reclaimed as ever does
  const Memory before = Memory::now();
  this->use_from_threads(5'000);
  expect_flat(before, Memory::now());
}

// A service has thousands of maps, most of them small.
TEST(ShardedMapMemoryTest, AProcessMayHaveAHundredThousandSmallMaps) {
  using Map = ShardedMap<std::uint64_t, std::uint64_t>;
  constexpr std::int64_t kMaps = 100'000;
  constexpr std::int64_t kBytesMax = 22 << 10;
  const Memory before = Memory::now();
  std::vector<std::unique_ptr<Map>> maps;
  for (std::int64_t n = 0; n < kMaps; ++n) {
    maps.push_back(std::make_unique<Map>(ShardedMapOptions{.max_entries = 10'000}));
  }
  EXPECT_LE((Memory::now().resident_bytes - before.resident_bytes) / kMaps, kBytesMax);
  for (std::int64_t n = 0; n < kMaps; n += 10'000) {
    const auto& map = maps[static_cast<std::size_t>(n)];
    for (std::uint64_t key = 0; key < 100; ++key) map->insert(key, key);
    EXPECT_EQ(map->size(), 100U);
  }
}

}  // namespace
}  // namespace vigil
