// SPDX-License-Identifier: Apache-2.0
//
// SET with all its options, its relatives SETNX, SETEX, PSETEX, and GETEX, which shares the expiry
// options.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/server/resp/commands/deadline.h"
#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/commands/key_write.h"

namespace vigil::server {

namespace {

struct SetOptions {
  bool if_absent = false;                    // NX
  bool if_present = false;                   // XX
  std::optional<std::string_view> if_equal;  // IFEQ
  bool get = false;
  bool keep_ttl = false;
  bool persist = false;  // GETEX
  std::optional<TimeUnit> unit;
  std::string_view time;  // in that unit

  [[nodiscard]] bool plain() const {
    return !if_absent && !if_present && !if_equal && !get && !keep_ttl;
  }
};

// Reads EX, PX, EXAT or PXAT and its time; false if the next argument is none of them.
bool read_time(Arguments& args, SetOptions* options) {
  const auto unit = args.one_of<TimeUnit>(kTimeUnits);
  if (!unit) return false;
  args.require(!options->keep_ttl && !options->persist &&
               (!options->unit || options->unit == unit));
  options->unit = unit;
  options->time = args.next();
  return true;
}

// SET: [NX | XX | IFEQ old] [GET] [KEEPTTL | EX seconds | PX milliseconds | EXAT ... | PXAT ...]
SetOptions read_set_options(Arguments& args) {
  SetOptions options;
  while (args.more()) {
    if (read_time(args, &options)) continue;
    if (args.flag("nx")) {
      args.require(!options.if_present && !options.if_equal);
      options.if_absent = true;
    } else if (args.flag("xx")) {
      args.require(!options.if_absent && !options.if_equal);
      options.if_present = true;
    } else if (args.option("ifeq")) {
      args.require(!options.if_absent && !options.if_present && !options.if_equal);
      options.if_equal = args.next();
    } else if (args.flag("get")) {
      options.get = true;
    } else if (args.flag("keepttl")) {
      args.require(!options.unit);
      options.keep_ttl = true;
    } else {
      args.syntax_error();
    }
  }
  return options;
}

// GETEX: [PERSIST | EX seconds | PX milliseconds | EXAT ... | PXAT ...]
SetOptions read_getex_options(Arguments& args) {
  SetOptions options;
  while (args.more()) {
    if (read_time(args, &options)) continue;
    args.require(args.flag("persist") && !options.unit);
    options.persist = true;
  }
  return options;
}

// The deadline of the options; Redis looks at it after the syntax of all of them.
std::int64_t read_deadline(Arguments& args, const Call& call, const SetOptions& options) {
  if (!options.unit) return cache::kNoDeadline;
  return deadline_ms(args, call, *options.unit, options.time);
}

// Stores the string, or removes the key if the deadline is over: it is set and gone at once.
Failure store(Call& call, cache::Slot& slot, std::string_view value, std::int64_t deadline) {
  KeyspaceEvents& events = call.events();
  if (deadline != cache::kNoDeadline && deadline <= slot.now_ms()) {
    if (slot.exists()) slot.erase();
    events.notify(KeyspaceEvents::kString, "set", slot.key());
    events.notify(KeyspaceEvents::kGeneric, "expire", slot.key());
    events.notify(KeyspaceEvents::kExpired, "expired", slot.key());
    return {};
  }
  const Failure failure =
      put_string(call, slot, value, std::min(deadline, cache::kDeadlineMax_ms), "set");
  if (!failure && deadline != cache::kNoDeadline) {
    events.notify(KeyspaceEvents::kGeneric, "expire", slot.key());
  }
  return failure;
}

// SET key value, and with EX or PX: the path that pipelines take.
void set_plain(Call& call, std::string_view value, std::int64_t deadline) {
  const auto done = change_string(
      call, [&](cache::Slot& slot) -> Changed<Done> { return store(call, slot, value, deadline); });
  if (done) [[likely]]
    call.reply.ok();
}

bool condition_holds(const SetOptions& options, std::optional<std::string_view> old) {
  if (options.if_absent) return !old;
  if (options.if_present) return old.has_value();
  if (options.if_equal) return old == options.if_equal;
  return true;
}

void set_with_options(Call& call, std::string_view value, const SetOptions& options,
                      std::int64_t deadline) {
  struct Found {
    bool had_value = false;
    bool stored = false;
  };
  std::string& old_value = call.reactor.scratch;
  const auto found = change_string(call, [&](cache::Slot& slot) -> Changed<Found> {
    const auto old = stored_string(slot);
    const bool had_value = old.has_value();
    if (options.get && had_value) old_value.assign(*old);
    if (options.get && !had_value) call.announce_miss(slot);
    if (!condition_holds(options, old)) return Found{had_value, false};
    const Failure failure = options.keep_ttl && had_value
                                ? put_string(call, slot, value, slot.deadline_ms(), "set")
                                : store(call, slot, value, deadline);
    if (failure) return failure;
    return Found{had_value, true};
  });
  if (!found) return;
  if (options.get) {
    found->had_value ? call.hit() : call.count_miss();
    return found->had_value ? call.reply.bulk(old_value) : call.reply.null();
  }
  found->stored ? call.reply.ok() : call.reply.null();
}

void set(Call& call) {
  if (call.args.size() == 2) [[likely]] {
    return set_plain(call, call.args.back(), cache::kNoDeadline);
  }
  Arguments args = call.after_key();
  const std::string_view value = args.next();
  const SetOptions options = read_set_options(args);
  const std::int64_t deadline = read_deadline(args, call, options);
  if (!args.ok()) return call.reply.error(args.error());
  options.plain() ? set_plain(call, value, deadline)
                  : set_with_options(call, value, options, deadline);
}

void set_expiring(Call& call, TimeUnit unit) {
  Arguments args = call.after_key();
  const std::int64_t deadline = deadline_ms(args, call, unit, args.next());
  const std::string_view value = args.next();
  if (!args.ok()) return call.reply.error(args.error());
  set_plain(call, value, deadline);
}

void setex(Call& call) { set_expiring(call, kSecondsFromNow); }
void psetex(Call& call) { set_expiring(call, kMillisecondsFromNow); }

// A key of any kind is in the way.
void setnx(Call& call) {
  const std::string_view value = call.after_key().next();
  const auto stored = change_key(call, call.key, [&](cache::Slot& slot) -> Changed<bool> {
    if (slot.exists()) return false;
    if (const Failure failure = store(call, slot, value, cache::kNoDeadline)) return failure;
    return true;
  });
  if (stored) call.reply.boolean_integer(*stored);
}

// Applies GETEX's option to an existing string.
void change_deadline(Call& call, cache::Slot& slot, const SetOptions& options,
                     std::int64_t deadline) {
  KeyspaceEvents& events = call.events();
  if (options.persist) {
    if (slot.deadline_ms() == cache::kNoDeadline) return;
    slot.set_deadline(cache::kNoDeadline);
    events.notify(KeyspaceEvents::kGeneric, "persist", slot.key());
  } else if (deadline <= slot.now_ms()) {
    slot.erase();
    events.notify(KeyspaceEvents::kGeneric, "del", slot.key());
  } else {
    slot.set_deadline(std::min(deadline, cache::kDeadlineMax_ms));
    events.notify(KeyspaceEvents::kGeneric, "expire", slot.key());
  }
}

void getex(Call& call) {
  Arguments args = call.after_key();
  const SetOptions options = read_getex_options(args);
  if (!args.ok()) return call.reply.error(args.error());
  // Redis looks at the key between the syntax of the options and the time.
  cache::EntryHeader header;
  if (!call.cache().peek(call.key, call.now_ms, &header)) {
    call.miss(call.key.bytes);
    return call.reply.null();
  }
  if (header.kind != cache::Kind::kString) return call.wrong_type();
  const std::int64_t deadline = read_deadline(args, call, options);
  if (!args.ok()) return call.reply.error(args.error());

  std::string& value = call.reactor.scratch;
  const auto found = change_string(call, [&](cache::Slot& slot) -> Changed<bool> {
    const auto old = stored_string(slot);
    if (!old) return false;
    value.assign(*old);
    if (options.persist || options.unit) change_deadline(call, slot, options, deadline);
    return true;
  });
  if (!found) return;
  *found ? call.hit() : call.miss(call.key.bytes);
  *found ? call.reply.bulk(value) : call.reply.null();
}

constexpr auto kWriting = CommandFamily::kWrite;
constexpr std::uint32_t kStores = Command::kWrite | Command::kDenyOom;

constexpr std::array kCommands = {
    Command{.name = "set",
            .arity = -3,
            .flags = kStores,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = set,
            .access = "RW access update variable_flags",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Sets a key, with conditions and an expiry on demand"},
    Command{.name = "setnx",
            .arity = 3,
            .flags = kStores | Command::kFast,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = setnx,
            .access = "OW insert",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Sets a key if it does not exist"},
    Command{.name = "setex",
            .arity = 4,
            .flags = kStores,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = setex,
            .access = "OW update",
            .since = "2.0.0",
            .complexity = "O(1)",
            .summary = "Sets a key that expires in seconds"},
    Command{.name = "psetex",
            .arity = 4,
            .flags = kStores,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = psetex,
            .access = "OW update",
            .since = "2.6.0",
            .complexity = "O(1)",
            .summary = "Sets a key that expires in milliseconds"},
    Command{.name = "getex",
            .arity = -2,
            .flags = Command::kWrite | Command::kFast,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = getex,
            .access = "RW access update",
            .since = "6.2.0",
            .complexity = "O(1)",
            .summary = "Returns the value of a key and changes its expiry"},
};

}  // namespace

std::span<const Command> set_commands() { return kCommands; }

}  // namespace vigil::server
