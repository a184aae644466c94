// SPDX-License-Identifier: Apache-2.0
#include "vigil/apps/demo_orders.h"

#include <gtest/gtest.h>

#include <map>

namespace vigil::apps {
namespace {

const orders::TransitionTable kTable = orders::TransitionTable::payment_default();

TEST(DemoOrdersTest, TheSameSeedGivesTheSameEvents) {
  DemoOrders a(kTable, 7);
  DemoOrders b(kTable, 7);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(to_resp(a.next()), to_resp(b.next()));
}

TEST(DemoOrdersTest, TheFirstEventCreatesTheSample) {
  DemoOrders orders(kTable, 1);
  const DemoEvent first = orders.next();
  EXPECT_EQ(first.type, DemoEvent::Type::kPut);
  EXPECT_EQ(first.id, DemoOrders::sample_id());
}

TEST(DemoOrdersTest, MostEventsAreLegalAndSomeAreNot) {
  const std::uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  cache::Cache cache({});
  orders::Orders applied(cache, {});
  DemoOrders orders(kTable, seed);
  std::map<std::string_view, int> outcomes;
  constexpr int kEvents = 20'000;
  for (int i = 0; i < kEvents; ++i) {
    const DemoEvent event = orders.next();
    if (event.type == DemoEvent::Type::kGet) continue;
    orders::OrderEvent order;
    order.type = event.type == DemoEvent::Type::kPut ? orders::OrderEvent::Type::kPut
                                                     : orders::OrderEvent::Type::kTransition;
    order.order_id = event.id;
    order.status = event.status;
    order.version = event.version;
    ++outcomes[orders::order_outcome_name(applied.apply(order, 1'000'000).outcome)];
  }
  EXPECT_GT(outcomes["created"], kEvents / 4);
  EXPECT_GT(outcomes["updated"], kEvents / 4);
  EXPECT_GT(outcomes["stale"], 0);
  EXPECT_GT(outcomes["illegal_transition"] + outcomes["terminal"], 0);
  EXPECT_EQ(outcomes["unknown_status"] + outcomes["not_found"], 0);
}

TEST(DemoOrdersTest, ARequestIsWhatTheProtocolsExpect) {
  const DemoEvent put{DemoEvent::Type::kPut, "订-1", "pending", "{}", 1, 2000};
  EXPECT_EQ(to_http(put, ""),
            "PUT /orders/%E8%AE%A2-1 HTTP/1.1\r\nHost: demo\r\n"
            "Content-Type: application/json\r\nContent-Length: 59\r\n\r\n"
            R"({"status":"pending","payload":{},"version":1,"ttl_ms":2000})");
  const DemoEvent get{DemoEvent::Type::kGet, "a", "", "", 0, 0};
  EXPECT_EQ(to_resp(get), "*2\r\n$9\r\nORDER.GET\r\n$1\r\na\r\n");
  EXPECT_EQ(to_http(get, "s"),
            "GET /orders/a HTTP/1.1\r\nHost: demo\r\nAuthorization: Bearer s\r\n\r\n");
}

}  // namespace
}  // namespace vigil::apps
