// SPDX-License-Identifier: Apache-2.0
//
// Writers, and a thread that collects and clears, at once: the events of each shard still come one
// at a time and in its order, so that the copy made of them equals the cache, and two observers are
// told the same. Bounded by steps; the seed is printed and VIGIL_SEED replays the operations (not
// the interleaving).
#include <gtest/gtest.h>

#include <atomic>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/cache/cache.h"
#include "vigil/cache/testing.h"
#include "vigil/testing/seed.h"

namespace vigil::cache {
namespace {

struct Load {
  const char* name;
  std::uint32_t shards;
  std::uint64_t keys;
};

class ShardObserverStressTest : public ::testing::TestWithParam<Load> {
 protected:
  static constexpr int kWriters = 4;
  static constexpr int kSteps = 25'000;
  static constexpr int kClears = 20;

  ShardObserverStressTest() { cache_.set_tombstone_retention(Kind::kOrder, 50); }

  void change(Slot& slot, std::uint64_t dice, Random& random) {
    const std::string value(random.below(200), static_cast<char>(random()));
    const std::int64_t deadline_ms =
        dice % 2 == 0 ? kNoDeadline : slot.now_ms() + 1 + static_cast<int>(random.below(100));
    if (dice < 40) {
      slot.assign(dice < 20 ? Kind::kString : Kind::kOrder, value, deadline_ms);
    } else if (dice < 55) {
      slot.bury(slot.next_version(), slot.now_ms() + 50);
    } else if (dice < 65) {
      slot.sibling("record of " + std::string(slot.key()))
          .assign(Kind::kIdempotency, value, slot.now_ms() + 50);
    } else if (slot.has_record() && dice < 80) {
      slot.erase();
    } else if (slot.exists()) {
      slot.set_deadline(deadline_ms);
    }
  }

  void write(std::uint64_t seed) {
    Random random(seed);
    for (int step = 0; step < kSteps; ++step) {
      const std::string first = std::to_string(random.below(GetParam().keys));
      const std::string second = std::to_string(random.below(GetParam().keys));
      const std::uint64_t dice = random.below(100);
      const std::int64_t now_ms = clock_.load();
      if (dice < 95) {
        while (cache_.write(cache_.key(first), now_ms, [&](Slot& slot) {
          change(slot, dice, random);
        }) == WriteStatus::kBusy) {
        }
      } else {
        const std::vector<Key> keys{cache_.key(first), cache_.key(second)};
        cache_.write_many(keys, now_ms, [&](Cache::Slots& slots) {
          change(slots(0), random.below(95), random);
          change(slots(1), random.below(95), random);
        });
      }
      if (step % 64 == 0) clock_.fetch_add(1);
    }
    writers_left_.fetch_sub(1);
  }

  void collect_and_clear() {
    const int steps_per_clear = kWriters * kSteps / 64 / kClears;
    std::int64_t next_clear_ms = clock_.load() + steps_per_clear;
    while (writers_left_.load() > 0) {
      cache_.collect_expired(0, 1, clock_.load(), 100);
      if (clock_.load() < next_clear_ms) continue;
      cache_.clear();
      next_clear_ms += steps_per_clear;
    }
  }

  Cache cache_{CacheOptions{.shards = GetParam().shards}};
  CacheCopy copy_{cache_};
  CacheCopy second_copy_{cache_};
  std::atomic<std::int64_t> clock_{1'700'000'000'000};
  std::atomic<int> writers_left_{kWriters};
};

TEST_P(ShardObserverStressTest, EventsOfAShardComeInItsOrderAndRebuildIt) {
  const std::uint64_t seed = vigil::testing::test_seed();
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back([&, i] { write(seed + static_cast<std::uint64_t>(i)); });
  }
  threads.emplace_back([&] { collect_and_clear(); });
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(copy_.difference(), "");
  EXPECT_EQ(second_copy_.difference(), "");
  EXPECT_EQ(copy_.fingerprints(), second_copy_.fingerprints());
  cache_.check_invariants();
  std::cout << copy_.events() << " events, " << cache_.stats().handed_over_total
            << " handed over\n";
}

INSTANTIATE_TEST_SUITE_P(Loads, ShardObserverStressTest,
                         ::testing::Values(Load{"hot", 1, 8}, Load{"few_shards", 2, 2000},
                                           Load{"many_shards", 64, 5000}),
                         [](const auto& load) { return std::string(load.param.name); });

}  // namespace
}  // namespace vigil::cache
