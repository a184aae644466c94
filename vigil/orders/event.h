// SPDX-License-Identifier: Apache-2.0
//
// OrderEvent and OrderResult: what is asked of an order, and what became of it.
//
// Thread safety: plain values. An event refers to the caller's bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vigil/cache/entry.h"
#include "vigil/orders/transition_table.h"

namespace vigil::orders {

struct OrderEvent {
  enum class Type : std::uint8_t {
    kPut,         // set status and payload; creates the order if there is none
    kTransition,  // set the status (and the payload if has_payload) of an existing order
    kDelete,      // remove the order, leaving a tombstone
  };

  Type type = Type::kPut;
  std::string_view order_id;
  std::string_view status;   // empty: keep (kPut of a new order: the table's first initial status)
  std::string_view payload;  // any bytes
  bool has_payload = false;  // false: keep the payload
  // Of the event's source; absent: one more than the stored one. A kDelete with a version leaves
  // its tombstone also where no order is (yet).
  std::optional<std::uint64_t> version;

  // Preconditions.
  std::optional<std::uint64_t> if_version;  // the stored version; 0: the order must not exist
  std::optional<std::span<const std::uint64_t>> if_one_of;  // the stored version is among these
  bool if_exists = false;

  std::optional<std::int64_t> deadline_ms;  // absolute; cache::kNoDeadline clears; absent: keep
  // What the wall clock shows less the cache's time (vigil/base/wall_clock.h): what people are told
  // about moments is a date, and a date that was told stays.
  std::int64_t wall_ahead_ms = 0;
  std::string_view idempotency_key;  // empty: none
};

enum class OrderOutcome : std::uint8_t {
  kCreated,
  kUpdated,
  kDeleted,
  kNotFound,
  kVersionMismatch,
  kStale,
  kTerminal,
  kIllegalTransition,
  kUnknownStatus,
  kIdempotencyConflict,
  kWrongKind,  // the key holds a plain string
  kTooLarge,
  kOutOfMemory,
  kBusy,
};
[[nodiscard]] std::string_view order_outcome_name(OrderOutcome outcome);
[[nodiscard]] constexpr bool order_applied(OrderOutcome outcome) {
  return outcome <= OrderOutcome::kDeleted;
}

// Everything about the order after the event, as its writer knew it: no second look-up is needed,
// and what others do meanwhile does not show.
struct OrderResult {
  OrderOutcome outcome = OrderOutcome::kBusy;
  bool replayed = false;      // answered from the idempotency record
  StatusId status = 0;        // stored status after the event, if version != 0
  std::uint64_t version = 0;  // stored version after the event (also when refused), 0 if none
  // Of an order that was created or updated: dates of the wall clock.
  std::int64_t updated_ms = 0;
  std::int64_t deadline_ms = cache::kNoDeadline;
  std::string kept_payload;  // if the event had none

  // The payload of an order that `event`, which this is the result of, created or updated.
  [[nodiscard]] std::string_view payload_after(const OrderEvent& event) const {
    return event.has_payload ? event.payload : std::string_view(kept_payload);
  }
};

}  // namespace vigil::orders
