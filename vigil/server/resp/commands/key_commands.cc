// SPDX-License-Identifier: Apache-2.0
//
// Keys of any kind: deleting, renaming, listing.
#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/commands/key_deletion.h"
#include "vigil/server/resp/commands/key_write.h"
#include "vigil/server/resp/glob.h"
#include "vigil/server/resp/number.h"

namespace vigil::server {

namespace {

void del(Call& call) {
  std::int64_t deleted = 0;
  for (const std::string_view name : call.args) {
    const auto done = delete_key(call, call.cache().key(name));
    if (!done) return;
    if (*done) ++deleted;
  }
  call.reply.integer(deleted);
}

void exists(Call& call) {
  std::int64_t found = 0;
  for (const std::string_view name : call.args) {
    cache::EntryHeader header;
    const bool there = call.cache().peek(call.cache().key(name), call.now_ms, &header);
    there ? call.hit() : call.miss(name);
    if (there) ++found;
  }
  call.reply.integer(found);
}

std::string_view kind_name(cache::Kind kind) {
  return kind == cache::Kind::kOrder ? "order" : "string";
}

void type(Call& call) {
  cache::EntryHeader header;
  const bool found = call.cache().peek(call.key, call.now_ms, &header);
  found ? call.hit() : call.miss(call.key.bytes);
  call.reply.simple(found ? kind_name(header.kind) : "none");
}

void randomkey(Call& call) {
  std::string& name = call.reactor.scratch;
  if (!call.cache().random_key(call.now_ms, call.reactor.random, &name)) return call.reply.null();
  call.reply.bulk(name);
}

// Which keys KEYS and SCAN show.
struct KeyFilter {
  std::string_view pattern = "*";
  std::string_view kind;  // empty: any

  [[nodiscard]] bool accepts(const cache::Cache::ScannedEntry& entry) const {
    if (!kind.empty() && !equal_ignoring_case(kind, kind_name(entry.header.kind))) return false;
    return pattern == "*" || glob_match(pattern, entry.key);
  }
};

// Appends the keys that one step of a scan visits and the filter accepts; returns the next cursor.
std::uint64_t scan_step(Call& call, std::uint64_t cursor, std::size_t count,
                        const KeyFilter& filter, std::vector<std::string>* names) {
  return call.cache().scan(cursor, call.now_ms, count, [&](const auto& entry) {
    if (filter.accepts(entry)) names->emplace_back(entry.key);
  });
}

void reply_names(Call& call, const std::vector<std::string>& names) {
  call.reply.array(names.size());
  for (const std::string& name : names) call.reply.bulk(name);
}

void keys(Call& call) {
  constexpr std::size_t kStep = 4096;
  const KeyFilter filter{call.args.front(), {}};
  std::vector<std::string> names;
  std::uint64_t cursor = 0;
  do {
    cursor = scan_step(call, cursor, kStep, filter, &names);
  } while (cursor != 0);
  reply_names(call, names);
}

// As Redis reads it: what is empty is 0.
std::uint64_t read_cursor(Arguments& args) {
  const std::string_view text = args.next();
  std::uint64_t cursor = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cursor);
  if (!text.empty() && (error != std::errc{} || end != text.data() + text.size())) {
    args.fail("ERR invalid cursor");
  }
  return cursor;
}

// SCAN cursor [MATCH pattern] [COUNT count] [TYPE kind]
void scan(Call& call) {
  Arguments args(call.args);
  const std::uint64_t cursor = read_cursor(args);
  KeyFilter filter;
  std::int64_t count = 10;
  while (args.more()) {
    if (args.option("count")) {
      count = args.integer();
      args.require(count >= 1);
    } else if (args.option("match")) {
      filter.pattern = args.next();
    } else if (args.option("type")) {
      filter.kind = args.next();
    } else {
      args.syntax_error();
    }
  }
  if (!args.ok()) return call.reply.error(args.error());
  std::vector<std::string> names;
  const std::uint64_t next =
      scan_step(call, cursor, static_cast<std::size_t>(count), filter, &names);
  call.reply.array(2);
  call.reply.bulk(std::to_string(next));
  reply_names(call, names);
}

// Moves the value and the deadline of the first key to the second. Whether it did: RENAMENX leaves
// a target that exists.
Changed<bool> rename_string(Call& call, std::span<const cache::Key> keys,
                            cache::Cache::Slots& slots, bool only_if_absent) {
  const cache::Slot& source = slots(0);
  if (!source.exists()) return Failure{"ERR no such key"};
  if (keys[0].bytes == keys[1].bytes) return !only_if_absent;
  if (holds_order(source)) return Failure{kWrongType};
  std::string& value = call.reactor.scratch;
  value.assign(source.value());
  const std::int64_t deadline = source.deadline_ms();
  cache::Slot& target = slots(1);
  if (only_if_absent && target.exists()) return false;
  if (holds_order(target)) return Failure{kWrongType};
  const auto status = target.assign(cache::Kind::kString, value, deadline);
  if (const Failure failure = assign_failure(status, target.key())) return failure;
  call.events().notify(KeyspaceEvents::kNew, "new", keys[1].bytes);
  slots(0).erase();
  call.events().notify(KeyspaceEvents::kGeneric, "rename_from", keys[0].bytes);
  call.events().notify(KeyspaceEvents::kGeneric, "rename_to", keys[1].bytes);
  return true;
}

void rename_generic(Call& call, bool only_if_absent) {
  const std::array keys = {call.key, call.cache().key(call.after_key().next())};
  const auto renamed = change_keys(call, keys, [&](cache::Cache::Slots& slots) {
    return rename_string(call, keys, slots, only_if_absent);
  });
  if (!renamed) return;
  only_if_absent ? call.reply.boolean_integer(*renamed) : call.reply.ok();
}

void rename(Call& call) { rename_generic(call, false); }
void renamenx(Call& call) { rename_generic(call, true); }

void dbsize(Call& call) { call.reply.integer(static_cast<std::int64_t>(call.cache().size())); }

// FLUSHDB, FLUSHALL: [SYNC | ASYNC]
void flush(Call& call) {
  Arguments args(call.args);
  if (args.more()) args.require(args.flag("sync") || args.flag("async"));
  args.require(!args.more());
  if (!args.ok()) return call.reply.error(args.error());
  call.cache().clear();
  call.reply.ok();
}

constexpr auto kKey = CommandFamily::kKey;
constexpr std::uint32_t kReads = Command::kReadOnly | Command::kFast;

constexpr std::array kCommands = {
    Command{.name = "del",
            .arity = -2,
            .flags = Command::kWrite,
            .categories = Category::kKeyspace,
            .keys = {1, -1, 1},
            .family = kKey,
            .handler = del,
            .access = "RM delete",
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Deletes keys"},
    Command{.name = "unlink",
            .arity = -2,
            .flags = Command::kWrite | Command::kFast,
            .categories = Category::kKeyspace,
            .keys = {1, -1, 1},
            .family = kKey,
            .handler = del,
            .access = "RM delete",
            .since = "4.0.0",
            .complexity = "O(1)",
            .summary = "Deletes keys"},
    Command{.name = "exists",
            .arity = -2,
            .flags = kReads,
            .categories = Category::kKeyspace,
            .keys = {1, -1, 1},
            .family = kKey,
            .handler = exists,
            .access = "RO",
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Counts the keys that exist"},
    Command{.name = "touch",
            .arity = -2,
            .flags = kReads,
            .categories = Category::kKeyspace,
            .keys = {1, -1, 1},
            .family = kKey,
            .handler = exists,
            .access = "RO",
            .since = "3.2.1",
            .complexity = "O(N)",
            .summary = "Counts the keys that exist"},
    Command{.name = "type",
            .arity = 2,
            .flags = kReads,
            .categories = Category::kKeyspace,
            .keys = {1, 1, 1},
            .family = kKey,
            .handler = type,
            .access = "RO",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Returns the kind of a value"},
    Command{.name = "randomkey",
            .arity = 1,
            .flags = Command::kReadOnly,
            .categories = Category::kKeyspace,
            .family = kKey,
            .handler = randomkey,
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Returns some key"},
    Command{.name = "keys",
            .arity = 2,
            .flags = Command::kReadOnly,
            .categories = Category::kKeyspace | Category::kDangerous,
            .family = kKey,
            .handler = keys,
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Lists the keys that match a pattern"},
    Command{.name = "scan",
            .arity = -2,
            .flags = Command::kReadOnly,
            .categories = Category::kKeyspace,
            .family = kKey,
            .handler = scan,
            .since = "2.8.0",
            .complexity = "O(1)",
            .summary = "Iterates over the keys"},
    Command{.name = "rename",
            .arity = 3,
            .flags = Command::kWrite,
            .categories = Category::kKeyspace,
            .keys = {1, 2, 1},
            .family = kKey,
            .handler = rename,
            .access = "RW access delete|OW update",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Renames a key"},
    Command{.name = "renamenx",
            .arity = 3,
            .flags = Command::kWrite | Command::kFast,
            .categories = Category::kKeyspace,
            .keys = {1, 2, 1},
            .family = kKey,
            .handler = renamenx,
            .access = "RW access delete|OW insert",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Renames a key if the new name is free"},
    Command{.name = "dbsize",
            .arity = 1,
            .flags = kReads,
            .categories = Category::kKeyspace,
            .family = kKey,
            .handler = dbsize,
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Returns the number of keys"},
    Command{.name = "flushdb",
            .arity = -1,
            .flags = Command::kWrite,
            .categories = Category::kKeyspace | Category::kDangerous,
            .family = kKey,
            .handler = flush,
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Removes all keys"},
    Command{.name = "flushall",
            .arity = -1,
            .flags = Command::kWrite,
            .categories = Category::kKeyspace | Category::kDangerous,
            .family = kKey,
            .handler = flush,
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Removes all keys"},
};

}  // namespace

std::span<const Command> key_commands() { return kCommands; }

}  // namespace vigil::server
