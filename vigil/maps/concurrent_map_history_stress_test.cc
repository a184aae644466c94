// SPDX-License-Identifier: Apache-2.0
//
// Records what several threads do to a few keys of each map, while the same threads make it grow
// and shrink, and asks whether the results are linearizable. VIGIL_ROUNDS sets how many histories
// are checked for each map (of 300 operations each; 30 unless set).
#include <gtest/gtest.h>

#include <array>
#include <barrier>
#include <cstdlib>
#include <thread>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/maps/map_family_test.h"
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

constexpr std::uint64_t kKeys = 3;
constexpr std::uint64_t kThreads = 3;
constexpr int kOperationsPerRound = 100;  // of each thread
constexpr std::uint64_t kFillers = 60;    // other keys, of each thread

std::uint64_t rounds() {
  const char* given = std::getenv("VIGIL_ROUNDS");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : 30;
}

template <class C>
class Worker {
 public:
  Worker(typename C::Map& map, std::uint64_t seed, std::uint64_t number)
      : map_(map), random_(seed * kThreads + number), number_(number) {}

  void run() {
    for (int i = 0; i < kOperationsPerRound; ++i) {
      const std::uint64_t key = random_.below(kKeys);
      keys_[key].record([&] { return operate(C::Entries::key(key)); });
      for (std::uint64_t n = random_.below(4); n != 0; --n) churn();
    }
  }
  [[nodiscard]] const History<Operation>& history(std::uint64_t key) const {
    return keys_[key].history();
  }

 private:
  using Entries = typename C::Entries;

  Operation operate(const typename C::Key& key) {
    Operation op;
    op.value = (number_ + 1) * 1'000'000 + ++written_;
    op.expected = last_seen_;
    const auto value = Entries::value(op.value);
    switch (random_.below(11)) {
      case 0:
        op.kind = Kind::kInsert;
        op.done = map_.insert(key, value);
        break;
      case 1:
        op.kind = Kind::kAssign;
        map_.insert_or_assign(key, value);
        break;
      case 2:
        op.kind = Kind::kExchange;
        op.seen = number_of(map_.exchange(key, value));
        break;
      case 3:
        op.kind = Kind::kCompareExchange;
        op.done = map_.compare_exchange(key, Entries::value(op.expected), value);
        break;
      case 4:
        op.kind = Kind::kAdd;
        op.done =
            map_.update(key, [&](auto& v) { v = Entries::value(Entries::number(v) + op.value); });
        break;
      case 5:
        op.kind = Kind::kErase;
        op.done = map_.erase(key);
        break;
      case 6:
        op.kind = Kind::kTake;
        op.seen = number_of(map_.take(key));
        break;
      case 7:
        read_by_iterating(op, key);
        break;
      default:
        op.kind = Kind::kGet;
        op.seen = number_of(map_.get(key));
        if (op.seen) last_seen_ = *op.seen;
    }
    return op;
  }

  // An iteration sees an entry as a read at some moment does.
  void read_by_iterating(Operation& op, const typename C::Key& key) {
    op.kind = Kind::kGet;
    map_.for_each([&](const auto& k, const auto& v) {
      if (k == key) op.seen = Entries::number(v);
    });
  }

  // Inserts or erases other keys, in long phases, so that the table grows and shrinks.
  void churn() {
    const std::uint64_t key = kKeys + number_ * kFillers + filled_;
    if (growing_) {
      map_.insert(Entries::key(key), Entries::value(0));
      if (++filled_ == kFillers) growing_ = false;
    } else {
      map_.erase(Entries::key(key));
      if (filled_ == 0 || --filled_ == 0) growing_ = true;
    }
  }

  static std::optional<std::uint64_t> number_of(const auto& value) {
    if (!value) return std::nullopt;
    return Entries::number(*value);
  }

  typename C::Map& map_;
  Random random_;
  std::uint64_t number_;
  std::array<testing::Recorder<Operation>, kKeys> keys_;
  std::uint64_t written_ = 0;
  std::uint64_t last_seen_ = 0;
  std::uint64_t filled_ = 0;
  bool growing_ = true;
};

template <class C>
class ConcurrentMapHistoryTest : public ::testing::Test {
 protected:
  static void run_round(std::uint64_t seed) {
    typename C::Map map;
    std::vector<Worker<C>> workers;
    for (std::uint64_t n = 0; n < kThreads; ++n) workers.emplace_back(map, seed, n);
    std::barrier start(kThreads);
    maps::testing::on_threads(kThreads, [&](int n) {
      testing::Preemption::allow_here();
      start.arrive_and_wait();
      workers[static_cast<std::size_t>(n)].run();
    });
    map.check_invariants();
    for (std::uint64_t key = 0; key < kKeys; ++key) {
      History<Operation> history;
      for (const Worker<C>& worker : workers) {
        history.insert(history.end(), worker.history(key).begin(), worker.history(key).end());
      }
      const testing::Verdict verdict = LinearizabilityChecker<MapEntryModel>::check(history);
      ASSERT_TRUE(verdict.linearizable)
          << "seed " << seed << ", key " << key << ": " << verdict.explanation;
    }
  }
};
TYPED_TEST_SUITE(ConcurrentMapHistoryTest, maps::testing::ConcurrentCases);

TYPED_TEST(ConcurrentMapHistoryTest, OperationsDuringGrowthEraseAndReinsertAreLinearizable) {
  const std::uint64_t seed = testing::test_seed();
  const testing::Preemption preemption;
  for (std::uint64_t round = 0; round < rounds() && !this->HasFatalFailure(); ++round) {
    this->run_round(seed + round);
  }
}

}  // namespace
}  // namespace vigil
