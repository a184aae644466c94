// SPDX-License-Identifier: Apache-2.0
//
// with_keys() over every map: against a model, with callbacks that throw, and by recorded histories
// of several keys: whether what threads saw by operations on single keys and on several could have
// happened one after the other (strict serialisability). VIGIL_HISTORY_OPERATIONS=10000000 checks
// that many operations on each map.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/maps/heap_bytes.h"
#include "vigil/maps/map_family_test.h"
#include "vigil/testing/linearizability.h"
#include "vigil/testing/preemption.h"
#include "vigil/testing/seed.h"

namespace vigil {

// A value whose memory is asked for when it has been replaced: in the midst of storing.
struct Watched {
  explicit Watched(int n) : number(n), text(40, 'x') {}
  int number;
  std::string text;
  static inline std::function<void()> when_replaced_;
};
template <>
struct HeapBytes<Watched> {
  static std::size_t of(const Watched& value) {
    if (Watched::when_replaced_) std::exchange(Watched::when_replaced_, nullptr)();
    return value.text.size();
  }
};

namespace {

using maps::testing::on_threads;
using ::testing::Optional;

// Each kind of map, with entries in its table and elsewhere where that makes a difference.
using maps::testing::Case;
using maps::testing::InlineEntries;
using maps::testing::TextEntries;
using Concurrent = ::testing::Types<Case<maps::testing::ShardedFamily, InlineEntries>,
                                    Case<maps::testing::ShardedFamily, TextEntries>,
                                    Case<maps::testing::ReadMostlyFamily, InlineEntries>,
                                    Case<maps::testing::StripedFamily, TextEntries>,
                                    Case<maps::testing::RwFamily, InlineEntries>,
                                    Case<maps::testing::SnapshotFamily, TextEntries>>;
using AllKinds = ::testing::Types<Case<maps::testing::ShardedFamily, InlineEntries>,
                                  Case<maps::testing::ShardedFamily, TextEntries>,
                                  Case<maps::testing::ReadMostlyFamily, InlineEntries>,
                                  Case<maps::testing::StripedFamily, TextEntries>,
                                  Case<maps::testing::RwFamily, InlineEntries>,
                                  Case<maps::testing::SnapshotFamily, TextEntries>,
                                  Case<maps::testing::CheckedFamily, InlineEntries>>;

template <class C>
class MapWithKeysTest : public ::testing::Test {
 protected:
  using Entries = typename C::Entries;
  using Value = typename C::Value;
  using Values = MapValues<Value>;
  using Argument = typename C::Map::key_argument;
  static auto key(std::uint64_t n) { return Entries::key(n); }
  static Value value(std::uint64_t n) { return Entries::value(n); }
  static std::uint64_t number(const Value& v) { return Entries::number(v); }

  // Calls change with the values of the numbered keys.
  template <class Change>
  auto with(const std::vector<std::uint64_t>& numbers, Change&& change) {
    std::vector<typename C::Key> keys;
    for (const std::uint64_t n : numbers) keys.push_back(key(n));
    const std::vector<Argument> arguments(keys.begin(), keys.end());
    return map_.with_keys(std::span<const Argument>(arguments), change);
  }

  typename C::Map map_;
};
TYPED_TEST_SUITE(MapWithKeysTest, AllKinds);

TYPED_TEST(MapWithKeysTest, AddsChangesErasesAndLeavesOut) {
  this->map_.insert(this->key(1), this->value(10));
  this->map_.insert(this->key(2), this->value(20));
  this->with({1, 2, 3, 4}, [&](auto& values) {
    ASSERT_EQ(values.size(), 4U);
    EXPECT_EQ(values[0], this->value(10));
    EXPECT_FALSE(values[2].has_value());
    values[0] = this->value(11);
    values[1].reset();
    values[2] = this->value(30);
  });
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(11)));
  EXPECT_FALSE(this->map_.contains(this->key(2)));
  EXPECT_THAT(this->map_.get(this->key(3)), Optional(this->value(30)));
  EXPECT_FALSE(this->map_.contains(this->key(4)));
  EXPECT_EQ(this->map_.size(), 2U);
  this->map_.check_invariants();
}

TYPED_TEST(MapWithKeysTest, ReturnsWhatTheCallbackReturned) {
  const auto a = this->key(1);
  const auto b = this->key(2);
  EXPECT_EQ(this->map_.with_keys({a, b}, [](auto& values) { return values.size(); }), 2U);
  EXPECT_EQ(this->with({}, [](auto& values) { return values.size(); }), 0U);
  EXPECT_TRUE(this->map_.empty());
}

TYPED_TEST(MapWithKeysTest, EqualKeysShareOneValue) {
  this->map_.insert(this->key(1), this->value(10));
  this->with({1, 2, 1}, [&](auto& values) {
    EXPECT_EQ(&values[0], &values[2]);
    values[0] = this->value(this->number(*values[0]) - 3);
    values[2] = this->value(this->number(*values[2]) + 3);
  });
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(10)));
  EXPECT_EQ(this->map_.size(), 1U);
}

TYPED_TEST(MapWithKeysTest, ACallbackThatThrowsHasChangedNothing) {
  this->map_.insert(this->key(1), this->value(10));
  const auto fails = [&](auto& values) {
    values[0].reset();
    values[1] = this->value(20);
    throw std::runtime_error("no");
  };
  EXPECT_THROW(this->with({1, 2}, fails), std::runtime_error);
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(10)));
  EXPECT_EQ(this->map_.size(), 1U);
  EXPECT_FALSE(this->map_.insert_or_assign(this->key(1), this->value(11)));
  EXPECT_THAT(this->map_.get(this->key(1)), Optional(this->value(11)));
  this->map_.check_invariants();
}

TYPED_TEST(MapWithKeysTest, HundredsOfKeysComeAndGoTogether) {
  std::vector<std::uint64_t> all(700);
  for (std::uint64_t n = 0; n < all.size(); ++n) all[n] = n;
  this->with(all, [&](auto& values) {
    for (std::uint64_t n = 0; n < values.size(); ++n) values[n] = this->value(n);
  });
  this->map_.check_invariants();
  for (const std::uint64_t n : all) {
    ASSERT_THAT(this->map_.get(this->key(n)), Optional(this->value(n)));
  }
  this->with(all, [](auto& values) {
    for (std::uint64_t n = 0; n < values.size(); ++n) values[n].reset();
  });
  EXPECT_TRUE(this->map_.empty());
  this->map_.check_invariants();
}

TYPED_TEST(MapWithKeysTest, DoesWhatAModelDoes) {
  const std::uint64_t seed = testing::test_seed();
  Random random(seed);
  std::map<std::uint64_t, std::uint64_t> model;
  for (int round = 0; round < 400; ++round) {
    std::vector<std::uint64_t> numbers(random.below(6));
    for (std::uint64_t& n : numbers) n = random.below(300);
    this->with(numbers, [&](auto& values) {
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        const auto known = model.find(numbers[i]);
        ASSERT_EQ(values[i].has_value(), known != model.end()) << "seed " << seed;
        if (known != model.end()) {
          ASSERT_EQ(this->number(*values[i]), known->second);
        }
        const std::uint64_t next = random.below(1'000);
        if (next < 300) {
          values[i].reset();
          model.erase(numbers[i]);
        } else {
          values[i] = this->value(next);
          model[numbers[i]] = next;
        }
      }
    });
    const std::uint64_t other = random.below(300);
    ASSERT_EQ(this->map_.erase(this->key(other)), model.erase(other) == 1) << "seed " << seed;
  }
  EXPECT_EQ(this->map_.size(), model.size());
  this->map_.check_invariants();
}

// --- Several threads ---------------------------------------------------------------------------

template <class C>
using MapWithKeysThreadsTest = MapWithKeysTest<C>;
TYPED_TEST_SUITE(MapWithKeysThreadsTest, Concurrent);

// Transfers in all directions, and with themselves, between accounts that come and go: a circle of
// waiting would not end.
TYPED_TEST(MapWithKeysThreadsTest, TransfersLoseNothingAndNobodyWaitsInACircle) {
  constexpr std::uint64_t kAccounts = 8;
  constexpr std::uint64_t kEach = 100;
  for (std::uint64_t n = 0; n < kAccounts; ++n) {
    this->map_.insert(this->key(n), this->value(kEach));
  }
  const auto sum = [&](auto& values) {
    std::uint64_t total = 0;
    for (std::size_t n = 0; n < values.size(); ++n) {
      if (values[n].has_value()) total += this->number(*values[n]);
    }
    return total;
  };
  const std::vector<std::uint64_t> all = {0, 1, 2, 3, 4, 5, 6, 7};
  const std::uint64_t seed = testing::test_seed();
  on_threads(3, [&](int thread) {
    Random random(seed + static_cast<std::uint64_t>(thread));
    for (int i = 0; i < 300; ++i) {
      if (i % 16 == 0) {
        EXPECT_EQ(this->with(all, sum), kAccounts * kEach) << "seed " << seed;
      }
      this->with({random.below(kAccounts), random.below(kAccounts)}, [&](auto& values) {
        if (!values[0].has_value()) return;
        const std::uint64_t amount = random.below(this->number(*values[0]) + 1);
        const std::uint64_t left = this->number(*values[0]) - amount;
        values[0] = this->value(left);
        values[1] = this->value((values[1] ? this->number(*values[1]) : 0) + amount);
        if (this->number(*values[0]) == 0) values[0].reset();
      });
    }
  });
  EXPECT_EQ(this->with(all, sum), kAccounts * kEach);
  this->map_.check_invariants();
}

// --- Histories -----------------------------------------------------------------------------------

constexpr std::size_t kKeys = 3;

// All keys at once: operations on several do not commute.
struct SeveralEntriesModel {
  enum class Kind : std::uint8_t {
    kGet,     // keys[0], seen[0]
    kAssign,  // keys[0], value
    kErase,   // keys[0], done
    kSwap,    // keys[0] and keys[1] by one operation: seen before
  };
  struct Operation {
    Kind kind = Kind::kGet;
    std::array<std::size_t, 2> keys = {};
    std::uint64_t value = 0;
    std::array<std::optional<std::uint64_t>, 2> seen = {};
    bool done = false;
  };
  using State = std::array<std::optional<std::uint64_t>, kKeys>;

  static State initial() { return {}; }
  static bool step(State& state, const Operation& op) {
    std::optional<std::uint64_t>& first = state[op.keys[0]];
    std::optional<std::uint64_t>& second = state[op.keys[1]];
    switch (op.kind) {
      case Kind::kGet:
        return op.seen[0] == first;
      case Kind::kAssign:
        first = op.value;
        return true;
      case Kind::kErase: {
        const bool there = first.has_value();
        first.reset();
        return op.done == there;
      }
      case Kind::kSwap: {
        const bool as_seen = op.seen[0] == first && op.seen[1] == second;
        std::swap(first, second);
        return as_seen;
      }
    }
    return false;
  }
  static std::uint64_t fingerprint(const State& state) {
    std::uint64_t print = 0;
    for (const auto& value : state) print = print * 31 + value.value_or(~std::uint64_t{0});
    return print;
  }
  static std::string describe(const Operation& op) {
    static constexpr const char* kNames[] = {"get", "assign", "erase", "swap"};
    const auto text = [](const auto& seen) { return seen ? std::to_string(*seen) : "nothing"; };
    return std::string(kNames[static_cast<std::size_t>(op.kind)]) + "(" +
           std::to_string(op.keys[0]) + ", " + std::to_string(op.keys[1]) + ", value " +
           std::to_string(op.value) + ") = " + text(op.seen[0]) + ", " + text(op.seen[1]);
  }
};

template <class C>
class MapWithKeysHistoryTest : public MapWithKeysTest<C> {
 protected:
  using Model = SeveralEntriesModel;
  using Operation = Model::Operation;
  using Kind = Model::Kind;
  using Recorder = testing::Recorder<Operation>;

  static constexpr std::uint64_t kThreads = 3;
  static constexpr std::uint64_t kOperationsPerRound = 100;  // of each thread
  static constexpr std::uint64_t kFillers = 150;

  static std::uint64_t rounds() {
    const char* asked = std::getenv("VIGIL_HISTORY_OPERATIONS");
    const std::uint64_t operations = asked != nullptr ? std::strtoull(asked, nullptr, 0) : 2'000;
    return operations / (kThreads * kOperationsPerRound) + 1;
  }

  Operation operate(Random& random, std::uint64_t value) {
    Operation op;
    op.value = value;
    op.keys = {random.below(kKeys), random.below(kKeys)};
    const auto key = this->key(op.keys[0]);
    switch (random.below(8)) {
      case 0:
        op.kind = Kind::kAssign;
        this->map_.insert_or_assign(key, this->value(value));
        break;
      case 1:
        op.kind = Kind::kErase;
        op.done = this->map_.erase(key);
        break;
      case 2:
      case 3:
        op.kind = Kind::kSwap;
        this->with({op.keys[0], op.keys[1]}, [&](auto& values) {
          for (std::size_t n = 0; n < 2; ++n) op.seen[n] = number_of(values[n]);
          if (op.keys[0] != op.keys[1]) std::swap(values[0], values[1]);
        });
        break;
      default:
        op.seen[0] = number_of(this->map_.get(key));
    }
    return op;
  }

  void run_round(std::uint64_t seed, std::uint64_t round) {
    std::array<Recorder, kThreads> recorders;
    std::barrier start(kThreads);
    on_threads(kThreads, [&](int thread) {
      testing::Preemption::allow_here();
      const auto number = static_cast<std::uint64_t>(thread);
      Random random((seed + round) * kThreads + number);
      start.arrive_and_wait();
      for (std::uint64_t i = 0; i < kOperationsPerRound; ++i) {
        recorders[number].record([&] { return operate(random, (number + 1) * 1'000 + i); });
        // Other keys, so that the table grows and shrinks.
        const auto filler = this->key(kKeys + number * kFillers + (round * 64 + i) % kFillers);
        if (round % 2 == 0) {
          this->map_.insert(filler, this->value(0));
        } else {
          this->map_.erase(filler);
        }
      }
    });
    testing::History<Operation> history;
    for (const Recorder& recorder : recorders) {
      history.insert(history.end(), recorder.history().begin(), recorder.history().end());
    }
    const testing::Verdict verdict = testing::LinearizabilityChecker<Model>::check(history);
    ASSERT_TRUE(verdict.linearizable) << "seed " << seed << ": " << verdict.explanation;
    for (std::uint64_t n = 0; n < kKeys; ++n) this->map_.erase(this->key(n));
  }

 private:
  static std::optional<std::uint64_t> number_of(const auto& value) {
    if (!value.has_value()) return std::nullopt;
    return MapWithKeysHistoryTest::number(*value);
  }
};
TYPED_TEST_SUITE(MapWithKeysHistoryTest, Concurrent);

TYPED_TEST(MapWithKeysHistoryTest, IsStrictlySerialisableWithOperationsOnSingleKeys) {
  const std::uint64_t seed = testing::test_seed();
  const testing::Preemption preemption;
  const std::uint64_t rounds = this->rounds();
  for (std::uint64_t n = 0; n < rounds && !this->HasFatalFailure(); ++n) this->run_round(seed, n);
  this->map_.check_invariants();
}

// --- ShardedMap
// ------------------------------------------------------------------------------------

TEST(ShardedMapWithKeysTest, WhatWasAddedHasTheDeadlineAndWhatWasChangedKeepsIts) {
  MapClock clock(1'000);
  ShardedMap<int, int> map({.clock = &clock});
  map.insert(1, 1, Deadline::at_unix_ms(2'000));
  map.insert(2, 2);
  map.insert(3, 3, Deadline::at_unix_ms(500));
  map.with_keys(
      {1, 2, 3, 4},
      [](MapValues<int>& values) {
        EXPECT_FALSE(values[2].has_value()) << "it has expired";
        for (std::size_t n = 0; n < 4; ++n) values[n] = 10;
      },
      Deadline::at_unix_ms(3'000));
  clock.set(2'500);
  EXPECT_FALSE(map.contains(1));
  EXPECT_EQ(map.get(2), 10);
  EXPECT_EQ(map.get(3), 10);
  clock.set(3'500);
  EXPECT_EQ(map.get(2), 10);
  EXPECT_FALSE(map.contains(3));
  EXPECT_FALSE(map.contains(4));
  map.check_invariants();
}

// Between the first entry that is stored and the last, whoever reads any of them waits.
TEST(ShardedMapWithKeysTest, NoEntryIsReadUntilAllAreStored) {
  ShardedMap<int, Watched> map;
  constexpr int kReplaced = 3;
  constexpr int kAll = 5;  // two are added
  for (int key = 0; key < kReplaced; ++key) map.insert(key, Watched(0));
  std::atomic<bool> midst{false};
  std::atomic<int> started{0};
  std::atomic<int> ended{0};
  std::atomic<int> seen{0};
  std::vector<std::thread> readers;
  for (int key = 0; key < kAll; ++key) {
    readers.emplace_back([&, key] {
      while (!midst) std::this_thread::yield();
      ++started;
      map.visit(key, [&](const Watched& value) { seen += value.number; });
      ++ended;
    });
  }
  int ended_meanwhile = 0;
  map.with_keys({0, 1, 2, 3, 4}, [&](MapValues<Watched>& values) {
    for (int key = 0; key < kAll; ++key) values[static_cast<std::size_t>(key)].emplace(1);
    Watched::when_replaced_ = [&] {
      midst = true;
      while (started != kAll) std::this_thread::yield();
      for (int i = 0; i < 100; ++i) std::this_thread::yield();
      ended_meanwhile = ended;
    };
  });
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(ended_meanwhile, 0);
  EXPECT_EQ(seen.load(), kAll);
}

// Keys of one hash lie in one segment, beyond what splitting could part.
struct OneHash {
  std::uint64_t operator()(const int&) const { return 7; }
};
TEST(ShardedMapWithKeysTest, KeysOfOneHashFindRoomTogether) {
  ShardedMap<int, int, OneHash> map({.shards = 1});
  std::vector<int> keys(300);
  for (int n = 0; n < 300; ++n) keys[static_cast<std::size_t>(n)] = n;
  map.with_keys(std::span<const int>(keys), [](MapValues<int>& values) {
    for (std::size_t n = 0; n < values.size(); ++n) values[n] = static_cast<int>(n);
  });
  map.check_invariants();
  for (int n = 0; n < 300; ++n) ASSERT_EQ(map.get(n), n);
}

// Its locks are those of one array of shards, whatever happens to the number of shards.
TEST(ShardedMapWithKeysTest, WorksWhileTheNumberOfShardsChanges) {
  ShardedMap<int, int> map({.shards = 4});
  for (int n = 0; n < 64; ++n) map.insert(n, 100);
  std::atomic<bool> done{false};
  on_threads(3, [&](int thread) {
    if (thread == 0) {
      for (int i = 0; i < 100; ++i) map.set_shard_count(1U << (i % 6));
      done = true;
      return;
    }
    for (int i = 0; !done; ++i) {
      map.with_keys({i % 64, i * 7 % 64}, [](MapValues<int>& values) {
        values[0] = *values[0] - 1;
        values[1] = *values[1] + 1;
      });
    }
  });
  int sum = 0;
  map.for_each([&](int, int value) { sum += value; });
  EXPECT_EQ(sum, 6'400);
  map.check_invariants();
}

}  // namespace
}  // namespace vigil
