// SPDX-License-Identifier: Apache-2.0
//
// Several threads, bounded by steps: what must never happen, while segments grow, split, merge and
// are recycled all the time. Most of it means something only because ThreadSanitizer and
// AddressSanitizer watch it as well.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/testing/seed.h"

namespace vigil {
namespace {

const ShardedMapOptions kOneShard{.shards = 1, .max_entries = 1 << 20};

// Runs work(n) on `threads` threads.
template <class Work>
void on_threads(int threads, Work work) {
  std::vector<std::thread> running;
  for (int n = 0; n < threads; ++n) running.emplace_back([&work, n] { work(n); });
  for (std::thread& thread : running) thread.join();
}

// Four equal words: a mixture of two values shows.
struct Quad {
  std::array<std::uint64_t, 4> words;
  explicit Quad(std::uint64_t n = 0) { words.fill(n); }
  [[nodiscard]] bool whole() const {
    return words[0] == words[1] && words[1] == words[2] && words[2] == words[3];
  }
};

TEST(ShardedMapStressTest, ReaderNeverMissesAKeyDuringGrowth) {
  constexpr std::uint64_t kStable = 500;
  constexpr std::uint64_t kGrowing = 60'000;
  ShardedMap<std::uint64_t, std::uint64_t> map(kOneShard);
  for (std::uint64_t i = 0; i < kStable; ++i) map.insert(i, ~i);
  std::atomic<bool> done{false};
  on_threads(3, [&](int n) {
    if (n == 0) {
      for (std::uint64_t i = kStable; i < kGrowing; ++i) map.insert(i, ~i);
      for (std::uint64_t i = kStable; i < kGrowing; ++i) map.erase(i);
      done.store(true);
      return;
    }
    Random random(static_cast<std::uint64_t>(n));
    while (!done.load(std::memory_order_relaxed)) {
      const std::uint64_t key = random.below(kStable);
      ASSERT_EQ(map.get(key), ~key);
    }
  });
  map.check_invariants();
}

// Few slots, so that they are freed and filled by other keys all the time. A key's value always
// starts from the key, so a value under a foreign key shows as well.
TEST(ShardedMapStressTest, ReaderNeverSeesATornOrForeignValueInARecycledSlot) {
  constexpr std::uint64_t kSteps = 400'000;
  const std::uint64_t seed = testing::test_seed();
  ShardedMap<std::uint64_t, Quad> map(kOneShard);
  std::atomic<bool> done{false};
  on_threads(3, [&](int n) {
    Random random(seed + static_cast<std::uint64_t>(n));
    if (n == 0) {
      for (std::uint64_t i = 0; i < kSteps; ++i) {
        const std::uint64_t key = random.below(64);
        if (random.below(2) == 0) {
          map.insert_or_assign(key, Quad(key << 32 | i));
        } else {
          map.erase(key);
        }
      }
      done.store(true);
      return;
    }
    while (!done.load(std::memory_order_relaxed)) {
      const std::uint64_t key = random.below(64);
      const std::optional<Quad> value = map.get(key);
      if (!value) continue;
      ASSERT_TRUE(value->whole());
      ASSERT_EQ(value->words[0] >> 32, key);
    }
  });
  map.check_invariants();
}

TEST(ShardedMapStressTest, NoUpdateIsLost) {
  constexpr int kThreads = 4;
  constexpr std::uint64_t kSteps = 40'000;
  constexpr std::uint64_t kCounters = 10;
  const std::uint64_t seed = testing::test_seed();
  ShardedMap<std::string, std::uint64_t> map(kOneShard);
  for (std::uint64_t i = 0; i < kCounters; ++i) map.insert(std::to_string(i), 0);
  on_threads(kThreads, [&](int n) {
    Random random(seed + static_cast<std::uint64_t>(n));
    for (std::uint64_t i = 0; i < kSteps; ++i) {
      map.update(std::to_string(random.below(kCounters)), [](std::uint64_t& v) { ++v; });
      map.insert("filler " + std::to_string(n) + "/" + std::to_string(i % 5'000), i);
      if (i % 3 == 0) map.erase("filler " + std::to_string(n) + "/" + std::to_string(i % 4'000));
    }
  });
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < kCounters; ++i) total += *map.get(std::to_string(i));
  EXPECT_EQ(total, kThreads * kSteps);
  map.check_invariants();
}

// Every thread owns some keys and knows their state exactly, whatever the others do.
TEST(ShardedMapStressTest, NothingIsLostDuplicatedOrResurrected) {
  constexpr std::uint64_t kKeys = 3'000;
  constexpr std::uint64_t kSteps = 120'000;
  const std::uint64_t seed = testing::test_seed();
  ShardedMap<std::uint64_t, std::uint64_t> map({.shards = 2, .max_entries = 1 << 20});
  std::atomic<std::uint64_t> present_total{0};
  on_threads(4, [&](int n) {
    Random random(seed + static_cast<std::uint64_t>(n));
    const std::uint64_t first = static_cast<std::uint64_t>(n) * kKeys;
    std::set<std::uint64_t> present;
    for (std::uint64_t i = 0; i < kSteps; ++i) {
      const std::uint64_t key = first + random.below(kKeys);
      const bool grow = i / 15'000 % 2 == 0;
      if ((random.below(10) < 7) == grow) {
        ASSERT_EQ(map.insert(key, i), present.insert(key).second);
      } else {
        ASSERT_EQ(map.erase(key), present.erase(key) == 1);
      }
      const std::uint64_t other = first + random.below(kKeys);
      ASSERT_EQ(map.contains(other), present.contains(other));
    }
    present_total += present.size();
  });
  EXPECT_EQ(map.size(), present_total.load());
  map.check_invariants();
}

// Use after free would show: readers follow nodes that writers replace and retire.
TEST(ShardedMapStressTest, NodesOutliveTheirReaders) {
  constexpr std::uint64_t kSteps = 60'000;
  const std::uint64_t seed = testing::test_seed();
  const auto key_of = [](std::uint64_t n) { return std::string(30, 'k') + std::to_string(n); };
  ShardedMap<std::string, std::string> map(kOneShard);
  std::atomic<bool> done{false};
  on_threads(4, [&](int n) {
    Random random(seed + static_cast<std::uint64_t>(n));
    if (n == 0) {
      for (std::uint64_t i = 0; i < kSteps; ++i) {
        const std::uint64_t key = random.below(100);
        switch (random.below(4)) {
          case 0:
            map.erase(key_of(key));
            break;
          case 1:
            map.update(key_of(key), [&](std::string& v) { v.assign(40, 'u'); });
            break;
          default:
            map.insert_or_assign(key_of(key), std::string(40, static_cast<char>('a' + i % 20)));
        }
      }
      done.store(true);
      return;
    }
    while (!done.load(std::memory_order_relaxed)) {
      if (n == 1) {
        map.for_each([](std::string_view key, const std::string& value) {
          ASSERT_EQ(key[0], 'k');
          ASSERT_EQ(value.find_first_not_of(value[0]), std::string::npos);
        });
      } else {
        map.visit(key_of(random.below(100)), [](const std::string& value) {
          ASSERT_EQ(value.size(), 40U);
          ASSERT_EQ(value.find_first_not_of(value[0]), std::string::npos);
        });
      }
    }
  });
  map.clear();
  EXPECT_EQ(map.stats().retired_nodes, 0U);
}

// Every thread owns some keys and knows their state exactly while the number of shards changes.
TEST(ShardedMapStressTest, NothingIsLostWhileTheNumberOfShardsChanges) {
  constexpr std::uint64_t kKeys = 2'000;
  constexpr int kChanges = 3'000;
  const std::uint64_t seed = testing::test_seed();
  ShardedMap<std::uint64_t, std::uint64_t> map;
  std::atomic<bool> done{false};
  std::atomic<std::uint64_t> present_total{0};
  on_threads(4, [&](int n) {
    Random random(seed + static_cast<std::uint64_t>(n));
    if (n == 0) {
      for (int i = 0; i < kChanges; ++i) map.set_shard_count(i % 2 == 0 ? 128 : 64);
      done.store(true);
      return;
    }
    const std::uint64_t first = static_cast<std::uint64_t>(n) * kKeys;
    std::set<std::uint64_t> present;
    while (!done.load(std::memory_order_relaxed)) {
      const std::uint64_t key = first + random.below(kKeys);
      if (random.below(2) == 0) {
        ASSERT_EQ(map.insert(key, key), present.insert(key).second);
      } else {
        ASSERT_EQ(map.erase(key), present.erase(key) == 1);
      }
      const std::uint64_t other = first + random.below(kKeys);
      ASSERT_EQ(map.contains(other), present.contains(other));
    }
    present_total += present.size();
  });
  EXPECT_EQ(map.shard_count(), 64U);
  EXPECT_EQ(map.size(), present_total.load());
  map.check_invariants();
}

TEST(ShardedMapStressTest, AMoveOnlyValueIsTakenByExactlyOneThread) {
  constexpr std::uint64_t kSteps = 20'000;
  ShardedMap<std::uint64_t, std::unique_ptr<std::uint64_t>> map(kOneShard);
  std::atomic<std::uint64_t> taken{0};
  std::atomic<std::uint64_t> inserted{0};
  on_threads(3, [&](int n) {
    for (std::uint64_t i = 0; i < kSteps; ++i) {
      const std::uint64_t key = i % 50;
      if (n == 0) {
        if (map.insert(key, std::make_unique<std::uint64_t>(key))) ++inserted;
        map.update(key, [](auto& value) { *value += 50; });
      } else if (const auto value = map.take(key)) {
        ASSERT_EQ(**value % 50, key);
        ++taken;
      }
      map.visit(key, [&](const auto& value) { ASSERT_EQ(*value % 50, key); });
    }
  });
  EXPECT_EQ(taken.load() + map.size(), inserted.load());
}

TEST(ShardedMapStressTest, ForEachVisitsEveryStableKeyOnceDuringGrowthAndShrinking) {
  constexpr std::uint64_t kStable = 2'000;
  ShardedMap<std::uint64_t, std::uint64_t> map(kOneShard);
  for (std::uint64_t i = 0; i < kStable; ++i) map.insert(i, i);
  std::atomic<bool> done{false};
  on_threads(2, [&](int n) {
    if (n == 0) {
      for (int round = 0; round < 3; ++round) {
        for (std::uint64_t i = kStable; i < 30'000; ++i) map.insert(i, i);
        for (std::uint64_t i = kStable; i < 30'000; ++i) map.erase(i);
      }
      done.store(true);
      return;
    }
    do {
      std::vector<int> seen(kStable);
      map.for_each([&](std::uint64_t key, std::uint64_t) {
        if (key < kStable) ++seen[key];
      });
      for (std::uint64_t i = 0; i < kStable; ++i) ASSERT_EQ(seen[i], 1) << i;
    } while (!done.load(std::memory_order_relaxed));
  });
}

TEST(ShardedMapStressTest, ASweepNeverTakesARefreshedEntry) {
  constexpr std::uint64_t kSteps = 50'000;
  MapClock clock(1);
  ShardedMap<std::uint64_t, std::uint64_t> map(
      {.shards = 1, .max_entries = 1 << 20, .clock = &clock});
  std::atomic<std::int64_t> passed{0};
  std::atomic<bool> done{false};
  on_threads(2, [&](int n) {
    if (n == 0) {
      for (std::uint64_t i = 0; i < kSteps; ++i) {
        const auto now = static_cast<std::int64_t>(i + 2);
        map.insert_or_assign(
            i % 20, i, Deadline::at_unix_ms(now + 40));  // refreshed 20 steps before it is due
        clock.set(now);
        passed.store(now, std::memory_order_release);
        EXPECT_TRUE(map.contains(i % 20));
        EXPECT_TRUE(i < 20 || map.contains((i + 1) % 20));
      }
      done.store(true);
      return;
    }
    while (!done.load(std::memory_order_relaxed)) {
      map.sweep(passed.load(std::memory_order_acquire), 1'000);
    }
  });
  EXPECT_EQ(map.size(), 20U);
}

}  // namespace
}  // namespace vigil
