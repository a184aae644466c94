// SPDX-License-Identifier: Apache-2.0
//
// What vigil's library gives, in one page: a typed concurrent map, and orders in a cache.
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "vigil/base/check.h"
#include "vigil/base/clock.h"
#include "vigil/cache/cache.h"
#include "vigil/maps/sharded_map.h"
#include "vigil/orders/orders.h"

namespace {

struct Session {
  std::uint32_t user = 0;
  std::uint32_t requests = 0;
};

// Any thread may read and write the map at any time; readers take no lock.
void share_sessions_between_threads() {
  vigil::ShardedMap<std::string, Session> sessions;
  sessions.insert_or_assign("s:17", Session{17, 0});

  std::vector<std::thread> handlers;
  for (int i = 0; i < 4; ++i) {
    handlers.emplace_back([&sessions] {
      for (int n = 0; n < 1'000; ++n) {
        sessions.update("s:17", [](Session& session) { ++session.requests; });
      }
    });
  }
  for (std::thread& handler : handlers) handler.join();

  const std::optional<Session> session = sessions.get("s:17");
  VIGIL_CHECK(session && session->requests == 4'000, "no request of any thread is lost");
  std::printf("session of user %u: %u requests\n", session->user, session->requests);
}

// An entry is gone at its deadline, whether or not anything has collected it.
void let_a_session_expire() {
  vigil::MapClock clock(1'000);
  vigil::ShardedMap<std::string, Session> sessions({.clock = &clock});
  sessions.insert("s:18", Session{18, 0}, vigil::Deadline::at_unix_ms(5'000));
  VIGIL_CHECK(sessions.contains("s:18"), "the deadline has not come");
  clock.set(5'000);
  VIGIL_CHECK(!sessions.contains("s:18"), "the deadline has come");
  std::puts("session of user 18: expired");
}

void print(const char* event, const vigil::orders::OrderResult& result) {
  std::printf("%-28s %-18s version %llu\n", event,
              std::string(vigil::orders::order_outcome_name(result.outcome)).c_str(),
              static_cast<unsigned long long>(result.version));
}

// Every change of an order is an event; the cache decides whether it may still happen.
void run_an_order() {
  using vigil::orders::OrderEvent;
  using vigil::orders::OrderOutcome;
  using vigil::orders::OrderResult;
  vigil::cache::Cache cache({});
  vigil::orders::Orders orders(cache, {});
  const std::int64_t now_ms = vigil::unix_ms();

  OrderEvent create;
  create.order_id = "order:1";
  create.status = "pending";
  create.payload = R"({"amount":4200})";
  create.has_payload = true;
  create.version = 1;
  create.idempotency_key = "request-7";
  print("create", orders.apply(create, now_ms));

  const OrderResult retried = orders.apply(create, now_ms);
  VIGIL_CHECK(retried.replayed, "a retry with the same idempotency key gets the same answer");
  print("create, retried", retried);

  OrderEvent pay;
  pay.type = OrderEvent::Type::kTransition;
  pay.order_id = "order:1";
  pay.status = "paid";
  pay.version = 3;
  print("paid (version 3)", orders.apply(pay, now_ms));

  OrderEvent late = pay;
  late.status = "processing";
  late.version = 2;
  const OrderResult stale = orders.apply(late, now_ms);
  VIGIL_CHECK(stale.outcome == OrderOutcome::kStale, "a late event never overwrites a newer state");
  print("processing (late, version 2)", stale);

  vigil::orders::Order order;
  VIGIL_CHECK(orders.get("order:1", now_ms, &order), "the order is there");
  std::printf("order:1 is %s: %s\n", orders.table().name(order.status).c_str(),
              order.payload.c_str());
}

}  // namespace

int main() {
  share_sessions_between_threads();
  let_a_session_expire();
  run_an_order();
  return 0;
}
