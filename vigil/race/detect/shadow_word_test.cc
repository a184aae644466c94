// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/detect/shadow_word.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "vigil/race/detect/evicted_cells.h"

namespace vigil::race {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// Two threads in slots 0 and 1, at epoch 1, that know nothing of each other.
class ShadowWordTest : public testing::Test {
 protected:
  ShadowWordTest() {
    clocks_[0].set(0, 1);
    clocks_[1].set(1, 1);
  }

  // Records the access of a thread; returns the stacks of the accesses it conflicts with.
  std::vector<std::uint32_t> touch(Slot thread, Cell bytes_and_kind, std::uint32_t stack) {
    std::vector<std::uint32_t> found;
    const Cell access = cell_base(thread, clocks_[thread].epoch(thread)) | bytes_and_kind;
    record(
        word_, access, clocks_[thread], lane_++, [stack] { return Cell{stack}; },
        [&](Cell old) { found.push_back(stack_of(old)); }, [&](Cell) { ++evicted_; });
    return found;
  }

  ShadowWord word_{};
  VectorClock clocks_[8];
  unsigned lane_ = 0;
  int evicted_ = 0;
};

TEST_F(ShadowWordTest, FindsAWriteWithoutOrder) {
  EXPECT_THAT(touch(0, kAllBytes, 10), IsEmpty());
  EXPECT_THAT(touch(1, kAllBytes | kReadCell, 20), ElementsAre(10));
}

TEST_F(ShadowWordTest, FindsNothingInAnOrderedWrite) {
  touch(0, kAllBytes, 10);
  clocks_[1].join(clocks_[0]);
  EXPECT_THAT(touch(1, kAllBytes, 20), IsEmpty());
}

TEST_F(ShadowWordTest, TellsNeighbouringBytesApart) {
  touch(0, cell_bytes(0, 4), 10);
  EXPECT_THAT(touch(1, cell_bytes(4, 4), 20), IsEmpty());
  EXPECT_THAT(touch(1, cell_bytes(3, 1), 21), ElementsAre(10));
}

TEST_F(ShadowWordTest, AReadDoesNotReplaceAWrite) {
  touch(0, kAllBytes, 10);
  touch(0, kAllBytes | kReadCell, 11);
  EXPECT_THAT(touch(1, kAllBytes | kReadCell, 20), ElementsAre(10));
}

TEST_F(ShadowWordTest, ANarrowWriteDoesNotReplaceAWideOne) {
  touch(0, kAllBytes, 10);
  clocks_[0].set(0, 2);
  touch(0, cell_bytes(0, 1), 11);
  EXPECT_THAT(touch(1, cell_bytes(7, 1), 20), ElementsAre(10));
}

TEST_F(ShadowWordTest, FreedMemoryIsFoundEvenByThoseWhoKnow) {
  word_.reset(cell_base(0, 1) | kAllBytes | kFreedCell | 10);
  clocks_[1].join(clocks_[0]);
  EXPECT_THAT(touch(1, cell_bytes(0, 1) | kReadCell, 20), ElementsAre(10));
  EXPECT_THAT(touch(0, cell_bytes(0, 1) | kReadCell, 30), ElementsAre(10));
}

TEST_F(ShadowWordTest, ForgetsOneOfFiveUnorderedReadersAndSaysSo) {
  for (Slot thread = 0; thread < 5; ++thread) {
    clocks_[thread].set(thread, 1);
    touch(thread, kAllBytes | kReadCell, 10 + thread);
  }
  EXPECT_EQ(evicted_, 1);
}

TEST_F(ShadowWordTest, RecordedMeansTheSameOrAStrongerAccessOfThisEpoch) {
  const Cell base = cell_base(0, 1);
  touch(0, kAllBytes, 10);
  EXPECT_TRUE(is_recorded<0>(word_, base | kAllBytes));
  EXPECT_TRUE(is_recorded<kReadCell>(word_, base | kAllBytes | kReadCell));
  EXPECT_TRUE(is_recorded<kAtomicCell>(word_, base | kAllBytes | kAtomicCell));
  EXPECT_FALSE(is_recorded<0>(word_, cell_base(0, 2) | kAllBytes));
  EXPECT_FALSE(is_recorded<0>(word_, cell_base(1, 1) | kAllBytes));
  EXPECT_FALSE(is_recorded<0>(word_, base | cell_bytes(0, 4)));
}

TEST_F(ShadowWordTest, AReadIsNotARecordedWrite) {
  touch(0, kAllBytes | kReadCell, 10);
  EXPECT_FALSE(is_recorded<0>(word_, cell_base(0, 1) | kAllBytes));
}

TEST(EvictedCellsTest, FindsAndDropsLikeTheWordItself) {
  std::vector<EvictedCells::Entry> memory(16);
  EvictedCells evicted;
  std::uint32_t heads[4] = {};
  evicted.init(memory.data(), 16, heads, 2);
  VectorClock clock;
  clock.set(1, 1);
  evicted.add(64, cell_base(0, 1) | kAllBytes | kReadCell | 10);
  evicted.add(128, cell_base(0, 1) | kAllBytes | 11);
  std::vector<std::uint32_t> found;
  const auto on_found = [&](Cell old) { found.push_back(stack_of(old)); };
  evicted.check(64, cell_base(1, 1) | kAllBytes, clock, on_found);
  EXPECT_THAT(found, ElementsAre(10));
  clock.set(0, 1);
  evicted.check(64, cell_base(1, 1) | kAllBytes, clock, on_found);
  EXPECT_FALSE(evicted.empty());
  evicted.reset(128, 136);
  EXPECT_TRUE(evicted.empty());
}

// Ranges of fewer and of more words than there are lists.
TEST(EvictedCellsTest, ForgetsTheWordsOfARangeAndNoOthers) {
  std::vector<EvictedCells::Entry> memory(64);
  std::uint32_t heads[8] = {};
  VectorClock clock;
  for (std::uintptr_t words = 1; words < 32; ++words) {
    EvictedCells evicted;
    std::fill(std::begin(heads), std::end(heads), 0);
    evicted.init(memory.data(), 64, heads, 3);
    for (std::uintptr_t word = 0; word < 32; ++word) {
      evicted.add(word * 8, cell_base(0, 1) | kAllBytes | 1);
    }
    evicted.reset(8, 8 + words * 8);
    std::uintptr_t left = 0;
    for (std::uintptr_t word = 0; word < 32; ++word) {
      evicted.check(word * 8, cell_base(1, 1) | kAllBytes, clock, [&](Cell) { ++left; });
    }
    EXPECT_EQ(left, 32 - std::min<std::uintptr_t>(words, 31));
  }
}

TEST(EvictedCellsTest, CountsWhatDoesNotFit) {
  std::vector<EvictedCells::Entry> memory(3);
  EvictedCells evicted;
  std::uint32_t heads[4] = {};
  evicted.init(memory.data(), 3, heads, 2);
  for (int count = 0; count < 5; ++count) evicted.add(8, cell_base(0, 1) | kAllBytes);
  EXPECT_EQ(evicted.forgotten(), 3U);
}

}  // namespace
}  // namespace vigil::race
