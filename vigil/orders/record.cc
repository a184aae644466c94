// SPDX-License-Identifier: Apache-2.0
#include "vigil/orders/record.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace vigil::orders {
namespace {

constexpr std::uint32_t kHeadBytes = 8;
constexpr std::uint32_t kChangeBytes = 13;
constexpr std::size_t k48Bytes = 6;

// The low `Bytes` bytes of a number.
template <std::size_t Bytes>
char* put(char* out, std::uint64_t value) {
  std::memcpy(out, &value, Bytes);
  return out + Bytes;
}

template <std::size_t Bytes>
std::uint64_t take(const char** in) {
  std::uint64_t value = 0;
  std::memcpy(&value, *in, Bytes);
  *in += Bytes;
  return value;
}

void encode_change(const OrderChange& change, char* out) {
  out = put<1>(out, change.status);
  out = put<k48Bytes>(out, change.version);
  put<k48Bytes>(out, static_cast<std::uint64_t>(change.at_ms));
}

OrderChange decode_change(const char* in) {
  OrderChange change;
  change.status = static_cast<StatusId>(take<1>(&in));
  change.version = take<k48Bytes>(&in);
  change.at_ms = static_cast<std::int64_t>(take<k48Bytes>(&in));
  return change;
}

// Status, update time and history of an encoded order. `bytes` may be torn by a writer when a
// reader looks at it, so counts are bounded by `value_size` and not believed otherwise.
struct Head {
  StatusId status = 0;
  std::uint32_t changes = 0;
  std::int64_t updated_ms = 0;

  // REQUIRES: value_size >= kHeadBytes.
  Head(const char* bytes, std::uint32_t value_size) {
    status = static_cast<StatusId>(take<1>(&bytes));
    const std::uint32_t room = (value_size - kHeadBytes) / kChangeBytes;
    changes = std::min({static_cast<std::uint32_t>(take<1>(&bytes)), room, kHistoryMax});
    updated_ms = static_cast<std::int64_t>(take<k48Bytes>(&bytes));
  }
  [[nodiscard]] static std::uint32_t change_at(std::uint32_t i) {
    return kHeadBytes + i * kChangeBytes;
  }
  [[nodiscard]] std::uint32_t payload_at() const { return change_at(changes); }
};

Head head_of(std::string_view value) {
  return {value.data(), static_cast<std::uint32_t>(value.size())};
}

// Reads through copy(offset, size, out), which copies bytes of the value.
template <class Copy>
bool read_order(const cache::EntryHeader& header, Copy&& copy, Order* order) {
  if (header.kind != cache::Kind::kOrder || header.value_size < kHeadBytes) return false;
  std::array<char, kHeadBytes> fixed;
  copy(0, kHeadBytes, fixed.data());
  const Head head(fixed.data(), header.value_size);
  order->version = header.version;
  order->deadline_ms = header.deadline_ms;
  order->updated_ms = head.updated_ms;
  order->status = head.status;
  order->history.resize(head.changes);
  for (std::uint32_t i = 0; i < head.changes; ++i) {
    std::array<char, kChangeBytes> change;
    copy(Head::change_at(i), kChangeBytes, change.data());
    order->history[i] = decode_change(change.data());
  }
  const std::uint32_t payload_size = header.value_size - head.payload_at();
  order->payload.resize(payload_size);
  copy(head.payload_at(), payload_size, order->payload.data());
  return true;
}

}  // namespace

// --- Orders --------------------------------------------------------------------------------------

StatusId stored_status(std::string_view value) { return head_of(value).status; }

std::string_view stored_payload(std::string_view value) {
  return value.substr(head_of(value).payload_at());
}

std::string encode_order_head(std::string_view old_value, const OrderChange& change,
                              std::uint32_t history_limit) {
  std::vector<OrderChange> history;
  bool status_is_new = true;
  if (!old_value.empty()) {
    const Head old = head_of(old_value);
    status_is_new = old.status != change.status;
    for (std::uint32_t i = 0; i < old.changes; ++i) {
      history.push_back(decode_change(old_value.data() + Head::change_at(i)));
    }
  }
  if (status_is_new) history.push_back(change);
  if (history.size() > history_limit) {
    history.erase(history.begin(), history.end() - history_limit);
  }
  const auto changes = static_cast<std::uint32_t>(history.size());
  std::string head(Head::change_at(changes), '\0');
  char* out = put<1>(head.data(), change.status);
  out = put<1>(out, changes);
  put<k48Bytes>(out, static_cast<std::uint64_t>(change.at_ms));
  for (std::uint32_t i = 0; i < changes; ++i) {
    encode_change(history[i], head.data() + Head::change_at(i));
  }
  return head;
}

bool decode_order(const cache::EntryHeader& header, std::string_view value, Order* order) {
  return read_order(
      header,
      [&](std::uint32_t offset, std::uint32_t size, char* out) { value.copy(out, size, offset); },
      order);
}

bool copy_order(const cache::EntryReader& entry, Order* order) {
  return read_order(
      entry.header(),
      [&](std::uint32_t offset, std::uint32_t size, char* out) {
        entry.copy_value(offset, size, out);
      },
      order);
}

// --- Idempotency records -------------------------------------------------------------------------

std::string_view shard_key(cache::Kind kind, std::string_view key, std::string_view value) {
  if (kind != cache::Kind::kIdempotency) return key;
  const std::optional<IdempotencyRecord> record = decode_idempotency(value);
  return record ? record->order_id(key) : key;
}

std::string encode_idempotency(const IdempotencyRecord& record) {
  const OrderResult& result = record.result;
  std::string value(kIdempotencyHeadBytes, '\0');
  char* out = put<8>(value.data(), record.request);
  out = put<k48Bytes>(out, result.version);
  out = put<k48Bytes>(out, static_cast<std::uint64_t>(result.updated_ms));
  out = put<k48Bytes>(out, static_cast<std::uint64_t>(result.deadline_ms));
  out = put<2>(out, record.order_id_size);
  out = put<1>(out, static_cast<std::uint64_t>(result.outcome));
  put<1>(out, result.status);
  return value.append(result.kept_payload);
}

std::optional<IdempotencyRecord> decode_idempotency(std::string_view value) {
  if (value.size() < kIdempotencyHeadBytes) return std::nullopt;
  const char* in = value.data();
  IdempotencyRecord record;
  OrderResult& result = record.result;
  record.request = take<8>(&in);
  result.version = take<k48Bytes>(&in);
  result.updated_ms = static_cast<std::int64_t>(take<k48Bytes>(&in));
  result.deadline_ms = static_cast<std::int64_t>(take<k48Bytes>(&in));
  record.order_id_size = static_cast<std::uint16_t>(take<2>(&in));
  const std::uint64_t outcome = take<1>(&in);
  if (outcome > static_cast<std::uint64_t>(OrderOutcome::kBusy)) return std::nullopt;
  result.outcome = static_cast<OrderOutcome>(outcome);
  result.status = static_cast<StatusId>(take<1>(&in));
  result.replayed = true;
  result.kept_payload = value.substr(kIdempotencyHeadBytes);
  return record;
}

}  // namespace vigil::orders
