// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/eviction.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/cache/cache.h"
#include "vigil/cache/testing.h"

namespace vigil::cache {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr std::uint64_t kLimit = std::uint64_t{4} << 20;

class EvictionTest : public ::testing::Test {
 protected:
  AssignStatus put(int i, std::size_t size = 100, std::int64_t deadline_ms = kNoDeadline,
                   Kind kind = Kind::kString) {
    const std::string key = "key:" + std::to_string(1'000'000 + i);
    const std::string value(size, kind == Kind::kOrder && i % 2 == 0 ? 'p' : 'f');
    AssignStatus status = AssignStatus::kStored;
    const auto assign = [&](Slot& slot) { status = slot.assign(kind, value, deadline_ms); };
    EXPECT_EQ(cache_.write(cache_.key(key), kNow, assign), WriteStatus::kApplied);
    return status;
  }
  bool has(int i) {
    EntryHeader header;
    const std::string key = "key:" + std::to_string(1'000'000 + i);
    return cache_.peek(cache_.key(key), kNow, &header);
  }

  Cache cache_{{.shards = 4, .memory_limit_bytes = kLimit}};
};

TEST_F(EvictionTest, PoliciesHaveRedissNames) {
  for (const char* name : {"noeviction", "volatile-ttl", "allkeys-lru"}) {
    const auto policy = parse_eviction_policy(name);
    ASSERT_TRUE(policy.has_value());
    EXPECT_EQ(eviction_policy_name(*policy), name);
  }
  EXPECT_FALSE(parse_eviction_policy("allkeys-random").has_value());
}

TEST_F(EvictionTest, AnAgeIsCountedAcrossTheEndOfTheByte) {
  EXPECT_EQ(era_age(7, 7), 0U);
  EXPECT_EQ(era_age(7, 3), 4U);
  EXPECT_EQ(era_age(2, 254), 3U);  // 254, 255, 1, 2
  EXPECT_EQ(era_after(255), 1);
  EXPECT_EQ(era_age(7, 0), 255U);
}

TEST_F(EvictionTest, WithoutAPolicyWritesAreRefused) {
  int stored = 0;
  while (put(stored) == AssignStatus::kStored) ++stored;
  EXPECT_EQ(cache_.size(), static_cast<std::uint64_t>(stored));
  EXPECT_EQ(cache_.stats().evicted_total, 0U);
}

TEST_F(EvictionTest, WithLruEveryWriteIsStoredAndWhatIsUsedStays) {
  cache_.set_eviction_policy(EvictionPolicy::kAllkeysLru);
  CacheCopy copy(cache_);
  constexpr int kHot = 1000;
  constexpr int kWrites = 80'000;
  for (int i = 0; i < kWrites; ++i) {
    ASSERT_EQ(put(i), AssignStatus::kStored) << i;
    static_cast<void>(has(i % kHot));
  }
  int hot = 0;
  for (int i = 0; i < kHot; ++i) hot += has(i) ? 1 : 0;
  EXPECT_GE(hot, kHot * 97 / 100);
  EXPECT_EQ(cache_.stats().evicted_total + cache_.size(), static_cast<std::uint64_t>(kWrites));
  EXPECT_LE(cache_.stats().resident_bytes, kLimit);
  EXPECT_EQ(copy.difference(), "");
  cache_.check_invariants();
}

TEST_F(EvictionTest, WithLruSizesMayChange) {
  cache_.set_eviction_policy(EvictionPolicy::kAllkeysLru);
  Random random(11);
  for (int i = 0; i < 60'000; ++i) {
    ASSERT_EQ(put(static_cast<int>(random.below(100'000)), random.below(400)),
              AssignStatus::kStored)
        << i;
  }
  EXPECT_GT(cache_.stats().entry_bytes, kLimit * 7 / 10);
  cache_.check_invariants();
}

// From full of small values to large ones and back, and to such as take pages of their own.
TEST_F(EvictionTest, WithLruNoChangeOfSizeIsRefused) {
  cache_.set_eviction_policy(EvictionPolicy::kAllkeysLru);
  CacheCopy copy(cache_);
  int key = 0;
  for (const std::size_t size : {100U, 6'600U, 20U, 60'000U, 400U, 300'000U, 1U}) {
    std::uint64_t stored = 0;
    for (; stored < kLimit; stored += size + 30) {
      ASSERT_EQ(put(key++, size), AssignStatus::kStored) << "values of " << size;
    }
    EXPECT_GT(cache_.stats().resident_bytes, kLimit * 6 / 10);
    EXPECT_LE(cache_.stats().resident_bytes, kLimit);
  }
  EXPECT_EQ(copy.difference(), "");
  cache_.check_invariants();
}

TEST_F(EvictionTest, WithVolatileTtlTheNextToExpireGoFirstAndOthersStay) {
  cache_.set_eviction_policy(EvictionPolicy::kVolatileTtl);
  constexpr int kForever = 5000;
  for (int i = 0; i < kForever; ++i) ASSERT_EQ(put(i), AssignStatus::kStored);
  int last = kForever;
  for (; last < 80'000; ++last) {
    // The later ones are due later.
    ASSERT_EQ(put(last, 100, kNow + 1'000'000 + last), AssignStatus::kStored) << last;
  }
  for (int i = 0; i < kForever; ++i) ASSERT_TRUE(has(i)) << i;
  const int alive = static_cast<int>(cache_.size()) - kForever;
  int young = 0;
  for (int i = last - alive; i < last; ++i) young += has(i) ? 1 : 0;
  EXPECT_GE(young, alive * 85 / 100);
}

TEST_F(EvictionTest, WithVolatileTtlAndNoDeadlineWritesAreRefused) {
  cache_.set_eviction_policy(EvictionPolicy::kVolatileTtl);
  int stored = 0;
  while (put(stored) == AssignStatus::kStored) ++stored;
  EXPECT_GT(stored, 20'000);
  EXPECT_EQ(cache_.stats().evicted_total, 0U);
}

TEST_F(EvictionTest, WhatAGuardProtectsStays) {
  cache_.set_eviction_guard(Kind::kOrder,
                            [](std::string_view value) { return value.front() == 'p'; });
  cache_.set_eviction_policy(EvictionPolicy::kAllkeysLru);
  int i = 0;
  while (put(i, 100, kNoDeadline, Kind::kOrder) == AssignStatus::kStored) ++i;
  // Every second one is protected: the cache is full of them.
  for (int order = 0; order < i; order += 2) ASSERT_TRUE(has(order)) << order;
  EXPECT_GT(cache_.stats().evicted_total, 5000U);
  cache_.check_invariants();
}

TEST_F(EvictionTest, APolicyMayBeSetWhileTheCacheIsFull) {
  int i = 0;
  while (put(i) == AssignStatus::kStored) ++i;
  cache_.set_eviction_policy(EvictionPolicy::kAllkeysLru);
  for (int more = 0; more < 10'000; ++more) ASSERT_EQ(put(i + more), AssignStatus::kStored);
  cache_.set_eviction_policy(EvictionPolicy::kNoEviction);
  bool refused = false;
  for (int more = 10'000; more < 40'000; ++more) {
    refused = refused || put(i + more) == AssignStatus::kOutOfMemory;
  }
  EXPECT_TRUE(refused);
}

// Says when a thread changes something for another one inside its own group.
class GroupWatch final : public ShardObserver {
 public:
  void group_began() noexcept override {
    if (inside_) ++nested;
    inside_ = true;
  }
  void group_ended() noexcept override { inside_ = false; }
  void stored(const StoredEntry& entry) noexcept override {
    if (inside_ && entry.shard != shard_of_group()) ++strange;
  }

  static std::uint32_t& shard_of_group() {
    thread_local std::uint32_t shard = 0;
    return shard;
  }
  std::atomic<int> nested{0};
  std::atomic<int> strange{0};

 private:
  static thread_local bool inside_;
};
thread_local bool GroupWatch::inside_ = false;

TEST_F(EvictionTest, AThreadThatMakesRoomAppliesNoOtherThreadsWritesInsideItsGroup) {
  GroupWatch watch;
  cache_.add_observer(watch);
  cache_.set_eviction_policy(EvictionPolicy::kAllkeysLru);
  std::vector<std::thread> writers;
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    writers.emplace_back([&, seed] {
      Random random(seed);
      for (int i = 0; i < 2000; ++i) {
        const std::string name = std::to_string(random.below(5000));
        const Key key = cache_.key(name);
        const std::string value(random.below(std::uint64_t{1} << random.below(17)), 'v');
        static_cast<void>(cache_.write(key, kNow, [&](Slot& slot) {
          const ChangeGroup together = slot.group();
          GroupWatch::shard_of_group() = key.shard;
          static_cast<void>(slot.assign(Kind::kString, value, kNoDeadline));
        }));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  EXPECT_GT(cache_.stats().evicted_total, 0U);
  EXPECT_EQ(watch.nested.load(), 0);
  EXPECT_EQ(watch.strange.load(), 0);
  cache_.check_invariants();
}

}  // namespace
}  // namespace vigil::cache
