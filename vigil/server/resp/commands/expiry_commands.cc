// SPDX-License-Identifier: Apache-2.0
//
// EXPIRE, TTL and their relatives. They work on strings and orders alike; an order whose deadline
// is set into the past is deleted as DEL does it, leaving its tombstone.
#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "vigil/server/resp/command.h"
#include "vigil/server/resp/commands/key_access.h"
#include "vigil/server/resp/commands/key_deletion.h"

namespace vigil::server {

namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();

struct Conditions {
  bool nx = false;
  bool xx = false;
  bool gt = false;
  bool lt = false;
};

// Reads the options; false after replying with an error.
bool parse_conditions(Call& call, Conditions* conditions) {
  for (std::size_t i = 3; i < call.args.size(); ++i) {
    if (call.is(i, "nx")) {
      conditions->nx = true;
    } else if (call.is(i, "xx")) {
      conditions->xx = true;
    } else if (call.is(i, "gt")) {
      conditions->gt = true;
    } else if (call.is(i, "lt")) {
      conditions->lt = true;
    } else {
      // Redis prints the option as a C string.
      const std::string_view option = call.args[i].substr(0, call.args[i].find('\0'));
      call.reply.error("ERR Unsupported option " + std::string(option));
      return false;
    }
  }
  if (conditions->nx && (conditions->xx || conditions->gt || conditions->lt)) {
    call.reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (conditions->gt && conditions->lt) {
    call.reply.error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

bool allowed(const Conditions& conditions, std::int64_t current, std::int64_t wanted) {
  const bool none = current == cache::kNoDeadline;
  if (conditions.nx && !none) return false;
  if (conditions.xx && none) return false;
  if (conditions.gt && (none || wanted <= current)) return false;
  if (conditions.lt && !none && wanted >= current) return false;
  return true;
}

void expire_generic(Call& call, std::int64_t base_ms, bool seconds) {
  Conditions conditions;
  if (!parse_conditions(call, &conditions)) return;
  const auto number = call.integer(2);
  if (!number) return;
  std::int64_t deadline = *number;
  const bool overflows = (seconds && (deadline > kMax / 1000 || deadline < kMin / 1000)) ||
                         (seconds ? deadline * 1000 : deadline) > kMax - base_ms;
  if (overflows) {
    return call.reply.error("ERR invalid expire time in '" + std::string(call.command.name) +
                            "' command");
  }
  deadline = (seconds ? deadline * 1000 : deadline) + base_ms;

  bool changed = false;
  bool delete_order = false;
  KeyspaceEvents& events = call.events();
  const bool ran = write_key(call, call.key, [&](cache::Slot& slot) {
    if (!slot.exists() || !allowed(conditions, slot.deadline_ms(), deadline)) return;
    changed = true;
    if (deadline > slot.now_ms()) {
      slot.set_deadline(std::min(deadline, cache::kMaxDeadlineMs));
      events.notify(KeyspaceEvents::kGeneric, "expire", slot.key());
    } else if (slot.kind() == cache::Kind::kOrder) {
      delete_order = true;
    } else {
      slot.erase();
      events.notify(KeyspaceEvents::kGeneric, "del", slot.key());
    }
  });
  if (!ran) return;
  if (delete_order) {
    const Deletion deletion = delete_order_key(call, call.key);
    if (deletion == Deletion::kBusy) return;
    changed = deletion == Deletion::kDeleted;
  }
  call.reply.boolean_integer(changed);
}

void expire(Call& call) { expire_generic(call, call.now_ms, true); }
void pexpire(Call& call) { expire_generic(call, call.now_ms, false); }
void expireat(Call& call) { expire_generic(call, 0, true); }
void pexpireat(Call& call) { expire_generic(call, 0, false); }

void ttl_generic(Call& call, bool seconds, bool absolute) {
  cache::EntryHeader header;
  if (!call.cache().peek(call.key, call.now_ms, &header)) {
    call.miss();
    return call.reply.integer(-2);
  }
  call.hit();
  if (header.deadline_ms == cache::kNoDeadline) return call.reply.integer(-1);
  const std::int64_t milliseconds =
      absolute ? header.deadline_ms : std::max<std::int64_t>(header.deadline_ms - call.now_ms, 0);
  call.reply.integer(seconds ? (milliseconds + 500) / 1000 : milliseconds);
}

void ttl(Call& call) { ttl_generic(call, true, false); }
void pttl(Call& call) { ttl_generic(call, false, false); }
void expiretime(Call& call) { ttl_generic(call, true, true); }
void pexpiretime(Call& call) { ttl_generic(call, false, true); }

void persist(Call& call) {
  bool changed = false;
  KeyspaceEvents& events = call.events();
  const bool ran = write_key(call, call.key, [&](cache::Slot& slot) {
    changed = slot.exists() && slot.deadline_ms() != cache::kNoDeadline;
    if (!changed) return;
    slot.set_deadline(cache::kNoDeadline);
    events.notify(KeyspaceEvents::kGeneric, "persist", slot.key());
  });
  if (ran) call.reply.boolean_integer(changed);
}

constexpr auto kExpiry = CommandFamily::kExpiry;
constexpr std::uint32_t kWrites = Command::kWrite | Command::kFast;
constexpr std::uint32_t kReads = Command::kReadOnly | Command::kFast;

constexpr std::array kCommands = {
    Command{"expire", -3, kWrites, 1, 1, 1, kExpiry, expire, "Sets a key's expiry in seconds"},
    Command{"pexpire", -3, kWrites, 1, 1, 1, kExpiry, pexpire,
            "Sets a key's expiry in milliseconds"},
    Command{"expireat", -3, kWrites, 1, 1, 1, kExpiry, expireat,
            "Sets a key's expiry to a Unix time in seconds"},
    Command{"pexpireat", -3, kWrites, 1, 1, 1, kExpiry, pexpireat,
            "Sets a key's expiry to a Unix time in milliseconds"},
    Command{"ttl", 2, kReads, 1, 1, 1, kExpiry, ttl, "Returns the seconds a key has to live"},
    Command{"pttl", 2, kReads, 1, 1, 1, kExpiry, pttl,
            "Returns the milliseconds a key has to live"},
    Command{"expiretime", 2, kReads, 1, 1, 1, kExpiry, expiretime,
            "Returns the Unix time in seconds at which a key expires"},
    Command{"pexpiretime", 2, kReads, 1, 1, 1, kExpiry, pexpiretime,
            "Returns the Unix time in milliseconds at which a key expires"},
    Command{"persist", 2, kWrites, 1, 1, 1, kExpiry, persist, "Removes a key's expiry"},
};

}  // namespace

std::span<const Command> expiry_commands() { return kCommands; }

}  // namespace vigil::server
