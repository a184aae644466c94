// SPDX-License-Identifier: Apache-2.0
//
// What the commands that change keys have in common: running a change as the writer of the key's
// shard, and the errors that it can end with.
//
// Thread safety: as the Call. The change may run on another reactor's thread (the one that holds
// the shard) while this one waits, so it touches nothing of its reactor but what it captured.
#pragma once

#include <string_view>

#include "vigil/cache/cache.h"
#include "vigil/server/resp/command.h"

namespace vigil::server {

// Runs change(cache::Slot&); false after replying that the shard is busy.
template <class Change>
[[nodiscard]] bool write_key(Call& call, const cache::Key& key, Change&& change) {
  if (call.cache().write(key, call.now_ms, change) == cache::WriteStatus::kApplied) [[likely]] {
    return true;
  }
  ++call.reactor.tally.busy;
  call.reply.error("BUSY shard queue is full, retry");
  return false;
}

// Replies why an assignment failed. REQUIRES: status != kStored.
inline void assign_error(Call& call, cache::AssignStatus status, std::string_view key) {
  if (status == cache::AssignStatus::kOutOfMemory) {
    call.reply.error("OOM command not allowed when used memory > 'maxmemory'.");
  } else if (key.size() > cache::kMaxKeyBytes) {
    call.reply.error("ERR key exceeds maximum allowed size");
  } else {
    call.reply.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  }
}

// A slot that holds something a string command must not touch.
[[nodiscard]] inline bool holds_order(const cache::Slot& slot) {
  return slot.exists() && slot.kind() == cache::Kind::kOrder;
}
[[nodiscard]] inline bool holds_string(const cache::Slot& slot) {
  return slot.exists() && slot.kind() == cache::Kind::kString;
}

// Appends the string value as a bulk; false if the key is absent or, with *wrong_kind set, an
// order. Nothing is appended then. Allocates nothing beyond the output's growth.
inline bool append_string(Call& call, const cache::Key& key, bool* wrong_kind) {
  Output& output = call.reply.output();
  const std::size_t start = output.size();
  bool wrong = false;
  const bool found = call.cache().read(key, call.now_ms, [&](const cache::EntryReader& entry) {
    output.truncate(start);  // of an attempt that a writer interfered with
    wrong = entry.header().kind != cache::Kind::kString;
    if (wrong) return;
    const std::uint32_t size = entry.value_size();
    char* out = output.reserve(size + RespWriter::kHeaderBytes);
    out = entry.copy_value(RespWriter::bulk_header(out, size));
    *out++ = '\r';
    *out++ = '\n';
    output.commit(out);
  });
  if (found && !wrong) return true;
  output.truncate(start);
  *wrong_kind = found;
  return false;
}

}  // namespace vigil::server
