// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/restoration.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "vigil/cache/testing.h"
#include "vigil/testing/seed.h"

namespace vigil::cache {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr CacheOptions kOptions{.shards = 4, .memory_limit_bytes = 64 << 20};

void set(Cache& cache, std::string_view key, std::string_view value,
         std::int64_t deadline_ms = kNoDeadline, Kind kind = Kind::kString) {
  EXPECT_EQ(
      cache.write(cache.key(key), kNow, [&](Slot& slot) { slot.assign(kind, value, deadline_ms); }),
      WriteStatus::kApplied);
}

std::uint64_t version_after_set(Cache& cache, std::string_view key) {
  set(cache, key, "v");
  EntryHeader header;
  EXPECT_TRUE(cache.peek(cache.key(key), kNow, &header));
  return header.version;
}

// What lies in a cache: by shard and key.
using Content =
    std::map<std::pair<std::uint32_t, std::string>, std::pair<EntryHeader, std::string>>;

Content content_of(const Cache& cache) {
  Content content;
  for (std::uint32_t shard = 0; shard < cache.shard_count(); ++shard) {
    std::uint64_t cursor = 0;
    do {
      cursor = cache.scan_records(shard, cursor, [&](const Cache::ScannedRecord& record) {
        content[{shard, std::string(record.key)}] = {record.header, std::string(record.value)};
      });
    } while (cursor != 0);
  }
  return content;
}

// Does to a second cache what an observer of the first is told, as a log does.
class Replay final : public ShardObserver {
 public:
  explicit Replay(Restoration& restoration) : restoration_(restoration) {}

  void stored(const StoredEntry& entry) noexcept override {
    EXPECT_EQ(restoration_.stored(entry.shard, entry.key, entry.value, entry.header),
              AssignStatus::kStored);
  }
  void removed(const RemovedEntry& entry) noexcept override {
    if (entry.leaves_tombstone) return;  // which takes its place in the next event
    restoration_.removed(entry.shard, entry.key, entry.header.version);
  }
  void deadline_set(const MovedDeadline& entry) noexcept override {
    restoration_.deadline_set(entry.shard, entry.key, entry.header.deadline_ms);
  }
  void cleared(std::uint32_t shard, std::uint64_t version_floor) noexcept override {
    restoration_.cleared(shard, version_floor);
  }

 private:
  Restoration& restoration_;
};

void change_at_random(Cache& cache, Random& random) {
  const std::string key = "key:" + std::to_string(random.below(200));
  const std::int64_t deadline_ms =
      random.below(3) == 0 ? kNow + static_cast<std::int64_t>(random.below(1000)) + 1 : kNoDeadline;
  if (random.below(500) == 0) return cache.clear();
  EXPECT_EQ(
      cache.write(cache.key(key), kNow,
                  [&](Slot& slot) {
                    switch (random.below(5)) {
                      case 0:
                        if (slot.has_record()) slot.erase();
                        break;
                      case 1:
                        if (slot.exists()) slot.set_deadline(deadline_ms);
                        break;
                      case 2:
                        slot.bury(slot.next_version(), kNow + 500);
                        break;
                      case 3:
                        slot.sibling(key + "#").assign(Kind::kIdempotency, "answer", kNow + 9);
                        break;
                      default:
                        slot.assign(Kind::kOrder, std::string(random.below(90), 'x'), deadline_ms);
                    }
                  }),
      WriteStatus::kApplied);
}

TEST(RestorationTest, WhatObserversAreToldMakesTheSameCache) {
  Random random(vigil::testing::test_seed());
  Cache original(kOptions);
  Cache copy(kOptions);
  {
    Restoration restoration(copy, kNow);
    Replay replay(restoration);
    original.add_observer(replay);
    for (int i = 0; i < 20'000; ++i) change_at_random(original, random);
    EXPECT_EQ(content_of(original), content_of(copy));
  }
  for (std::uint32_t shard = 0; shard < kOptions.shards; ++shard) {
    EXPECT_EQ(original.version_floor(shard), copy.version_floor(shard));
  }
  original.check_invariants();
  copy.check_invariants();
}

TEST(RestorationTest, ALogOverASnapshotThatHasSomeOfItEndsInTheSameState) {
  Random random(vigil::testing::test_seed());
  Cache original(kOptions);
  Cache copy(kOptions);
  for (int i = 0; i < 2000; ++i) change_at_random(original, random);
  // The snapshot's bucket by bucket between changes, which the log repeats.
  Restoration restoration(copy, kNow);
  struct Logged final : ShardObserver {
    struct Event {
      char type;
      std::uint32_t shard;
      std::string key;
      std::string value;
      EntryHeader header;
    };
    void stored(const StoredEntry& e) noexcept override {
      events.push_back({'s', e.shard, std::string(e.key), std::string(e.value), e.header});
    }
    void removed(const RemovedEntry& e) noexcept override {
      if (e.leaves_tombstone) return;
      events.push_back({'r', e.shard, std::string(e.key), "", e.header});
    }
    void deadline_set(const MovedDeadline& e) noexcept override {
      events.push_back({'d', e.shard, std::string(e.key), "", e.header});
    }
    void cleared(std::uint32_t shard, std::uint64_t version_floor) noexcept override {
      events.push_back({'c', shard, "", "", {.version = version_floor}});
    }
    std::vector<Event> events;
  } log;
  original.add_observer(log);
  for (std::uint32_t shard = 0; shard < kOptions.shards; ++shard) {
    std::uint64_t cursor = 0;
    do {
      for (int i = 0; i < 5; ++i) change_at_random(original, random);
      cursor = original.scan_records(shard, cursor, [&](const Cache::ScannedRecord& record) {
        EXPECT_EQ(restoration.stored(shard, record.key, record.value, record.header),
                  AssignStatus::kStored);
      });
    } while (cursor != 0);
    restoration.raise_version_floor(shard, original.version_floor(shard));
  }
  for (int round = 0; round < 2; ++round) {  // a doubled log changes nothing
    for (const Logged::Event& e : log.events) {
      if (e.type == 's') {
        EXPECT_EQ(restoration.stored(e.shard, e.key, e.value, e.header), AssignStatus::kStored);
      } else if (e.type == 'r') {
        restoration.removed(e.shard, e.key, e.header.version);
      } else if (e.type == 'd') {
        restoration.deadline_set(e.shard, e.key, e.header.deadline_ms);
      } else {
        restoration.cleared(e.shard, e.header.version);
      }
    }
    EXPECT_EQ(content_of(original), content_of(copy));
  }
  for (std::uint32_t shard = 0; shard < kOptions.shards; ++shard) {
    EXPECT_LE(original.version_floor(shard), copy.version_floor(shard)) << "versions went back";
  }
}

TEST(RestorationTest, ObserversAreToldNothingOfItAndEverythingAfterIt) {
  Cache cache(kOptions);
  CacheCopy observer(cache);
  {
    Restoration restoration(cache, kNow);
    ASSERT_EQ(restoration.stored(1, "k", "v", {.version = 3}), AssignStatus::kStored);
    restoration.deadline_set(1, "k", kNow + 5);
    restoration.removed(1, "k", 3);
    restoration.cleared(1, 0);
  }
  EXPECT_EQ(observer.events(), 0U);
  set(cache, "k", "v");
  EXPECT_EQ(observer.events(), 1U);
  EXPECT_EQ(observer.difference(), "");
}

TEST(RestorationTest, WhatExpiredMeanwhileIsCollectedWithAllThatBelongsToIt) {
  Cache cache(kOptions);
  CacheCopy observer(cache);
  cache.set_tombstone_retention(Kind::kOrder, 100);
  const Key key = cache.key("order");
  {
    Restoration restoration(cache, kNow);
    const EntryHeader header{.version = 7, .deadline_ms = kNow - 1000, .kind = Kind::kOrder};
    ASSERT_EQ(restoration.stored(key.shard, key.bytes, "v", header), AssignStatus::kStored);
  }
  EntryHeader header;
  EXPECT_FALSE(cache.peek(key, kNow, &header)) << "a passed deadline holds at once";
  EXPECT_EQ(cache.collect_expired(0, 1, kNow + 5, 100).expired, 1U);
  EXPECT_EQ(observer.events(), 2U) << "removed, and its tombstone";
  cache.read_record(key, [&](const EntryReader& entry) {
    header = entry.header();
    return true;
  });
  EXPECT_EQ(header.kind, Kind::kTombstone);
  EXPECT_EQ(header.version, 7U);
}

TEST(RestorationTest, VersionsGoOnAboveTheFloor) {
  Cache cache(kOptions);
  const Key key = cache.key("k");
  {
    Restoration restoration(cache, kNow);
    restoration.raise_version_floor(key.shard, 41);
    restoration.raise_version_floor(key.shard, 5);
  }
  EXPECT_EQ(version_after_set(cache, "k"), 42U);
}

TEST(RestorationTest, MoreThanTheMemoryLimitIsSaid) {
  Cache cache({.shards = 1, .memory_limit_bytes = 1 << 20});
  Restoration restoration(cache, kNow);
  AssignStatus status = AssignStatus::kStored;
  for (int i = 0; i < 100 && status == AssignStatus::kStored; ++i) {
    status =
        restoration.stored(0, "key:" + std::to_string(i), std::string(60'000, 'x'), {.version = 1});
  }
  EXPECT_EQ(status, AssignStatus::kOutOfMemory);
}

TEST(CacheClearTest, VersionsGoOnAfterAClear) {
  Cache cache(kOptions);
  for (int i = 0; i < 10; ++i) set(cache, "k", "v");
  cache.clear();
  EXPECT_EQ(version_after_set(cache, "k"), 11U);
}

TEST(CacheScanRecordsTest, EveryRecordThatStaysIsVisitedWhileOthersAreWritten) {
  Cache cache({.shards = 1, .memory_limit_bytes = 256 << 20});
  for (int i = 0; i < 5000; ++i) set(cache, "stays:" + std::to_string(i), std::to_string(i));
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (int i = 0; !stop.load(); ++i) {
      const std::string key = "moves:" + std::to_string(i % 3000);
      EXPECT_EQ(cache.write(cache.key(key), kNow,
                            [&](Slot& slot) {
                              slot.exists()
                                  ? slot.erase()
                                  : static_cast<void>(slot.assign(Kind::kString, key, kNoDeadline));
                            }),
                WriteStatus::kApplied);
    }
  });
  for (int round = 0; round < 5; ++round) {
    std::map<std::string, int, std::less<>> seen;
    std::uint64_t cursor = 0;
    do {
      cursor = cache.scan_records(0, cursor, [&](const Cache::ScannedRecord& record) {
        if (!record.key.starts_with("stays:")) {
          EXPECT_EQ(record.key, record.value) << "a torn record";
          return;
        }
        EXPECT_EQ(record.value, record.key.substr(6));
        ++seen[std::string(record.key)];
      });
    } while (cursor != 0);
    EXPECT_EQ(seen.size(), 5000U);
  }
  stop = true;
  writer.join();
}

TEST(CacheScanRecordsTest, HiddenAndExpiredRecordsAreVisitedToo) {
  Cache cache(kOptions);
  set(cache, "string", "v", kNow - 5);
  set(cache, "answer", "a", kNow + 5, Kind::kIdempotency);
  EXPECT_EQ(cache.write(cache.key("gone"), kNow, [](Slot& slot) { slot.bury(9, kNow + 5); }),
            WriteStatus::kApplied);
  std::vector<Kind> kinds;
  for (const auto& [key, record] : content_of(cache)) kinds.push_back(record.first.kind);
  std::sort(kinds.begin(), kinds.end());
  EXPECT_EQ(kinds, (std::vector<Kind>{Kind::kString, Kind::kTombstone, Kind::kIdempotency}));
}

}  // namespace
}  // namespace vigil::cache
