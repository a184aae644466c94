// SPDX-License-Identifier: Apache-2.0
//
// Readers, writers, a collector and a scanner at once. Values describe themselves, so a torn or
// foreign value is noticed by the reader that got it; versions of a key never go back in the eyes
// of one reader; listeners are called once per lost entry and in the order of versions. Bounded by
// steps; the seed is printed and VIGIL_SEED replays the operations (not the interleaving).
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/cache/cache.h"
#include "vigil/cache/expiry_listener.h"
#include "vigil/testing/seed.h"

namespace vigil::cache {
namespace {

std::string key_of(std::uint64_t id) {
  std::string key = "order:" + std::to_string(id);
  if (id % 5 == 0) key.append(20, 'x');
  return key;
}

// The key's number, a fill byte, and that byte over and over.
std::string value_of(std::uint64_t id, Random& random) {
  const std::uint64_t size = 9 + (random.below(4) == 0 ? random.below(2000) : random.below(120));
  std::string value(size, static_cast<char>(random()));
  std::memcpy(value.data(), &id, sizeof(id));
  return value;
}

bool intact(std::uint64_t id, const std::string& value) {
  std::uint64_t owner = 0;
  if (value.size() < 9) return false;
  std::memcpy(&owner, value.data(), sizeof(owner));
  return owner == id && value.find_first_not_of(value[8], 8) == std::string::npos;
}

struct Load {
  const char* name;
  std::uint32_t shards;
  std::uint64_t keys;
};

class CacheStressTest : public ::testing::TestWithParam<Load> {};

TEST_P(CacheStressTest, ReadersSeeWholeValuesAndRisingVersionsWhileEverythingChanges) {
  constexpr int kWriters = 2;
  constexpr int kReaders = 2;
  constexpr int kSteps = 150'000;
  const std::uint64_t seed = vigil::testing::test_seed();
  const std::uint64_t keys = GetParam().keys;
  Cache cache({.shards = GetParam().shards});
  std::vector<std::atomic<std::uint64_t>> expired_version(keys);
  std::atomic<std::uint64_t> bad_expiries{0};
  const ExpiryListener listener(cache, [&](const RemovedEntry& entry) {
    const std::string value(entry.value);
    std::uint64_t id = 0;
    std::memcpy(&id, value.data(), sizeof(id));
    const bool good = id < keys && intact(id, value) && key_of(id) == entry.key &&
                      expired_version[id].exchange(entry.header.version) < entry.header.version;
    if (!good) bad_expiries.fetch_add(1);
  });

  std::atomic<std::int64_t> clock{1'700'000'000'000};
  std::atomic<int> writers_left{kWriters};
  std::atomic<std::uint64_t> torn{0};
  std::atomic<std::uint64_t> backwards{0};
  std::atomic<std::uint64_t> hits{0};

  const auto write = [&](int thread) {
    Random random(seed + static_cast<std::uint64_t>(thread));
    for (int step = 0; step < kSteps; ++step) {
      const std::uint64_t id = random.below(keys);
      const std::string key = key_of(id);
      const std::int64_t now = clock.load();
      const std::uint64_t dice = random.below(10);
      const std::string value = value_of(id, random);
      const std::int64_t deadline =
          dice % 2 == 0 ? kNoDeadline : now + 1 + static_cast<std::int64_t>(random.below(300));
      while (cache.write(cache.key(key), now, [&](Slot& slot) {
        if (dice < 7) {
          slot.assign(Kind::kString, value, deadline);
        } else if (slot.exists() && dice < 9) {
          slot.erase();
        } else if (slot.exists()) {
          slot.set_deadline(deadline);
        }
      }) == WriteStatus::kBusy) {
      }
      if (step % 64 == 0) clock.fetch_add(1);
    }
    writers_left.fetch_sub(1);
  };
  const auto read = [&](int thread) {
    Random random(seed * 31 + static_cast<std::uint64_t>(thread));
    std::vector<std::uint64_t> last(keys);
    std::string value;
    EntryHeader header;
    while (writers_left.load() > 0) {
      const std::uint64_t id = random.below(keys);
      const std::string key = key_of(id);
      const bool hit = cache.read(cache.key(key), clock.load(), [&](const EntryReader& entry) {
        header = entry.header();
        value.resize(entry.value_size());
        entry.copy_value(value.data());
      });
      if (!hit) continue;
      hits.fetch_add(1, std::memory_order_relaxed);
      if (!intact(id, value)) torn.fetch_add(1);
      if (header.version < last[id]) backwards.fetch_add(1);
      last[id] = header.version;
    }
  };
  const auto collect_and_scan = [&] {
    std::uint64_t cursor = 0;
    while (writers_left.load() > 0) {
      cache.collect_expired(0, 1, clock.load(), 500);
      cursor = cache.scan(cursor, clock.load(), 50, [&](const Cache::ScannedEntry& entry) {
        if (!entry.key.starts_with("order:")) torn.fetch_add(1);
      });
    }
  };

  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) threads.emplace_back(write, i);
  for (int i = 0; i < kReaders; ++i) threads.emplace_back(read, i);
  threads.emplace_back(collect_and_scan);
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(torn.load(), 0U);
  EXPECT_EQ(backwards.load(), 0U);
  EXPECT_EQ(bad_expiries.load(), 0U);
  EXPECT_GT(hits.load(), 0U);
  cache.check_invariants();
  std::cout << hits.load() << " hits, " << cache.stats().expired_total << " expired, "
            << cache.stats().handed_over_total << " handed over\n";
}

// Few keys: contention on one bucket and one shard; many: growth, splits and merges.
INSTANTIATE_TEST_SUITE_P(Loads, CacheStressTest,
                         ::testing::Values(Load{"hot", 1, 4}, Load{"one_shard", 1, 3000},
                                           Load{"many_shards", 64, 30'000}),
                         [](const auto& load) { return std::string(load.param.name); });

// A transfer between two keys of different shards under write_many keeps their sum.
TEST(CacheStressTest, WriteManyIsAtomicAmongWriters) {
  constexpr int kThreads = 4;
  constexpr int kSteps = 20'000;
  constexpr std::uint64_t kAccounts = 8;
  const std::uint64_t seed = vigil::testing::test_seed();
  Cache cache({.shards = 8});
  const auto key_name = [](std::uint64_t i) { return "account:" + std::to_string(i); };
  const auto amount = [](Slot& slot) { return std::stoll(std::string(slot.value())); };
  for (std::uint64_t i = 0; i < kAccounts; ++i) {
    const std::string name = key_name(i);
    ASSERT_EQ(cache.write(cache.key(name), 1,
                          [](Slot& slot) { slot.assign(Kind::kString, "1000", kNoDeadline); }),
              WriteStatus::kApplied);
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Random random(seed + static_cast<std::uint64_t>(t));
      for (int step = 0; step < kSteps; ++step) {
        const std::string from = key_name(random.below(kAccounts));
        const std::string to = key_name(random.below(kAccounts));
        if (from == to) continue;
        const std::vector<Key> keys{cache.key(from), cache.key(to)};
        cache.write_many(keys, 1, [&](Cache::Slots& slots) {
          const std::string less = std::to_string(amount(slots(0)) - 1);
          slots(0).assign(Kind::kString, less, kNoDeadline);
          const std::string more = std::to_string(amount(slots(1)) + 1);
          slots(1).assign(Kind::kString, more, kNoDeadline);
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::int64_t sum = 0;
  for (std::uint64_t i = 0; i < kAccounts; ++i) {
    const std::string name = key_name(i);
    ASSERT_EQ(cache.write(cache.key(name), 1, [&](Slot& slot) { sum += amount(slot); }),
              WriteStatus::kApplied);
  }
  EXPECT_EQ(sum, 8000);
}

}  // namespace
}  // namespace vigil::cache
