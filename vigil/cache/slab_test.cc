// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/slab.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "vigil/base/random.h"

namespace vigil::cache {
namespace {

constexpr std::uint64_t kPlenty = std::uint64_t{1} << 32;

TEST(SlabTest, EverySizeHasAClassThatWastesAtMostAnEighth) {
  for (std::uint32_t bytes = 1; bytes <= kLargestObjectBytes; bytes += 1 + bytes / 100) {
    const SizeClass& size = size_class(size_class_of(bytes));
    ASSERT_GE(size.object_bytes, bytes);
    ASSERT_LE(size.object_bytes - bytes, std::max(kGranuleBytes - 1, bytes / 8)) << bytes;
    ASSERT_GE(size.objects, 1U);
    ASSERT_LE(size.objects * size.object_bytes, size.chunk_units * kUnitBytes);
  }
}

TEST(SlabTest, ObjectsDoNotOverlap) {
  Arena arena(kPlenty);
  Slab slab(arena);
  Random random(3);
  std::map<Ref, std::uint32_t> objects;
  for (int i = 0; i < 3000; ++i) {
    const auto bytes = static_cast<std::uint32_t>(8 + random.below(1U << (3 + random.below(17))));
    const Ref ref = slab.allocate(bytes);
    ASSERT_NE(ref, kNullRef);
    std::memset(arena.at(ref), static_cast<int>(i & 0xFF), bytes);
    ASSERT_TRUE(objects.emplace(ref, bytes).second);
  }
  Ref end = 0;
  for (const auto& [ref, bytes] : objects) {
    ASSERT_GE(ref, end);
    end = ref + (bytes + kGranuleBytes - 1) / kGranuleBytes;
  }
  slab.check_invariants();
}

TEST(SlabTest, RandomAllocationAndFreeingKeepsTheBooks) {
  Arena arena(kPlenty);
  Slab slab(arena);
  Random random(5);
  std::vector<std::pair<Ref, std::uint32_t>> live;
  for (int i = 0; i < 100'000; ++i) {
    if (live.empty() || random.below(100) < (i < 50'000 ? 60U : 40U)) {
      const auto bytes = static_cast<std::uint32_t>(8 + random.below(1U << (3 + random.below(14))));
      live.emplace_back(slab.allocate(bytes), bytes);
    } else {
      std::swap(live[random.below(live.size())], live.back());
      slab.free(live.back().first, live.back().second);
      live.pop_back();
    }
  }
  slab.check_invariants();
  for (const auto& [ref, bytes] : live) slab.free(ref, bytes);
  slab.check_invariants();
  EXPECT_EQ(slab.object_bytes(), 0U);
}

TEST(SlabTest, FreedChunksServeOtherSizes) {
  Arena arena(8 << 20);
  Slab slab(arena);
  for (int round = 0; round < 20; ++round) {
    const auto bytes = static_cast<std::uint32_t>(64 + 64 * (round % 5));
    std::vector<Ref> refs;
    for (std::uint32_t i = 0; i < (6U << 20) / bytes; ++i) {
      refs.push_back(slab.allocate(bytes));
      ASSERT_NE(refs.back(), kNullRef) << "round " << round;
    }
    for (const Ref ref : refs) slab.free(ref, bytes);
  }
  EXPECT_LE(arena.used_bytes(), 5U * kUnitBytes);
}

TEST(SlabTest, AFullArenaRefusesAndGoesOnAfterFreeing) {
  Arena arena(4 << 20);
  Slab slab(arena);
  std::vector<Ref> refs;
  for (;;) {
    const Ref ref = slab.allocate(1000);
    if (ref == kNullRef) break;
    refs.push_back(ref);
  }
  EXPECT_GT(refs.size(), 3500U);
  slab.free(refs.back(), 1000);
  EXPECT_NE(slab.allocate(1000), kNullRef);
}

TEST(SlabTest, ClearReturnsEveryChunk) {
  Arena arena(kPlenty);
  {
    Slab slab(arena);
    for (int i = 0; i < 10'000; ++i) ASSERT_NE(slab.allocate(136), kNullRef);
    EXPECT_GT(arena.used_bytes(), 10'000U * 136);
    slab.clear();
    EXPECT_EQ(arena.used_bytes(), 0U);
    ASSERT_NE(slab.allocate(136), kNullRef);
    slab.check_invariants();
  }
  EXPECT_EQ(arena.used_bytes(), 0U);
}

}  // namespace
}  // namespace vigil::cache
