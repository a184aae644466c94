// SPDX-License-Identifier: Apache-2.0
//
// Changing a key as the writer of its shard. A change answers with what it found, or with the error
// to reply; the errors that any change can end with are replied here:
//
//   const auto length = change_string(call, [&](cache::Slot& slot) -> Changed<std::size_t> {
//     if (!slot.exists()) return Failure{"ERR no such key"};
//     return slot.value().size();
//   });
//   if (length) call.reply.integer(static_cast<std::int64_t>(*length));
//
// Thread safety: as the Call. The change may run on another reactor's thread (the one that holds
// the shard) while this one waits, so it touches nothing of its reactor but what it captured.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "vigil/cache/cache.h"
#include "vigil/server/resp/call.h"

namespace vigil::server {

// Why a change was not made: the error to reply, which has a static lifetime. Null: it was made.
struct Failure {
  const char* reply = nullptr;

  explicit operator bool() const { return reply != nullptr; }
};

// What a change returns if nothing needs to be told.
struct Done {};

// How a change ended: with what it found, or with a failure (a null one: with a Found{}).
template <class Found>
struct Changed {
  Changed() = default;
  Changed(Found what) : found(std::move(what)) {}
  Changed(Failure why) : failure(why) {}

  Found found{};
  Failure failure{};
};

// What was found; nothing after replying the failure.
template <class Found>
[[nodiscard]] std::optional<Found> settle(Call& call, Changed<Found>&& changed) {
  if (changed.failure) [[unlikely]] {
    call.reply.error(changed.failure.reply);
    return std::nullopt;
  }
  return std::move(changed.found);
}
// The same for a write that the shard may have refused.
template <class Found>
[[nodiscard]] std::optional<Found> settle(Call& call, cache::WriteStatus status,
                                          Changed<Found>&& changed) {
  if (status == cache::WriteStatus::kApplied) [[likely]] {
    return settle(call, std::move(changed));
  }
  call.busy();
  return std::nullopt;
}

// A slot that holds something a string command must not touch.
[[nodiscard]] inline bool holds_order(const cache::Slot& slot) {
  return slot.exists() && slot.kind() == cache::Kind::kOrder;
}
[[nodiscard]] inline bool holds_string(const cache::Slot& slot) {
  return slot.exists() && slot.kind() == cache::Kind::kString;
}

// Runs change(cache::Slot&) -> Changed<Found> for a key that may hold anything. Nothing after
// replying why it was not made.
template <class Change>
[[nodiscard]] auto change_key(Call& call, const cache::Key& key, Change&& change) {
  std::invoke_result_t<Change&, cache::Slot&> changed;
  const auto status =
      call.cache().write(key, call.now_ms, [&](cache::Slot& slot) { changed = change(slot); });
  return settle(call, status, std::move(changed));
}

// The same for the call's key if it holds a string or nothing; WRONGTYPE if it holds an order.
template <class Change>
[[nodiscard]] auto change_string(Call& call, Change&& change) {
  std::invoke_result_t<Change&, cache::Slot&> changed;
  const auto status = call.cache().write(call.key, call.now_ms, [&](cache::Slot& slot) {
    if (holds_order(slot)) {
      changed = Failure{kWrongType};
    } else {
      changed = change(slot);
    }
  });
  return settle(call, status, std::move(changed));
}

// Runs change(cache::Cache::Slots&) -> Changed<Found> as the only writer of all the keys' shards;
// it waits for them, so it is never BUSY.
template <class Change>
[[nodiscard]] auto change_keys(Call& call, std::span<const cache::Key> keys, Change&& change) {
  std::invoke_result_t<Change&, cache::Cache::Slots&> changed;
  call.cache().write_many(keys, call.now_ms,
                          [&](cache::Cache::Slots& slots) { changed = change(slots); });
  return settle(call, std::move(changed));
}

// --- Inside a change -------------------------------------------------------------------------

// The stored string, in place until the slot is changed. REQUIRES: !holds_order(slot).
[[nodiscard]] inline std::optional<std::string_view> stored_string(const cache::Slot& slot) {
  if (!slot.exists()) return std::nullopt;
  return slot.value();
}

// The deadline of a change that keeps it.
[[nodiscard]] inline std::int64_t kept_deadline_ms(const cache::Slot& slot) {
  return slot.exists() ? slot.deadline_ms() : cache::kNoDeadline;
}

// What to reply to an assignment of a string to `key`.
[[nodiscard]] inline Failure assign_failure(cache::AssignStatus status, std::string_view key) {
  if (status == cache::AssignStatus::kStored) [[likely]]
    return {};
  if (status == cache::AssignStatus::kOutOfMemory) return {kOutOfMemory};
  return {key.size() > cache::kKeyBytesMax ? kKeyTooLarge : kValueTooLarge};
}

// Stores a string and announces it as `event`. `value` must not overlap the stored one.
[[nodiscard]] inline Failure put_string(Call& call, cache::Slot& slot, std::string_view value,
                                        std::int64_t deadline_ms, std::string_view event) {
  const bool is_new = !slot.exists();
  const auto status = slot.assign(cache::Kind::kString, value, deadline_ms);
  if (status != cache::AssignStatus::kStored) [[unlikely]] {
    return assign_failure(status, slot.key());
  }
  if (is_new) call.events().notify(KeyspaceEvents::kNew, "new", slot.key());
  call.events().notify(KeyspaceEvents::kString, event, slot.key());
  return {};
}

}  // namespace vigil::server
