// SPDX-License-Identifier: Apache-2.0
//
// Orders: versioned state machines kept in a Cache. Every change of an order is an OrderEvent,
// applied by the one writer of the order's shard.
//
// Rules, checked in this sequence:
//   1. An idempotency key that was seen with the same request answers as it did then (`replayed`
//      is set); with another request it is kIdempotencyConflict.
//   2. if_version that differs from the stored version (0 = must not exist) is kVersionMismatch,
//   and
//      so are if_one_of and if_exists that do not hold.
//   3. An event version not above the stored one is kStale: late and duplicate events change
//      nothing, also after deletion or expiry, as long as the tombstone lives.
//   4. A terminal status is never left: kTerminal.
//   5. The transition must be allowed by the table; an event that skips versions may take any path
//      of allowed steps (the events between may still be on their way): else kIllegalTransition.
//
// So a set of events whose ordered run is legal ends in the state of that run, however the events
// are delayed, repeated or interleaved.
//
// Memory: an idempotency record takes 68 bytes beside the order's id and the key, rounded up to 8,
// for its retention; the record of a transition that kept the payload holds a copy of it.
//
// Thread safety: all members may be called from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/cache/cache.h"
#include "vigil/orders/event.h"
#include "vigil/orders/idempotency.h"
#include "vigil/orders/record.h"
#include "vigil/orders/transition_table.h"

namespace vigil::orders {

struct OrderOptions {
  TransitionTable table = TransitionTable::payment_default();
  std::uint32_t history = 8;                      // status changes remembered per order, 0..64
  std::int64_t tombstone_retention_ms = 600'000;  // longer than any retry or delay of an event
  std::int64_t idempotency_retention_ms = 600'000;
  // Under which the answers to idempotency keys are kept: what finds them again after a restart.
  // Empty: one of this process.
  std::string idempotency_secret;
};

class Orders {
 public:
  // The cache must outlive this object. Orders that expire leave tombstones from now on.
  // REQUIRES: before the cache's first write.
  Orders(cache::Cache& cache, OrderOptions options);

  [[nodiscard]] const OrderOptions& options() const { return options_; }
  [[nodiscard]] const TransitionTable& table() const { return options_.table; }

  // Looks the order up once; the result shows it as the event left it.
  [[nodiscard]] OrderResult apply(const OrderEvent& event, std::int64_t now_ms);

  // Copies the order into *order (reusing its buffers); false if there is none. Takes no lock.
  bool get(const cache::Key& key, std::int64_t now_ms, Order* order) const;
  bool get(std::string_view order_id, std::int64_t now_ms, Order* order) const {
    return get(cache_.key(order_id), now_ms, order);
  }

 private:
  [[nodiscard]] OrderResult apply_once(const OrderEvent& event, cache::Slot& slot) const;
  [[nodiscard]] OrderResult apply_to(const OrderEvent& event, cache::Slot& slot) const;
  [[nodiscard]] OrderResult write(const OrderEvent& event, StatusId status,
                                  cache::Slot& slot) const;
  [[nodiscard]] OrderResult remove(const OrderEvent& event, cache::Slot& slot) const;
  [[nodiscard]] std::optional<OrderOutcome> refusal(const OrderEvent& event,
                                                    const cache::Slot& slot) const;
  [[nodiscard]] std::optional<OrderOutcome> illegal(const OrderEvent& event,
                                                    const cache::Slot& slot, StatusId status) const;
  [[nodiscard]] OrderResult answer(OrderOutcome outcome, const cache::Slot& slot) const;

  cache::Cache& cache_;
  OrderOptions options_;
  IdempotencyKeys idempotency_keys_;
};

}  // namespace vigil::orders
