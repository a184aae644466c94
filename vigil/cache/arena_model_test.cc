// SPDX-License-Identifier: Apache-2.0
//
// The arena against a naive model: a map of the runs that are handed out.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <map>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/cache/arena.h"
#include "vigil/testing/seed.h"

namespace vigil::cache {
namespace {

constexpr std::uint64_t kLimit = std::uint64_t{16} << 20;
constexpr std::uint64_t kLimitPages = kLimit / kPageBytes;
const std::uint64_t kGrowthPages = (kLimit - MemoryBudget::reserve_of(kLimit)) / kPageBytes;

class ArenaModelTest : public ::testing::Test {
 protected:
  bool acquire(std::uint32_t pages, Need need = Need::kGrowth) {
    const std::uint32_t first = arena_.acquire(pages, need);
    if (first == 0) return false;
    const auto behind = runs_.lower_bound(first);
    EXPECT_TRUE(behind == runs_.end() || first + pages <= behind->first) << "runs overlap";
    if (behind != runs_.begin()) {
      const auto before = std::prev(behind);
      EXPECT_LE(before->first + before->second, first) << "runs overlap";
    }
    runs_[first] = pages;
    pages_ += pages;
    std::memset(arena_.at(Arena::ref_of(first)), 0xA5, kPageBytes);
    return true;
  }
  void release(std::map<std::uint32_t, std::uint32_t>::iterator run) {
    arena_.release(run->first, run->second);
    pages_ -= run->second;
    runs_.erase(run);
  }
  void release_all() {
    while (!runs_.empty()) release(runs_.begin());
  }
  std::map<std::uint32_t, std::uint32_t>::iterator random_run(Random& random) {
    return std::next(runs_.begin(), static_cast<std::ptrdiff_t>(random.below(runs_.size())));
  }

  MemoryBudget budget_{kLimit};
  Arena arena_{budget_};
  std::map<std::uint32_t, std::uint32_t> runs_;  // first page -> pages
  std::uint64_t pages_ = 0;
};

TEST_F(ArenaModelTest, RunsNeverOverlapAndEveryPageIsCharged) {
  Random random(vigil::testing::test_seed());
  for (int step = 0; step < 30'000; ++step) {
    if (runs_.empty() || random.below(100) < (step % 2000 < 1000 ? 60U : 40U)) {
      const auto pages = static_cast<std::uint32_t>(1 + random.below(1U << random.below(10)));
      const bool has_room = pages_ + pages <= kGrowthPages;
      ASSERT_EQ(acquire(pages), has_room) << "step " << step;
    } else {
      release(random_run(random));
    }
    ASSERT_EQ(budget_.used(), pages_ * kPageBytes);
    if (step % 500 == 0) arena_.check_invariants();
  }
  release_all();
  arena_.check_invariants();
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(ArenaModelTest, WhateverTheHistoryEveryLengthGetsTheWholeLimit) {
  Random random(vigil::testing::test_seed());
  for (int round = 0; round < 40; ++round) {
    const auto pages = static_cast<std::uint32_t>(1 + random.below(1U << random.below(11)));
    while (acquire(std::min(pages, kLongestRunPages))) {
    }
    EXPECT_GT(pages_ + pages, kGrowthPages) << "round " << round << ", runs of " << pages;
    // In any order, and now and then not all of them.
    while (!runs_.empty() && random.below(300) != 0) release(random_run(random));
    arena_.check_invariants();
    release_all();
  }
}

TEST_F(ArenaModelTest, ReliefIsServedWhenGrowthIsNot) {
  while (acquire(1)) {
  }
  std::uint64_t more = 0;
  while (acquire(1, Need::kRelief)) ++more;
  EXPECT_EQ(more, MemoryBudget::reserve_of(kLimit) / kPageBytes);
  EXPECT_EQ(pages_, kLimitPages);
}

TEST_F(ArenaModelTest, ALowerLimitRefusesGrowthUntilThereIsRoomAgain) {
  while (acquire(8)) {
  }
  budget_.set_limit(kLimit / 2);
  const std::uint64_t room_from = (kLimit / 2 - MemoryBudget::reserve_of(kLimit / 2)) / kPageBytes;
  while (pages_ >= room_from) {
    EXPECT_FALSE(acquire(1)) << pages_;
    release(runs_.begin());
  }
  EXPECT_TRUE(acquire(1));
  budget_.set_limit(kLimit);
  EXPECT_TRUE(acquire(kLongestRunPages));
}

// A stale reader's view: what was written is there, or zeros.
TEST_F(ArenaModelTest, ReleasedPagesCanStillBeRead) {
  std::vector<Ref> stale;
  while (acquire(16)) stale.push_back(Arena::ref_of(runs_.rbegin()->first));
  release_all();
  for (const Ref ref : stale) {
    const char byte = *arena_.at(ref);
    EXPECT_TRUE(byte == 0 || byte == static_cast<char>(0xA5));
  }
}

}  // namespace
}  // namespace vigil::cache
