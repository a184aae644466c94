// SPDX-License-Identifier: Apache-2.0
//
// Keys of any kind: deleting, renaming, listing.
#include <array>
#include <charconv>
#include <string>
#include <vector>

#include "vigil/server/resp/command.h"
#include "vigil/server/resp/commands/key_access.h"
#include "vigil/server/resp/commands/key_deletion.h"
#include "vigil/server/resp/glob.h"
#include "vigil/server/resp/number.h"

namespace vigil::server {

Deletion delete_order_key(Call& call, const cache::Key& key) {
  orders::OrderEvent event;
  event.type = orders::OrderEvent::Type::kDelete;
  event.order_id = key.bytes;
  const orders::OrderResult result = call.orders().apply(event, call.now_ms);
  if (result.outcome == orders::OrderOutcome::kBusy) {
    ++call.reactor.tally.busy;
    call.reply.error("BUSY shard queue is full, retry");
    return Deletion::kBusy;
  }
  if (result.outcome != orders::OrderOutcome::kDeleted) return Deletion::kAbsent;
  call.events().notify(KeyspaceEvents::kGeneric, "del", key.bytes);
  return Deletion::kDeleted;
}

Deletion delete_key(Call& call, const cache::Key& key) {
  Deletion deletion = Deletion::kAbsent;
  bool order = false;
  KeyspaceEvents& events = call.events();
  const bool ran = write_key(call, key, [&](cache::Slot& slot) {
    order = holds_order(slot);
    if (!holds_string(slot)) return;
    slot.erase();
    deletion = Deletion::kDeleted;
    events.notify(KeyspaceEvents::kGeneric, "del", slot.key());
  });
  if (!ran) return Deletion::kBusy;
  return order ? delete_order_key(call, key) : deletion;
}

namespace {

void del(Call& call) {
  std::int64_t deleted = 0;
  for (const std::string_view name : call.args.subspan(1)) {
    const Deletion deletion = delete_key(call, call.cache().key(name));
    if (deletion == Deletion::kBusy) return;
    if (deletion == Deletion::kDeleted) ++deleted;
  }
  call.reply.integer(deleted);
}

void exists(Call& call) {
  std::int64_t found = 0;
  for (const std::string_view name : call.args.subspan(1)) {
    cache::EntryHeader header;
    const bool there = call.cache().peek(call.cache().key(name), call.now_ms, &header);
    there ? call.hit() : call.miss();
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
  call.reply.simple(found ? kind_name(header.kind) : "none");
}

void randomkey(Call& call) {
  std::string& name = call.reactor.scratch;
  if (!call.cache().random_key(call.now_ms, call.reactor.random, &name)) return call.reply.null();
  call.reply.bulk(name);
}

// Appends the keys that pass the filters to *names.
struct KeyFilter {
  std::string_view pattern = "*";
  std::string_view kind;  // empty: any

  [[nodiscard]] bool accepts(const cache::Cache::ScannedEntry& entry) const {
    if (!kind.empty() && !equal_ignoring_case(kind, kind_name(entry.header.kind))) return false;
    return pattern == "*" || glob_match(pattern, entry.key);
  }
};

void keys(Call& call) {
  const KeyFilter filter{call.args[1], {}};
  constexpr std::size_t kStep = 4096;
  std::vector<std::string> names;
  std::uint64_t cursor = 0;
  do {
    cursor = call.cache().scan(cursor, call.now_ms, kStep, [&](const auto& entry) {
      if (filter.accepts(entry)) names.emplace_back(entry.key);
    });
  } while (cursor != 0);
  call.reply.array(names.size());
  for (const std::string& name : names) call.reply.bulk(name);
}

void scan(Call& call) {
  std::uint64_t cursor = 0;
  const std::string_view text = call.args[1];
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), cursor);
  if (!text.empty() && (error != std::errc{} || end != text.data() + text.size())) {
    return call.reply.error("ERR invalid cursor");
  }
  KeyFilter filter;
  std::int64_t count = 10;
  for (std::size_t i = 2; i < call.args.size(); i += 2) {
    const bool more = i + 1 < call.args.size();
    if (more && call.is(i, "count")) {
      const auto number = call.integer(i + 1);
      if (!number) return;
      if (*number < 1) return call.syntax_error();
      count = *number;
    } else if (more && call.is(i, "match")) {
      filter.pattern = call.args[i + 1];
    } else if (more && call.is(i, "type")) {
      filter.kind = call.args[i + 1];
    } else {
      return call.syntax_error();
    }
  }
  std::vector<std::string> names;
  cursor = call.cache().scan(cursor, call.now_ms, static_cast<std::size_t>(count),
                             [&](const auto& entry) {
                               if (filter.accepts(entry)) names.emplace_back(entry.key);
                             });
  call.reply.array(2);
  call.reply.bulk(std::to_string(cursor));
  call.reply.array(names.size());
  for (const std::string& name : names) call.reply.bulk(name);
}

enum class RenameOutcome : std::uint8_t { kDone, kNoKey, kTargetExists, kWrongKind, kAssignFailed };

void rename_generic(Call& call, bool only_if_absent) {
  const std::array keys = {call.key, call.cache().key(call.args[2])};
  const bool same = call.args[1] == call.args[2];
  RenameOutcome outcome = RenameOutcome::kDone;
  auto status = cache::AssignStatus::kStored;
  call.cache().write_many(keys, call.now_ms, [&](cache::Cache::Slots& slots) {
    const auto move = [&] {
      cache::Slot& source = slots(0);
      if (!source.exists()) return RenameOutcome::kNoKey;
      if (same) return only_if_absent ? RenameOutcome::kTargetExists : RenameOutcome::kDone;
      if (holds_order(source)) return RenameOutcome::kWrongKind;
      std::string& value = call.reactor.scratch;
      value.assign(source.value());
      const std::int64_t deadline = source.deadline_ms();
      cache::Slot& target = slots(1);
      if (only_if_absent && target.exists()) return RenameOutcome::kTargetExists;
      if (holds_order(target)) return RenameOutcome::kWrongKind;
      status = target.assign(cache::Kind::kString, value, deadline);
      if (status != cache::AssignStatus::kStored) return RenameOutcome::kAssignFailed;
      slots(0).erase();
      call.events().notify(KeyspaceEvents::kGeneric, "rename_from", keys[0].bytes);
      call.events().notify(KeyspaceEvents::kGeneric, "rename_to", keys[1].bytes);
      return RenameOutcome::kDone;
    };
    outcome = move();
  });
  switch (outcome) {
    case RenameOutcome::kDone:
      return only_if_absent ? call.reply.integer(1) : call.reply.ok();
    case RenameOutcome::kNoKey:
      return call.reply.error("ERR no such key");
    case RenameOutcome::kTargetExists:
      return call.reply.integer(0);
    case RenameOutcome::kWrongKind:
      return call.wrong_type();
    case RenameOutcome::kAssignFailed:
      return assign_error(call, status, call.args[2]);
  }
}

void rename(Call& call) { rename_generic(call, false); }
void renamenx(Call& call) { rename_generic(call, true); }

void dbsize(Call& call) { call.reply.integer(static_cast<std::int64_t>(call.cache().size())); }

void flush(Call& call) {
  const bool fine = call.args.size() == 1 ||
                    (call.args.size() == 2 && (call.is(1, "sync") || call.is(1, "async")));
  if (!fine) return call.syntax_error();
  call.cache().clear();
  call.reply.ok();
}

constexpr auto kKey = CommandFamily::kKey;
constexpr std::uint32_t kReads = Command::kReadOnly | Command::kFast;

constexpr std::array kCommands = {
    Command{"del", -2, Command::kWrite, 1, -1, 1, kKey, del, "Deletes keys"},
    Command{"unlink", -2, Command::kWrite | Command::kFast, 1, -1, 1, kKey, del, "Deletes keys"},
    Command{"exists", -2, kReads, 1, -1, 1, kKey, exists, "Counts the keys that exist"},
    Command{"touch", -2, kReads, 1, -1, 1, kKey, exists, "Counts the keys that exist"},
    Command{"type", 2, kReads, 1, 1, 1, kKey, type, "Returns the kind of a value"},
    Command{"randomkey", 1, Command::kReadOnly, 0, 0, 0, kKey, randomkey, "Returns some key"},
    Command{"keys", 2, Command::kReadOnly, 0, 0, 0, kKey, keys,
            "Lists the keys that match a pattern"},
    Command{"scan", -2, Command::kReadOnly, 0, 0, 0, kKey, scan, "Iterates over the keys"},
    Command{"rename", 3, Command::kWrite, 1, 2, 1, kKey, rename, "Renames a key"},
    Command{"renamenx", 3, Command::kWrite | Command::kFast, 1, 2, 1, kKey, renamenx,
            "Renames a key if the new name is free"},
    Command{"dbsize", 1, kReads, 0, 0, 0, kKey, dbsize, "Returns the number of keys"},
    Command{"flushdb", -1, Command::kWrite, 0, 0, 0, kKey, flush, "Removes all keys"},
    Command{"flushall", -1, Command::kWrite, 0, 0, 0, kKey, flush, "Removes all keys"},
};

}  // namespace

std::span<const Command> key_commands() { return kCommands; }

}  // namespace vigil::server
