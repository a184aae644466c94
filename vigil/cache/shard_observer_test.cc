// SPDX-License-Identifier: Apache-2.0
#include "vigil/cache/shard_observer.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vigil/cache/cache.h"

namespace vigil::cache {
namespace {

using Events = std::vector<std::string>;

constexpr std::int64_t kNow = 1'700'000'000'000;
constexpr std::int64_t kRetention_ms = 100;

// Writes down every event in words; times are relative to kNow.
class Diary final : public ShardObserver {
 public:
  explicit Diary(Events& events) : events_(events) {}

  void stored(const StoredEntry& entry) noexcept override {
    std::string line = "stored " + describe(entry.key, entry.value, entry.header);
    if (entry.previous != nullptr) line += " over v" + std::to_string(entry.previous->version);
    events_.push_back(line);
  }
  void removed(const RemovedEntry& entry) noexcept override {
    std::string line = "removed " + describe(entry.key, entry.value, entry.header);
    line += entry.cause == RemovalCause::kExpired ? " expired" : " deleted";
    if (entry.leaves_tombstone) line += " leaving a tombstone";
    events_.push_back(line);
  }
  void deadline_set(const MovedDeadline& entry) noexcept override {
    events_.push_back("deadline " + std::string(entry.key) + " " +
                      time(entry.previous_deadline_ms) + " -> " + time(entry.header.deadline_ms));
  }
  void cleared(std::uint32_t shard, std::uint64_t version_floor) noexcept override {
    events_.push_back("cleared " + std::to_string(shard) + " up to v" +
                      std::to_string(version_floor));
  }

 private:
  static std::string time(std::int64_t deadline_ms) {
    return deadline_ms == kNoDeadline ? "never" : "+" + std::to_string(deadline_ms - kNow);
  }
  static std::string describe(std::string_view key, std::string_view value,
                              const EntryHeader& header) {
    constexpr const char* kNames[] = {"string", "order", "tombstone", "idempotency"};
    std::string line = kNames[static_cast<std::size_t>(header.kind)];
    line.append(" ").append(key).append("=").append(value);
    line.append(" v").append(std::to_string(header.version));
    return header.deadline_ms == kNoDeadline ? line : line + " " + time(header.deadline_ms);
  }

  Events& events_;
};

class ShardObserverTest : public testing::Test {
 protected:
  ShardObserverTest() {
    cache_.add_observer(diary_);
    cache_.set_tombstone_retention(Kind::kOrder, kRetention_ms);
  }
  ~ShardObserverTest() override { cache_.check_invariants(); }

  template <class Change>
  void write(std::string_view key, Change change, std::int64_t now_ms = kNow) {
    EXPECT_EQ(cache_.write(cache_.key(key), now_ms, change), WriteStatus::kApplied);
  }
  void set(std::string_view key, std::string_view value, std::int64_t deadline_ms = kNoDeadline,
           Kind kind = Kind::kString) {
    write(key, [&](Slot& slot) { slot.assign(kind, value, deadline_ms); });
  }
  Events take() { return std::exchange(events_, {}); }

  Events events_;
  Diary diary_{events_};
  Cache cache_{{.shards = 1, .memory_limit_bytes = 4 << 20}};
};

TEST_F(ShardObserverTest, EveryChangeOfAStringIsTold) {
  set("k", "one");
  set("k", "two", kNow + 5);
  set("k", std::string(50, 'x'));
  write("k", [](Slot& slot) { slot.set_deadline(kNow + 9); });
  write("k", [](Slot& slot) { slot.set_deadline(kNoDeadline); });
  write("k", [](Slot& slot) { slot.erase(); });
  EXPECT_EQ(take(), (Events{"stored string k=one v1", "stored string k=two v2 +5 over v1",
                            "stored string k=" + std::string(50, 'x') + " v3 over v2",
                            "deadline k never -> +9", "deadline k +9 -> never",
                            "removed string k=" + std::string(50, 'x') + " v3 deleted"}));
}

TEST_F(ShardObserverTest, OneWriteMayMakeSeveralChanges) {
  write("k", [](Slot& slot) {
    slot.assign(Kind::kString, "a", kNoDeadline);
    slot.erase();
    slot.assign(Kind::kString, "b", kNoDeadline);
  });
  EXPECT_EQ(take(), (Events{"stored string k=a v1", "removed string k=a v1 deleted",
                            "stored string k=b v2"}));
}

TEST_F(ShardObserverTest, WhatChangesNothingIsNotTold) {
  write("k", [](Slot&) {});
  set("k", std::string(kValueBytesMax + 1, 'x'));
  cache_.collect_expired(0, 1, kNow, 1000);
  EXPECT_EQ(take(), Events{});
}

TEST_F(ShardObserverTest, AnExpiredStringIsRemovedWhenItIsCollectedOrTouched) {
  set("collected", "v", kNow + 5);
  set("touched", "v", kNow + 5);
  take();
  write(
      "touched", [](Slot& slot) { EXPECT_FALSE(slot.has_record()); }, kNow + 5);
  EXPECT_EQ(take(), Events{"removed string touched=v v1 +5 expired"});
  cache_.collect_expired(0, 1, kNow + 5, 1000);
  EXPECT_EQ(take(), Events{"removed string collected=v v1 +5 expired"});
}

TEST_F(ShardObserverTest, AnExpiredOrderIsRemovedAndItsTombstoneStored) {
  set("o", "payload", kNow + 5, Kind::kOrder);
  take();
  cache_.collect_expired(0, 1, kNow + 7, 1000);
  EXPECT_EQ(take(), (Events{"removed order o=payload v1 +5 expired leaving a tombstone",
                            "stored tombstone o= v1 +107"}));
  cache_.collect_expired(0, 1, kNow + 107, 1000);
  EXPECT_EQ(take(), Events{"removed tombstone o= v1 +107 expired"});
}

TEST_F(ShardObserverTest, ABuriedOrderIsRemovedAndItsTombstoneStored) {
  set("o", "payload", kNoDeadline, Kind::kOrder);
  write("o", [](Slot& slot) { slot.bury(7, kNow + 10); });
  write("o", [](Slot& slot) { slot.bury(8, kNow + 20); });
  write("never there", [](Slot& slot) { slot.bury(3, kNow + 30); });
  EXPECT_EQ(take(), (Events{"stored order o=payload v1",
                            "removed order o=payload v1 deleted leaving a tombstone",
                            "stored tombstone o= v7 +10", "stored tombstone o= v8 +20 over v7",
                            "stored tombstone never there= v3 +30"}));
}

TEST_F(ShardObserverTest, AnEntryTooSmallToShrinkIsBuriedInPlace) {
  set("o", "", kNoDeadline, Kind::kOrder);
  write("o", [](Slot& slot) { slot.bury(2, kNow + 10); });
  EXPECT_EQ(take(), (Events{"stored order o= v1", "removed order o= v1 deleted leaving a tombstone",
                            "stored tombstone o= v2 +10"}));
  EXPECT_EQ(cache_.collect_expired(0, 1, kNow + 10, 1000).expired, 0U) << "expires in silence";
  EXPECT_EQ(cache_.stats().tombstones, 0U);
}

TEST_F(ShardObserverTest, ASiblingIsToldWithTheShardThatHoldsIt) {
  Cache cache({.shards = 64});
  struct Shards final : ShardObserver {
    void stored(const StoredEntry& entry) noexcept override { seen.push_back(entry.shard); }
    std::vector<std::uint32_t> seen;
  } shards;
  cache.add_observer(shards);
  const Key key = cache.key("order");
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(cache.write(key, kNow,
                          [&](Slot& slot) {
                            slot.sibling("record " + std::to_string(i))
                                .assign(Kind::kIdempotency, "answer", kNow + 10);
                          }),
              WriteStatus::kApplied);
  }
  EXPECT_EQ(shards.seen, std::vector<std::uint32_t>(10, key.shard));
}

TEST_F(ShardObserverTest, ClearingIsOneEventPerShard) {
  Events events;
  Diary diary(events);
  Cache cache({.shards = 4});
  cache.add_observer(diary);
  cache.clear();
  EXPECT_EQ(events, (Events{"cleared 0 up to v0", "cleared 1 up to v0", "cleared 2 up to v0",
                            "cleared 3 up to v0"}));
}

TEST_F(ShardObserverTest, WhatBelongsTogetherIsOneGroup) {
  struct Groups final : ShardObserver {
    void stored(const StoredEntry& entry) noexcept override {
      line += std::string(entry.key) + " ";
    }
    void group_began() noexcept override { line += "( "; }
    void group_ended() noexcept override { line += ") "; }
    std::string line;
  } groups;
  Cache cache({.shards = 4});
  cache.add_observer(groups);
  const std::vector<Key> keys = {cache.key("a"), cache.key("b"), cache.key("c")};
  cache.write_many(keys, kNow, [](Cache::Slots& slots) {
    for (std::size_t i = 0; i < slots.size(); ++i) slots(i).assign(Kind::kString, "v", kNoDeadline);
  });
  EXPECT_EQ(cache.write(cache.key("d"), kNow,
                        [](Slot& slot) {
                          const ChangeGroup together = slot.group();
                          slot.assign(Kind::kString, "v", kNoDeadline);
                          slot.sibling("e").assign(Kind::kIdempotency, "v", kNow + 1);
                        }),
            WriteStatus::kApplied);
  EXPECT_EQ(cache.write(cache.key("f"), kNow,
                        [](Slot& slot) { slot.assign(Kind::kString, "v", kNoDeadline); }),
            WriteStatus::kApplied);
  EXPECT_EQ(groups.line, "( a b c ) ( d e ) f ");
}

TEST_F(ShardObserverTest, SeveralObserversAreToldInTheOrderOfTheirRegistration) {
  Diary second(events_);
  cache_.add_observer(second);
  set("k", "v");
  EXPECT_EQ(take(), (Events{"stored string k=v v1", "stored string k=v v1"}));
}

TEST_F(ShardObserverTest, AnObserverOfRemovalsIsToldNothingElse) {
  Events events;
  Diary removals(events);
  Cache cache({.shards = 1, .memory_limit_bytes = 4 << 20});
  cache.add_observer(removals, ObservedEvents::kRemovals);
  const auto write = [&](std::string_view key, auto change) {
    EXPECT_EQ(cache.write(cache.key(key), kNow, change), WriteStatus::kApplied);
  };
  write("s", [](Slot& slot) { slot.assign(Kind::kString, "v", kNoDeadline); });
  write("s", [](Slot& slot) { slot.assign(Kind::kString, "w", kNoDeadline); });
  write("s", [](Slot& slot) { slot.set_deadline(kNow + 5); });
  write("o", [](Slot& slot) { slot.assign(Kind::kOrder, "payload", kNoDeadline); });
  write("o", [](Slot& slot) { slot.bury(2, kNow + 10); });
  write("t", [](Slot& slot) { slot.assign(Kind::kString, "v", kNoDeadline); });
  write("t", [](Slot& slot) { slot.erase(); });
  cache.collect_expired(0, 1, kNow + 5, 1000);
  cache.clear();
  EXPECT_EQ(events, (Events{"removed order o=payload v1 deleted leaving a tombstone",
                            "removed string t=v v1 deleted", "removed string s=w v2 +5 expired"}));
}

TEST_F(ShardObserverTest, AnObserverOfRemovalsTakesItsTurnAmongThoseOfAllEvents) {
  Diary removals(events_);
  cache_.add_observer(removals, ObservedEvents::kRemovals);
  set("k", "v");
  write("k", [](Slot& slot) { slot.erase(); });
  EXPECT_EQ(take(), (Events{"stored string k=v v1", "removed string k=v v1 deleted",
                            "removed string k=v v1 deleted"}));
}

using ShardObserverDeathTest = ShardObserverTest;

TEST_F(ShardObserverDeathTest, AnObserverThatWritesIsStopped) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  struct Writer final : ShardObserver {
    explicit Writer(Cache& observed) : cache(observed) { cache.add_observer(*this); }
    void stored(const StoredEntry&) noexcept override {
      static_cast<void>(cache.write(cache.key("other"), kNow, [](Slot&) {}));
    }
    Cache& cache;
  } const writer(cache_);
  EXPECT_DEATH(set("k", "v"), "a callback of a cache wrote to the same cache");
}

}  // namespace
}  // namespace vigil::cache
