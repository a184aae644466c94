// SPDX-License-Identifier: Apache-2.0
//
// Records: how orders and the answers to idempotency keys lie in a cache, as the values of entries.
//
//   order            status:8 | history count:8 | updated ms:48 | history ... | payload ...
//   history item     status:8 | version:48 | at ms:48, oldest first
//   idempotency      request:64 | version:48 | updated ms:48 | deadline ms:48 | order id size:16 |
//                    outcome:8 | status:8 | kept payload ...
//
// Numbers are little-endian. Version and deadline of an order are those of its entry.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/cache/entry.h"
#include "vigil/orders/event.h"
#include "vigil/orders/transition_table.h"

namespace vigil::orders {

inline constexpr std::uint32_t kHistoryMax = 64;

struct OrderChange {
  StatusId status = 0;
  std::uint64_t version = 0;
  std::int64_t at_ms = 0;
};

// A copy of one order.
struct Order {
  std::uint64_t version = 0;
  std::int64_t deadline_ms = cache::kNoDeadline;
  std::int64_t updated_ms = 0;
  StatusId status = 0;
  std::string payload;
  std::vector<OrderChange> history;  // oldest first, at most OrderOptions::history
};

// --- Orders ----------------------------------------------------------------------------------

// Of the value of an order's entry.
[[nodiscard]] StatusId stored_status(std::string_view value);
[[nodiscard]] std::string_view stored_payload(std::string_view value);

// What precedes the payload in the value that replaces `old_value` (empty: there was no order): the
// history, with `change` if its status is new, cut to the latest `history_limit`.
[[nodiscard]] std::string encode_order_head(std::string_view old_value, const OrderChange& change,
                                            std::uint32_t history_limit);

// Reads an order from its entry (a RemovedEntry's, for example) into *order, reusing its buffers;
// false if it is none.
bool decode_order(const cache::EntryHeader& header, std::string_view value, Order* order);
// The same inside Cache::read(): *order is to be trusted once that returned true.
bool copy_order(const cache::EntryReader& entry, Order* order);

// --- Idempotency records ---------------------------------------------------------------------

inline constexpr std::uint32_t kIdempotencyHeadBytes = 30;

struct IdempotencyRecord {
  std::uint64_t request = 0;        // request_hash() of the event that it answers
  std::uint16_t order_id_size = 0;  // the record's key begins with the order's id
  OrderResult result;

  // The order that the record belongs to; the shard of that id holds the record.
  [[nodiscard]] std::string_view order_id(std::string_view record_key) const {
    return record_key.substr(0, order_id_size);
  }
};

// The key whose shard holds the record under `key`: an answer lies with its order.
[[nodiscard]] std::string_view shard_key(cache::Kind kind, std::string_view key,
                                         std::string_view value);

[[nodiscard]] std::string encode_idempotency(const IdempotencyRecord& record);
// Nothing if the bytes are no record. The result is marked as replayed.
[[nodiscard]] std::optional<IdempotencyRecord> decode_idempotency(std::string_view value);

}  // namespace vigil::orders
