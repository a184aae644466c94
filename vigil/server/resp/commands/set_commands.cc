// SPDX-License-Identifier: Apache-2.0
//
// SET with all its options, its relatives SETNX, SETEX, PSETEX, and GETEX, which shares the expiry
// options.
#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>

#include "vigil/server/resp/command.h"
#include "vigil/server/resp/commands/key_access.h"

namespace vigil::server {

namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

enum class ExpiryUnit : std::uint8_t { kNone, kEx, kPx, kExAt, kPxAt };

struct SetOptions {
  bool if_absent = false;   // NX
  bool if_present = false;  // XX
  bool get = false;
  bool keep_ttl = false;
  bool persist = false;  // GETEX
  ExpiryUnit unit = ExpiryUnit::kNone;
  std::size_t expiry_arg = 0;                // the index of the unit's number
  std::optional<std::string_view> if_equal;  // IFEQ
};

ExpiryUnit unit_named(const Call& call, std::size_t index) {
  if (call.is(index, "ex")) return ExpiryUnit::kEx;
  if (call.is(index, "px")) return ExpiryUnit::kPx;
  if (call.is(index, "exat")) return ExpiryUnit::kExAt;
  if (call.is(index, "pxat")) return ExpiryUnit::kPxAt;
  return ExpiryUnit::kNone;
}

// One option of SET at args[*i]; false if it is none or conflicts with an earlier one.
bool parse_set_option(const Call& call, std::size_t* i, SetOptions* options) {
  const bool more = *i + 1 < call.args.size();
  const bool conditional = options->if_absent || options->if_present || options->if_equal;
  if (call.is(*i, "nx")) {
    options->if_absent = true;
    return !options->if_present && !options->if_equal;
  }
  if (call.is(*i, "xx")) {
    options->if_present = true;
    return !options->if_absent && !options->if_equal;
  }
  if (call.is(*i, "ifeq") && more) {
    options->if_equal = call.args[++*i];
    return !conditional;
  }
  if (call.is(*i, "get")) {
    options->get = true;
    return true;
  }
  if (call.is(*i, "keepttl")) {
    options->keep_ttl = true;
    return options->unit == ExpiryUnit::kNone;
  }
  return false;
}

// Reads the options from args[first] on; false after replying with a syntax error.
bool parse_options(Call& call, std::size_t first, bool of_getex, SetOptions* options) {
  for (std::size_t i = first; i < call.args.size(); ++i) {
    const ExpiryUnit unit = unit_named(call, i);
    bool fine = false;
    if (unit != ExpiryUnit::kNone) {
      const bool repeated = options->unit == unit;
      fine = i + 1 < call.args.size() && !options->keep_ttl && !options->persist &&
             (options->unit == ExpiryUnit::kNone || repeated);
      options->unit = unit;
      options->expiry_arg = ++i;
    } else if (of_getex) {
      fine = call.is(i, "persist") && options->unit == ExpiryUnit::kNone;
      options->persist = true;
    } else {
      fine = parse_set_option(call, &i, options);
    }
    if (!fine) {
      call.syntax_error();
      return false;
    }
  }
  return true;
}

// The absolute deadline that args[index] names; nothing after replying with an error.
std::optional<std::int64_t> parse_deadline(Call& call, ExpiryUnit unit, std::size_t index) {
  const auto number = call.integer(index);
  if (!number) return std::nullopt;
  const bool seconds = unit == ExpiryUnit::kEx || unit == ExpiryUnit::kExAt;
  const bool relative = unit == ExpiryUnit::kEx || unit == ExpiryUnit::kPx;
  std::int64_t deadline = *number;
  bool fine = deadline > 0 && (!seconds || deadline <= kMax / 1000);
  if (fine && seconds) deadline *= 1000;
  fine = fine && (!relative || deadline <= kMax - call.now_ms);
  if (!fine) {
    call.reply.error("ERR invalid expire time in '" + std::string(call.command.name) + "' command");
    return std::nullopt;
  }
  return deadline + (relative ? call.now_ms : 0);
}

enum class SetOutcome : std::uint8_t { kStored, kConditionFailed, kWrongKind, kAssignFailed };

struct SetResult {
  SetOutcome outcome = SetOutcome::kStored;
  cache::AssignStatus status = cache::AssignStatus::kStored;
};

// The change itself, as the writer of the shard.
SetResult store(cache::Slot& slot, std::string_view value, std::int64_t deadline,
                KeyspaceEvents& events) {
  SetResult result;
  if (deadline != cache::kNoDeadline && deadline <= slot.now_ms()) {
    // An absolute time in the past: the key is set and gone at once.
    if (slot.exists()) slot.erase();
    events.notify(KeyspaceEvents::kString, "set", slot.key());
    events.notify(KeyspaceEvents::kGeneric, "expire", slot.key());
    events.notify(KeyspaceEvents::kExpired, "expired", slot.key());
    return result;
  }
  result.status = slot.assign(cache::Kind::kString, value,
                              deadline > cache::kMaxDeadlineMs ? cache::kMaxDeadlineMs : deadline);
  if (result.status != cache::AssignStatus::kStored) {
    result.outcome = SetOutcome::kAssignFailed;
    return result;
  }
  events.notify(KeyspaceEvents::kString, "set", slot.key());
  if (deadline != cache::kNoDeadline) {
    events.notify(KeyspaceEvents::kGeneric, "expire", slot.key());
  }
  return result;
}

// SET key value, and with EX or PX: the path that pipelines take.
void set_plain(Call& call, std::string_view value, std::int64_t deadline) {
  SetResult result;
  KeyspaceEvents& events = call.events();
  const bool ran = write_key(call, call.key, [&](cache::Slot& slot) {
    if (holds_order(slot)) {
      result.outcome = SetOutcome::kWrongKind;
    } else {
      result = store(slot, value, deadline, events);
    }
  });
  if (!ran) return;
  if (result.outcome == SetOutcome::kStored) [[likely]] {
    call.reply.ok();
  } else if (result.outcome == SetOutcome::kWrongKind) {
    call.wrong_type();
  } else {
    assign_error(call, result.status, call.key.bytes);
  }
}

bool condition_holds(const SetOptions& options, const cache::Slot& slot) {
  if (options.if_absent) return !slot.exists();
  if (options.if_present) return slot.exists();
  if (options.if_equal) return slot.exists() && slot.value() == *options.if_equal;
  return true;
}

void set_with_options(Call& call, const SetOptions& options, std::int64_t deadline) {
  SetResult result;
  bool had_value = false;
  std::string& old_value = call.reactor.scratch;
  KeyspaceEvents& events = call.events();
  const bool ran = write_key(call, call.key, [&](cache::Slot& slot) {
    if (holds_order(slot)) {
      result.outcome = SetOutcome::kWrongKind;
      return;
    }
    had_value = slot.exists();
    if (options.get && had_value) old_value.assign(slot.value());
    if (!condition_holds(options, slot)) {
      result.outcome = SetOutcome::kConditionFailed;
      return;
    }
    const bool keep = options.keep_ttl && had_value;
    if (keep) {
      result.status = slot.assign(cache::Kind::kString, call.args[2], slot.deadline_ms());
      if (result.status != cache::AssignStatus::kStored) {
        result.outcome = SetOutcome::kAssignFailed;
      } else {
        events.notify(KeyspaceEvents::kString, "set", slot.key());
      }
    } else {
      result = store(slot, call.args[2], deadline, events);
    }
  });
  if (!ran) return;
  if (result.outcome == SetOutcome::kWrongKind) return call.wrong_type();
  if (result.outcome == SetOutcome::kAssignFailed) {
    return assign_error(call, result.status, call.key.bytes);
  }
  if (options.get) return had_value ? call.reply.bulk(old_value) : call.reply.null();
  result.outcome == SetOutcome::kStored ? call.reply.ok() : call.reply.null();
}

void set(Call& call) {
  if (call.args.size() == 3) [[likely]] {
    return set_plain(call, call.args[2], cache::kNoDeadline);
  }
  SetOptions options;
  if (!parse_options(call, 3, /*of_getex=*/false, &options)) return;
  std::int64_t deadline = cache::kNoDeadline;
  if (options.unit != ExpiryUnit::kNone) {
    const auto parsed = parse_deadline(call, options.unit, options.expiry_arg);
    if (!parsed) return;
    deadline = *parsed;
  }
  const bool plain = !options.get && !options.keep_ttl && !options.if_absent &&
                     !options.if_present && !options.if_equal;
  plain ? set_plain(call, call.args[2], deadline) : set_with_options(call, options, deadline);
}

void set_expiring(Call& call, ExpiryUnit unit) {
  const auto deadline = parse_deadline(call, unit, 2);
  if (deadline) set_plain(call, call.args[3], *deadline);
}

void setex(Call& call) { set_expiring(call, ExpiryUnit::kEx); }
void psetex(Call& call) { set_expiring(call, ExpiryUnit::kPx); }

void setnx(Call& call) {
  SetResult result;
  KeyspaceEvents& events = call.events();
  const bool ran = write_key(call, call.key, [&](cache::Slot& slot) {
    if (slot.exists()) {
      result.outcome = SetOutcome::kConditionFailed;
    } else {
      result = store(slot, call.args[2], cache::kNoDeadline, events);
    }
  });
  if (!ran) return;
  if (result.outcome == SetOutcome::kAssignFailed) {
    return assign_error(call, result.status, call.key.bytes);
  }
  call.reply.boolean_integer(result.outcome == SetOutcome::kStored);
}

// Applies GETEX's option to an existing string.
void change_deadline(cache::Slot& slot, const SetOptions& options, std::int64_t deadline,
                     KeyspaceEvents& events) {
  if (options.persist) {
    if (slot.deadline_ms() == cache::kNoDeadline) return;
    slot.set_deadline(cache::kNoDeadline);
    events.notify(KeyspaceEvents::kGeneric, "persist", slot.key());
  } else if (deadline <= slot.now_ms()) {
    slot.erase();
    events.notify(KeyspaceEvents::kGeneric, "del", slot.key());
  } else {
    slot.set_deadline(std::min(deadline, cache::kMaxDeadlineMs));
    events.notify(KeyspaceEvents::kGeneric, "expire", slot.key());
  }
}

void getex(Call& call) {
  SetOptions options;
  if (!parse_options(call, 2, /*of_getex=*/true, &options)) return;
  cache::EntryHeader header;
  if (!call.cache().peek(call.key, call.now_ms, &header)) {
    call.miss();
    return call.reply.null();
  }
  if (header.kind != cache::Kind::kString) return call.wrong_type();
  std::int64_t deadline = cache::kNoDeadline;
  if (options.unit != ExpiryUnit::kNone) {
    const auto parsed = parse_deadline(call, options.unit, options.expiry_arg);
    if (!parsed) return;
    deadline = *parsed;
  }
  bool found = false;
  std::string& value = call.reactor.scratch;
  KeyspaceEvents& events = call.events();
  const bool ran = write_key(call, call.key, [&](cache::Slot& slot) {
    found = holds_string(slot);
    if (!found) return;
    value.assign(slot.value());
    if (options.persist || options.unit != ExpiryUnit::kNone) {
      change_deadline(slot, options, deadline, events);
    }
  });
  if (!ran) return;
  found ? call.hit() : call.miss();
  found ? call.reply.bulk(value) : call.reply.null();
}

constexpr auto kWrites = CommandFamily::kWrite;
constexpr std::uint32_t kStores = Command::kWrite | Command::kDenyOom;

constexpr std::array kCommands = {
    Command{"set", -3, kStores, 1, 1, 1, kWrites, set,
            "Sets a key, with conditions and an expiry on demand"},
    Command{"setnx", 3, kStores | Command::kFast, 1, 1, 1, kWrites, setnx,
            "Sets a key if it does not exist"},
    Command{"setex", 4, kStores, 1, 1, 1, kWrites, setex, "Sets a key that expires in seconds"},
    Command{"psetex", 4, kStores, 1, 1, 1, kWrites, psetex,
            "Sets a key that expires in milliseconds"},
    Command{"getex", -2, Command::kWrite | Command::kFast, 1, 1, 1, kWrites, getex,
            "Returns the value of a key and changes its expiry"},
};

}  // namespace

std::span<const Command> set_commands() { return kCommands; }

}  // namespace vigil::server
