// SPDX-License-Identifier: Apache-2.0
#include "vigil/orders/event.h"

#include <array>

namespace vigil::orders {

std::string_view order_outcome_name(OrderOutcome outcome) {
  constexpr std::array<std::string_view, 14> kNames{"created",          "updated",
                                                    "deleted",          "not_found",
                                                    "version_mismatch", "stale",
                                                    "terminal",         "illegal_transition",
                                                    "unknown_status",   "idempotency_conflict",
                                                    "wrong_kind",       "too_large",
                                                    "out_of_memory",    "busy"};
  return kNames[static_cast<std::size_t>(outcome)];
}

}  // namespace vigil::orders
