// SPDX-License-Identifier: Apache-2.0
#include "vigil/orders/order.h"

#include <algorithm>
#include <cstring>

#include "vigil/base/check.h"

namespace vigil::orders {
namespace {

using StatusId = TransitionTable::StatusId;

// --- The value of an order entry -----------------------------------------------------------------
//
//   status:8 | history count:8 | updated ms:48 | history ... | payload ...
//   history item = status:8 | version:48 | at ms:48, oldest first

constexpr std::uint32_t kHeadBytes = 8;
constexpr std::uint32_t kChangeBytes = 13;
constexpr std::uint32_t kMaxHistory = 64;

void put_48(char* out, std::uint64_t value) { std::memcpy(out, &value, 6); }

std::uint64_t get_48(const char* in) {
  std::uint64_t value = 0;
  std::memcpy(&value, in, 6);
  return value;
}

void encode_change(const OrderChange& change, char* out) {
  out[0] = static_cast<char>(change.status);
  put_48(out + 1, change.version);
  put_48(out + 7, static_cast<std::uint64_t>(change.at_ms));
}

OrderChange decode_change(const char* in) {
  return {static_cast<StatusId>(in[0]), get_48(in + 1), static_cast<std::int64_t>(get_48(in + 7))};
}

// Status, update time and history of an encoded order. `bytes` may be torn by a writer when a
// reader looks at it, so counts are bounded by `value_size` and not believed otherwise.
struct Head {
  StatusId status = 0;
  std::uint32_t changes = 0;
  std::int64_t updated_ms = 0;

  Head(const char* bytes, std::uint32_t value_size) {
    status = static_cast<StatusId>(bytes[0]);
    const std::uint32_t fits = (value_size - kHeadBytes) / kChangeBytes;
    changes = std::min({std::uint32_t{static_cast<unsigned char>(bytes[1])}, fits, kMaxHistory});
    updated_ms = static_cast<std::int64_t>(get_48(bytes + 2));
  }
  [[nodiscard]] std::uint32_t payload_at() const { return kHeadBytes + changes * kChangeBytes; }
};

std::string_view stored_payload(std::string_view value) {
  if (value.size() < kHeadBytes) return {};
  return value.substr(Head(value.data(), static_cast<std::uint32_t>(value.size())).payload_at());
}

// Builds the part of a value in front of the payload: the old history and, if the status is new,
// one more change.
std::string encode_head(const cache::Slot& slot, StatusId status, std::uint64_t version,
                        std::uint32_t history_limit) {
  std::vector<OrderChange> history;
  bool status_is_new = true;
  if (slot.exists()) {
    const std::string_view value = slot.value();
    const Head head(value.data(), static_cast<std::uint32_t>(value.size()));
    status_is_new = head.status != status;
    for (std::uint32_t i = 0; i < head.changes; ++i) {
      history.push_back(decode_change(value.data() + kHeadBytes + i * kChangeBytes));
    }
  }
  if (status_is_new) history.push_back({status, version, slot.now_ms()});
  if (history.size() > history_limit) {
    history.erase(history.begin(), history.end() - history_limit);
  }
  std::string head(kHeadBytes + history.size() * kChangeBytes, '\0');
  head[0] = static_cast<char>(status);
  head[1] = static_cast<char>(history.size());
  put_48(head.data() + 2, static_cast<std::uint64_t>(slot.now_ms()));
  for (std::size_t i = 0; i < history.size(); ++i) {
    encode_change(history[i], head.data() + kHeadBytes + i * kChangeBytes);
  }
  return head;
}

// --- Idempotency records
// ---------------------------------------------------------------------------

struct IdempotencyRecord {
  std::uint64_t request = 0;  // hash of what was asked for
  std::uint64_t version = 0;
  OrderOutcome outcome = OrderOutcome::kBusy;
  StatusId status = 0;
};

// What a retry must repeat. The deadline is left out: a relative one differs with every attempt.
std::uint64_t request_hash(const OrderEvent& event) {
  std::string request;
  const auto add = [&](std::string_view part) {
    request.append(std::to_string(part.size())).append(":").append(part);
  };
  const auto add_number = [&](const std::optional<std::uint64_t>& number) {
    add(number ? std::to_string(*number) : std::string_view("-"));
  };
  add(std::to_string(static_cast<int>(event.type)));
  add(event.status);
  add(event.has_payload ? event.payload : std::string_view());
  add_number(event.version);
  add_number(event.if_version);
  add(event.if_exists ? "exists" : "any");
  return xxh3(request);
}

std::string_view as_bytes(const IdempotencyRecord& record) {
  return {reinterpret_cast<const char*>(&record), sizeof(record)};
}

// Answers that depend on the order's state are remembered; a request that could not be carried out
// for want of room is worth trying again.
bool remembered(OrderOutcome outcome) { return outcome <= OrderOutcome::kIllegalTransition; }

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

// --- TransitionTable
// -------------------------------------------------------------------------------

TransitionTable TransitionTable::payment_default() {
  Result<TransitionTable> table = create({"pending"}, {{"pending", "processing"},
                                                       {"pending", "paid"},
                                                       {"pending", "failed"},
                                                       {"pending", "cancelled"},
                                                       {"pending", "expired"},
                                                       {"processing", "paid"},
                                                       {"processing", "failed"},
                                                       {"paid", "refunding"},
                                                       {"refunding", "refunded"},
                                                       {"refunding", "paid"}});
  return std::move(*table);
}

Result<TransitionTable> TransitionTable::create(const std::vector<std::string>& initial,
                                                const std::vector<Step>& steps) {
  if (initial.empty()) {
    return Error{"the transition table has no initial status: name at least one"};
  }
  TransitionTable table;
  for (const std::string& status : initial) {
    const Result<StatusId> id = table.intern(status);
    if (!id) return id.error();
    table.initial_.set(*id);
  }
  for (const Step& step : steps) {
    const Result<StatusId> from = table.intern(step.from);
    if (!from) return from.error();
    const Result<StatusId> to = table.intern(step.to);
    if (!to) return to.error();
    table.next_[*from].set(*to);
  }
  table.close();
  return table;
}

Result<StatusId> TransitionTable::intern(const std::string& status) {
  if (status.empty() || status.size() > 64) {
    return Error{"'" + status + "' is not a status: use 1 to 64 bytes"};
  }
  if (const std::optional<StatusId> known = find(status)) return *known;
  if (names_.size() == kMaxStatuses) {
    return Error{"the transition table has more than " + std::to_string(kMaxStatuses) +
                 " statuses; '" + status + "' is one too many"};
  }
  names_.push_back(status);
  return static_cast<StatusId>(names_.size() - 1);
}

// Warshall's algorithm.
void TransitionTable::close() {
  closure_ = next_;
  for (std::size_t via = 0; via < names_.size(); ++via) {
    for (std::size_t from = 0; from < names_.size(); ++from) {
      if (closure_[from][via]) closure_[from] |= closure_[via];
    }
  }
  from_start_ = initial_;
  for (std::size_t status = 0; status < names_.size(); ++status) {
    if (initial_[status]) from_start_ |= closure_[status];
  }
}

std::optional<StatusId> TransitionTable::find(std::string_view status) const {
  for (std::size_t i = 0; i < names_.size(); ++i) {
    if (names_[i] == status) return static_cast<StatusId>(i);
  }
  return std::nullopt;
}

// --- Orders
// ----------------------------------------------------------------------------------------

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

Orders::Orders(cache::Cache& cache, OrderOptions options)
    : cache_(cache), options_(std::move(options)) {
  VIGIL_CHECK(options_.history <= kMaxHistory,
              "at most 64 status changes are remembered per order");
  cache_.tombstone_retention_ms_.store(options_.tombstone_retention_ms, std::memory_order_relaxed);
  record_suffix_.push_back('\0');
  for (int i = 0; i < 2; ++i) {
    const std::uint64_t secret = random_seed();
    record_suffix_.append(reinterpret_cast<const char*>(&secret), sizeof(secret));
  }
}

OrderResult Orders::apply(const OrderEvent& event, std::int64_t now_ms) {
  OrderResult result;
  const cache::WriteStatus status =
      cache_.write(cache_.key(event.order_id), now_ms,
                   [&](cache::Slot& slot) { result = apply_once(event, slot); });
  if (status == cache::WriteStatus::kBusy) result = {};
  return result;
}

OrderResult Orders::apply_once(const OrderEvent& event, cache::Slot& slot) const {
  if (event.idempotency_key.empty()) return apply_to(event, slot);

  std::string record_key(event.order_id);
  record_key.append(1, '\0').append(event.idempotency_key).append(record_suffix_);
  if (record_key.size() > cache::kMaxKeyBytes) return answer(OrderOutcome::kTooLarge, slot);
  const std::uint64_t request = request_hash(event);
  const cache::Slot seen = slot.sibling(record_key);
  IdempotencyRecord record;
  if (seen.has_record() && seen.value().size() == sizeof(record)) {
    std::memcpy(&record, seen.value().data(), sizeof(record));
    if (record.request != request) return answer(OrderOutcome::kIdempotencyConflict, slot);
    return {record.outcome, record.version, record.status, true};
  }
  const OrderResult result = apply_to(event, slot);
  if (remembered(result.outcome)) {
    record = {request, result.version, result.outcome, result.status};
    // Without room for the record the event still counts; its retry is stale or a mismatch.
    static_cast<void>(slot.sibling(record_key)
                          .assign(cache::Kind::kIdempotency, as_bytes(record),
                                  slot.now_ms() + options_.idempotency_retention_ms));
  }
  return result;
}

OrderResult Orders::answer(OrderOutcome outcome, const cache::Slot& slot) const {
  OrderResult result;
  result.outcome = outcome;
  if (slot.exists() && slot.kind() == cache::Kind::kOrder) {
    result.version = slot.version();
    result.status = static_cast<StatusId>(slot.value().front());
  }
  return result;
}

// Rules 2 and 3, and what can be said without looking at statuses.
std::optional<OrderOutcome> Orders::refusal(const OrderEvent& event,
                                            const cache::Slot& slot) const {
  if (slot.exists() && slot.kind() != cache::Kind::kOrder) return OrderOutcome::kWrongKind;
  const std::uint64_t current = slot.exists() ? slot.version() : 0;
  if (event.if_version && *event.if_version != current) return OrderOutcome::kVersionMismatch;
  if (event.if_exists && !slot.exists()) return OrderOutcome::kVersionMismatch;
  if (event.version) {
    if (*event.version == 0 || *event.version > cache::kMaxVersion) return OrderOutcome::kTooLarge;
    if (slot.has_record() && *event.version <= slot.version()) return OrderOutcome::kStale;
  } else if (slot.has_record() && slot.version() >= cache::kMaxVersion) {
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
    const auto from = static_cast<StatusId>(slot.value().front());
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

  StatusId status = 0;  // the first initial status
  if (!event.status.empty()) {
    const std::optional<StatusId> known = options_.table.find(event.status);
    if (!known) return answer(OrderOutcome::kUnknownStatus, slot);
    status = *known;
  } else if (slot.exists()) {
    status = static_cast<StatusId>(slot.value().front());
  }
  if (const auto refused = illegal(event, slot, status)) return answer(*refused, slot);

  const bool creates = !slot.exists();
  const std::uint64_t version = event.version ? *event.version : slot.next_version();
  const std::string head = encode_head(slot, status, version, options_.history);
  // The kept payload is copied: it must not overlap the value that it becomes part of.
  std::string kept;
  if (!event.has_payload && slot.exists()) kept = stored_payload(slot.value());
  const std::int64_t deadline_ms = event.deadline_ms ? *event.deadline_ms
                                   : creates         ? cache::kNoDeadline
                                                     : slot.deadline_ms();
  const cache::AssignStatus stored =
      slot.assign(cache::Kind::kOrder, head,
                  event.has_payload ? event.payload : std::string_view(kept), deadline_ms, version);
  return answer(outcome_of(stored, creates ? OrderOutcome::kCreated : OrderOutcome::kUpdated),
                slot);
}

OrderResult Orders::remove(const OrderEvent& event, cache::Slot& slot) const {
  OrderResult result = answer(OrderOutcome::kDeleted, slot);
  result.version = event.version ? *event.version : slot.next_version();
  if (options_.tombstone_retention_ms <= 0) {
    if (slot.has_record()) slot.erase();
    return result;
  }
  const cache::AssignStatus stored = slot.assign(
      cache::Kind::kTombstone, {}, slot.now_ms() + options_.tombstone_retention_ms, result.version);
  result.outcome = outcome_of(stored, OrderOutcome::kDeleted);
  return result;
}

// --- Reading
// ---------------------------------------------------------------------------------------

bool Orders::get(const cache::Key& key, std::int64_t now_ms, Order* order) const {
  bool is_order = false;
  const bool found = cache_.read(key, now_ms, [&](const cache::EntryReader& entry) {
    const cache::EntryHeader& header = entry.header();
    is_order = header.kind == cache::Kind::kOrder && header.value_size >= kHeadBytes;
    if (!is_order) return;
    std::array<char, kHeadBytes> fixed;
    entry.copy_value(0, kHeadBytes, fixed.data());
    const Head head(fixed.data(), header.value_size);
    order->version = header.version;
    order->deadline_ms = header.deadline_ms;
    order->updated_ms = head.updated_ms;
    order->status = head.status;
    order->history.resize(head.changes);
    for (std::uint32_t i = 0; i < head.changes; ++i) {
      std::array<char, kChangeBytes> change;
      entry.copy_value(kHeadBytes + i * kChangeBytes, kChangeBytes, change.data());
      order->history[i] = decode_change(change.data());
    }
    const std::uint32_t payload_size = header.value_size - head.payload_at();
    order->payload.resize(payload_size);
    entry.copy_value(head.payload_at(), payload_size, order->payload.data());
  });
  return found && is_order;
}

bool Orders::decode(std::string_view value, Order* order) {
  if (value.size() < kHeadBytes) return false;
  const Head head(value.data(), static_cast<std::uint32_t>(value.size()));
  order->updated_ms = head.updated_ms;
  order->status = head.status;
  order->history.clear();
  for (std::uint32_t i = 0; i < head.changes; ++i) {
    order->history.push_back(decode_change(value.data() + kHeadBytes + i * kChangeBytes));
  }
  order->payload = value.substr(head.payload_at());
  return true;
}

}  // namespace vigil::orders
