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

class SlabTest : public ::testing::Test {
 protected:
  // Objects of this size until there is no memory.
  std::vector<Ref> fill(std::uint32_t bytes) {
    std::vector<Ref> refs;
    for (Ref ref = slab_.allocate(bytes); ref != kNullRef; ref = slab_.allocate(bytes)) {
      refs.push_back(ref);
    }
    return refs;
  }

  MemoryBudget budget_{kPlenty};
  Arena arena_{budget_};
  Slab slab_{arena_};
};

TEST(SizeClassTest, EverySizeHasAClassThatWastesAtMostAnEighthOrAPage) {
  for (std::uint32_t bytes = 1; bytes <= kLargestObjectBytes; bytes += 1 + bytes / 100) {
    const std::uint32_t object = object_bytes(size_class_of(bytes));
    const std::uint32_t waste_max =
        bytes <= kSharedBytes ? std::max(kGranuleBytes - 1, bytes / 8) : kPageBytes - 1;
    ASSERT_GE(object, bytes);
    ASSERT_LE(object - bytes, waste_max) << bytes;
    ASSERT_EQ(size_class_of(object), size_class_of(bytes));
  }
}

TEST_F(SlabTest, ObjectsDoNotOverlap) {
  Random random(3);
  std::map<Ref, std::uint32_t> objects;
  for (int i = 0; i < 3000; ++i) {
    const auto bytes = static_cast<std::uint32_t>(8 + random.below(1U << (3 + random.below(17))));
    const Ref ref = slab_.allocate(bytes);
    ASSERT_NE(ref, kNullRef);
    std::memset(arena_.at(ref), static_cast<int>(i & 0xFF), bytes);
    ASSERT_TRUE(objects.emplace(ref, bytes).second);
  }
  Ref end = 0;
  for (const auto& [ref, bytes] : objects) {
    ASSERT_GE(ref, end);
    end = ref + (bytes + kGranuleBytes - 1) / kGranuleBytes;
  }
  slab_.check_invariants();
}

TEST_F(SlabTest, AnObjectHoldsWhatItsCapacitySays) {
  for (const std::uint32_t bytes : {1U, 100U, 1025U, 16'384U, 16'385U, 4'194'304U}) {
    EXPECT_EQ(slab_.capacity(slab_.allocate(bytes)), object_bytes(size_class_of(bytes)));
  }
}

TEST_F(SlabTest, RandomAllocationAndFreeingKeepsTheBooks) {
  Random random(5);
  std::vector<Ref> live;
  for (int i = 0; i < 100'000; ++i) {
    if (live.empty() || random.below(100) < (i < 50'000 ? 60U : 40U)) {
      const auto bytes = static_cast<std::uint32_t>(8 + random.below(1U << (3 + random.below(14))));
      live.push_back(slab_.allocate(bytes));
    } else {
      std::swap(live[random.below(live.size())], live.back());
      slab_.free(live.back());
      live.pop_back();
    }
  }
  slab_.check_invariants();
  slab_.free(live);
  slab_.check_invariants();
  arena_.check_invariants();
  EXPECT_LE(budget_.used(), 16U * kPageBytes) << "but for one empty chunk all went back";
}

// Sizes of one, eight and many objects per chunk, and of pages of their own.
TEST_F(SlabTest, WhateverTheHistoryEverySizeGetsTheWholeLimit) {
  constexpr std::uint64_t kLimit = std::uint64_t{16} << 20;
  budget_.set_limit(kLimit);
  Random random(7);
  const std::vector<std::uint32_t> sizes = {20'000, 6'600,     60'000, 100,
                                            8,      1'000'000, 3'333,  16'384};
  for (int round = 0; round < 32; ++round) {
    const std::uint32_t bytes = sizes[random.below(sizes.size())];
    const std::vector<Ref> refs = fill(bytes);
    const std::uint64_t stored = refs.size() * std::uint64_t{bytes};
    EXPECT_GE(stored * 100, kLimit * 78) << "round " << round << ", objects of " << bytes;
    slab_.free(refs);
    slab_.check_invariants();
    arena_.check_invariants();
  }
}

TEST_F(SlabTest, AClassCostsLittleBeforeItHasEarnedMore) {
  std::uint64_t objects = 0;
  for (std::uint32_t bytes = 24; bytes <= 424; bytes += 8) {
    ASSERT_NE(slab_.allocate(bytes), kNullRef);
    ++objects;
  }
  EXPECT_LE(budget_.used(), objects * kPageBytes * 2);
  // Then at most an eighth is unused, and a small chunk.
  constexpr std::uint32_t kBytes = 136;
  const std::uint64_t before = budget_.used();
  for (std::uint64_t i = 1; i < 20'000; ++i) {
    ASSERT_NE(slab_.allocate(kBytes), kNullRef);
    ASSERT_LE(budget_.used() - before, i * kBytes * 9 / 8 + 2 * kPageBytes) << i;
  }
}

TEST_F(SlabTest, AFullArenaRefusesAndGoesOnAfterFreeing) {
  budget_.set_limit(4 << 20);
  const std::vector<Ref> refs = fill(1000);
  EXPECT_GT(refs.size(), 3500U);
  slab_.free(refs.back());
  EXPECT_NE(slab_.allocate(1000), kNullRef);
}

TEST_F(SlabTest, AtTheLimitASmallObjectTakesTheRoomOfALargerOne) {
  budget_.set_limit(4 << 20);
  std::vector<Ref> refs = fill(1000);
  EXPECT_EQ(slab_.allocate(40), kNullRef);
  slab_.free(refs[refs.size() / 2]);
  const Ref small = slab_.allocate(40);
  ASSERT_NE(small, kNullRef);
  EXPECT_EQ(slab_.capacity(small), 1000U);
  refs[refs.size() / 2] = small;
  slab_.free(refs);
  slab_.check_invariants();
  EXPECT_LE(budget_.used(), 16U * kPageBytes);
}

TEST_F(SlabTest, ABreathingClassDoesNotGoToTheArenaEachTime) {
  const Ref first = slab_.allocate(100);
  const std::uint64_t used = budget_.used();
  slab_.free(first);
  EXPECT_EQ(budget_.used(), used);
  EXPECT_EQ(slab_.allocate(100), first);
}

}  // namespace
}  // namespace vigil::cache
