// SPDX-License-Identifier: Apache-2.0
//
// Idempotency: by which key the answer to an event is remembered, and what makes a retry equal.
//
// A record lies beside its order, as a Slot::sibling(), under
//
//   order id | idempotency key | order id size:16 | secret:128
//
// The size keeps pairs apart that are equal when written one behind the other (ids and keys may
// hold any byte), and the secret keeps clients from naming a record.
//
// Thread safety: immutable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/orders/event.h"

namespace vigil::orders {

// What a retry must repeat. The deadline is left out: a relative one differs with every attempt.
[[nodiscard]] std::uint64_t request_hash(const OrderEvent& event);

class IdempotencyKeys {
 public:
  // An empty secret: one of this process, at random.
  explicit IdempotencyKeys(std::string_view secret = {});

  // Longer than cache::kKeyBytesMax if the event's id and key are.
  [[nodiscard]] std::string record_key(const OrderEvent& event) const;

 private:
  std::string secret_;
};

}  // namespace vigil::orders
