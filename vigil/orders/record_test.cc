// SPDX-License-Identifier: Apache-2.0
#include "vigil/orders/record.h"

#include <gtest/gtest.h>

#include <string>

#include "vigil/orders/idempotency.h"

namespace vigil::orders {
namespace {

constexpr std::int64_t kNow = 1'700'000'000'000;

cache::EntryHeader header_of(const std::string& value, cache::Kind kind = cache::Kind::kOrder) {
  cache::EntryHeader header;
  header.kind = kind;
  header.version = 5;
  header.deadline_ms = kNow + 9;
  header.value_size = static_cast<std::uint32_t>(value.size());
  return header;
}

TEST(OrderRecordTest, AnOrderReadsBackWithItsHistory) {
  const std::string first = encode_order_head({}, {1, 4, kNow}, 8) + "payload";
  const std::string second = encode_order_head(first, {2, cache::kVersionMax, kNow + 1}, 8) + "{}";
  Order order;
  ASSERT_TRUE(decode_order(header_of(second), second, &order));
  EXPECT_EQ(order.status, 2);
  EXPECT_EQ(order.version, 5U);
  EXPECT_EQ(order.deadline_ms, kNow + 9);
  EXPECT_EQ(order.updated_ms, kNow + 1);
  EXPECT_EQ(order.payload, "{}");
  ASSERT_EQ(order.history.size(), 2U);
  EXPECT_EQ(order.history[0].version, 4U);
  EXPECT_EQ(order.history[1].version, cache::kVersionMax);
  EXPECT_EQ(order.history[1].at_ms, kNow + 1);
  EXPECT_EQ(stored_payload(first), "payload");
  EXPECT_EQ(stored_status(first), 1);
}

TEST(OrderRecordTest, OnlyANewStatusIsAddedToTheHistoryAndTheOldestGoFirst) {
  std::string value;
  for (std::uint64_t version = 1; version <= 6; ++version) {
    value = encode_order_head(value, {static_cast<StatusId>(version / 2), version, kNow}, 2);
  }
  Order order;
  ASSERT_TRUE(decode_order(header_of(value), value, &order));
  ASSERT_EQ(order.history.size(), 2U);
  EXPECT_EQ(order.history[0].version, 4U);
  EXPECT_EQ(order.history[1].version, 6U);
}

TEST(OrderRecordTest, OtherKindsAndShortValuesAreNoOrders) {
  const std::string value = encode_order_head({}, {1, 1, kNow}, 8);
  Order order;
  EXPECT_FALSE(decode_order(header_of(value, cache::Kind::kString), value, &order));
  EXPECT_FALSE(decode_order(header_of("short"), "short", &order));
}

// A reader may see a count that a writer is about to change: it must not lead outside.
TEST(OrderRecordTest, ATornCountStaysInsideTheValue) {
  std::string value = encode_order_head({}, {1, 1, kNow}, 8);
  value[1] = '\xff';
  Order order;
  ASSERT_TRUE(decode_order(header_of(value), value, &order));
  EXPECT_EQ(order.history.size(), 1U);
  EXPECT_EQ(order.payload, "");
}

TEST(IdempotencyRecordTest, EveryMemberReadsBack) {
  IdempotencyRecord record;
  record.request = 0xFEDC'BA98'7654'3210;
  record.order_id_size = 60'000;
  record.result.outcome = OrderOutcome::kUpdated;
  record.result.status = 63;
  record.result.version = cache::kVersionMax;
  record.result.updated_ms = kNow;
  record.result.deadline_ms = cache::kDeadlineMax_ms;
  record.result.kept_payload = "kept";
  const std::string value = encode_idempotency(record);
  EXPECT_EQ(value.size(), kIdempotencyHeadBytes + 4);
  const auto read = decode_idempotency(value);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->request, record.request);
  EXPECT_EQ(read->order_id_size, record.order_id_size);
  EXPECT_EQ(read->result.outcome, record.result.outcome);
  EXPECT_EQ(read->result.status, record.result.status);
  EXPECT_EQ(read->result.version, record.result.version);
  EXPECT_EQ(read->result.updated_ms, record.result.updated_ms);
  EXPECT_EQ(read->result.deadline_ms, record.result.deadline_ms);
  EXPECT_EQ(read->result.kept_payload, "kept");
  EXPECT_TRUE(read->result.replayed);
}

TEST(IdempotencyRecordTest, BrokenBytesAreNoRecord) {
  std::string value = encode_idempotency({});
  EXPECT_FALSE(decode_idempotency(std::string_view(value).substr(1)));
  value[kIdempotencyHeadBytes - 2] = '\x7f';
  EXPECT_FALSE(decode_idempotency(value)) << "there is no such outcome";
}

TEST(IdempotencyRecordTest, TheOrdersIdIsTheBeginningOfTheRecordsKey) {
  const IdempotencyKeys keys;
  OrderEvent event;
  event.order_id = std::string_view("a\0b", 3);
  event.idempotency_key = std::string_view("\0c", 2);
  IdempotencyRecord record;
  record.order_id_size = 3;
  EXPECT_EQ(record.order_id(keys.record_key(event)), event.order_id);
  OrderEvent other;
  other.order_id = std::string_view("a\0", 2);
  other.idempotency_key = std::string_view("b\0c", 3);
  EXPECT_NE(keys.record_key(event), keys.record_key(other));
  EXPECT_NE(keys.record_key(event), IdempotencyKeys().record_key(event)) << "the secret differs";
}

TEST(IdempotencyRecordTest, ARetryIsEqualWhateverItsDeadline) {
  OrderEvent event;
  event.status = "paid";
  const std::uint64_t asked = request_hash(event);
  event.deadline_ms = 5;
  EXPECT_EQ(request_hash(event), asked);
  event.has_payload = true;
  EXPECT_NE(request_hash(event), asked) << "an empty payload is not a kept one";
  event.has_payload = false;
  event.if_one_of = std::span<const std::uint64_t>();
  EXPECT_NE(request_hash(event), asked);
}

}  // namespace
}  // namespace vigil::orders
