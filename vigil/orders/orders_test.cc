// SPDX-License-Identifier: Apache-2.0
#include "vigil/orders/orders.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vigil/cache/expiry_listener.h"

namespace vigil::orders {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

class OrdersTest : public testing::Test {
 protected:
  ~OrdersTest() override { cache_.check_invariants(); }

  static OrderEvent put(std::string_view id, std::string_view status,
                        std::string_view payload = "{}") {
    OrderEvent event;
    event.order_id = id;
    event.status = status;
    event.payload = payload;
    event.has_payload = true;
    return event;
  }
  static OrderEvent versioned(std::string_view id, std::string_view status, std::uint64_t version) {
    OrderEvent event = put(id, status);
    event.version = version;
    return event;
  }
  static OrderEvent transition(std::string_view id, std::string_view status) {
    OrderEvent event;
    event.type = OrderEvent::Type::kTransition;
    event.order_id = id;
    event.status = status;
    return event;
  }
  static OrderEvent removal(std::string_view id) {
    OrderEvent event;
    event.type = OrderEvent::Type::kDelete;
    event.order_id = id;
    return event;
  }
  OrderOutcome apply(const OrderEvent& event, std::int64_t now_ms = kNow) {
    return orders_.apply(event, now_ms).outcome;
  }
  std::string status_of(std::string_view id, std::int64_t now_ms = kNow) {
    Order order;
    return orders_.get(id, now_ms, &order) ? orders_.table().name(order.status) : "none";
  }

  cache::Cache cache_{cache::CacheOptions{}};
  Orders orders_{cache_, OrderOptions{}};
};

TEST_F(OrdersTest, AnOrderReadsBackWithStatusVersionPayloadAndDeadline) {
  OrderEvent event = put("A1", "pending", R"({"amount":100})");
  event.deadline_ms = kNow + 1000;
  const OrderResult result = orders_.apply(event, kNow);
  EXPECT_EQ(result.outcome, OrderOutcome::kCreated);
  EXPECT_EQ(result.version, 1U);
  Order order;
  ASSERT_TRUE(orders_.get("A1", kNow, &order));
  EXPECT_EQ(orders_.table().name(order.status), "pending");
  EXPECT_EQ(order.version, 1U);
  EXPECT_EQ(order.payload, R"({"amount":100})");
  EXPECT_EQ(order.deadline_ms, kNow + 1000);
  EXPECT_EQ(order.updated_ms, kNow);
  EXPECT_FALSE(orders_.get("A1", kNow + 1000, &order));
}

TEST_F(OrdersTest, AllowedStepsAreTakenAndOthersRefused) {
  EXPECT_EQ(apply(put("A1", "pending")), OrderOutcome::kCreated);
  EXPECT_EQ(apply(put("A1", "refunded")), OrderOutcome::kIllegalTransition);
  EXPECT_EQ(apply(put("A1", "paid")), OrderOutcome::kUpdated);
  EXPECT_EQ(apply(put("A1", "pending")), OrderOutcome::kIllegalTransition);
  EXPECT_EQ(apply(put("A1", "lost")), OrderOutcome::kUnknownStatus);
  EXPECT_EQ(status_of("A1"), "paid");
}

TEST_F(OrdersTest, AnOrderStartsInAnInitialStatus) {
  EXPECT_EQ(apply(put("A1", "paid")), OrderOutcome::kIllegalTransition);
  EXPECT_EQ(apply(put("A1", "")), OrderOutcome::kCreated);
  EXPECT_EQ(status_of("A1"), "pending");
}

TEST_F(OrdersTest, ATerminalStatusIsSticky) {
  apply(put("A1", "pending"));
  apply(put("A1", "cancelled"));
  EXPECT_EQ(apply(put("A1", "paid")), OrderOutcome::kTerminal);
  EXPECT_EQ(apply(put("A1", "cancelled")), OrderOutcome::kTerminal);
  EXPECT_EQ(apply(versioned("A1", "paid", 99)), OrderOutcome::kTerminal);
  EXPECT_EQ(status_of("A1"), "cancelled");
}

TEST_F(OrdersTest, ALateOrRepeatedEventIsStale) {
  EXPECT_EQ(apply(versioned("A1", "paid", 3)), OrderOutcome::kCreated)
      << "1 and 2 are on their way";
  EXPECT_EQ(apply(versioned("A1", "pending", 1)), OrderOutcome::kStale);
  EXPECT_EQ(apply(versioned("A1", "processing", 2)), OrderOutcome::kStale);
  EXPECT_EQ(apply(versioned("A1", "paid", 3)), OrderOutcome::kStale);
  EXPECT_EQ(status_of("A1"), "paid");
}

TEST_F(OrdersTest, AnEventThatSkipsVersionsMayTakeAnyPath) {
  apply(versioned("A1", "pending", 1));
  EXPECT_EQ(apply(versioned("A1", "refunding", 2)), OrderOutcome::kIllegalTransition);
  EXPECT_EQ(apply(versioned("A1", "refunding", 3)), OrderOutcome::kUpdated);
}

TEST_F(OrdersTest, ConditionsCompareTheStoredVersion) {
  OrderEvent create = put("A1", "pending");
  create.if_version = 0;
  EXPECT_EQ(apply(create), OrderOutcome::kCreated);
  EXPECT_EQ(apply(create), OrderOutcome::kVersionMismatch);
  OrderEvent update = put("A1", "paid");
  update.if_version = 7;
  EXPECT_EQ(apply(update), OrderOutcome::kVersionMismatch);
  update.if_version = 1;
  EXPECT_EQ(apply(update), OrderOutcome::kUpdated);
  OrderEvent other = put("A2", "pending");
  other.if_exists = true;
  EXPECT_EQ(apply(other), OrderOutcome::kVersionMismatch);
}

TEST_F(OrdersTest, AnyOfSeveralVersionsWillDoAndNoneMeansNever) {
  apply(put("A1", "pending"));
  const std::vector<std::uint64_t> versions{9, 1};
  OrderEvent update = put("A1", "paid");
  update.if_one_of = versions;
  EXPECT_EQ(apply(update), OrderOutcome::kUpdated);
  EXPECT_EQ(apply(update), OrderOutcome::kVersionMismatch) << "it is version 2 now";
  update.if_one_of = std::span<const std::uint64_t>();
  EXPECT_EQ(apply(update), OrderOutcome::kVersionMismatch);
  OrderEvent other = put("A2", "pending");
  const std::vector<std::uint64_t> zero{0};
  other.if_one_of = zero;
  EXPECT_EQ(apply(other), OrderOutcome::kVersionMismatch) << "no order has the version 0";
}

TEST_F(OrdersTest, ATransitionNeedsAnOrderAndKeepsThePayload) {
  const OrderEvent step = transition("A1", "paid");
  EXPECT_EQ(apply(step), OrderOutcome::kNotFound);
  apply(put("A1", "pending", "payload"));
  EXPECT_EQ(apply(step), OrderOutcome::kUpdated);
  Order order;
  ASSERT_TRUE(orders_.get("A1", kNow, &order));
  EXPECT_EQ(order.payload, "payload");
}

TEST_F(OrdersTest, ADeletedOrderIsGoneAndItsTombstoneStopsLateEvents) {
  apply(versioned("A1", "pending", 1));
  OrderEvent event = removal("A1");
  event.version = 5;
  EXPECT_EQ(apply(event), OrderOutcome::kDeleted);
  EXPECT_EQ(status_of("A1"), "none");
  EXPECT_EQ(cache_.size(), 0U);
  EXPECT_EQ(apply(versioned("A1", "paid", 4)), OrderOutcome::kStale);
  EXPECT_EQ(status_of("A1"), "none");
  EXPECT_EQ(apply(versioned("A1", "pending", 6)), OrderOutcome::kCreated);
}

TEST_F(OrdersTest, ADeletionMayOvertakeTheCreation) {
  OrderEvent event = removal("A1");
  EXPECT_EQ(apply(event), OrderOutcome::kNotFound);
  event.version = 2;
  EXPECT_EQ(apply(event), OrderOutcome::kDeleted);
  EXPECT_EQ(apply(versioned("A1", "pending", 1)), OrderOutcome::kStale);
}

TEST_F(OrdersTest, AnExpiredOrderLeavesATombstoneThatLivesForItsRetention) {
  std::vector<std::string> expired;
  const cache::ExpiryListener listener(cache_, [&](const cache::RemovedEntry& entry) {
    Order order;
    ASSERT_TRUE(decode_order(entry.header, entry.value, &order));
    EXPECT_EQ(order.version, 7U);
    expired.push_back(std::string(entry.key) + " " + order.payload);
  });
  OrderEvent event = versioned("A1", "pending", 7);
  event.payload = "last";
  event.deadline_ms = kNow + 10;
  apply(event);
  EXPECT_EQ(cache_.collect_expired(0, 1, kNow + 10, 1000).expired, 1U);
  EXPECT_EQ(expired, std::vector<std::string>{"A1 last"});
  EXPECT_EQ(status_of("A1", kNow + 10), "none");
  EXPECT_EQ(cache_.stats().tombstones, 1U);
  EXPECT_EQ(apply(versioned("A1", "paid", 6), kNow + 20), OrderOutcome::kStale);
  const std::int64_t end = kNow + 10 + orders_.options().tombstone_retention_ms;
  cache_.collect_expired(0, 1, end, 100'000);
  EXPECT_EQ(cache_.stats().tombstones, 0U);
  EXPECT_EQ(expired.size(), 1U) << "a tombstone expires in silence";
}

TEST_F(OrdersTest, ARetryWithTheSameIdempotencyKeyGetsTheSameAnswer) {
  OrderEvent event = put("A1", "pending");
  event.idempotency_key = "try-1";
  const OrderResult first = orders_.apply(event, kNow);
  apply(put("A1", "paid"));
  const OrderResult retry = orders_.apply(event, kNow + 1);
  EXPECT_TRUE(retry.replayed);
  EXPECT_EQ(retry.outcome, first.outcome);
  EXPECT_EQ(retry.version, first.version);
  EXPECT_EQ(status_of("A1"), "paid");
}

TEST_F(OrdersTest, AnIdempotencyKeyForAnotherRequestIsAConflict) {
  OrderEvent event = put("A1", "pending");
  event.idempotency_key = "try-1";
  apply(event);
  event.payload = "other";
  EXPECT_EQ(apply(event), OrderOutcome::kIdempotencyConflict);
  event.order_id = "A2";
  EXPECT_EQ(apply(event), OrderOutcome::kCreated) << "keys belong to an order";
}

TEST_F(OrdersTest, RefusalsAreRememberedToo) {
  apply(put("A1", "pending"));
  OrderEvent event = put("A1", "refunded");
  event.idempotency_key = "try-1";
  EXPECT_EQ(apply(event), OrderOutcome::kIllegalTransition);
  apply(put("A1", "paid"));
  apply(put("A1", "refunding"));
  const OrderResult retry = orders_.apply(event, kNow);
  EXPECT_EQ(retry.outcome, OrderOutcome::kIllegalTransition);
  EXPECT_TRUE(retry.replayed);
}

TEST_F(OrdersTest, AnIdempotencyRecordExpiresAfterItsRetention) {
  OrderEvent event = put("A1", "pending");
  event.idempotency_key = "try-1";
  apply(event);
  const OrderResult late = orders_.apply(event, kNow + orders_.options().idempotency_retention_ms);
  EXPECT_FALSE(late.replayed);
}

TEST_F(OrdersTest, TheResultShowsTheOrderAsTheEventLeftIt) {
  OrderEvent create = put("A1", "pending", "payload");
  create.deadline_ms = kNow + 1000;
  const OrderResult created = orders_.apply(create, kNow);
  EXPECT_EQ(created.payload_after(create), "payload");
  EXPECT_EQ(created.updated_ms, kNow);
  EXPECT_EQ(created.deadline_ms, kNow + 1000);

  const OrderEvent step = transition("A1", "paid");
  const OrderResult moved = orders_.apply(step, kNow + 5);
  EXPECT_EQ(moved.outcome, OrderOutcome::kUpdated);
  EXPECT_EQ(orders_.table().name(moved.status), "paid");
  EXPECT_EQ(moved.version, 2U);
  EXPECT_EQ(moved.payload_after(step), "payload");
  EXPECT_EQ(moved.updated_ms, kNow + 5);
  EXPECT_EQ(moved.deadline_ms, kNow + 1000);
}

TEST_F(OrdersTest, AReplayShowsTheOrderOfTheFirstAttempt) {
  apply(put("A1", "pending", "first"));
  OrderEvent step = transition("A1", "processing");
  step.idempotency_key = "try-1";
  step.deadline_ms = kNow + 1000;
  const OrderResult first = orders_.apply(step, kNow + 1);
  apply(put("A1", "paid", "second"), kNow + 2);
  step.deadline_ms = kNow + 2000;  // relative to the attempt, so no part of the request
  const OrderResult retry = orders_.apply(step, kNow + 3);
  EXPECT_TRUE(retry.replayed);
  EXPECT_EQ(retry.version, first.version);
  EXPECT_EQ(retry.status, first.status);
  EXPECT_EQ(retry.updated_ms, kNow + 1);
  EXPECT_EQ(retry.deadline_ms, kNow + 1000);
  EXPECT_EQ(retry.payload_after(step), "first");
}

// What a retry brings along is not kept a second time.
TEST_F(OrdersTest, ARecordHoldsAPayloadOnlyIfTheEventBroughtNone) {
  const std::string payload(10'000, 'p');
  apply(put("A1", "pending", payload));
  const auto grown_by = [&](OrderEvent event) {
    event.idempotency_key = "key";
    const std::uint64_t before = cache_.stats().entry_bytes;
    EXPECT_TRUE(order_applied(orders_.apply(event, kNow).outcome));
    return cache_.stats().entry_bytes - before;
  };
  EXPECT_EQ(grown_by(put("A2", "pending", payload)) - grown_by(put("A3", "pending", "")),
            payload.size());
  EXPECT_GT(grown_by(transition("A1", "paid")), payload.size());
}

TEST_F(OrdersTest, AnOrderTooLargeToBeRememberedIsRefusedAndStays) {
  const std::string payload(cache::kValueBytesMax - 34, 'p');
  ASSERT_EQ(apply(put("A1", "pending", payload)), OrderOutcome::kCreated);
  OrderEvent step = transition("A1", "paid");
  step.idempotency_key = "key";
  EXPECT_EQ(apply(step), OrderOutcome::kTooLarge);
  EXPECT_EQ(status_of("A1"), "pending");
  step.idempotency_key = {};
  EXPECT_EQ(apply(step), OrderOutcome::kUpdated);
}

// Both pairs read the same when id and key are written one behind the other.
TEST_F(OrdersTest, IdsAndKeysWithNulBytesAreKeptApart) {
  cache::Cache cache({.shards = 1});
  Orders orders(cache, {});
  const auto create = [&](std::string_view id, std::string_view key) {
    OrderEvent event = put(id, "pending");
    event.idempotency_key = key;
    return orders.apply(event, kNow);
  };
  using namespace std::string_view_literals;
  EXPECT_FALSE(create("a"sv, "b\0c"sv).replayed);
  EXPECT_FALSE(create("a\0b"sv, "c"sv).replayed);
  EXPECT_FALSE(create("a\0"sv, "b\0c"sv).replayed);
  EXPECT_TRUE(create("a"sv, "b\0c"sv).replayed);
  EXPECT_TRUE(create("a\0b"sv, "c"sv).replayed);
  EXPECT_EQ(cache.stats().tombstones, 3U);
}

// What a move to other shards, a log and a hand-over need: whose record is it?
TEST_F(OrdersTest, ARecordNamesItsOrderWhateverBytesTheIdHolds) {
  struct Records final : cache::ShardObserver {
    void stored(const cache::StoredEntry& entry) noexcept override {
      if (entry.header.kind != cache::Kind::kIdempotency) return;
      const auto record = decode_idempotency(entry.value);
      ASSERT_TRUE(record);
      ids.emplace_back(record->order_id(entry.key));
      shards.push_back(entry.shard);
    }
    std::vector<std::string> ids;
    std::vector<std::uint32_t> shards;
  } records;
  cache::Cache cache({});
  cache.add_observer(records);
  Orders orders(cache, {});
  using namespace std::string_view_literals;
  const std::vector<std::string> ids{"plain", std::string("\0"sv), std::string("a\0b\0"sv), "",
                                     std::string(60'000, '\0')};
  for (const std::string& id : ids) {
    OrderEvent event = put(id, "pending");
    event.idempotency_key = "k\0ey"sv;
    ASSERT_EQ(orders.apply(event, kNow).outcome, OrderOutcome::kCreated);
  }
  EXPECT_EQ(records.ids, ids);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    EXPECT_EQ(records.shards[i], cache.key(ids[i]).shard) << "beside its order";
  }
}

TEST_F(OrdersTest, AnOrderCanBeDeletedWhenMemoryIsFull) {
  cache::Cache full({.shards = 1, .memory_limit_bytes = 4 << 20});
  Orders orders(full, {});
  const std::string payload(1000, 'p');
  int created = 0;
  for (; created < 10'000; ++created) {
    const std::string id = std::to_string(created);
    if (orders.apply(put(id, "pending", payload), kNow).outcome != OrderOutcome::kCreated) break;
  }
  ASSERT_LT(created, 10'000);
  for (int i = 0; i < created; ++i) {
    const std::string id = std::to_string(i);
    ASSERT_EQ(orders.apply(removal(id), kNow).outcome, OrderOutcome::kDeleted);
    ASSERT_EQ(orders.apply(versioned(id, "pending", 1), kNow).outcome, OrderOutcome::kStale);
  }
  full.check_invariants();
}

TEST_F(OrdersTest, HistoryKeepsTheLastStatusChanges) {
  apply(put("A1", "pending"), kNow);
  apply(put("A1", "pending"), kNow + 1);
  apply(put("A1", "paid"), kNow + 2);
  for (int i = 0; i < 10; ++i) {
    apply(put("A1", "refunding"), kNow + 3 + 2 * i);
    apply(put("A1", "paid"), kNow + 4 + 2 * i);
  }
  Order order;
  ASSERT_TRUE(orders_.get("A1", kNow + 100, &order));
  ASSERT_EQ(order.history.size(), orders_.options().history);
  EXPECT_EQ(order.history.back().at_ms, kNow + 22);
  EXPECT_EQ(orders_.table().name(order.history.back().status), "paid");
  EXPECT_EQ(order.history.back().version, order.version);
}

TEST_F(OrdersTest, AStringUnderTheIdIsNotAnOrder) {
  ASSERT_EQ(cache_.write(cache_.key("S"), kNow,
                         [](cache::Slot& slot) {
                           slot.assign(cache::Kind::kString, "text", cache::kNoDeadline);
                         }),
            cache::WriteStatus::kApplied);
  EXPECT_EQ(apply(put("S", "pending")), OrderOutcome::kWrongKind);
  Order order;
  EXPECT_FALSE(orders_.get("S", kNow, &order));
}

TEST_F(OrdersTest, ManyIdempotencyRecordsDoNotDisturbTheirOrders) {
  for (int i = 0; i < 20'000; ++i) {
    const std::string id = "order-" + std::to_string(i % 500);
    const std::string key = "key-" + std::to_string(i);
    const std::string payload = std::to_string(i);
    OrderEvent event = put(id, "pending", payload);
    event.idempotency_key = key;
    ASSERT_TRUE(order_applied(apply(event)));
  }
  EXPECT_EQ(cache_.size(), 500U);
  Order order;
  for (int i = 0; i < 500; ++i) {
    ASSERT_TRUE(orders_.get("order-" + std::to_string(i), kNow, &order));
    EXPECT_EQ(order.payload, std::to_string(19'500 + i));
    EXPECT_EQ(order.version, 40U);
  }
}

}  // namespace
}  // namespace vigil::orders
