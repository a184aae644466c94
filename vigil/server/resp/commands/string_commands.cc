// SPDX-License-Identifier: Apache-2.0
//
// Strings: reading, appending, ranges and many keys at once. SET is in resp_set_commands.cc, INCR
// in resp_number_commands.cc.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "vigil/server/resp/command.h"
#include "vigil/server/resp/commands/key_access.h"

namespace vigil::server {

namespace {

void get(Call& call) {
  bool wrong_kind = false;
  if (append_string(call, call.key, &wrong_kind)) [[likely]] {
    call.hit();
  } else if (wrong_kind) {
    call.wrong_type();
  } else {
    call.miss();
    call.reply.null();
  }
}

void mget(Call& call) {
  const auto keys = call.args.subspan(1);
  call.reply.array(keys.size());
  for (const std::string_view name : keys) {
    bool wrong_kind = false;
    if (append_string(call, call.cache().key(name), &wrong_kind)) {
      call.hit();
    } else {
      call.miss();
      call.reply.null();
    }
  }
}

// GETDEL and GETSET: replies with the old value, then changes it.
template <class Change>
void get_and_change(Call& call, Change change) {
  bool wrong = false;
  bool found = false;
  std::string& old_value = call.reactor.scratch;
  auto status = cache::AssignStatus::kStored;
  const bool ran = write_key(call, call.key, [&](cache::Slot& slot) {
    wrong = holds_order(slot);
    if (wrong) return;
    found = slot.exists();
    if (found) old_value.assign(slot.value());
    status = change(slot, found);
  });
  if (!ran) return;
  if (wrong) return call.wrong_type();
  if (status != cache::AssignStatus::kStored) return assign_error(call, status, call.key.bytes);
  found ? call.hit() : call.miss();
  found ? call.reply.bulk(old_value) : call.reply.null();
}

void getset(Call& call) {
  get_and_change(call, [&](cache::Slot& slot, bool) {
    const auto status = slot.assign(cache::Kind::kString, call.args[2], cache::kNoDeadline);
    if (status == cache::AssignStatus::kStored) {
      call.events().notify(KeyspaceEvents::kString, "set", slot.key());
    }
    return status;
  });
}

void getdel(Call& call) {
  get_and_change(call, [&](cache::Slot& slot, bool found) {
    if (found) {
      slot.erase();
      call.events().notify(KeyspaceEvents::kGeneric, "del", slot.key());
    }
    return cache::AssignStatus::kStored;
  });
}

void strlen_of(Call& call) {
  cache::EntryHeader header;
  if (!call.cache().peek(call.key, call.now_ms, &header)) {
    call.miss();
    return call.reply.integer(0);
  }
  if (header.kind != cache::Kind::kString) return call.wrong_type();
  call.hit();
  call.reply.integer(header.value_size);
}

void append(Call& call) {
  const std::string_view tail = call.args[2];
  bool wrong = false;
  std::size_t length = 0;
  auto status = cache::AssignStatus::kStored;
  const bool ran = write_key(call, call.key, [&](cache::Slot& slot) {
    wrong = holds_order(slot);
    if (wrong) return;
    const bool found = slot.exists();
    std::string& head = call.reactor.scratch;  // assign() must not read what it replaces
    head.assign(found ? slot.value() : std::string_view());
    length = head.size() + tail.size();
    status = slot.assign(cache::Kind::kString, head, tail,
                         found ? slot.deadline_ms() : cache::kNoDeadline);
    if (status == cache::AssignStatus::kStored) {
      call.events().notify(KeyspaceEvents::kString, "append", slot.key());
    }
  });
  if (!ran) return;
  if (wrong) return call.wrong_type();
  if (status != cache::AssignStatus::kStored) return assign_error(call, status, call.key.bytes);
  call.reply.integer(static_cast<std::int64_t>(length));
}

void setrange(Call& call) {
  const auto offset = call.integer(2);
  if (!offset) return;
  if (*offset < 0) return call.reply.error("ERR offset is out of range");
  const std::string_view patch = call.args[3];
  bool wrong = false;
  std::size_t length = 0;
  auto status = cache::AssignStatus::kStored;
  const bool ran = write_key(call, call.key, [&](cache::Slot& slot) {
    wrong = holds_order(slot);
    if (wrong) return;
    const bool found = slot.exists();
    length = found ? slot.value().size() : 0;
    if (patch.empty()) return;
    if (*offset > static_cast<std::int64_t>(cache::kMaxValueBytes) ||
        static_cast<std::size_t>(*offset) + patch.size() > cache::kMaxValueBytes) {
      status = cache::AssignStatus::kTooLarge;
      return;
    }
    const auto from = static_cast<std::size_t>(*offset);
    std::string& value = call.reactor.scratch;
    value.assign(found ? slot.value() : std::string_view());
    value.resize(std::max(value.size(), from + patch.size()), '\0');
    value.replace(from, patch.size(), patch);
    length = value.size();
    status =
        slot.assign(cache::Kind::kString, value, found ? slot.deadline_ms() : cache::kNoDeadline);
    if (status == cache::AssignStatus::kStored) {
      call.events().notify(KeyspaceEvents::kString, "setrange", slot.key());
    }
  });
  if (!ran) return;
  if (wrong) return call.wrong_type();
  if (status != cache::AssignStatus::kStored) return assign_error(call, status, call.key.bytes);
  call.reply.integer(static_cast<std::int64_t>(length));
}

struct Range {
  std::uint32_t offset = 0;
  std::uint32_t size = 0;
};

// The bytes from `start` to `end`, both inclusive and negative from the end.
Range resolve_range(std::int64_t start, std::int64_t end, std::int64_t length) {
  if (start < 0 && end < 0 && start > end) return {};
  if (start < 0) start = std::max<std::int64_t>(length + start, 0);
  if (end < 0) end = std::max<std::int64_t>(length + end, 0);
  end = std::min(end, length - 1);
  if (start > end || length == 0) return {};
  return {static_cast<std::uint32_t>(start), static_cast<std::uint32_t>(end - start + 1)};
}

void getrange(Call& call) {
  const auto start = call.integer(2);
  if (!start) return;
  const auto end = call.integer(3);
  if (!end) return;
  Output& output = call.reply.output();
  const std::size_t before = output.size();
  bool wrong = false;
  const bool found = call.cache().read(call.key, call.now_ms, [&](const cache::EntryReader& entry) {
    output.truncate(before);
    wrong = entry.header().kind != cache::Kind::kString;
    if (wrong) return;
    const Range range = resolve_range(*start, *end, entry.value_size());
    char* out = output.reserve(range.size + RespWriter::kHeaderBytes);
    out = RespWriter::bulk_header(out, range.size);
    out = entry.copy_value(range.offset, range.size, out);
    *out++ = '\r';
    *out++ = '\n';
    output.commit(out);
  });
  if (found && !wrong) return call.hit();
  output.truncate(before);
  if (wrong) return call.wrong_type();
  call.miss();
  call.reply.bulk({});
}

// MSET and MSETNX: all keys at once, as the only writer of their shards.
void set_many(Call& call, bool only_if_none_exists) {
  if (call.args.size() % 2 == 0) return call.arity_error(call.command.name);
  std::vector<cache::Key> keys;
  keys.reserve(call.args.size() / 2);
  for (std::size_t i = 1; i < call.args.size(); i += 2) {
    keys.push_back(call.cache().key(call.args[i]));
    if (call.args[i].size() > cache::kMaxKeyBytes ||
        call.args[i + 1].size() > cache::kMaxValueBytes) {
      return assign_error(call, cache::AssignStatus::kTooLarge, call.args[i]);
    }
  }
  bool blocked = false;
  bool wrong = false;
  auto status = cache::AssignStatus::kStored;
  call.cache().write_many(keys, call.now_ms, [&](cache::Cache::Slots& slots) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const cache::Slot& slot = slots(i);
      blocked |= only_if_none_exists && slot.exists();
      wrong |= holds_order(slot);
    }
    if (blocked || wrong) return;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      cache::Slot& slot = slots(i);
      status = slot.assign(cache::Kind::kString, call.args[2 * i + 2], cache::kNoDeadline);
      if (status != cache::AssignStatus::kStored) return;
      call.events().notify(KeyspaceEvents::kString, "set", slot.key());
    }
  });
  if (blocked) return call.reply.integer(0);
  if (wrong) return call.wrong_type();
  if (status != cache::AssignStatus::kStored) return assign_error(call, status, {});
  only_if_none_exists ? call.reply.integer(1) : call.reply.ok();
}

void mset(Call& call) { set_many(call, false); }
void msetnx(Call& call) { set_many(call, true); }

constexpr auto kRead = CommandFamily::kRead;
constexpr auto kWrites = CommandFamily::kWrite;

constexpr std::array kCommands = {
    Command{"get", 2, Command::kReadOnly | Command::kFast, 1, 1, 1, kRead, get,
            "Returns the string value of a key"},
    Command{"mget", -2, Command::kReadOnly | Command::kFast, 1, -1, 1, kRead, mget,
            "Returns the string values of several keys"},
    Command{"getset", 3, Command::kWrite | Command::kDenyOom | Command::kFast, 1, 1, 1, kWrites,
            getset, "Sets a key and returns its previous value"},
    Command{"getdel", 2, Command::kWrite | Command::kFast, 1, 1, 1, kWrites, getdel,
            "Returns the value of a key and deletes it"},
    Command{"strlen", 2, Command::kReadOnly | Command::kFast, 1, 1, 1, kRead, strlen_of,
            "Returns the length of a value"},
    Command{"append", 3, Command::kWrite | Command::kDenyOom | Command::kFast, 1, 1, 1, kWrites,
            append, "Appends to a value, creating the key if there is none"},
    Command{"setrange", 4, Command::kWrite | Command::kDenyOom, 1, 1, 1, kWrites, setrange,
            "Overwrites a part of a value from an offset on"},
    Command{"getrange", 4, Command::kReadOnly, 1, 1, 1, kRead, getrange,
            "Returns a part of a value"},
    Command{"substr", 4, Command::kReadOnly, 1, 1, 1, kRead, getrange, "The old name of GETRANGE"},
    Command{"mset", -3, Command::kWrite | Command::kDenyOom, 1, -1, 2, kWrites, mset,
            "Sets several keys at once"},
    Command{"msetnx", -3, Command::kWrite | Command::kDenyOom, 1, -1, 2, kWrites, msetnx,
            "Sets several keys at once if none of them exists"},
};

}  // namespace

std::span<const Command> string_commands() { return kCommands; }

}  // namespace vigil::server
