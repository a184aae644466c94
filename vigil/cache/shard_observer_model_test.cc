// SPDX-License-Identifier: Apache-2.0
//
// A copy of the cache that is built from its events alone equals the cache, whatever was done:
// strings and orders, deadlines, expiry, tombstones, sibling records, clearing, and all of it
// beyond the memory limit. Random operations with a printed seed (VIGIL_SEED replays).
#include <gtest/gtest.h>

#include <iostream>
#include <string>

#include "vigil/base/random.h"
#include "vigil/cache/cache.h"
#include "vigil/cache/testing.h"
#include "vigil/testing/seed.h"

namespace vigil::cache {
namespace {

struct Load {
  const char* name;
  std::uint64_t keys;
  std::uint64_t memory_limit_bytes;
};

class ShardObserverModelTest : public ::testing::TestWithParam<Load> {
 protected:
  ShardObserverModelTest() { cache_.set_tombstone_retention(Kind::kOrder, 2000); }

  template <class Change>
  void write(Change change) {
    const std::string key = std::to_string(random_.below(GetParam().keys));
    ASSERT_EQ(cache_.write(cache_.key(key), now_ms_, change), WriteStatus::kApplied);
  }
  std::int64_t random_deadline() {
    if (random_.below(3) == 0) return kNoDeadline;
    return now_ms_ + 1 + static_cast<std::int64_t>(random_.below(1U << random_.below(16)));
  }
  std::string random_value() {
    return std::string(random_.below(1U << random_.below(13)), static_cast<char>(random_()));
  }
  void assign(Slot& slot, Kind kind) {
    const std::uint64_t version =
        random_.below(4) == 0 ? slot.next_version() + random_.below(5) : 0;
    const AssignStatus status = slot.assign(kind, random_value(), random_deadline(), version);
    if (status == AssignStatus::kOutOfMemory) ++refused_;
  }

  void step() {
    const std::uint64_t dice = random_.below(100);
    if (dice < 40) {
      write([&](Slot& slot) { assign(slot, Kind::kString); });
    } else if (dice < 60) {
      write([&](Slot& slot) { assign(slot, Kind::kOrder); });
    } else if (dice < 70) {
      const std::int64_t deadline_ms = now_ms_ + 1 + static_cast<int>(random_.below(3000));
      write([&](Slot& slot) { slot.bury(slot.next_version(), deadline_ms); });
    } else if (dice < 77) {
      write([&](Slot& slot) {
        if (slot.has_record()) slot.erase();
      });
    } else if (dice < 85) {
      write([&](Slot& slot) {
        if (slot.exists()) slot.set_deadline(random_deadline());
      });
    } else if (dice < 95) {
      write([&](Slot& slot) {
        const std::string record_key = "record of " + std::string(slot.key());
        Slot record = slot.sibling(record_key);
        assign(record, Kind::kIdempotency);
      });
    } else if (dice < 97) {
      write([](Slot&) {});  // collects the entry if it has expired
    } else if (dice < 99) {
      now_ms_ += static_cast<std::int64_t>(random_.below(1U << random_.below(11)));
    } else {
      cache_.collect_expired(0, 1, now_ms_, random_.below(300));
    }
  }

  Random random_{vigil::testing::test_seed()};
  Cache cache_{CacheOptions{.shards = 4, .memory_limit_bytes = GetParam().memory_limit_bytes}};
  CacheCopy copy_{cache_};
  std::int64_t now_ms_ = 1'700'000'000'000;
  std::uint64_t refused_ = 0;
};

TEST_P(ShardObserverModelTest, ACopyMadeOfTheEventsEqualsTheCache) {
  constexpr int kSteps = 100'000;
  for (int i = 1; i <= kSteps && !HasFatalFailure(); ++i) {
    step();
    if (i % (kSteps / 4) == 0) cache_.clear();
    if (i % (kSteps / 20) != 0) continue;
    ASSERT_EQ(copy_.difference(), "") << "after step " << i;
  }
  cache_.check_invariants();
  std::cout << copy_.events() << " events, " << refused_ << " assignments refused\n";
}

INSTANTIATE_TEST_SUITE_P(Loads, ShardObserverModelTest,
                         ::testing::Values(Load{"churn", 20, 1 << 30},
                                           Load{"growth", 20'000, 1 << 30},
                                           Load{"full", 20'000, 4 << 20}),
                         [](const auto& load) { return std::string(load.param.name); });

}  // namespace
}  // namespace vigil::cache
