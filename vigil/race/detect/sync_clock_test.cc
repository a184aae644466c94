// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/detect/sync_clock.h"

#include <gtest/gtest.h>

#include <deque>
#include <vector>

namespace vigil::race {
namespace {

void* allocate_for_test(std::size_t size) {
  static std::deque<std::vector<std::uint64_t>> blocks;
  return blocks.emplace_back((size + 7) / 8).data();
}

class SyncClockTest : public testing::Test {
 protected:
  SyncClockTest() { pool_.init(allocate_for_test); }

  static VectorClock clock_of(Slot slot, Epoch epoch) {
    VectorClock clock;
    clock.set(slot, epoch);
    return clock;
  }

  ClockPool pool_;
  SyncClock sync_;
};

TEST_F(SyncClockTest, TeachesWhatTheReleaserKnew) {
  VectorClock releaser = clock_of(3, 7);
  releaser.set(300, 9);
  sync_.release_store(releaser, moment(3, 7), pool_);
  VectorClock learner = clock_of(1, 1);
  sync_.acquire(learner);
  EXPECT_EQ(learner.epoch(3), 7U);
  EXPECT_EQ(learner.epoch(300), 9U);
  EXPECT_EQ(learner.epoch(1), 1U);
}

TEST_F(SyncClockTest, AStoreForgetsEarlierReleases) {
  sync_.release_store(clock_of(5, 4), moment(5, 4), pool_);
  sync_.release_store(clock_of(2, 6), moment(2, 6), pool_);
  VectorClock learner;
  sync_.acquire(learner);
  EXPECT_EQ(learner.epoch(2), 6U);
  EXPECT_EQ(learner.epoch(5), 0U);
}

TEST_F(SyncClockTest, AMergeKeepsEarlierReleases) {
  sync_.release_store(clock_of(5, 4), moment(5, 4), pool_);
  sync_.release_merge(clock_of(2, 6), moment(2, 6), pool_);
  VectorClock learner;
  sync_.acquire(learner);
  EXPECT_EQ(learner.epoch(2), 6U);
  EXPECT_EQ(learner.epoch(5), 4U);
}

TEST_F(SyncClockTest, TeachesNothingToWhoKnowsTheLastRelease) {
  VectorClock learner;
  EXPECT_TRUE(sync_.teaches_nothing(learner));
  sync_.release_store(clock_of(5, 4), moment(5, 4), pool_);
  EXPECT_FALSE(sync_.teaches_nothing(learner));
  sync_.acquire(learner);
  EXPECT_TRUE(sync_.teaches_nothing(learner));
}

TEST_F(SyncClockTest, AMergeOfStrangersIsNeverSkipped) {
  sync_.release_store(clock_of(5, 4), moment(5, 4), pool_);
  sync_.release_merge(clock_of(2, 6), moment(2, 6), pool_);
  const VectorClock knows_last_only = clock_of(2, 6);
  EXPECT_FALSE(sync_.teaches_nothing(knows_last_only));
}

TEST_F(SyncClockTest, UsesClearedBlocksAgain) {
  sync_.release_store(clock_of(5, 4), moment(5, 4), pool_);
  const Epoch* const first = sync_.epochs();
  sync_.clear(pool_);
  EXPECT_EQ(sync_.size(), 0U);
  sync_.release_store(clock_of(1, 2), moment(1, 2), pool_);
  EXPECT_EQ(sync_.epochs(), first);
  VectorClock learner;
  sync_.acquire(learner);
  EXPECT_EQ(learner.epoch(5), 0U);
}

}  // namespace
}  // namespace vigil::race
