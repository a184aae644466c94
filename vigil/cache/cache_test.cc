// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/cache.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "vigil/cache/expiry_listener.h"

namespace vigil::cache {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

class CacheTest : public testing::Test {
 protected:
  ~CacheTest() override { cache_.check_invariants(); }

  AssignStatus set(std::string_view key, std::string_view value,
                   std::int64_t deadline_ms = kNoDeadline, std::int64_t now_ms = kNow) {
    AssignStatus status = AssignStatus::kOutOfMemory;
    EXPECT_EQ(
        cache_.write(cache_.key(key), now_ms,
                     [&](Slot& slot) { status = slot.assign(Kind::kString, value, deadline_ms); }),
        WriteStatus::kApplied);
    return status;
  }
  bool erase(std::string_view key, std::int64_t now_ms = kNow) {
    bool erased = false;
    EXPECT_EQ(cache_.write(cache_.key(key), now_ms,
                           [&](Slot& slot) {
                             erased = slot.exists();
                             if (erased) slot.erase();
                           }),
              WriteStatus::kApplied);
    return erased;
  }
  std::optional<std::string> get(std::string_view key, std::int64_t now_ms = kNow) {
    std::string value;
    const bool found = cache_.read(cache_.key(key), now_ms, [&](const EntryReader& entry) {
      value.resize(entry.value_size());
      entry.copy_value(value.data());
    });
    return found ? std::optional(value) : std::nullopt;
  }
  std::uint64_t version(std::string_view key) {
    EntryHeader header;
    return cache_.peek(cache_.key(key), kNow, &header) ? header.version : 0;
  }

  Cache cache_{CacheOptions{}};
};

TEST_F(CacheTest, AValueReadsBackAsItWasSet) {
  EXPECT_EQ(get("order:1"), std::nullopt);
  EXPECT_EQ(set("order:1", "pending"), AssignStatus::kStored);
  EXPECT_EQ(get("order:1"), "pending");
}

TEST_F(CacheTest, KeysAndValuesOfEverySizeReadBack) {
  for (const std::size_t key_size :
       {0, 1, 3, 4, 5, 7, 8, 12, 13, 16, 20, 100, 254, 255, 256, 4000}) {
    for (const std::size_t value_size : {0, 1, 4, 7, 8, 9, 100, 1000, 1025, 5000, 70'000}) {
      const std::string key(key_size, 'k');
      std::string value(value_size, 'v');
      for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(i * 7);
      ASSERT_EQ(set(key, value), AssignStatus::kStored);
      ASSERT_EQ(get(key), value) << key_size << " " << value_size;
    }
  }
}

TEST_F(CacheTest, ReplacingAValueByOneOfAnotherSizeLosesNothing) {
  for (std::size_t size = 0; size < 3000; size += 37) {
    set("grows", std::string(size, 'a'));
    set("shrinks", std::string(3000 - size, 'b'));
    ASSERT_EQ(get("grows"), std::string(size, 'a'));
    ASSERT_EQ(get("shrinks"), std::string(3000 - size, 'b'));
  }
}

TEST_F(CacheTest, KeysThatDifferInOneByteAreDifferent) {
  set("abcdefgh12345678", "1");
  set("abcdefgh12345679", "2");
  set("abcdefgh1234567", "3");
  set("bbcdefgh12345678", "4");
  EXPECT_EQ(get("abcdefgh12345678"), "1");
  EXPECT_EQ(get("abcdefgh12345679"), "2");
  EXPECT_EQ(get("abcdefgh1234567"), "3");
  EXPECT_EQ(get("bbcdefgh12345678"), "4");
}

TEST_F(CacheTest, TooLargeKeysAndValuesAreRefusedAndChangeNothing) {
  set("k", "old");
  EXPECT_EQ(set("k", std::string(kValueBytesMax + 1, 'x')), AssignStatus::kTooLarge);
  EXPECT_EQ(get("k"), "old");
  EXPECT_EQ(set(std::string(kKeyBytesMax + 1, 'x'), "v"), AssignStatus::kTooLarge);
  EXPECT_EQ(set(std::string(kKeyBytesMax, 'x'), std::string(kValueBytesMax, 'y')),
            AssignStatus::kStored);
  EXPECT_EQ(get(std::string(kKeyBytesMax, 'x')), std::string(kValueBytesMax, 'y'));
}

TEST_F(CacheTest, VersionsRiseByOneAndDoNotRestartAfterDeletion) {
  set("k", "1");
  set("k", "2");
  EXPECT_EQ(version("k"), 2U);
  EXPECT_TRUE(erase("k"));
  EXPECT_FALSE(erase("k"));
  set("k", "3");
  EXPECT_GT(version("k"), 2U);
}

TEST_F(CacheTest, ADeadlineHidesTheEntryOnTheExactMillisecond) {
  set("k", "v", kNow + 10);
  EXPECT_EQ(get("k", kNow + 9), "v");
  EXPECT_EQ(get("k", kNow + 10), std::nullopt);
  EXPECT_EQ(cache_.size(), 1U) << "not collected yet";
}

TEST_F(CacheTest, AWriterNeverSeesAnExpiredEntry) {
  std::vector<std::string> expired;
  const ExpiryListener listener(
      cache_, [&](const RemovedEntry& entry) { expired.emplace_back(entry.value); });
  set("k", "v", kNow + 10);
  EXPECT_EQ(cache_.write(cache_.key("k"), kNow + 10,
                         [&](Slot& slot) { EXPECT_FALSE(slot.has_record()); }),
            WriteStatus::kApplied);
  EXPECT_EQ(expired, std::vector<std::string>{"v"});
}

TEST_F(CacheTest, CollectingCallsListenersWithKeyValueAndDeadline) {
  std::vector<std::string> seen;
  const ExpiryListener listener(cache_, [&](const RemovedEntry& entry) {
    seen.push_back(std::string(entry.key) + "=" + std::string(entry.value));
    EXPECT_LE(entry.header.deadline_ms, entry.now_ms);
  });
  const std::int64_t start = kNow;
  set("a", "1", start + 5);
  set("b", "2", start + 500);
  set("c", "3", start + 500'000);
  set("d", "4");
  EXPECT_EQ(cache_.collect_expired(0, 1, start + 4, 1000).expired, 0U);
  EXPECT_EQ(cache_.collect_expired(0, 1, start + 5, 1000).expired, 1U);
  EXPECT_EQ(cache_.collect_expired(0, 1, start + 600, 1000).expired, 1U);
  EXPECT_EQ(cache_.collect_expired(0, 1, start + 600'000, 100'000).expired, 1U);
  EXPECT_EQ(seen, (std::vector<std::string>{"a=1", "b=2", "c=3"}));
  EXPECT_EQ(cache_.size(), 1U);
  EXPECT_EQ(cache_.next_expiry_ms(0, 1), TimingWheel::kNever);
}

TEST_F(CacheTest, AMovedDeadlineIsHonouredWhicheverWayItMoved) {
  std::vector<std::string> expired;
  const ExpiryListener listener(
      cache_, [&](const RemovedEntry& entry) { expired.emplace_back(entry.key); });
  set("later", "v", kNow + 10);
  set("later", "v", kNow + 1000);
  set("sooner", "v", kNow + 1000);
  set("sooner", "v", kNow + 10);
  set("never", "v", kNow + 10);
  set("never", "v");
  set("resized", "v", kNow + 10);
  set("resized", std::string(500, 'v'), kNow + 20);
  cache_.collect_expired(0, 1, kNow + 15, 1000);
  EXPECT_EQ(expired, std::vector<std::string>{"sooner"});
  cache_.collect_expired(0, 1, kNow + 20, 1000);
  EXPECT_EQ(expired.back(), "resized");
  cache_.collect_expired(0, 1, kNow + 2000, 1000);
  EXPECT_EQ(expired, (std::vector<std::string>{"sooner", "resized", "later"}));
  EXPECT_EQ(get("never", kNow + 5000), "v");
}

TEST_F(CacheTest, ADeadlineYearsAheadIsKept) {
  const std::int64_t years = kNow + std::int64_t{30} * 365 * 24 * 3600 * 1000;
  set("k", "v", years);
  for (std::int64_t now = kNow; now < kNow + 30'000'000; now += 100'000) {
    cache_.collect_expired(0, 1, now, 1000);
  }
  EntryHeader header;
  ASSERT_TRUE(cache_.peek(cache_.key("k"), kNow + 30'000'000, &header));
  EXPECT_EQ(header.deadline_ms, years);
}

TEST_F(CacheTest, ABudgetLimitsTheWorkAndTheRestIsDoneLater) {
  for (int i = 0; i < 5000; ++i) set("k" + std::to_string(i), "v", kNow + 10);
  const auto first = cache_.collect_expired(0, 1, kNow + 10, 1000);
  EXPECT_LE(first.expired, 1000U);
  EXPECT_TRUE(first.more);
  std::size_t total = first.expired;
  for (int turn = 0; turn < 100; ++turn) {
    total += cache_.collect_expired(0, 1, kNow + 10, 1000).expired;
  }
  EXPECT_EQ(total, 5000U);
  EXPECT_EQ(cache_.size(), 0U);
}

TEST_F(CacheTest, StridesDivideTheShardsBetweenCollectors) {
  for (int i = 0; i < 1000; ++i) set("k" + std::to_string(i), "v", kNow + 10);
  const std::size_t even = cache_.collect_expired(0, 2, kNow + 10, 100'000).expired;
  const std::size_t odd = cache_.collect_expired(1, 2, kNow + 10, 100'000).expired;
  EXPECT_GT(even, 0U);
  EXPECT_GT(odd, 0U);
  EXPECT_EQ(even + odd, 1000U);
}

TEST_F(CacheTest, AScanVisitsEveryKeyOnceInAQuietCache) {
  std::set<std::string> expected;
  for (int i = 0; i < 20'000; ++i) {
    set("key:" + std::to_string(i), "v");
    expected.insert("key:" + std::to_string(i));
  }
  std::multiset<std::string> seen;
  std::uint64_t cursor = 0;
  do {
    cursor = cache_.scan(cursor, kNow, 10,
                         [&](const Cache::ScannedEntry& entry) { seen.emplace(entry.key); });
  } while (cursor != 0);
  EXPECT_EQ(seen.size(), expected.size());
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()), expected);
}

// Whatever the number of shards: a client pays for each step with a round trip.
TEST(CacheScanTest, AFewKeysTakeAsFewStepsAsTheyFill) {
  for (const std::uint32_t shards : {1U, 64U, 4096U}) {
    CacheOptions options;
    options.shards = shards;
    Cache cache(options);
    for (const std::size_t keys : {0U, 1U, 20U, 200U}) {
      for (std::size_t i = 0; i < keys; ++i) {
        ASSERT_EQ(cache.write(cache.key(std::to_string(i)), kNow,
                              [](Slot& slot) {
                                static_cast<void>(slot.assign(Kind::kString, "v", kNoDeadline));
                              }),
                  WriteStatus::kApplied);
      }
      constexpr std::size_t kCount = 10;
      std::size_t steps = 0;
      std::uint64_t cursor = 0;
      std::size_t seen = 0;
      do {
        const std::size_t before = seen;
        cursor = cache.scan(cursor, kNow, kCount, [&](const Cache::ScannedEntry&) { ++seen; });
        ++steps;
        EXPECT_TRUE(seen != before || keys == 0) << "an empty step";
      } while (cursor != 0);
      EXPECT_EQ(seen, keys);
      EXPECT_LE(steps, keys / kCount + 1) << shards << " shards, " << keys << " keys";
    }
  }
}

// One shard, so that segments split and merge many times between the steps of one scan.
TEST_F(CacheTest, AScanMissesNoKeyThatStaysWhileTheCacheGrowsAndShrinks) {
  Cache cache({.shards = 1});
  const auto change = [&](const std::string& key, bool add) {
    ASSERT_EQ(cache.write(cache.key(key), kNow,
                          [&](Slot& slot) {
                            if (add) {
                              slot.assign(Kind::kString, "v", kNoDeadline);
                            } else if (slot.exists()) {
                              slot.erase();
                            }
                          }),
              WriteStatus::kApplied);
  };
  for (int i = 0; i < 500; ++i) change("stay:" + std::to_string(i), true);
  for (int round = 0; round < 20; ++round) {
    std::set<std::string> seen;
    std::uint64_t cursor = 0;
    int step = 0;
    do {
      cursor = cache.scan(cursor, kNow, 20, [&](const Cache::ScannedEntry& entry) {
        if (entry.key.starts_with("stay:")) seen.emplace(entry.key);
      });
      const bool grow = step++ / 5 % 2 == 0;
      for (int i = 0; i < 1000; ++i) {
        change("t" + std::to_string(step % 5 * 1000 + i), grow);
      }
    } while (cursor != 0);
    ASSERT_EQ(seen.size(), 500U) << "round " << round << ", " << step << " steps";
  }
}

TEST_F(CacheTest, RandomKeyFindsTheOnlyKeyAndNothingInAnEmptyCache) {
  Random random(1);
  std::string key;
  EXPECT_FALSE(cache_.random_key(kNow, random, &key));
  set("only", "v");
  EXPECT_TRUE(cache_.random_key(kNow, random, &key));
  EXPECT_EQ(key, "only");
}

TEST_F(CacheTest, ClearRemovesEverythingAndTheCacheGoesOn) {
  for (int i = 0; i < 10'000; ++i) set("k" + std::to_string(i), "v", kNow + 1000);
  cache_.clear();
  EXPECT_EQ(cache_.size(), 0U);
  EXPECT_EQ(get("k1"), std::nullopt);
  set("k1", "again");
  EXPECT_EQ(get("k1"), "again");
  EXPECT_EQ(cache_.collect_expired(0, 1, kNow + 2000, 100'000).expired, 0U);
}

TEST_F(CacheTest, WriteManyChangesKeysOfSeveralShardsTogether) {
  set("from", "value");
  const std::vector<Key> keys{cache_.key("from"), cache_.key("to"), cache_.key("from")};
  cache_.write_many(keys, kNow, [&](Cache::Slots& slots) {
    const std::string value(slots(0).value());
    slots(1).assign(Kind::kString, value, kNoDeadline);
    slots(2).erase();
  });
  EXPECT_EQ(get("from"), std::nullopt);
  EXPECT_EQ(get("to"), "value");
}

TEST_F(CacheTest, AnExceptionFromACallbackLeavesTheShardUsable) {
  EXPECT_THROW(static_cast<void>(cache_.write(cache_.key("k"), kNow,
                                              [](Slot&) { throw std::runtime_error("no"); })),
               std::runtime_error);
  set("k", "v");
  EXPECT_EQ(get("k"), "v");
}

TEST_F(CacheTest, MemoryGrowsByLessThan160BytesPerKeyAndReturns) {
  const std::uint64_t empty = cache_.stats().resident_bytes;
  constexpr int kKeys = 200'000;
  const std::string value(100, 'x');
  for (int i = 0; i < kKeys; ++i) {
    std::string key = "key:" + std::to_string(100'000'000'000 + i);
    ASSERT_EQ(key.size(), 16U);
    set(key, value, kNow + 3'600'000);
  }
  const std::uint64_t full = cache_.stats().resident_bytes;
  // 200,000 keys leave half-filled chunks and segments in each of 64 shards; at a million it is
  // 155.
  EXPECT_LT((full - empty) / kKeys, 170U);
  for (int i = 0; i < kKeys; ++i) erase("key:" + std::to_string(100'000'000'000 + i));
  EXPECT_LT(cache_.stats().resident_bytes - empty, (full - empty) / 5);
}

TEST_F(CacheTest, TheMemoryLimitRefusesNewEntriesAndKeepsOldOnes) {
  Cache small({.shards = 1, .memory_limit_bytes = 4 << 20});
  const std::string value(1000, 'x');
  int stored = 0;
  bool refused = false;
  for (int i = 0; i < 10'000; ++i) {
    const std::string key = std::to_string(i);
    EXPECT_EQ(small.write(small.key(key), kNow,
                          [&](Slot& slot) {
                            const AssignStatus status =
                                slot.assign(Kind::kString, value, kNoDeadline);
                            if (status == AssignStatus::kStored) ++stored;
                            refused = refused || status == AssignStatus::kOutOfMemory;
                          }),
              WriteStatus::kApplied);
  }
  EXPECT_TRUE(refused);
  EXPECT_GT(stored, 3000);
  EXPECT_EQ(small.size(), static_cast<std::uint64_t>(stored));
  small.check_invariants();
}

// A chunk for each size of small entries first, then the rest of the memory for larger ones, then
// the small entries: the index runs out of segments.
TEST_F(CacheTest, AFullCacheCanBeCleared) {
  Cache small({.shards = 1, .memory_limit_bytes = 8 << 20});
  AssignStatus status = AssignStatus::kStored;
  int keys = 0;
  const auto add = [&](std::size_t value_size) {
    const std::string key = std::to_string(keys++);
    const std::string value(value_size, 'x');
    EXPECT_EQ(
        small.write(small.key(key), kNow,
                    [&](Slot& slot) { status = slot.assign(Kind::kString, value, kNoDeadline); }),
        WriteStatus::kApplied);
    return status == AssignStatus::kStored;
  };
  for (std::size_t size = 0; size < 800; size += 8) ASSERT_TRUE(add(size));
  while (add(900)) {
  }
  for (std::size_t size = 0; size < 800; size += 8) {
    while (add(size)) {
    }
  }
  small.clear();
  EXPECT_EQ(small.size(), 0U);
  EXPECT_TRUE(add(1000));
  small.check_invariants();
}

TEST_F(CacheTest, TheLoadFactorIsUsedSlotsOverSlots) {
  for (int i = 0; i < 64 * 300; ++i) set("k" + std::to_string(i), "v");
  double sum = 0;
  for (std::uint32_t shard = 0; shard < 64; ++shard) sum += cache_.shard_stats(shard).load_factor;
  EXPECT_NEAR(sum / 64, 300.0 / kSegmentSlots, 0.05);
}

using CacheDeathTest = CacheTest;

TEST_F(CacheDeathTest, AWriteFromACallbackIsStopped) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      static_cast<void>(cache_.write(
          cache_.key("a"), kNow,
          [&](Slot&) { static_cast<void>(cache_.write(cache_.key("b"), kNow, [](Slot&) {})); })),
      "a callback of a cache wrote to the same cache");
}

TEST(CacheShardingTest, TheRouteIsTheNamedHashModuloTheShards) {
  const Cache cache({.shards = 64, .hash = HashAlgorithm::kMd5});
  const std::string id = "订单-20261123-0001";
  EXPECT_EQ(cache.key(id).shard, md5_8(id) % 64);
}

// The holder keeps the shard until two writers wait and a third was refused. On leaving it applies
// the waiting ones, unless one gave up for want of processor time: then it was not applied.
TEST(CacheBusyTest, AFullQueueAnswersBusyAndWaitingWritesAreAppliedByTheHolder) {
  Cache cache({.shards = 1, .write_queue_capacity = 2});
  const Key key = cache.key("k");
  struct Waiter {
    std::thread thread;
    std::thread::id applied_by;
    WriteStatus status = WriteStatus::kBusy;
  };
  std::array<Waiter, 2> waiters;
  WriteStatus refused = WriteStatus::kApplied;
  const WriteStatus held = cache.write(key, kNow, [&](Slot&) {
    for (std::uint32_t i = 0; i < waiters.size(); ++i) {
      Waiter& waiter = waiters[i];
      waiter.thread = std::thread([&] {
        waiter.status =
            cache.write(key, kNow, [&](Slot&) { waiter.applied_by = std::this_thread::get_id(); });
      });
      while (cache.shard_stats(0).queue_depth <= i) std::this_thread::yield();
    }
    std::thread([&] { refused = cache.write(key, kNow, [](Slot&) {}); }).join();
  });
  for (Waiter& waiter : waiters) waiter.thread.join();
  EXPECT_EQ(held, WriteStatus::kApplied);
  EXPECT_EQ(refused, WriteStatus::kBusy);
  for (const Waiter& waiter : waiters) {
    const bool applied = waiter.applied_by == std::this_thread::get_id();
    EXPECT_EQ(applied, waiter.status == WriteStatus::kApplied);
  }
}

}  // namespace
}  // namespace vigil::cache
