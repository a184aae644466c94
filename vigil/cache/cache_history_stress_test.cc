// SPDX-License-Identifier: Apache-2.0
//
// Linearizability of the cache: histories of single-key operations on few keys, recorded while
// other keys make segments split, merge and move and a collector removes what expired, are
// explained by one order each (vigil/testing/linearizability.h). VIGIL_HISTORY_ROUNDS sets the
// number of rounds.
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/cache/cache.h"
#include "vigil/testing/linearizability.h"
#include "vigil/testing/map_entry_model.h"
#include "vigil/testing/seed.h"

namespace vigil::cache {
namespace {

using Model = vigil::testing::MapEntryModel;
using Operation = Model::Operation;
using Action = Model::Kind;
using History = vigil::testing::History<Operation>;

constexpr int kThreads = 4;
constexpr int kKeys = 3;
constexpr int kOperations = 40;  // per thread and key, a round
constexpr std::int64_t kStart = 1'700'000'000'000;

int rounds_wanted() {
  const char* given = std::getenv("VIGIL_HISTORY_ROUNDS");
  return given != nullptr ? std::atoi(given) : 300;
}

// The number of a value; its size varies, so that entries move between size classes.
std::string encode(std::uint64_t number) {
  std::string value(8 + number % 5 * 60, static_cast<char>(number));
  std::memcpy(value.data(), &number, sizeof(number));
  return value;
}
std::uint64_t decode(std::string_view value) {
  std::uint64_t number = 0;
  std::memcpy(&number, value.data(), sizeof(number));
  return number;
}

class Client {
 public:
  Client(Cache& cache, std::atomic<std::int64_t>& clock, std::uint64_t seed, std::uint64_t number)
      : cache_(cache), clock_(clock), random_(seed + number), next_value_(number << 32 | 1) {}

  void operate(const std::string& name, vigil::testing::Recorder<Operation>& recorder) {
    recorder.record([&] {
      Operation op;
      const Key key = cache_.key(name);
      op.value = next_value_++;
      switch (random_.below(5)) {
        case 0:
        case 1:
          op.kind = Action::kGet;
          op.seen = get(key);
          break;
        case 2:
          op.kind = Action::kExchange;
          op.deadline = random_.below(2) == 0
                            ? 0
                            : clock_.load() + 1 + static_cast<std::int64_t>(random_.below(3));
          op.seen = exchange(key, op);
          break;
        case 3:
          op.kind = Action::kTake;
          op.seen = take(key);
          break;
        default:
          op.kind = Action::kInsert;
          op.done = insert(key, op);
      }
      return op;
    });
  }

  // Keys beside the recorded ones come and go.
  void churn() {
    for (int i = 0; i < 20; ++i) {
      const std::string name = "churn" + std::to_string(random_.below(4000));
      const bool growing = churned_++ / 5000 % 2 == 0;
      change(cache_.key(name), [&](Slot& slot) {
        if (growing) {
          slot.assign(Kind::kString, "x", kNoDeadline);
        } else if (slot.exists()) {
          slot.erase();
        }
      });
    }
  }

 private:
  template <class Change>
  void change(const Key& key, Change&& fn) {
    while (cache_.write(key, clock_.load(), fn) == WriteStatus::kBusy) {
    }
  }
  std::optional<std::uint64_t> get(const Key& key) {
    std::string value;
    const bool hit = cache_.read(key, clock_.load(), [&](const EntryReader& entry) {
      value.resize(entry.value_size());
      entry.copy_value(value.data());
    });
    return hit ? std::optional(decode(value)) : std::nullopt;
  }
  std::optional<std::uint64_t> exchange(const Key& key, const Operation& op) {
    std::optional<std::uint64_t> seen;
    const std::string value = encode(op.value);
    change(key, [&](Slot& slot) {
      if (slot.exists()) seen = decode(slot.value());
      slot.assign(Kind::kString, value, op.deadline);
    });
    return seen;
  }
  std::optional<std::uint64_t> take(const Key& key) {
    std::optional<std::uint64_t> seen;
    change(key, [&](Slot& slot) {
      if (!slot.exists()) return;
      seen = decode(slot.value());
      slot.erase();
    });
    return seen;
  }
  bool insert(const Key& key, const Operation& op) {
    bool done = false;
    const std::string value = encode(op.value);
    change(key, [&](Slot& slot) {
      done = !slot.exists();
      if (done) slot.assign(Kind::kString, value, kNoDeadline);
    });
    return done;
  }

  Cache& cache_;
  std::atomic<std::int64_t>& clock_;
  Random random_;
  std::uint64_t next_value_;
  std::uint64_t churned_ = 0;
};

// The clock moves between rounds only: an operation reads it before it begins to act, so a clock
// that moved during an operation would make its effect depend on when it was read.
TEST(CacheHistoryStressTest, RecordedHistoriesAreLinearizable) {
  const std::uint64_t seed = vigil::testing::test_seed();
  const int rounds = rounds_wanted();
  Cache cache({.shards = 1});
  std::atomic<std::int64_t> clock{kStart};
  std::barrier<> round_done(kThreads + 1);
  using Recorders = std::vector<vigil::testing::Recorder<Operation>>;
  std::vector<Recorders> recorders(kThreads, Recorders(kKeys));

  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Client client(cache, clock, seed, static_cast<std::uint64_t>(t) + 1);
      for (int round = 0; round < rounds; ++round) {
        for (int i = 0; i < kOperations; ++i) {
          for (int k = 0; k < kKeys; ++k) {
            const std::string name = "key" + std::to_string(k);
            client.operate(name,
                           recorders[static_cast<std::size_t>(t)][static_cast<std::size_t>(k)]);
          }
          client.churn();
          if (t == 0) cache.collect_expired(0, 1, clock.load(), 100);
        }
        round_done.arrive_and_wait();
        round_done.arrive_and_wait();
      }
    });
  }
  std::size_t operations = 0;
  History clock_moves{{{.kind = Action::kSetClock, .deadline = kStart}, 0, 0}};
  for (int round = 0; round < rounds; ++round) {
    round_done.arrive_and_wait();
    const std::int64_t before = monotonic_ns();
    clock.fetch_add(1);
    clock_moves.push_back(
        {{.kind = Action::kSetClock, .deadline = clock.load()}, before, monotonic_ns()});
    round_done.arrive_and_wait();
  }
  for (std::thread& thread : threads) thread.join();

  for (std::size_t k = 0; k < kKeys; ++k) {
    History history = clock_moves;
    for (const Recorders& of_thread : recorders) {
      const History& part = of_thread[k].history();
      history.insert(history.end(), part.begin(), part.end());
    }
    operations += history.size();
    const auto verdict = vigil::testing::LinearizabilityChecker<Model>::check(history);
    ASSERT_TRUE(verdict.linearizable) << "key" << k << ": " << verdict.explanation;
  }
  cache.check_invariants();
  std::cout << operations << " operations, " << cache.stats().handed_over_total << " handed over\n";
}

}  // namespace
}  // namespace vigil::cache
