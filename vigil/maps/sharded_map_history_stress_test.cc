// SPDX-License-Identifier: Apache-2.0
//
// Records what several threads do to a few keys, while the same threads make the segments of those
// keys grow, split, merge and shrink and change the number of shards, and asks whether the results
// are linearizable. VIGIL_HISTORY_OPERATIONS=100000000 checks that many operations in each test.
//
// Threads work in rounds on one map; between two rounds one of them checks the histories of the
// round and erases the keys. The other keys, the fillers, stay, so that the map's size goes up and
// down over many rounds. Each test says how many operations overlapped another one of their key:
// only those ask a question that a test of one thread could not.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/testing/linearizability.h"
#include "vigil/testing/map_entry_model.h"
#include "vigil/testing/preemption.h"
#include "vigil/testing/seed.h"

namespace vigil {
namespace {

using testing::History;
using testing::LinearizabilityChecker;
using testing::MapEntryModel;
using Kind = MapEntryModel::Kind;
using Operation = MapEntryModel::Operation;

struct InlineEntries {
  using Map = ShardedMap<std::uint64_t, std::uint64_t>;
  static std::uint64_t key(std::uint64_t n) { return n; }
  static std::uint64_t value(std::uint64_t n) { return n; }
  static std::uint64_t number(std::uint64_t value) { return value; }
};
struct NodeEntries {
  using Map = ShardedMap<std::string, std::string>;
  static std::string key(std::uint64_t n) {
    return std::string(n % 2 * 24, 'k') + std::to_string(n);
  }
  static std::string value(std::uint64_t n) { return std::to_string(n); }
  static std::uint64_t number(const std::string& value) { return std::stoull(value); }
};

template <class Entries>
class ShardedMapHistoryTest : public ::testing::Test {
 protected:
  void run(bool with_deadlines) {
    const std::uint64_t seed = testing::test_seed();
    const testing::Preemption preemption;
    const std::uint64_t rounds = asked_operations() / (kThreads * kOperationsPerRound) + 1;
    for (std::uint64_t done = 0; done < rounds && !this->HasFatalFailure(); done += kRoundsPerMap) {
      run_map(seed + done, std::min(kRoundsPerMap, rounds - done), with_deadlines);
    }
    std::printf("%llu operations, %llu of them overlapped another of their key\n",
                static_cast<unsigned long long>(operations_),
                static_cast<unsigned long long>(overlapping_));
  }

 private:
  using Map = typename Entries::Map;
  using Recorder = testing::Recorder<Operation>;

  static constexpr std::uint64_t kKeys = 4;
  static constexpr std::uint64_t kThreads = 3;
  static constexpr std::uint64_t kOperationsPerRound = 400;  // of each thread
  static constexpr std::uint64_t kRoundsPerMap = 64;
  static constexpr std::uint64_t kFillers = 2'000;  // other keys, for each thread

  static std::uint64_t asked_operations() {
    const char* asked = std::getenv("VIGIL_HISTORY_OPERATIONS");
    return asked != nullptr ? std::strtoull(asked, nullptr, 0) : 150'000;
  }

  struct Worker {
    Worker(Map& m, MapClock& c, std::uint64_t seed, std::uint64_t n, bool d)
        : map(m), clock(c), random(seed * kThreads + n), number(n), with_deadlines(d) {}

    void run_round() {
      for (std::uint64_t i = 0; i < kOperationsPerRound; ++i) {
        if (with_deadlines && number == 0 && random.below(4) == 0) {
          set_clock();
        } else {
          const std::uint64_t key = random.below(kKeys);
          keys[key].record([&] { return operate(Entries::key(key)); });
        }
        for (std::uint64_t n = random.below(8); n != 0; --n) churn();
        if (number == 1 && random.below(60) == 0) map.set_shard_count(1U << random.below(4));
      }
    }

    // Belongs to the history of every key.
    void set_clock() {
      Recorder recorder;
      recorder.record([&] {
        const std::int64_t now = clock.now_ms() + static_cast<std::int64_t>(random.below(3));
        clock.set(now);
        return Operation{.kind = Kind::kSetClock, .deadline = now};
      });
      clock_changes.push_back(recorder.history().front());
    }

    Operation operate(const auto& key) {
      Operation op;
      op.value = (number + 1) * 1'000'000 + ++written;
      op.expected = last_seen;
      if (with_deadlines && random.below(2) == 0) {
        op.deadline = clock.now_ms() + static_cast<std::int64_t>(random.below(4));
      }
      const Deadline deadline =
          op.deadline == 0 ? Deadline::never() : Deadline::at_unix_ms(op.deadline);
      auto value = Entries::value(op.value);
      switch (random.below(15)) {
        case 0:
          op.kind = Kind::kInsert;
          op.done = map.insert(key, value, deadline);
          break;
        case 1:
          op.kind = Kind::kAssign;
          map.insert_or_assign(key, value, deadline);
          break;
        case 2:
          // What an exchange returns at the moment of expiry is not specified (sharded_map.h).
          op.kind = with_deadlines ? Kind::kAssign : Kind::kExchange;
          op.seen = number_of(map.exchange(key, value, deadline));
          break;
        case 3:
          op.kind = Kind::kCompareExchange;
          op.done = map.compare_exchange(key, Entries::value(op.expected), value);
          break;
        case 4:
          op.kind = Kind::kAdd;
          op.done =
              map.update(key, [&](auto& v) { v = Entries::value(Entries::number(v) + op.value); });
          break;
        case 5:
          op.kind = Kind::kErase;
          op.done = map.erase(key);
          break;
        case 6:
          op.kind = Kind::kTake;
          op.seen = number_of(map.take(key));
          break;
        case 7:
          op.kind = Kind::kUpsert;
          op.done = map.upsert(
              key, [&] { return value; },
              [&](auto& v) { v = Entries::value(Entries::number(v) + op.value); }, deadline);
          break;
        case 8:
          op.kind = Kind::kGetOrCompute;
          op.seen = Entries::number(map.get_or_compute(
                                           key, [&] { return value; }, deadline)
                                        .value);
          break;
        case 9:
          op.kind = Kind::kCompute;
          map.compute(
              key,
              [&](auto& slot) {
                op.seen = number_of(slot);
                if (!slot) {
                  slot = value;
                } else if (const auto sum = MapEntryModel::computed(*op.seen, op.value)) {
                  slot = Entries::value(*sum);
                } else {
                  slot.reset();
                }
              },
              deadline);
          break;
        case 10:
          op.kind = Kind::kCompareExchange;
          op.done = map.update_if(
              key, [&](const auto& v) { return Entries::number(v) == op.expected; },
              [&](auto& v) { v = value; });
          break;
        default:
          op.kind = Kind::kGet;
          op.seen = number_of(map.get(key));
          if (op.seen) last_seen = *op.seen;
      }
      return op;
    }

    // Inserts or erases other keys, in long phases, so that segments grow and merge.
    void churn() {
      const std::uint64_t key = kKeys + number * kFillers + filled;
      if (growing) {
        map.insert(Entries::key(key), Entries::value(0));
        if (++filled == kFillers) growing = false;
      } else {
        map.erase(Entries::key(key));
        if (filled == 0 || --filled == 0) growing = true;
      }
    }

    static std::optional<std::uint64_t> number_of(const auto& value) {
      if (!value) return std::nullopt;
      return Entries::number(*value);
    }

    Map& map;
    MapClock& clock;
    Random random;
    std::uint64_t number;
    bool with_deadlines;
    std::array<Recorder, kKeys> keys;
    History<Operation> clock_changes;
    std::uint64_t written = 0;
    std::uint64_t last_seen = 0;
    std::uint64_t filled = 0;
    bool growing = true;
  };

  void run_map(std::uint64_t seed, std::uint64_t rounds, bool with_deadlines) {
    MapClock clock(0);
    Map map({.shards = 1, .max_entries = 1 << 16, .clock = &clock});
    std::vector<Worker> workers;
    for (std::uint64_t n = 0; n < kThreads; ++n) {
      workers.emplace_back(map, clock, seed, n, with_deadlines);
    }
    std::barrier end_of_round(kThreads, [&]() noexcept { check_round(workers, seed); });
    std::vector<std::thread> threads;
    for (Worker& worker : workers) {
      threads.emplace_back([&] {
        testing::Preemption::allow_here();
        for (std::uint64_t n = 0; n < rounds && !this->HasFatalFailure(); ++n) {
          worker.run_round();
          end_of_round.arrive_and_wait();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    map.check_invariants();
  }

  // Checks what the workers have recorded, and makes everything ready for the next round.
  void check_round(std::vector<Worker>& workers, std::uint64_t seed) {
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      History<Operation> history = workers[0].clock_changes;
      for (Worker& worker : workers) {
        const auto& part = worker.keys[key].history();
        history.insert(history.end(), part.begin(), part.end());
        worker.keys[key] = Recorder();
      }
      const testing::Verdict verdict = LinearizabilityChecker<MapEntryModel>::check(history);
      operations_ += history.size();
      overlapping_ += verdict.overlapping;
      ASSERT_TRUE(verdict.linearizable)
          << "seed " << seed << ", key " << key << ": " << verdict.explanation;
      workers[0].map.erase(Entries::key(key));
    }
    // The next histories begin with the time that it is now.
    workers[0].clock_changes = {
        {{.kind = Kind::kSetClock, .deadline = workers[0].clock.now_ms()}, 0, 0}};
  }

  std::uint64_t operations_ = 0;
  std::uint64_t overlapping_ = 0;
};

using Kinds = ::testing::Types<InlineEntries, NodeEntries>;
TYPED_TEST_SUITE(ShardedMapHistoryTest, Kinds);

TYPED_TEST(ShardedMapHistoryTest, OperationsDuringGrowthEraseAndReinsertAreLinearizable) {
  this->run(false);
}

TYPED_TEST(ShardedMapHistoryTest, OperationsDuringExpiryAreLinearizable) { this->run(true); }

}  // namespace
}  // namespace vigil
