// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/json_order.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/text/json.h"

namespace vigil::server {
namespace {

TEST(JsonOrderTest, ReadsEveryMember) {
  Result<OrderBody> order =
      parse_order(R"( {"status":"paid", "payload" : { "amount" : 12.50, "n":[1 , 2] })"
                  R"(,"version":7,"ttl_ms":60000} )");
  ASSERT_TRUE(order) << order.error().message;
  EXPECT_EQ(order->status, "paid");
  EXPECT_EQ(order->payload, R"({"amount":12.50,"n":[1,2]})");
  EXPECT_EQ(order->version, 7U);
  EXPECT_EQ(order->ttl_ms, 60000);
  EXPECT_FALSE(order->ttl_is_null);
}

TEST(JsonOrderTest, APayloadMayBeAnyValueAndKeepsItsNumbers) {
  for (const char* payload : {"null", "true", "1.10", "123456789012345678901234567890", "1e300",
                              "\"text\"", "[]", "{}", "[[1],{\"a\":{}}]"}) {
    Result<OrderBody> order = parse_order(std::string("{\"payload\":") + payload + "}");
    ASSERT_TRUE(order) << payload;
    EXPECT_EQ(order->payload, payload);
    EXPECT_TRUE(text::is_json(*order->payload));
  }
}

TEST(JsonOrderTest, NullTtlAsksToClearIt) {
  Result<OrderBody> order = parse_order(R"({"ttl_ms":null})");
  ASSERT_TRUE(order);
  EXPECT_TRUE(order->ttl_is_null);
}

struct BadBody {
  std::string json;
  const char* message;
};

TEST(JsonOrderTest, ErrorsSayWhatWasExpected) {
  const BadBody cases[] = {
      {"", "The document is empty. (at byte 0)"},
      {"[]", "expected one JSON object"},
      {"3", "expected one JSON object"},
      {"{} {}", "The document root must not be followed by other values. (at byte 3)"},
      {std::string("{}\0x", 4), "a NUL byte follows the document"},
      {R"({"state":"paid"})",
       "unknown member \"state\"; allowed: status, payload, version, ttl_ms"},
      {R"({"id":"a"})", "unknown member \"id\"; allowed: status, payload, version, ttl_ms"},
      {R"({"status":"a","status":"b"})", "member \"status\" is repeated"},
      {R"({"status":3})", "member \"status\": expected a string"},
      {R"({"status":null})", "member \"status\": expected a string"},
      {R"({"status":["paid"]})", "member \"status\": expected a string"},
      {R"({"version":"3"})", "member \"version\": expected an integer from 1 to 281474976710655"},
      {R"({"version":0})", "member \"version\": expected an integer from 1 to 281474976710655"},
      {R"({"version":1.0})", "member \"version\": expected an integer from 1 to 281474976710655"},
      {R"({"version":281474976710656})",
       "member \"version\": expected an integer from 1 to 281474976710655"},
      {R"({"ttl_ms":-5})",
       "member \"ttl_ms\": expected a positive integer of milliseconds, or null"},
      {R"({"payload":)" + std::string(65, '[') + std::string(65, ']') + "}",
       "the payload is nested deeper than 64"},
  };
  for (const BadBody& bad : cases) {
    const Result<OrderBody> order = parse_order(bad.json);
    ASSERT_FALSE(order) << bad.json;
    EXPECT_EQ(order.error().message, bad.message) << bad.json;
  }
}

TEST(JsonOrderTest, ReadsBulkItemsInOrder) {
  Result<std::vector<OrderBody>> items = parse_bulk_array(
      R"([{"id":"a","status":"pending"},{"op":"delete","id":"b","if_version":0}])", 2);
  ASSERT_TRUE(items) << items.error().message;
  ASSERT_EQ(items->size(), 2U);
  EXPECT_EQ((*items)[0].id, "a");
  EXPECT_EQ((*items)[1].operation, OrderBody::Operation::kDelete);
  EXPECT_EQ((*items)[1].if_version, 0U);

  EXPECT_EQ(parse_bulk_array("[{},{},{}]", 2).error().message, "the array holds more than 2 items");
  EXPECT_EQ(parse_bulk_array("{}", 2).error().message, "expected an array of objects");
  EXPECT_EQ(parse_bulk_array("[[]]", 2).error().message, "expected an array of objects");
  EXPECT_EQ(parse_bulk_item(R"({"op":"drop"})").error().message,
            "member \"op\": expected \"put\", \"patch\" or \"delete\"");
}

// A payload that the body parser lets in must be served as JSON, not as a string.
TEST(JsonOrderTest, EveryAcceptedPayloadPassesTheChecker) {
  const std::uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const std::string alphabet = "[]{},:\"\\ untrlsefa0123456789.-+eE/\xe4\xb8\xad";
  for (int round = 0; round < 200'000; ++round) {
    std::string payload;
    const auto length = 1 + random.below(8);
    for (std::uint64_t i = 0; i < length; ++i) payload += alphabet[random.below(alphabet.size())];
    const Result<OrderBody> order = parse_order("{\"payload\":" + payload + "}");
    if (order && order->payload) {
      ASSERT_TRUE(text::is_json(*order->payload)) << payload;
    } else if (payload.find_first_of("eE") == std::string::npos) {  // it limits exponents
      ASSERT_FALSE(text::is_json(payload)) << payload;
    }
  }
}

TEST(JsonOrderTest, ForeignPayloadsAreServedAsStringOrBase64) {
  const auto written = [&](std::string_view payload) {
    OrderView order;
    order.id = "订单-1";
    order.status = "pending";
    order.version = 3;
    order.payload = payload;
    order.updated_ms = 5;
    std::string out;
    append_order(order, &out);
    EXPECT_TRUE(text::is_json(out)) << out;
    return out;
  };
  EXPECT_EQ(written("{\"a\":1}"),
            "{\"id\":\"订单-1\",\"status\":\"pending\",\"version\":3,\"payload\":{\"a\":1},"
            "\"updated_at_ms\":5}");
  EXPECT_NE(written("not json").find("\"payload\":\"not json\""), std::string::npos);
  EXPECT_NE(written("").find("\"payload\":null"), std::string::npos);
  EXPECT_NE(written("\xff").find("\"payload_encoding\":\"base64\",\"payload\":\"/w==\""),
            std::string::npos);
}

}  // namespace
}  // namespace vigil::server
