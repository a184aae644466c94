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
  for (const std::uint32_t size : {2U, 7U, 63U, 7U, 2U, 7U}) {
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
  EXPECT_THROW(for (;;) segments.push_back(allocator_.allocate(63)), std::length_error);
  allocator_.free(segments.back());
  EXPECT_EQ(allocator_.allocate(63), segments.back());
}

TEST_F(SegmentTest, EveryHashHasItsHomeInTheSegment) {
  const Segment segment(1000, 11);
  EXPECT_EQ(segment.home(0), 1000U);
  EXPECT_EQ(segment.home(~std::uint64_t{0}), 1010U);
  EXPECT_EQ(segment.after(1010), 1000U);
}

class DirectoryTest : public ::testing::Test {
 protected:
  DirectoryTest() { directory_.start(memory_, kA); }

  static inline const Segment kA{10, 6};
  static inline const Segment kB{20, 6};
  static inline const Segment kC{30, 6};

  DirectoryMemory memory_{1024};
  Directory directory_;
};

TEST_F(DirectoryTest, ASplitSendsHashesByTheNextBit) {
  directory_.publish_split(directory_.make_room_for_split(0), 0, 0, kB, kC);
  EXPECT_EQ(directory_.find(0b10), kB);
  EXPECT_EQ(directory_.find(0b11), kC);
}

TEST_F(DirectoryTest, ASplitBelowTheFullDepthKeepsTheArray) {
  directory_.publish_split(directory_.make_room_for_split(0), 0, 0, kA, kB);
  directory_.publish_split(directory_.make_room_for_split(1), 1, 1, kB, kC);
  const std::uint64_t bytes = memory_.bytes_in_use();
  directory_.publish_split(directory_.make_room_for_split(1), 0, 1, kA, kC);
  EXPECT_EQ(memory_.bytes_in_use(), bytes);
  EXPECT_EQ(directory_.find(0b10), kC);
  EXPECT_EQ(directory_.find(0b11), kC);
  EXPECT_EQ(directory_.find(0b01), kB);
}

TEST_F(DirectoryTest, AReaderInASupersededArrayStillFindsTheOldSegment) {
  const Root old = directory_.load_root();
  directory_.publish_split(directory_.make_room_for_split(0), 0, 0, kB, kC);
  EXPECT_EQ(directory_.lookup(old, 1), kA);
  EXPECT_FALSE(directory_.unchanged(old));
}

// The entry is the same again, so comparing entries would take the miss for a true one.
TEST_F(DirectoryTest, ARecycledSegmentBackInItsPlaceDoesNotLookUnchanged) {
  const Root seen = directory_.load_root();
  directory_.publish_whole(0, 0, kB);
  directory_.publish_whole(0, 0, kA);
  EXPECT_EQ(directory_.find(0), kA);
  EXPECT_FALSE(directory_.unchanged(seen));
}

TEST_F(DirectoryTest, AUsedUpDirectoryThrowsBeforeAnythingChanges) {
  DirectoryMemory small(2);
  Directory directory;
  directory.start(small, kA);
  EXPECT_THROW(static_cast<void>(directory.make_room_for_split(0)), std::length_error);
  EXPECT_EQ(directory.find(1), kA);
}

}  // namespace
}  // namespace vigil::maps::internal
