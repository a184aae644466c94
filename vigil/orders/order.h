// SPDX-License-Identifier: Apache-2.0
//
// Orders: versioned state machines kept in a Cache. Every change of an order is an OrderEvent,
// applied by the one writer of the order's shard.
//
// Rules, checked in this sequence:
//   1. An idempotency key that was seen with the same request answers as it did then (kReplayed
//      is set); with another request it is kIdempotencyConflict.
//   2. if_version that differs from the stored version (0 = must not exist) is kVersionMismatch.
//   3. An event version not above the stored one is kStale: late and duplicate events change
//      nothing, also after deletion or expiry, as long as the tombstone lives.
//   4. A terminal status is never left: kTerminal.
//   5. The transition must be allowed by the table; an event that skips versions may take any path
//      of allowed steps (the events between may still be on their way): else kIllegalTransition.
//
// So a set of events whose ordered run is legal ends in the state of that run, however the events
// are delayed, repeated or interleaved.
//
// Thread safety: all members may be called from any thread.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/cache/cache.h"

namespace vigil::orders {

// The statuses an order may have and the steps between them.
class TransitionTable {
 public:
  static constexpr std::size_t kMaxStatuses = 64;
  using StatusId = std::uint8_t;

  struct Step {
    std::string from;
    std::string to;
  };

  // The default of a payment gateway: pending -> processing, paid, failed, cancelled, expired;
  // processing -> paid, failed; paid -> refunding; refunding -> refunded, paid.
  static TransitionTable payment_default();

  // `initial` lists the statuses in which an order may be created. A status without a step out is
  // terminal. Staying in the same (non-terminal) status is always allowed.
  static Result<TransitionTable> create(const std::vector<std::string>& initial,
                                        const std::vector<Step>& steps);

  [[nodiscard]] std::optional<StatusId> find(std::string_view status) const;
  [[nodiscard]] const std::string& name(StatusId status) const { return names_[status]; }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] bool terminal(StatusId status) const { return next_[status].none(); }
  [[nodiscard]] bool initial(StatusId status) const { return initial_[status]; }
  [[nodiscard]] bool allowed(StatusId from, StatusId to) const {
    return from == to || next_[from][to];
  }
  [[nodiscard]] bool reachable(StatusId from, StatusId to) const {
    return from == to || closure_[from][to];
  }
  [[nodiscard]] bool reachable_from_start(StatusId to) const { return from_start_[to]; }

 private:
  using StatusSet = std::bitset<kMaxStatuses>;

  Result<StatusId> intern(const std::string& status);
  void close();

  std::vector<std::string> names_;
  StatusSet initial_;
  StatusSet from_start_;
  std::array<StatusSet, kMaxStatuses> next_{};
  std::array<StatusSet, kMaxStatuses> closure_{};
};

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
  std::optional<std::uint64_t> if_version;  // precondition; 0: the order must not exist
  bool if_exists = false;                   // precondition (HTTP If-Match: *)
  std::optional<std::int64_t> deadline_ms;  // absolute; cache::kNoDeadline clears; absent: keep
  std::string_view idempotency_key;         // empty: none
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

struct OrderResult {
  OrderOutcome outcome = OrderOutcome::kBusy;
  std::uint64_t version = 0;  // stored version after the event (also when refused), 0 if none
  TransitionTable::StatusId status = 0;  // stored status after the event, if version != 0
  bool replayed = false;                 // answered from the idempotency record
};

struct OrderChange {
  TransitionTable::StatusId status = 0;
  std::uint64_t version = 0;
  std::int64_t at_ms = 0;
};

// A copy of one order.
struct Order {
  std::uint64_t version = 0;
  std::int64_t deadline_ms = cache::kNoDeadline;
  std::int64_t updated_ms = 0;
  TransitionTable::StatusId status = 0;
  std::string payload;
  std::vector<OrderChange> history;  // oldest first, at most OrderOptions::history
};

struct OrderOptions {
  TransitionTable table = TransitionTable::payment_default();
  std::uint32_t history = 8;                      // status changes remembered per order, 0..64
  std::int64_t tombstone_retention_ms = 600'000;  // longer than any retry or delay of an event
  std::int64_t idempotency_retention_ms = 600'000;
};

class Orders {
 public:
  // The cache must outlive this object. Registers an expiry hook: an order that expires leaves a
  // tombstone.
  Orders(cache::Cache& cache, OrderOptions options);

  [[nodiscard]] const OrderOptions& options() const { return options_; }
  [[nodiscard]] const TransitionTable& table() const { return options_.table; }

  [[nodiscard]] OrderResult apply(const OrderEvent& event, std::int64_t now_ms);

  // Copies the order into *order (reusing its buffers); false if there is none. Takes no lock.
  bool get(const cache::Key& key, std::int64_t now_ms, Order* order) const;
  bool get(std::string_view order_id, std::int64_t now_ms, Order* order) const {
    return get(cache_.key(order_id), now_ms, order);
  }

  // Decodes the value bytes of a cache::Kind::kOrder entry (an expiry listener's, for example).
  static bool decode(std::string_view value, Order* order);

 private:
  [[nodiscard]] OrderResult apply_once(const OrderEvent& event, cache::Slot& slot) const;
  [[nodiscard]] OrderResult apply_to(const OrderEvent& event, cache::Slot& slot) const;
  [[nodiscard]] OrderResult remove(const OrderEvent& event, cache::Slot& slot) const;
  [[nodiscard]] std::optional<OrderOutcome> refusal(const OrderEvent& event,
                                                    const cache::Slot& slot) const;
  [[nodiscard]] std::optional<OrderOutcome> illegal(const OrderEvent& event,
                                                    const cache::Slot& slot,
                                                    TransitionTable::StatusId status) const;
  [[nodiscard]] OrderResult answer(OrderOutcome outcome, const cache::Slot& slot) const;

  cache::Cache& cache_;
  OrderOptions options_;
  std::string record_suffix_;  // makes the keys of idempotency records unguessable
};

}  // namespace vigil::orders
