// SPDX-License-Identifier: Apache-2.0
#include "vigil/orders/orders.h"

#include <algorithm>
#include <string>
#include <utility>

#include "vigil/base/check.h"

namespace vigil::orders {
namespace {

// Answers that depend on the order's state are remembered; a request that could not be carried out
// for want of room is worth trying again.
bool remembered(OrderOutcome outcome) { return outcome <= OrderOutcome::kIllegalTransition; }

// Whether the answer to an event that keeps the payload could be too large to be remembered.
bool too_large_to_remember(const OrderEvent& event, const cache::Slot& slot) {
  return !event.has_payload && slot.exists() &&
         slot.value().size() + kIdempotencyHeadBytes > cache::kValueBytesMax;
}

// `current` is the stored version, 0 if there is no order.
bool preconditions_hold(const OrderEvent& event, std::uint64_t current) {
  if (event.if_version && *event.if_version != current) return false;
  if (event.if_exists && current == 0) return false;
  if (!event.if_one_of) return true;
  return current != 0 && std::find(event.if_one_of->begin(), event.if_one_of->end(), current) !=
                             event.if_one_of->end();
}

OrderOutcome outcome_of(cache::AssignStatus status, OrderOutcome stored) {
  switch (status) {
    case cache::AssignStatus::kStored:
      return stored;
    case cache::AssignStatus::kTooLarge:
      return OrderOutcome::kTooLarge;
    case cache::AssignStatus::kOutOfMemory:
      return OrderOutcome::kOutOfMemory;
  }
  VIGIL_CHECK(false, "unknown AssignStatus");
}

}  // namespace

Orders::Orders(cache::Cache& cache, OrderOptions options)
    : cache_(cache), options_(std::move(options)), idempotency_keys_(options_.idempotency_secret) {
  VIGIL_CHECK(options_.history <= kHistoryMax,
              "at most 64 status changes are remembered per order");
  cache_.set_tombstone_retention(cache::Kind::kOrder, options_.tombstone_retention_ms);
  // Orders that are not finished are not for the cache to forget.
  cache_.set_eviction_guard(cache::Kind::kOrder, [table = options_.table](std::string_view value) {
    return !table.terminal(stored_status(value));
  });
}

bool Orders::get(const cache::Key& key, std::int64_t now_ms, Order* order) const {
  bool is_order = false;
  const bool found = cache_.read(
      key, now_ms, [&](const cache::EntryReader& entry) { is_order = copy_order(entry, order); });
  return found && is_order;
}

OrderResult Orders::apply(const OrderEvent& event, std::int64_t now_ms) {
  OrderResult result;
  const cache::WriteStatus status =
      cache_.write(cache_.key(event.order_id), now_ms,
                   [&](cache::Slot& slot) { result = apply_once(event, slot); });
  if (status == cache::WriteStatus::kBusy) result = {};
  return result;
}

// Rule 1.
OrderResult Orders::apply_once(const OrderEvent& event, cache::Slot& slot) const {
  if (event.idempotency_key.empty()) return apply_to(event, slot);

  const std::string record_key = idempotency_keys_.record_key(event);
  if (record_key.size() > cache::kKeyBytesMax) return answer(OrderOutcome::kTooLarge, slot);
  const std::uint64_t request = request_hash(event);
  if (const cache::Slot seen = slot.sibling(record_key); seen.has_record()) {
    std::optional<IdempotencyRecord> record = decode_idempotency(seen.value());
    VIGIL_CHECK(record.has_value(), "an idempotency record is broken");
    if (record->request != request) return answer(OrderOutcome::kIdempotencyConflict, slot);
    return std::move(record->result);
  }
  if (too_large_to_remember(event, slot)) return answer(OrderOutcome::kTooLarge, slot);
  const cache::ChangeGroup together = slot.group();
  OrderResult result = apply_to(event, slot);
  if (remembered(result.outcome)) {
    const auto id_size = static_cast<std::uint16_t>(event.order_id.size());
    // Without room for the record the event still counts; its retry is stale or a mismatch.
    static_cast<void>(slot.sibling(record_key)
                          .assign(cache::Kind::kIdempotency,
                                  encode_idempotency({request, id_size, result}),
                                  slot.now_ms() + options_.idempotency_retention_ms));
  }
  return result;
}

OrderResult Orders::answer(OrderOutcome outcome, const cache::Slot& slot) const {
  OrderResult result;
  result.outcome = outcome;
  if (slot.exists() && slot.kind() == cache::Kind::kOrder) {
    result.version = slot.version();
    result.status = stored_status(slot.value());
  }
  return result;
}

// Rules 2 and 3, and what can be said without looking at statuses.
std::optional<OrderOutcome> Orders::refusal(const OrderEvent& event,
                                            const cache::Slot& slot) const {
  if (slot.exists() && slot.kind() != cache::Kind::kOrder) return OrderOutcome::kWrongKind;
  const std::uint64_t current = slot.exists() ? slot.version() : 0;
  if (!preconditions_hold(event, current)) return OrderOutcome::kVersionMismatch;
  if (event.version) {
    if (*event.version == 0 || *event.version > cache::kVersionMax) return OrderOutcome::kTooLarge;
    if (slot.has_record() && *event.version <= slot.version()) return OrderOutcome::kStale;
  } else if (slot.has_record() && slot.version() >= cache::kVersionMax) {
    return OrderOutcome::kTooLarge;
  }
  const bool needs_order = event.type == OrderEvent::Type::kTransition ||
                           (event.type == OrderEvent::Type::kDelete && !event.version);
  if (needs_order && !slot.exists()) return OrderOutcome::kNotFound;
  return std::nullopt;
}

// Rules 4 and 5.
std::optional<OrderOutcome> Orders::illegal(const OrderEvent& event, const cache::Slot& slot,
                                            StatusId status) const {
  const TransitionTable& table = options_.table;
  bool legal = false;
  if (slot.exists()) {
    const auto from = stored_status(slot.value());
    if (table.terminal(from)) return OrderOutcome::kTerminal;
    const bool skips = event.version && *event.version > slot.version() + 1;
    legal = skips ? table.reachable(from, status) : table.allowed(from, status);
  } else {
    const bool skips = event.version && *event.version > 1;
    legal = skips ? table.reachable_from_start(status) : table.initial(status);
  }
  if (!legal) return OrderOutcome::kIllegalTransition;
  return std::nullopt;
}

OrderResult Orders::apply_to(const OrderEvent& event, cache::Slot& slot) const {
  if (const auto refused = refusal(event, slot)) return answer(*refused, slot);
  if (event.type == OrderEvent::Type::kDelete) return remove(event, slot);

  StatusId status = options_.table.first_initial();
  if (!event.status.empty()) {
    const std::optional<StatusId> known = options_.table.find(event.status);
    if (!known) return answer(OrderOutcome::kUnknownStatus, slot);
    status = *known;
  } else if (slot.exists()) {
    status = stored_status(slot.value());
  }
  if (const auto refused = illegal(event, slot, status)) return answer(*refused, slot);
  return write(event, status, slot);
}

OrderResult Orders::write(const OrderEvent& event, StatusId status, cache::Slot& slot) const {
  const bool creates = !slot.exists();
  const std::string_view old_value = creates ? std::string_view() : slot.value();
  const std::uint64_t version = event.version ? *event.version : slot.next_version();
  const std::int64_t updated_ms = slot.now_ms() + event.wall_ahead_ms;
  const std::string head =
      encode_order_head(old_value, {status, version, updated_ms}, options_.history);
  // Copied: it must not overlap the value that it becomes part of.
  std::string kept;
  if (!event.has_payload && !creates) kept = stored_payload(old_value);
  const std::int64_t deadline_ms = event.deadline_ms ? *event.deadline_ms
                                   : creates         ? cache::kNoDeadline
                                                     : slot.deadline_ms();
  const cache::AssignStatus stored =
      slot.assign(cache::Kind::kOrder, head,
                  event.has_payload ? event.payload : std::string_view(kept), deadline_ms, version);
  OrderResult result =
      answer(outcome_of(stored, creates ? OrderOutcome::kCreated : OrderOutcome::kUpdated), slot);
  if (stored != cache::AssignStatus::kStored) return result;
  result.updated_ms = updated_ms;
  if (deadline_ms != cache::kNoDeadline) result.deadline_ms = deadline_ms + event.wall_ahead_ms;
  result.kept_payload = std::move(kept);
  return result;
}

OrderResult Orders::remove(const OrderEvent& event, cache::Slot& slot) const {
  OrderResult result = answer(OrderOutcome::kDeleted, slot);
  result.version = event.version ? *event.version : slot.next_version();
  if (options_.tombstone_retention_ms == 0) {
    if (slot.has_record()) slot.erase();
    return result;
  }
  const cache::AssignStatus buried =
      slot.bury(result.version, slot.now_ms() + options_.tombstone_retention_ms);
  result.outcome = outcome_of(buried, OrderOutcome::kDeleted);
  return result;
}

}  // namespace vigil::orders
