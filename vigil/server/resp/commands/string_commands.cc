// SPDX-License-Identifier: Apache-2.0
//
// Strings: reading, appending, ranges and many keys at once. SET is in set_commands.cc, INCR in
// number_commands.cc.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/commands/key_read.h"
#include "vigil/server/resp/commands/key_write.h"

namespace vigil::server {

namespace {

void get(Call& call) {
  const StringRead read = append_string(call, call.key);
  if (read == StringRead::kFound) [[likely]]
    return call.hit();
  if (read == StringRead::kWrongKind) return call.wrong_type();
  call.miss(call.key.bytes);
  call.reply.null();
}

void mget(Call& call) {
  call.reply.array(call.args.size());
  for (const std::string_view name : call.args) {
    if (append_string(call, call.cache().key(name)) == StringRead::kFound) {
      call.hit();
    } else {
      call.miss(name);
      call.reply.null();
    }
  }
}

// GETDEL and GETSET: replies with the old value, then changes it by change(slot, found) -> Failure.
template <class Change>
void get_and_change(Call& call, Change change) {
  std::string& old_value = call.reactor.scratch;
  const auto found = change_string(call, [&](cache::Slot& slot) -> Changed<bool> {
    const auto old = stored_string(slot);
    if (old) {
      old_value.assign(*old);
    } else {
      call.announce_miss(slot);
    }
    if (const Failure failure = change(slot, old.has_value())) return failure;
    return old.has_value();
  });
  if (!found) return;
  *found ? call.hit() : call.count_miss();
  *found ? call.reply.bulk(old_value) : call.reply.null();
}

void getset(Call& call) {
  const std::string_view value = call.after_key().next();
  get_and_change(call, [&](cache::Slot& slot, bool) {
    return put_string(call, slot, value, cache::kNoDeadline, "set");
  });
}

void getdel(Call& call) {
  get_and_change(call, [&](cache::Slot& slot, bool found) {
    if (found) {
      slot.erase();
      call.events().notify(KeyspaceEvents::kGeneric, "del", slot.key());
    }
    return Failure{};
  });
}

void strlen_of(Call& call) {
  cache::EntryHeader header;
  if (!call.cache().peek(call.key, call.now_ms, &header)) {
    call.miss(call.key.bytes);
    return call.reply.integer(0);
  }
  if (header.kind != cache::Kind::kString) return call.wrong_type();
  call.hit();
  call.reply.integer(header.value_size);
}

void append(Call& call) {
  const std::string_view tail = call.after_key().next();
  std::string& value = call.reactor.scratch;
  const auto length = change_string(call, [&](cache::Slot& slot) -> Changed<std::size_t> {
    value.assign(stored_string(slot).value_or(std::string_view())).append(tail);
    if (const Failure failure = put_string(call, slot, value, kept_deadline_ms(slot), "append")) {
      return failure;
    }
    return value.size();
  });
  if (length) call.reply.integer(static_cast<std::int64_t>(*length));
}

// Writes `patch` over *value from `offset` on, with zeroes before it if the value is shorter.
void overwrite(std::string* value, std::size_t offset, std::string_view patch) {
  value->resize(std::max(value->size(), offset + patch.size()), '\0');
  value->replace(offset, patch.size(), patch);
}

void setrange(Call& call) {
  Arguments args = call.after_key();
  const std::int64_t offset = args.integer();
  const std::string_view patch = args.next();
  if (offset < 0) args.fail("ERR offset is out of range");
  if (!args.ok()) return call.reply.error(args.error());
  const auto from = static_cast<std::size_t>(offset);
  const bool fits = from <= cache::kValueBytesMax && from + patch.size() <= cache::kValueBytesMax;
  std::string& value = call.reactor.scratch;
  const auto length = change_string(call, [&](cache::Slot& slot) -> Changed<std::size_t> {
    const std::string_view old = stored_string(slot).value_or(std::string_view());
    if (patch.empty()) return old.size();
    if (!fits) return assign_failure(cache::AssignStatus::kTooLarge, slot.key());
    value.assign(old);
    overwrite(&value, from, patch);
    if (const Failure failure = put_string(call, slot, value, kept_deadline_ms(slot), "setrange")) {
      return failure;
    }
    return value.size();
  });
  if (length) call.reply.integer(static_cast<std::int64_t>(*length));
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
  Arguments args = call.after_key();
  const std::int64_t start = args.integer();
  const std::int64_t end = args.integer();
  if (!args.ok()) return call.reply.error(args.error());
  const auto append_range = [&](Output& output, const cache::EntryReader& entry) {
    const Range range = resolve_range(start, end, entry.value_size());
    char* out = output.reserve(range.size + RespWriter::kHeaderBytes);
    out = RespWriter::bulk_header(out, range.size);
    out = entry.copy_value(range.offset, range.size, out);
    *out++ = '\r';
    *out++ = '\n';
    output.commit(out);
  };
  const StringRead read = read_string(call, call.key, append_range);
  if (read == StringRead::kFound) return call.hit();
  if (read == StringRead::kWrongKind) return call.wrong_type();
  call.miss(call.key.bytes);
  call.reply.bulk({});
}

struct KeyValues {
  std::vector<cache::Key> keys;
  std::vector<std::string_view> values;
};

// REQUIRES: an even number of arguments.
KeyValues read_pairs(Call& call) {
  KeyValues pairs;
  pairs.keys.reserve(call.args.size() / 2);
  pairs.values.reserve(call.args.size() / 2);
  for (Arguments args(call.args); args.more();) {
    pairs.keys.push_back(call.cache().key(args.next()));
    pairs.values.push_back(args.next());
  }
  return pairs;
}

Failure too_large(const KeyValues& pairs) {
  for (std::size_t i = 0; i < pairs.keys.size(); ++i) {
    if (pairs.keys[i].bytes.size() > cache::kKeyBytesMax) return {kKeyTooLarge};
    if (pairs.values[i].size() > cache::kValueBytesMax) return {kValueTooLarge};
  }
  return {};
}

// MSET and MSETNX: all keys at once, as the only writer of their shards.
void set_many(Call& call, bool only_if_none_exists) {
  if (call.args.size() % 2 != 0) return call.arity_error();
  const KeyValues pairs = read_pairs(call);
  if (const Failure failure = too_large(pairs)) return call.reply.error(failure.reply);
  const auto set = [&](cache::Cache::Slots& slots) -> Changed<bool> {
    bool blocked = false;
    bool wrong = false;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const cache::Slot& slot = slots(i);
      blocked |= only_if_none_exists && slot.exists();
      wrong |= holds_order(slot);
    }
    if (blocked) return false;
    if (wrong) return Failure{kWrongType};
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const Failure failure =
          put_string(call, slots(i), pairs.values[i], cache::kNoDeadline, "set");
      if (failure) return failure;
    }
    return true;
  };
  const auto stored = change_keys(call, pairs.keys, set);
  if (!stored) return;
  only_if_none_exists ? call.reply.boolean_integer(*stored) : call.reply.ok();
}

void mset(Call& call) { set_many(call, false); }
void msetnx(Call& call) { set_many(call, true); }

constexpr auto kReading = CommandFamily::kRead;
constexpr auto kWriting = CommandFamily::kWrite;
constexpr std::uint32_t kReads = Command::kReadOnly | Command::kFast;
constexpr std::uint32_t kStores = Command::kWrite | Command::kDenyOom;

constexpr std::array kCommands = {
    Command{.name = "get",
            .arity = 2,
            .flags = kReads,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kReading,
            .handler = get,
            .access = "RO access",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Returns the string value of a key"},
    Command{.name = "mget",
            .arity = -2,
            .flags = kReads,
            .categories = Category::kString,
            .keys = {1, -1, 1},
            .family = kReading,
            .handler = mget,
            .access = "RO access",
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Returns the string values of several keys"},
    Command{.name = "getset",
            .arity = 3,
            .flags = kStores | Command::kFast,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = getset,
            .access = "RW access update",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Sets a key and returns its previous value"},
    Command{.name = "getdel",
            .arity = 2,
            .flags = Command::kWrite | Command::kFast,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = getdel,
            .access = "RW access delete",
            .since = "6.2.0",
            .complexity = "O(1)",
            .summary = "Returns the value of a key and deletes it"},
    Command{.name = "strlen",
            .arity = 2,
            .flags = kReads,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kReading,
            .handler = strlen_of,
            .access = "RO",
            .since = "2.2.0",
            .complexity = "O(1)",
            .summary = "Returns the length of a value"},
    Command{.name = "append",
            .arity = 3,
            .flags = kStores | Command::kFast,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = append,
            .access = "RW insert",
            .since = "2.0.0",
            .complexity = "O(1)",
            .summary = "Appends to a value, creating the key if there is none"},
    Command{.name = "setrange",
            .arity = 4,
            .flags = kStores,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = setrange,
            .access = "RW update",
            .since = "2.2.0",
            .complexity = "O(1)",
            .summary = "Overwrites a part of a value from an offset on"},
    Command{.name = "getrange",
            .arity = 4,
            .flags = Command::kReadOnly,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kReading,
            .handler = getrange,
            .access = "RO access",
            .since = "2.4.0",
            .complexity = "O(N)",
            .summary = "Returns a part of a value"},
    Command{.name = "substr",
            .arity = 4,
            .flags = Command::kReadOnly,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kReading,
            .handler = getrange,
            .access = "RO access",
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "The old name of GETRANGE"},
    Command{.name = "mset",
            .arity = -3,
            .flags = kStores,
            .categories = Category::kString,
            .keys = {1, -1, 2},
            .family = kWriting,
            .handler = mset,
            .access = "OW update",
            .since = "1.0.1",
            .complexity = "O(N)",
            .summary = "Sets several keys at once"},
    Command{.name = "msetnx",
            .arity = -3,
            .flags = kStores,
            .categories = Category::kString,
            .keys = {1, -1, 2},
            .family = kWriting,
            .handler = msetnx,
            .access = "OW insert",
            .since = "1.0.1",
            .complexity = "O(N)",
            .summary = "Sets several keys at once if none of them exists"},
};

}  // namespace

std::span<const Command> string_commands() { return kCommands; }

}  // namespace vigil::server
