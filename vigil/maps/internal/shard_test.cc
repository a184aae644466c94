// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/internal/shard.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace vigil::maps::internal {
namespace {

constexpr auto kNothingToSplit = [](Shard&, std::uint64_t, std::uint32_t) {};

// The shard responsible for a hash, after it was locked and released.
Shard& shard_of(Shards& shards, std::uint64_t hash) VIGIL_NO_THREAD_SAFETY_ANALYSIS {
  Shard& shard = shards.lock(hash);
  shard.lock().unlock();
  return shard;
}

TEST(ShardsTest, AShardThatHandedOnItsHashesSaysSoToWritersThatAreLate) {
  Shards shards(64);
  Shard& late = shard_of(shards, 7);
  EXPECT_EQ(late.forward(), nullptr);
  shards.change_count(128, kNothingToSplit);
  ASSERT_NE(late.forward(), nullptr);
  EXPECT_EQ(&late.forward()->of(7), &shard_of(shards, 7));
  EXPECT_NE(&shard_of(shards, 7), &shard_of(shards, 7 + 64));
  shards.change_count(64, kNothingToSplit);
  EXPECT_EQ(late.forward(), nullptr);
  EXPECT_EQ(&shard_of(shards, 7 + 64), &late);
}

TEST(ShardsTest, SegmentsMayNotMergeAcrossShards) {
  Shards shards(1);
  EXPECT_EQ(shard_of(shards, 0).smallest_depth(), 0U);
  shards.change_count(8, kNothingToSplit);
  for (std::uint64_t hash = 0; hash < 8; ++hash) {
    EXPECT_EQ(shard_of(shards, hash).smallest_depth(), 3U);
  }
}

TEST(ShardsTest, SumsStayWhenTheNumberChanges) {
  Shards shards(4);
  for (std::uint64_t hash = 0; hash < 4; ++hash) {
    shard_of(shards, hash).counters().entries.add(10 + hash);
  }
  for (const std::uint32_t count : {16U, 2U, 4096U, 1U}) {
    shards.change_count(count, kNothingToSplit);
    // What the lower half of a cut shard counted may be removed in the upper half.
    shard_of(shards, count - 1).counters().entries.subtract(1);
    shard_of(shards, 0).counters().entries.add(1);
    EXPECT_EQ(shards.sum(&ShardCounters::entries), 46U);
  }
}

TEST(ShardsTest, ASplitThatFailsLeavesTheNumberAndEveryShardLive) {
  Shards shards(4);
  const auto fail_at_2 = [](Shard&, std::uint64_t i, std::uint32_t) {
    if (i == 2) throw std::length_error("full");
  };
  EXPECT_THROW(shards.change_count(8, fail_at_2), std::length_error);
  EXPECT_EQ(shards.count(), 4U);
  for (std::uint64_t hash = 0; hash < 4; ++hash) {
    EXPECT_EQ(shard_of(shards, hash).forward(), nullptr);
  }
  shards.change_count(8, kNothingToSplit);
  EXPECT_EQ(shards.count(), 8U);
}

}  // namespace
}  // namespace vigil::maps::internal
