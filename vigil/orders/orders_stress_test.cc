// SPDX-License-Identifier: Apache-2.0
//
// Event storms: the events of many orders, repeated, shuffled and applied by several threads at
// once, end in the state of the ordered run. VIGIL_STORM_EVENTS sets the number of events (default
// 1,000,000), VIGIL_SEED replays.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/orders/orders.h"
#include "vigil/testing/seed.h"

namespace vigil::orders {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

std::uint64_t events_wanted() {
  const char* given = std::getenv("VIGIL_STORM_EVENTS");
  return given != nullptr ? std::strtoull(given, nullptr, 0) : 1'000'000;
}

// One order's life: a legal path through the table, for one order in eight ending in deletion.
class Lives {
 public:
  Lives(const TransitionTable& table, std::uint64_t seed) : table_(table), seed_(seed) {}

  struct Life {
    std::vector<std::string> statuses;  // of versions 1, 2, ...
    bool deleted = false;               // by the version after the last
    [[nodiscard]] std::uint32_t events() const {
      return static_cast<std::uint32_t>(statuses.size()) + (deleted ? 1 : 0);
    }
  };
  [[nodiscard]] Life life(std::uint32_t order) const {
    Random random(seed_ ^ (order * 0x9E3779B97F4A7C15ULL));
    Life life;
    auto status = *table_.find("pending");
    life.statuses.push_back(table_.name(status));
    while (!table_.terminal(status) && life.statuses.size() < 7) {
      const auto next = static_cast<TransitionTable::StatusId>(random.below(table_.names().size()));
      if (!table_.allowed(status, next)) continue;
      status = next;
      life.statuses.push_back(table_.name(status));
    }
    life.deleted = random.below(8) == 0;
    return life;
  }

 private:
  const TransitionTable& table_;
  std::uint64_t seed_;
};

struct StormEvent {
  std::uint32_t order;
  std::uint32_t version;
};

std::string id_of(std::uint32_t order) { return "订单-" + std::to_string(order); }

OrderResult apply(Orders& orders, const Lives::Life& life, const StormEvent& event) {
  const std::string id = id_of(event.order);
  const std::string payload = "v" + std::to_string(event.version);
  OrderEvent order_event;
  order_event.order_id = id;
  order_event.version = event.version;
  if (event.version > life.statuses.size()) {
    order_event.type = OrderEvent::Type::kDelete;
  } else {
    order_event.status = life.statuses[event.version - 1];
    order_event.payload = payload;
    order_event.has_payload = true;
  }
  OrderResult result;
  do {
    result = orders.apply(order_event, kNow);
  } while (result.outcome == OrderOutcome::kBusy);
  return result;
}

TEST(OrdersStressTest, AStormEndsInTheStateOfTheOrderedRun) {
  const std::uint64_t seed = vigil::testing::test_seed();
  const std::uint64_t wanted = events_wanted();
  constexpr int kThreads = 4;

  cache::Cache ordered_cache({});
  Orders ordered(ordered_cache, {});
  const Lives lives(ordered.table(), seed);
  Random random(seed);

  // Every event once or several times, until there are as many as wanted.
  std::vector<StormEvent> storm;
  std::uint32_t orders_total = 0;
  while (storm.size() < wanted) {
    const std::uint32_t order = orders_total++;
    const Lives::Life life = lives.life(order);
    for (std::uint32_t version = 1; version <= life.events(); ++version) {
      const OrderResult result = apply(ordered, life, {order, version});
      ASSERT_TRUE(order_applied(result.outcome)) << order_outcome_name(result.outcome);
      for (std::uint64_t copies = 1 + random.below(4); copies > 0; --copies) {
        storm.push_back({order, version});
      }
    }
  }
  // A window of disorder per stretch for half of the orders, complete disorder for the others.
  const auto middle = storm.begin() + static_cast<std::ptrdiff_t>(storm.size() / 2);
  std::shuffle(storm.begin(), middle, random);
  constexpr std::ptrdiff_t kWindow = 64;
  for (auto at = middle; storm.end() - at > kWindow; at += kWindow / 2) {
    std::shuffle(at, at + kWindow, random);
  }

  cache::Cache stormy_cache({});
  Orders stormy(stormy_cache, {});
  std::atomic<std::size_t> next{0};
  std::atomic<std::uint64_t> stale{0};
  std::atomic<std::uint64_t> surprises{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      constexpr std::size_t kBatch = 16;
      for (std::size_t first = next.fetch_add(kBatch); first < storm.size();
           first = next.fetch_add(kBatch)) {
        const std::size_t last = std::min(first + kBatch, storm.size());
        for (std::size_t e = first; e < last; ++e) {
          const OrderResult result = apply(stormy, lives.life(storm[e].order), storm[e]);
          if (order_applied(result.outcome)) continue;
          (result.outcome == OrderOutcome::kStale ? stale : surprises).fetch_add(1);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();

  EXPECT_EQ(surprises.load(), 0U);
  EXPECT_EQ(stormy_cache.size(), ordered_cache.size());
  Order expected;
  Order actual;
  for (std::uint32_t order = 0; order < orders_total; ++order) {
    const std::string id = id_of(order);
    const bool there = ordered.get(id, kNow, &expected);
    ASSERT_EQ(stormy.get(id, kNow, &actual), there) << id;
    if (!there) continue;
    ASSERT_EQ(actual.status, expected.status) << id;
    ASSERT_EQ(actual.version, expected.version) << id;
    ASSERT_EQ(actual.payload, expected.payload) << id;
  }
  stormy_cache.check_invariants();
  std::cout << storm.size() << " events of " << orders_total << " orders, " << stale.load()
            << " stale, " << stormy_cache.stats().handed_over_total << " handed over\n";
}

}  // namespace
}  // namespace vigil::orders
