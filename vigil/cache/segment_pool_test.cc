// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "vigil/cache/index_segment.h"

namespace vigil::cache {
namespace {

constexpr std::uint64_t kLimit = std::uint64_t{64} << 20;

class SegmentPoolTest : public ::testing::Test {
 protected:
  // More than are kept warm.
  std::vector<Segment*> take_many() {
    std::vector<Segment*> taken;
    for (std::uint64_t i = 0; i < 3 * SegmentPool::kWarmMax; ++i) {
      taken.push_back(pool_.take(Need::kGrowth));
    }
    return taken;
  }
  void give_back(const std::vector<Segment*>& segments) {
    for (Segment* segment : segments) {
      for (Bucket& bucket : segment->buckets) bucket.open();
      pool_.give_back(segment);
    }
  }

  MemoryBudget budget_{kLimit};
  SegmentPool pool_{budget_};
};

TEST_F(SegmentPoolTest, AReaderFindsEveryBucketOfAFreeSegmentOpen) {
  const std::vector<Segment*> segments = take_many();
  for (Segment* segment : segments) {
    for (Bucket& bucket : segment->buckets) {
      EXPECT_TRUE(bucket.snapshot().busy());
      bucket.set(3, 7, 42);
      bucket.close();
      EXPECT_FALSE(bucket.snapshot().busy());
    }
  }
  give_back(segments);
  std::size_t zeros = 0;
  for (const Segment* segment : segments) {
    for (const Bucket& bucket : segment->buckets) {
      EXPECT_TRUE(bucket.snapshot().busy());
      if (bucket.snapshot().meta == 0) ++zeros;
    }
  }
  EXPECT_EQ(zeros, 2 * SegmentPool::kWarmMax * kSegmentBuckets) << "pages were not given back";
}

TEST_F(SegmentPoolTest, NoStateOfABucketComesBackInALaterLife) {
  std::set<std::pair<const Bucket*, std::uint32_t>> seen;
  for (int life = 0; life < 3; ++life) {
    const std::vector<Segment*> segments = take_many();
    for (Segment* segment : segments) {
      std::uint32_t changes = 0;
      for (Bucket& bucket : segment->buckets) {
        // More changes from bucket to bucket.
        for (std::uint32_t i = 0; i <= changes / 16; ++i) {
          bucket.close();
          EXPECT_TRUE(seen.insert({&bucket, bucket.meta()}).second);
          bucket.open();
        }
        ++changes;
      }
    }
    give_back(segments);
  }
}

TEST_F(SegmentPoolTest, SegmentsAreChargedWhileTheyServe) {
  const std::vector<Segment*> segments = take_many();
  EXPECT_EQ(budget_.used(), segments.size() * sizeof(Segment));
  give_back(segments);
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(SegmentPoolTest, TheLimitRefusesAllButWhatCannotBeRefused) {
  std::vector<Segment*> segments;
  while (Segment* segment = pool_.take(Need::kGrowth)) segments.push_back(segment);
  EXPECT_EQ(segments.size(), (kLimit - MemoryBudget::reserve_of(kLimit)) / sizeof(Segment));
  segments.push_back(pool_.take(Need::kRelief));
  EXPECT_NE(segments.back(), nullptr);
  while (Segment* segment = pool_.take(Need::kRelief)) segments.push_back(segment);
  segments.push_back(pool_.take_anyway());
  give_back(segments);
}

}  // namespace
}  // namespace vigil::cache
