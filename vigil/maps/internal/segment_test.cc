// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/internal/segment.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "vigil/maps/internal/directory.h"

namespace vigil::maps::internal {
namespace {

using Layout = SlotLayout<1, false, 1>;

class SegmentTest : public ::testing::Test {
 protected:
  SegmentMemory memory_{10'000, Layout::kSlotWords * 8};
  SegmentAllocator allocator_{memory_};
};

TEST_F(SegmentTest, SegmentsDoNotOverlap) {
  std::set<std::uint32_t> groups;
  for (const std::uint32_t size : {2U, 7U, 48U, 7U, 2U, 7U}) {
    const Segment segment = allocator_.allocate(size);
    for (std::uint32_t g = segment.first(); g != segment.end(); ++g) {
      EXPECT_TRUE(groups.insert(g).second) << "group " << g;
    }
  }
}

TEST_F(SegmentTest, FreedSegmentsAreUsedAgainBeforeNewMemory) {
  const Segment kept = allocator_.allocate(7);
  const Segment segment = allocator_.allocate(7);
  allocator_.free(segment);
  EXPECT_EQ(allocator_.allocate(7), segment);
  EXPECT_NE(kept, segment);
}

TEST_F(SegmentTest, AChunkWithoutSegmentsReturnsForAnySizeAndShard) {
  std::vector<Segment> segments;
  for (int i = 0; i < 100; ++i) segments.push_back(allocator_.allocate(7));
  EXPECT_GT(memory_.bytes_in_use(), 0U);
  for (const Segment segment : segments) allocator_.free(segment);
  EXPECT_EQ(memory_.bytes_in_use(), 0U);

  SegmentAllocator other(memory_);
  const Segment again = other.allocate(11);
  EXPECT_LT(again.first(), 100U * 7 * 2);
}

// A stale reader of recycled memory relies on it.
TEST_F(SegmentTest, SequencesSurviveTheReturnOfAChunk) {
  Groups<Layout> groups(memory_.metadata(), memory_.slots());
  const Segment segment = allocator_.allocate(7);
  groups.fill(segment.first(), 0, 1, {1, 2});
  const Control seen = groups.load_view(segment.first()).control;
  groups.vacate_all(segment.first());
  allocator_.free(segment);
  const Segment again = allocator_.allocate(7);
  ASSERT_EQ(again, segment);
  EXPECT_FALSE(groups.still_at(again.first(), seen));
  EXPECT_EQ(groups.read_slot(again.first(), 0), (SlotWords<Layout>{0, 0})) << "page kept";
}

TEST_F(SegmentTest, AFullMapThrowsAndStaysUsable) {
  std::vector<Segment> segments;
  EXPECT_THROW(for (;;) segments.push_back(allocator_.allocate(48)), std::length_error);
  allocator_.free(segments.back());
  EXPECT_EQ(allocator_.allocate(48), segments.back());
}

TEST_F(SegmentTest, EveryHashHasItsHomeInTheSegment) {
  const Segment segment(1000, 11);
  EXPECT_EQ(segment.home(0), 1000U);
  EXPECT_EQ(segment.home(~std::uint64_t{0}), 1010U);
  EXPECT_EQ(segment.after(1010), 1000U);
}

TEST_F(SegmentTest, ARunOfChunksServesASegmentOfAnySize) {
  const std::uint32_t code = Segment::code_for(300);
  const Segment run = allocator_.allocate(code);
  EXPECT_EQ(run.groups(), 512U);
  EXPECT_EQ(SegmentAllocator::owner(memory_, run), 0U);
  const Segment other = allocator_.allocate(7);
  EXPECT_TRUE(other.first() >= run.end() || other.end() <= run.first());
  allocator_.free(other);
  allocator_.free(run);
  EXPECT_EQ(memory_.bytes_in_use(), 0U);
}

class DirectoryTest : public ::testing::Test {
 protected:
  DirectoryTest() {
    directory_.start(0, [](std::uint64_t) { return kA; });
  }

  static inline const Segment kA{10, 6};
  static inline const Segment kB{20, 6};
  static inline const Segment kC{30, 6};

  Directory directory_{10};
};

TEST_F(DirectoryTest, ASplitSendsHashesByTheNextBit) {
  directory_.deepen_to(1);
  directory_.publish_split(0, 0, kB, kC);
  EXPECT_EQ(directory_.find(0b10), kB);
  EXPECT_EQ(directory_.find(0b11), kC);
}

TEST_F(DirectoryTest, ASegmentBelowTheFullDepthHasSeveralEntries) {
  directory_.deepen_to(3);
  EXPECT_EQ(directory_.size(), 8U);
  for (std::uint64_t hash = 0; hash < 8; ++hash) EXPECT_EQ(directory_.find(hash), kA);
  directory_.publish_split(0, 0, kB, kC);
  for (std::uint64_t hash = 0; hash < 8; ++hash) {
    EXPECT_EQ(directory_.find(hash), hash % 2 == 0 ? kB : kC);
  }
}

// The entry is the same again, so comparing entries would take the miss for a true one.
TEST_F(DirectoryTest, ARecycledSegmentBackInItsPlaceDoesNotLookUnchanged) {
  const std::uint64_t seen = directory_.now(5);
  directory_.publish_replaced(0, 0, kB);
  directory_.publish_replaced(0, 0, kA);
  EXPECT_EQ(directory_.find(5), kA);
  EXPECT_FALSE(directory_.unchanged(5, seen));
}

// Versions are kept for classes of hashes; segments of little depth span several classes.
TEST_F(DirectoryTest, EverySpannedClassOfHashesSeesASplit) {
  directory_.deepen_to(2);
  directory_.publish_split(0, 0, kA, kB);
  const std::uint64_t even = directory_.now(62);
  const std::uint64_t odd = directory_.now(63);
  directory_.publish_split(1, 1, kB, kC);
  EXPECT_TRUE(directory_.unchanged(62, even));
  EXPECT_FALSE(directory_.unchanged(63, odd));
}

// It goes by the old mask and would take the half of a split that is not its own for its segment.
TEST_F(DirectoryTest, AReaderWithTheMaskBeforeADoublingNoticesIt) {
  const std::uint64_t seen = directory_.now(3);
  directory_.deepen_to(2);
  EXPECT_FALSE(directory_.unchanged(3, seen));
  const std::uint64_t then = directory_.now(3);
  directory_.deepen_to(2);
  EXPECT_TRUE(directory_.unchanged(3, then)) << "nothing was doubled";
}

TEST_F(DirectoryTest, ItHalvesWhenTwoLevelsAreUnusedAndReadersNotice) {
  directory_.deepen_to(3);
  directory_.publish_split(0, 0, kA, kB);
  directory_.publish_split(0, 1, kA, kC);
  directory_.publish_split(0, 2, kA, kB);
  const std::uint64_t seen = directory_.now(1);
  directory_.publish_merged(0, 2, kA);
  EXPECT_EQ(directory_.size(), 8U) << "the next split shall not double it again";
  directory_.publish_merged(0, 1, kA);
  EXPECT_EQ(directory_.size(), 4U);
  EXPECT_FALSE(directory_.unchanged(1, seen)) << "a late reader may have met an empty page";
  EXPECT_EQ(directory_.find(3), kB);
}

TEST_F(DirectoryTest, AUsedUpDirectoryThrowsBeforeAnythingChanges) {
  EXPECT_THROW(directory_.deepen_to(11), std::length_error);
  EXPECT_EQ(directory_.find(1), kA);
  EXPECT_EQ(directory_.size(), 1U);
}

}  // namespace
}  // namespace vigil::maps::internal
