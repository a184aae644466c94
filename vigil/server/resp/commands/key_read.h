// SPDX-License-Identifier: Apache-2.0
//
// Reading a string into the reply, straight from the entry.
//
// Thread safety: as the Call. Nothing is allocated beyond the output's growth.
#pragma once

#include <cstdint>

#include "vigil/cache/cache.h"
#include "vigil/server/resp/call.h"

namespace vigil::server {

enum class StringRead : std::uint8_t {
  kFound,
  kAbsent,
  kWrongKind,  // the key holds an order
};

// Calls append(output, const cache::EntryReader&) for the string at the key, which appends it to
// the reply; again, after what it appended was taken back, if a writer interfered. Nothing is
// appended unless kFound.
template <class Append>
[[nodiscard]] StringRead read_string(Call& call, const cache::Key& key, Append&& append) {
  Output& output = call.reply.output();
  const std::size_t start = output.size();
  bool wrong = false;
  const bool found = call.cache().read(key, call.now_ms, [&](const cache::EntryReader& entry) {
    output.truncate(start);  // of an attempt that a writer interfered with
    wrong = entry.header().kind != cache::Kind::kString;
    if (wrong) [[unlikely]]
      return;
    append(output, entry);
  });
  if (found && !wrong) [[likely]]
    return StringRead::kFound;
  output.truncate(start);
  return found ? StringRead::kWrongKind : StringRead::kAbsent;
}

// Appends the whole string as a bulk.
[[nodiscard]] inline StringRead append_string(Call& call, const cache::Key& key) {
  return read_string(call, key, [](Output& output, const cache::EntryReader& entry) {
    const std::uint32_t size = entry.value_size();
    char* out = output.reserve(size + RespWriter::kHeaderBytes);
    out = entry.copy_value(RespWriter::bulk_header(out, size));
    *out++ = '\r';
    *out++ = '\n';
    output.commit(out);
  });
}

}  // namespace vigil::server
