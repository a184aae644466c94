// SPDX-License-Identifier: Apache-2.0
//
// Several threads, bounded by steps: what must never happen in any map of the family. Most of it
// means something only because ThreadSanitizer and AddressSanitizer watch it as well.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/maps/map_family_test.h"
#include "vigil/testing/preemption.h"
#include "vigil/testing/seed.h"

namespace vigil {
namespace {

using maps::testing::on_threads;

// Of ReaderNeverMissesAKeyDuringGrowth.
constexpr std::uint64_t kStable = 50;
constexpr std::uint64_t kGrowing = 2'000;

template <class C>
class ConcurrentMapStressTest : public ::testing::Test {
 protected:
  typename C::Map map_;
};
TYPED_TEST_SUITE(ConcurrentMapStressTest, maps::testing::ConcurrentCases);

TYPED_TEST(ConcurrentMapStressTest, ReaderNeverMissesAKeyDuringGrowth) {
  using Entries = typename TypeParam::Entries;
  for (std::uint64_t i = 0; i < kStable; ++i) this->map_.insert(Entries::key(i), Entries::value(i));
  std::atomic<bool> done{false};
  on_threads(3, [&](int n) {
    if (n == 0) {
      for (std::uint64_t i = kStable; i < kGrowing; ++i) {
        this->map_.insert(Entries::key(i), Entries::value(i));
      }
      this->map_.erase_if([](const auto&, const auto& v) { return Entries::number(v) >= kStable; });
      done.store(true);
      return;
    }
    Random random(static_cast<std::uint64_t>(n));
    while (!done.load(std::memory_order_relaxed)) {
      const std::uint64_t key = random.below(kStable);
      ASSERT_EQ(this->map_.get(Entries::key(key)), Entries::value(key));
    }
  });
  EXPECT_EQ(this->map_.size(), kStable);
  this->map_.check_invariants();
}

TYPED_TEST(ConcurrentMapStressTest, NoUpdateIsLost) {
  using Entries = typename TypeParam::Entries;
  constexpr int kThreads = 4;
  constexpr std::uint64_t kSteps = 2'000;
  constexpr std::uint64_t kCounters = 5;
  const std::uint64_t seed = testing::test_seed();
  for (std::uint64_t i = 0; i < kCounters; ++i) {
    this->map_.insert(Entries::key(i), Entries::value(0));
  }
  on_threads(kThreads, [&](int n) {
    Random random(seed + static_cast<std::uint64_t>(n));
    for (std::uint64_t i = 0; i < kSteps; ++i) {
      this->map_.update(Entries::key(random.below(kCounters)),
                        [](auto& v) { v = Entries::value(Entries::number(v) + 1); });
      const std::uint64_t filler = 100 + static_cast<std::uint64_t>(n) * 100 + i % 50;
      if (i % 100 < 50) {
        this->map_.insert(Entries::key(filler), Entries::value(i));
      } else {
        this->map_.erase(Entries::key(filler));
      }
    }
  });
  std::uint64_t total = 0;
  for (std::uint64_t i = 0; i < kCounters; ++i) {
    total += Entries::number(*this->map_.get(Entries::key(i)));
  }
  EXPECT_EQ(total, kThreads * kSteps);
  this->map_.check_invariants();
}

// The one who assigns a key is the only one to change it: every other operation looks at the value,
// for a moment, and leaves it as it was. Meanwhile entries move, because others come and go.
TYPED_TEST(ConcurrentMapStressTest, NoAssignmentIsUndone) {
  using Entries = typename TypeParam::Entries;
  constexpr std::uint64_t kSteps = 20'000;
  constexpr std::uint64_t kKeys = 4;
  const std::uint64_t seed = testing::test_seed();
  for (std::uint64_t key = 0; key < kKeys; ++key) {
    this->map_.insert(Entries::key(key), Entries::value(0));
  }
  std::atomic<bool> done{false};
  const testing::Preemption preemption;
  const auto assign = [&] {
    for (std::uint64_t i = 1; i <= kSteps; ++i) {
      const std::uint64_t key = i % kKeys;
      this->map_.insert_or_assign(Entries::key(key), Entries::value(i));
      ASSERT_EQ(this->map_.get(Entries::key(key)), Entries::value(i));
    }
  };
  const auto look = [&](Random& random) {
    const auto key = Entries::key(random.below(kKeys));
    switch (random.below(4)) {
      case 0:
        return static_cast<void>(this->map_.update(key, [](auto&) {}));
      case 1:
        return static_cast<void>(this->map_.erase_if(key, [](const auto&) { return false; }));
      case 2:
        return static_cast<void>(this->map_.insert(key, Entries::value(0)));
      default:
        break;
    }
    if (const auto value = this->map_.get(key)) this->map_.compare_exchange(key, *value, *value);
  };
  const auto come_and_go = [&](std::uint64_t round) {
    for (std::uint64_t n = 100; n < 160; ++n) {
      if (round % 2 == 0) {
        this->map_.insert(Entries::key(n), Entries::value(0));
      } else {
        this->map_.erase(Entries::key(n));
      }
    }
  };
  on_threads(3, [&](int n) {
    testing::Preemption::allow_here();
    Random random(seed + static_cast<std::uint64_t>(n));
    if (n == 0) {
      assign();
      done.store(true);
    }
    for (std::uint64_t i = 0; !done.load(std::memory_order_relaxed); ++i) {
      n == 1 ? look(random) : come_and_go(i);
    }
  });
  this->map_.check_invariants();
}

// A value names its key, so a value under a foreign key shows, and a torn text does not parse.
TYPED_TEST(ConcurrentMapStressTest, AReaderSeesOnlyWholeValuesOfItsKey) {
  using Entries = typename TypeParam::Entries;
  constexpr std::uint64_t kSteps = 10'000;
  const std::uint64_t seed = testing::test_seed();
  std::atomic<bool> done{false};
  on_threads(3, [&](int n) {
    Random random(seed + static_cast<std::uint64_t>(n));
    if (n == 0) {
      for (std::uint64_t i = 0; i < kSteps; ++i) {
        const std::uint64_t key = random.below(64);
        if (random.below(2) == 0) {
          this->map_.insert_or_assign(Entries::key(key), Entries::value(key << 32 | i));
        } else {
          this->map_.erase(Entries::key(key));
        }
      }
      done.store(true);
      return;
    }
    while (!done.load(std::memory_order_relaxed)) {
      const std::uint64_t key = random.below(64);
      this->map_.visit(Entries::key(key),
                       [&](const auto& value) { ASSERT_EQ(Entries::number(value) >> 32, key); });
      if (n == 1 && random.below(50) == 0) {
        this->map_.for_each([](const auto& k, const auto& value) {
          ASSERT_EQ(k, Entries::key(Entries::number(value) >> 32));
        });
      }
    }
  });
  this->map_.check_invariants();
}

TYPED_TEST(ConcurrentMapStressTest, AnEntryIsTakenByExactlyOneThread) {
  using Entries = typename TypeParam::Entries;
  constexpr std::uint64_t kSteps = 3'000;
  std::atomic<std::uint64_t> taken{0};
  std::atomic<std::uint64_t> inserted{0};
  on_threads(3, [&](int n) {
    for (std::uint64_t i = 0; i < kSteps; ++i) {
      const auto key = Entries::key(i % 20);
      if (n == 0) {
        inserted += this->map_.insert(key, Entries::value(i)) ? 1 : 0;
      } else {
        taken += this->map_.take(key).has_value() ? 1 : 0;
      }
    }
  });
  EXPECT_EQ(taken.load() + this->map_.size(), inserted.load());
}

// --- CheckedMap in a program that synchronises --------------------------------------------------

std::uint64_t checked_operations() {
  const char* given = std::getenv("VIGIL_OPERATIONS");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : 400'000;
}

// VIGIL_OPERATIONS sets how many in all (1'000'000'000 for the figure of docs/maps.md).
TEST(CheckedMapStressTest, CorrectUseIsNeverReported) {
  constexpr int kThreads = 4;
  const std::uint64_t seed = testing::test_seed();
  const std::uint64_t per_thread = checked_operations() / kThreads;
  std::shared_mutex mutex;
  CheckedMap<std::uint64_t, std::uint64_t> map({.name = "shared"});
  on_threads(kThreads, [&](int n) {
    Random random(seed + static_cast<std::uint64_t>(n));
    // Some operations per lock, so that most of the time goes into the map.
    for (std::uint64_t i = 0; i < per_thread; i += 50) {
      const std::uint64_t first = random.below(10'000);
      if (random.below(4) != 0) {
        const std::shared_lock lock(mutex);
        for (std::uint64_t k = 0; k < 50; ++k) static_cast<void>(map.get(first + k));
      } else {
        const std::unique_lock lock(mutex);
        for (std::uint64_t k = 0; k < 50; ++k) {
          if (random.below(2) == 0) {
            map.insert_or_assign(first + k, k);
          } else {
            map.erase(first + k);
          }
        }
      }
    }
  });
  EXPECT_EQ(map.stats().misuses_total, 0U);
  map.check_invariants();
}

}  // namespace
}  // namespace vigil
