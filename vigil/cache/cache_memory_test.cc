// SPDX-License-Identifier: Apache-2.0
//
// What a cache makes of its memory limit: payload, over changing sizes, at any number of shards;
// what works when it is full; and that readers survive memory that changes its use.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/cache/cache.h"
#include "vigil/cache/testing.h"
#include "vigil/testing/seed.h"

namespace vigil::cache {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kLimit = 64 * kMiB;
constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr std::int64_t kSoon_ms = 5000;

std::string key_of(std::uint64_t i) {
  std::string digits = std::to_string(i);
  return "order:" + std::string(10 - digits.size(), '0') + digits;
}

AssignStatus put(Cache& cache, const std::string& key, std::size_t value_size,
                 std::int64_t now_ms = kNow, std::int64_t deadline_ms = kNoDeadline) {
  const std::string value(value_size, 'v');
  AssignStatus status = AssignStatus::kStored;
  const auto assign = [&](Slot& slot) { status = slot.assign(Kind::kString, value, deadline_ms); };
  EXPECT_EQ(cache.write(cache.key(key), now_ms, assign), WriteStatus::kApplied);
  return status;
}

void erase(Cache& cache, const std::string& key) {
  EXPECT_EQ(cache.write(cache.key(key), kNow, [](Slot& slot) { slot.erase(); }),
            WriteStatus::kApplied);
}

// Sizes of values, in an order; the n-th key gets the n-th size.
using Sizes = std::function<std::size_t(std::uint64_t)>;

// 50 classes of 8 bytes: 20 to 412 bytes.
std::size_t of_fifty(std::uint64_t i) { return 20 + 8 * (i % 50); }

struct Load {
  std::uint64_t keys = 0;
  std::uint64_t payload = 0;
};

// Adds keys until the first is refused.
Load fill(Cache& cache, const Sizes& size, std::int64_t now_ms = kNow,
          std::int64_t deadline_ms = kNoDeadline) {
  Load load;
  for (;; ++load.keys) {
    const std::string key = key_of(load.keys);
    const std::size_t bytes = size(load.keys);
    if (put(cache, key, bytes, now_ms, deadline_ms) != AssignStatus::kStored) return load;
    load.payload += key.size() + bytes;
  }
}

void delete_all(Cache& cache, std::uint64_t keys, Random& random) {
  std::vector<std::uint64_t> order(keys);
  std::iota(order.begin(), order.end(), 0);
  for (std::uint64_t i = keys; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
  for (const std::uint64_t i : order) erase(cache, key_of(i));
}

void expire_all(Cache& cache, std::int64_t now_ms) {
  while (cache.collect_expired(0, 1, now_ms, 100'000).more) {
  }
}

class MemoryTest : public ::testing::TestWithParam<std::uint32_t> {
 protected:
  Cache cache_{{.shards = GetParam(), .memory_limit_bytes = kLimit}};
};

TEST_P(MemoryTest, ThreeQuartersOfTheLimitArePayloadTenTimesOver) {
  Random random(vigil::testing::test_seed());
  const std::vector<std::pair<const char*, Sizes>> orders = {
      {"in turn", of_fifty},
      {"large to small", [](std::uint64_t i) { return of_fifty(49 - i % 50); }},
      {"at random", [&](std::uint64_t) { return of_fifty(random.below(50)); }},
      {"class by class", [](std::uint64_t i) { return of_fifty(i / 5000); }},
      {"large classes", [](std::uint64_t i) { return 100 + 1200 * (i % 50); }},
      {"one class", [](std::uint64_t) { return std::size_t{140}; }},
  };
  for (int round = 0; round < 10; ++round) {
    const auto& [name, sizes] = orders[static_cast<std::size_t>(round) % orders.size()];
    const bool expires = round % 3 == 1;
    const std::int64_t now_ms = kNow + round * 2 * kSoon_ms;
    const std::int64_t deadline_ms = now_ms + kSoon_ms;
    const Load load = fill(cache_, sizes, now_ms, expires ? deadline_ms : kNoDeadline);
    EXPECT_GE(load.payload * 100, kLimit * 75) << "round " << round << ", sizes " << name;
    EXPECT_LE(cache_.stats().resident_bytes, kLimit);
    switch (round % 3) {
      case 0:
        cache_.clear();
        break;
      case 1:
        expire_all(cache_, deadline_ms);
        break;
      default:
        delete_all(cache_, load.keys, random);
    }
    EXPECT_EQ(cache_.size(), 0U);
    // A segment for each shard, and a chunk for each slab.
    EXPECT_LE(cache_.stats().resident_bytes, 2 * kMiB) << "round " << round << ", sizes " << name;
  }
  cache_.check_invariants();
}

TEST_P(MemoryTest, AfterClearingOneSizeTheWholeLimitIsThereForEveryOther) {
  for (const std::size_t bytes : {20'000U, 6'600U, 60'000U, 100U, 1'000'000U, 20'000U}) {
    const Load load = fill(cache_, [&](std::uint64_t) { return bytes; });
    EXPECT_GE(load.payload * 100, kLimit * 75) << "values of " << bytes;
    cache_.clear();
  }
  cache_.check_invariants();
}

INSTANTIATE_TEST_SUITE_P(Shards, MemoryTest, ::testing::Values(1U, 64U, 128U),
                         [](const auto& shards) {
                           return std::to_string(shards.param) + "Shards";
                         });

// Against a model of what is stored: sizes change, keys go and come, at the limit all the time.
TEST_P(MemoryTest, ChangingSizesAtTheLimitLoseNothingAndLeakNothing) {
  constexpr std::uint64_t kSmallLimit = 8 * kMiB;
  Cache cache({.shards = GetParam(), .memory_limit_bytes = kSmallLimit});
  CacheCopy copy(cache);
  Random random(vigil::testing::test_seed());
  for (int step = 0; step < 60'000; ++step) {
    const std::string key = key_of(random.below(4000));
    const std::uint64_t dice = random.below(100);
    if (dice < 70) {
      // The usual size changes as time goes by.
      const std::uint64_t usual = std::uint64_t{64} << (step / 6000 % 8);
      const bool stored = put(cache, key, random.below(usual * 2)) == AssignStatus::kStored;
      EXPECT_TRUE(stored || cache.stats().resident_bytes > kSmallLimit / 2);
    } else if (dice < 99) {
      const auto written = cache.write(cache.key(key), kNow, [](Slot& slot) {
        if (slot.exists()) slot.erase();
      });
      EXPECT_EQ(written, WriteStatus::kApplied);
    } else if (random.below(20) == 0) {
      cache.clear();
    }
    EXPECT_LE(cache.stats().resident_bytes, kSmallLimit);
  }
  EXPECT_EQ(copy.difference(), "");
  cache.check_invariants();
  cache.clear();
  EXPECT_LE(cache.stats().resident_bytes, kMiB);
}

class FullCacheTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kRetention_ms = 1000;
  FullCacheTest() {
    cache_.set_tombstone_retention(Kind::kOrder, kRetention_ms);
    std::string value(100, 'v');
    for (AssignStatus status = AssignStatus::kStored; status == AssignStatus::kStored; ++keys_) {
      EXPECT_EQ(cache_.write(cache_.key(key_of(keys_)), kNow,
                             [&](Slot& slot) {
                               status = slot.assign(Kind::kOrder, value, kNow + kSoon_ms);
                             }),
                WriteStatus::kApplied);
    }
    --keys_;
  }

  Cache cache_{{.shards = 64, .memory_limit_bytes = 8 * kMiB}};
  std::uint64_t keys_ = 0;  // stored
};

TEST_F(FullCacheTest, EveryEntryCanBeBuriedAndWhatItHeldServesOthers) {
  AssignStatus status = AssignStatus::kStored;
  for (std::uint64_t i = 0; i < keys_; ++i) {
    EXPECT_EQ(cache_.write(cache_.key(key_of(i)), kNow,
                           [&](Slot& slot) {
                             status = slot.bury(slot.next_version(), kNow + kRetention_ms);
                           }),
              WriteStatus::kApplied);
    ASSERT_EQ(status, AssignStatus::kStored) << i;
  }
  EXPECT_EQ(cache_.size(), 0U);
  EXPECT_EQ(cache_.stats().tombstones, keys_);
  cache_.check_invariants();
  EXPECT_GE(fill(cache_, [](std::uint64_t) { return std::size_t{1000}; }).payload, 3 * kMiB);
}

TEST_F(FullCacheTest, TheReserveHoldsTombstonesOfKeysThatAreNotThere) {
  std::uint64_t buried = 0;
  AssignStatus status = AssignStatus::kStored;
  for (; status == AssignStatus::kStored; ++buried) {
    EXPECT_EQ(cache_.write(cache_.key("absent:" + std::to_string(buried)), kNow,
                           [&](Slot& slot) { status = slot.bury(7, kNow + kRetention_ms); }),
              WriteStatus::kApplied);
  }
  EXPECT_EQ(status, AssignStatus::kOutOfMemory);
  EXPECT_GE(buried, MemoryBudget::reserve_of(8 * kMiB) / 128);
  EXPECT_LE(cache_.stats().resident_bytes, 8 * kMiB + 256 * 1024) << "but for wheels";
}

TEST_F(FullCacheTest, WhatGetsSmallerIsAlwaysStored) {
  for (std::uint64_t i = 0; i < keys_; ++i) {
    ASSERT_EQ(put(cache_, key_of(i), 100 - 1 - i % 99), AssignStatus::kStored) << i;
  }
  cache_.check_invariants();
}

TEST_F(FullCacheTest, EntriesExpireAndTheirTombstonesGo) {
  expire_all(cache_, kNow + kSoon_ms);
  EXPECT_EQ(cache_.size(), 0U);
  EXPECT_EQ(cache_.stats().tombstones, keys_);
  expire_all(cache_, kNow + kSoon_ms + kRetention_ms);
  EXPECT_EQ(cache_.stats().tombstones, 0U);
  EXPECT_LE(cache_.stats().resident_bytes, kMiB);
}

TEST_F(FullCacheTest, ClearingNeedsNoMemory) {
  cache_.clear();
  EXPECT_EQ(cache_.size(), 0U);
  EXPECT_EQ(put(cache_, "again", 1000), AssignStatus::kStored);
  cache_.check_invariants();
}

// --- Readers while memory changes its use
// ----------------------------------------------------------

// A value of `size` bytes that only this key and size have.
std::string value_of(std::uint64_t id, std::size_t size) {
  std::string value(size, static_cast<char>('a' + size % 23));
  std::memcpy(value.data(), &id, sizeof(id));
  return value;
}

class MemoryStressTest : public ::testing::TestWithParam<EvictionPolicy> {};

TEST_P(MemoryStressTest, ReadersNeverBelieveMemoryThatServesAnotherSizeOrTheSystem) {
  constexpr std::uint64_t kKeys = 600;
  constexpr int kSteps = 20'000;
  const std::uint64_t seed = vigil::testing::test_seed();
  // So small that pages go to the system and come back all the time.
  Cache cache({.shards = 32, .memory_limit_bytes = 4 * kMiB, .eviction = GetParam()});
  std::atomic<int> writers_left{2};
  std::atomic<std::uint64_t> wrong{0};
  std::atomic<std::uint64_t> hits{0};

  const auto write = [&](std::uint64_t thread) {
    Random random(seed + thread);
    for (int step = 0; step < kSteps; ++step) {
      const std::uint64_t id = random.below(kKeys);
      const std::string key = key_of(id);
      const std::string value = value_of(id, 8 + random.below(1U << (4 + random.below(13))));
      const bool removes = random.below(4) == 0;
      while (cache.write(cache.key(key), kNow, [&](Slot& slot) {
        if (!removes) {
          slot.assign(Kind::kString, value, kNoDeadline);
        } else if (slot.exists()) {
          slot.erase();
        }
      }) == WriteStatus::kBusy) {
      }
      if (random.below(1000) == 0) cache.clear();
    }
    writers_left.fetch_sub(1);
  };
  const auto read = [&](std::uint64_t thread) {
    Random random(seed * 31 + thread);
    std::string value;
    while (writers_left.load() > 0) {
      const std::uint64_t id = random.below(kKeys);
      const std::string key = key_of(id);
      const bool hit = cache.read(cache.key(key), kNow, [&](const EntryReader& entry) {
        value.resize(entry.value_size());
        entry.copy_value(value.data());
      });
      if (!hit) continue;
      hits.fetch_add(1, std::memory_order_relaxed);
      if (value.size() < 8 || value != value_of(id, value.size())) wrong.fetch_add(1);
    }
  };
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 2; ++i) {
    threads.emplace_back(write, i);
    threads.emplace_back(read, i);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0U);
  EXPECT_GT(hits.load(), 0U);
  cache.check_invariants();
  cache.clear();
  EXPECT_LE(cache.stats().resident_bytes, kMiB);
}

INSTANTIATE_TEST_SUITE_P(Policies, MemoryStressTest,
                         ::testing::Values(EvictionPolicy::kNoEviction,
                                           EvictionPolicy::kAllkeysLru),
                         [](const auto& policy) {
                           return policy.param == EvictionPolicy::kNoEviction ? "NoEviction"
                                                                              : "AllkeysLru";
                         });

}  // namespace
}  // namespace vigil::cache
