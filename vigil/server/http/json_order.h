// SPDX-License-Identifier: Apache-2.0
//
// Orders as JSON: what a client may send and what it is answered.
//
//   in    {"status":"paid","payload":{"amount":"12.50"},"version":3,"ttl_ms":60000}
//   bulk  the same with "id", and optionally "op" (put, patch, delete) and "if_version"
//   out   {"id":"A-1","status":"paid","version":3,"payload":{"amount":"12.50"},
//          "updated_at_ms":1700000000000,"expires_at_ms":1700000060000}
//
// A payload is any JSON value; it is kept compact, numbers exactly as they were written. A payload
// that came by another door and is not JSON is answered as a JSON string, or in base64 with
// "payload_encoding":"base64" if it is not UTF-8 either. An empty payload is answered as null.
//
// Reading is strict: unknown, repeated or wrongly typed members are errors. RapidJSON's
// non-recursive SAX parser does the work; nesting is limited to text::kJsonDepthMax.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/orders/orders.h"

namespace vigil::server {

struct OrderBody {
  enum class Operation : std::uint8_t { kPut, kPatch, kDelete };

  Operation operation = Operation::kPut;  // bulk only
  std::string id;                         // bulk only
  std::optional<std::string> status;
  std::optional<std::string> payload;  // compact JSON
  std::optional<std::uint64_t> version;
  std::optional<std::uint64_t> if_version;  // bulk only; 0: the order must not exist
  std::optional<std::int64_t> ttl_ms;
  bool ttl_is_null = false;  // "ttl_ms":null asks to clear the deadline
};

// One order of a PUT or PATCH.
Result<OrderBody> parse_order(std::string_view json);

// One item of a bulk request in NDJSON form.
Result<OrderBody> parse_bulk_item(std::string_view json);

// An array of at most `max_items` bulk items.
Result<std::vector<OrderBody>> parse_bulk_array(std::string_view json, std::size_t max_items);

// What an answer shows of an order; refers to the caller's bytes.
struct OrderView {
  std::string_view id;
  std::string_view status;
  std::uint64_t version = 0;
  std::string_view payload;
  std::int64_t updated_ms = 0;
  std::int64_t deadline_ms = cache::kNoDeadline;
};

// REQUIRES for both: text::is_utf8(id).
void append_order(const OrderView& order, std::string* out);
void append_history(std::string_view id, const orders::Order& order,
                    const orders::TransitionTable& table, std::string* out);

}  // namespace vigil::server
