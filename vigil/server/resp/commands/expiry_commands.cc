// SPDX-License-Identifier: Apache-2.0
//
// EXPIRE, TTL and their relatives. They work on strings and orders alike; an order whose deadline
// is set into the past is deleted as DEL does it, leaving its tombstone.
#include <algorithm>
#include <array>
#include <string>

#include "vigil/server/resp/commands/deadline.h"
#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/commands/key_deletion.h"
#include "vigil/server/resp/commands/key_write.h"

namespace vigil::server {

namespace {

struct Conditions {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
};

// NX, XX, GT and LT to the end.
Conditions read_conditions(Arguments& args) {
  Conditions conditions;
  while (args.more()) {
    if (args.flag("nx")) {
      conditions.nx = true;
    } else if (args.flag("xx")) {
      conditions.xx = true;
    } else if (args.flag("gt")) {
      conditions.gt = true;
    } else if (args.flag("lt")) {
      conditions.lt = true;
    } else {
      const std::string_view option = args.next();
      // Redis prints the option as a C string.
      args.fail("ERR Unsupported option " + std::string(option.substr(0, option.find('\0'))));
    }
  }
  if (conditions.nx && (conditions.xx || conditions.gt || conditions.lt)) {
    args.fail("ERR NX and XX, GT or LT options at the same time are not compatible");
  }
  if (conditions.gt && conditions.lt) {
    args.fail("ERR GT and LT options at the same time are not compatible");
  }
  return conditions;
}

bool allowed(const Conditions& conditions, std::int64_t current, std::int64_t wanted) {
  const bool none = current == cache::kNoDeadline;
  if (conditions.nx && !none) return false;
  if (conditions.xx && none) return false;
  if (conditions.gt && (none || wanted <= current)) return false;
  if (conditions.lt && !none && wanted >= current) return false;
  return true;
}

void expire_generic(Call& call, TimeUnit unit) {
  Arguments args = call.after_key();
  const std::string_view time = args.next();
  const Conditions conditions = read_conditions(args);
  const auto absolute = absolute_ms(args.integer(time), unit, call);
  if (!absolute) args.fail(invalid_expire_time(call));
  if (!args.ok()) return call.reply.error(args.error());
  const std::int64_t deadline = *absolute;

  enum class Outcome : std::uint8_t { kUnchanged, kChanged, kOrderIsOver };
  const auto outcome = change_key(call, call.key, [&](cache::Slot& slot) -> Changed<Outcome> {
    if (!slot.exists() || !allowed(conditions, slot.deadline_ms(), deadline)) {
      return Outcome::kUnchanged;
    }
    if (deadline > slot.now_ms()) {
      slot.set_deadline(std::min(deadline, cache::kDeadlineMax_ms));
      call.events().notify(KeyspaceEvents::kGeneric, "expire", slot.key());
      return Outcome::kChanged;
    }
    if (slot.kind() == cache::Kind::kOrder) return Outcome::kOrderIsOver;
    slot.erase();
    call.events().notify(KeyspaceEvents::kGeneric, "del", slot.key());
    return Outcome::kChanged;
  });
  if (!outcome) return;
  if (*outcome != Outcome::kOrderIsOver) {
    return call.reply.boolean_integer(*outcome == Outcome::kChanged);
  }
  const auto deleted = delete_order_key(call, call.key);
  if (deleted) call.reply.boolean_integer(*deleted);
}

void expire(Call& call) { expire_generic(call, kSecondsFromNow); }
void pexpire(Call& call) { expire_generic(call, kMillisecondsFromNow); }
void expireat(Call& call) { expire_generic(call, kSecondsSinceEpoch); }
void pexpireat(Call& call) { expire_generic(call, kMillisecondsSinceEpoch); }

void ttl_generic(Call& call, TimeUnit unit) {
  cache::EntryHeader header;
  if (!call.cache().peek(call.key, call.now_ms, &header)) {
    call.miss(call.key.bytes);
    return call.reply.integer(-2);
  }
  call.hit();
  if (header.deadline_ms == cache::kNoDeadline) return call.reply.integer(-1);
  const std::int64_t time_ms = unit.absolute
                                   ? call.wall_clock().shown_at(header.deadline_ms)
                                   : std::max<std::int64_t>(header.deadline_ms - call.now_ms, 0);
  call.reply.integer((time_ms + unit.unit_ms / 2) / unit.unit_ms);
}

void ttl(Call& call) { ttl_generic(call, kSecondsFromNow); }
void pttl(Call& call) { ttl_generic(call, kMillisecondsFromNow); }
void expiretime(Call& call) { ttl_generic(call, kSecondsSinceEpoch); }
void pexpiretime(Call& call) { ttl_generic(call, kMillisecondsSinceEpoch); }

void persist(Call& call) {
  const auto changed = change_key(call, call.key, [&](cache::Slot& slot) -> Changed<bool> {
    if (kept_deadline_ms(slot) == cache::kNoDeadline) return false;
    slot.set_deadline(cache::kNoDeadline);
    call.events().notify(KeyspaceEvents::kGeneric, "persist", slot.key());
    return true;
  });
  if (changed) call.reply.boolean_integer(*changed);
}

constexpr auto kExpiry = CommandFamily::kExpiry;
constexpr std::uint32_t kWrites = Command::kWrite | Command::kFast;
constexpr std::uint32_t kReads = Command::kReadOnly | Command::kFast;

constexpr std::array kCommands = {
    Command{.name = "expire",
            .arity = -3,
            .flags = kWrites,
            .categories = Category::kKeyspace,
            .keys = {1, 1, 1},
            .family = kExpiry,
            .handler = expire,
            .access = "RW update",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Sets a key's expiry in seconds"},
    Command{.name = "pexpire",
            .arity = -3,
            .flags = kWrites,
            .categories = Category::kKeyspace,
            .keys = {1, 1, 1},
            .family = kExpiry,
            .handler = pexpire,
            .access = "RW update",
            .since = "2.6.0",
            .complexity = "O(1)",
            .summary = "Sets a key's expiry in milliseconds"},
    Command{.name = "expireat",
            .arity = -3,
            .flags = kWrites,
            .categories = Category::kKeyspace,
            .keys = {1, 1, 1},
            .family = kExpiry,
            .handler = expireat,
            .access = "RW update",
            .since = "1.2.0",
            .complexity = "O(1)",
            .summary = "Sets a key's expiry to a Unix time in seconds"},
    Command{.name = "pexpireat",
            .arity = -3,
            .flags = kWrites,
            .categories = Category::kKeyspace,
            .keys = {1, 1, 1},
            .family = kExpiry,
            .handler = pexpireat,
            .access = "RW update",
            .since = "2.6.0",
            .complexity = "O(1)",
            .summary = "Sets a key's expiry to a Unix time in milliseconds"},
    Command{.name = "ttl",
            .arity = 2,
            .flags = kReads,
            .categories = Category::kKeyspace,
            .keys = {1, 1, 1},
            .family = kExpiry,
            .handler = ttl,
            .access = "RO access",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Returns the seconds a key has to live"},
    Command{.name = "pttl",
            .arity = 2,
            .flags = kReads,
            .categories = Category::kKeyspace,
            .keys = {1, 1, 1},
            .family = kExpiry,
            .handler = pttl,
            .access = "RO access",
            .since = "2.6.0",
            .complexity = "O(1)",
            .summary = "Returns the milliseconds a key has to live"},
    Command{.name = "expiretime",
            .arity = 2,
            .flags = kReads,
            .categories = Category::kKeyspace,
            .keys = {1, 1, 1},
            .family = kExpiry,
            .handler = expiretime,
            .access = "RO access",
            .since = "7.0.0",
            .complexity = "O(1)",
            .summary = "Returns the Unix time in seconds at which a key expires"},
    Command{.name = "pexpiretime",
            .arity = 2,
            .flags = kReads,
            .categories = Category::kKeyspace,
            .keys = {1, 1, 1},
            .family = kExpiry,
            .handler = pexpiretime,
            .access = "RO access",
            .since = "7.0.0",
            .complexity = "O(1)",
            .summary = "Returns the Unix time in milliseconds at which a key expires"},
    Command{.name = "persist",
            .arity = 2,
            .flags = kWrites,
            .categories = Category::kKeyspace,
            .keys = {1, 1, 1},
            .family = kExpiry,
            .handler = persist,
            .access = "RW update",
            .since = "2.2.0",
            .complexity = "O(1)",
            .summary = "Removes a key's expiry"},
};

}  // namespace

std::span<const Command> expiry_commands() { return kCommands; }

}  // namespace vigil::server
