// SPDX-License-Identifier: Apache-2.0
//
// INCR, DECR and their relatives: integers of 64 bits and long doubles kept as text.
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include "vigil/server/resp/command.h"
#include "vigil/server/resp/commands/key_access.h"
#include "vigil/server/resp/number.h"

namespace vigil::server {

namespace {

enum class Outcome : std::uint8_t {
  kStored,
  kWrongKind,
  kNotANumber,
  kOverflow,
  kAssignFailed,
};

void increment(Call& call, std::int64_t by) {
  Outcome outcome = Outcome::kStored;
  auto status = cache::AssignStatus::kStored;
  std::int64_t value = 0;
  KeyspaceEvents& events = call.events();
  const bool ran = write_key(call, call.key, [&](cache::Slot& slot) {
    if (holds_order(slot)) {
      outcome = Outcome::kWrongKind;
      return;
    }
    const bool found = slot.exists();
    const auto old_value = found ? parse_integer(slot.value()) : std::optional<std::int64_t>(0);
    if (!old_value) {
      outcome = Outcome::kNotANumber;
      return;
    }
    if (__builtin_add_overflow(*old_value, by, &value)) {
      outcome = Outcome::kOverflow;
      return;
    }
    char digits[20];
    const char* end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
    status = slot.assign(cache::Kind::kString, {digits, static_cast<std::size_t>(end - digits)},
                         found ? slot.deadline_ms() : cache::kNoDeadline);
    if (status != cache::AssignStatus::kStored) {
      outcome = Outcome::kAssignFailed;
    } else {
      events.notify(KeyspaceEvents::kString, "incrby", slot.key());
    }
  });
  if (!ran) return;
  switch (outcome) {
    case Outcome::kStored:
      return call.reply.integer(value);
    case Outcome::kWrongKind:
      return call.wrong_type();
    case Outcome::kNotANumber:
      return call.reply.error("ERR value is not an integer or out of range");
    case Outcome::kOverflow:
      return call.reply.error("ERR increment or decrement would overflow");
    case Outcome::kAssignFailed:
      return assign_error(call, status, call.key.bytes);
  }
}

void incr(Call& call) { increment(call, 1); }
void decr(Call& call) { increment(call, -1); }

void incrby(Call& call) {
  if (const auto by = call.integer(2)) increment(call, *by);
}

void decrby(Call& call) {
  const auto by = call.integer(2);
  if (!by) return;
  if (*by == std::numeric_limits<std::int64_t>::min()) {
    return call.reply.error("ERR decrement would overflow");
  }
  increment(call, -*by);
}

void incrbyfloat(Call& call) {
  const auto by = parse_long_double(call.args[2]);
  Outcome outcome = Outcome::kStored;
  auto status = cache::AssignStatus::kStored;
  std::string text;
  KeyspaceEvents& events = call.events();
  const bool ran = write_key(call, call.key, [&](cache::Slot& slot) {
    if (holds_order(slot)) {
      outcome = Outcome::kWrongKind;
      return;
    }
    const bool found = slot.exists();
    const auto old_value = found ? parse_long_double(slot.value()) : std::optional<long double>(0);
    if (!old_value || !by) {
      outcome = Outcome::kNotANumber;
      return;
    }
    const long double value = *old_value + *by;
    if (!std::isfinite(value)) {
      outcome = Outcome::kOverflow;
      return;
    }
    text = format_long_double(value);
    status =
        slot.assign(cache::Kind::kString, text, found ? slot.deadline_ms() : cache::kNoDeadline);
    if (status != cache::AssignStatus::kStored) {
      outcome = Outcome::kAssignFailed;
    } else {
      events.notify(KeyspaceEvents::kString, "incrbyfloat", slot.key());
    }
  });
  if (!ran) return;
  switch (outcome) {
    case Outcome::kStored:
      return call.reply.bulk(text);
    case Outcome::kWrongKind:
      return call.wrong_type();
    case Outcome::kNotANumber:
      return call.reply.error("ERR value is not a valid float");
    case Outcome::kOverflow:
      return call.reply.error("ERR increment would produce NaN or Infinity");
    case Outcome::kAssignFailed:
      return assign_error(call, status, call.key.bytes);
  }
}

constexpr auto kWrites = CommandFamily::kWrite;
constexpr std::uint32_t kStores = Command::kWrite | Command::kDenyOom | Command::kFast;

constexpr std::array kCommands = {
    Command{"incr", 2, kStores, 1, 1, 1, kWrites, incr, "Adds one to an integer value"},
    Command{"decr", 2, kStores, 1, 1, 1, kWrites, decr, "Subtracts one from an integer value"},
    Command{"incrby", 3, kStores, 1, 1, 1, kWrites, incrby, "Adds to an integer value"},
    Command{"decrby", 3, kStores, 1, 1, 1, kWrites, decrby, "Subtracts from an integer value"},
    Command{"incrbyfloat", 3, kStores, 1, 1, 1, kWrites, incrbyfloat,
            "Adds to a floating-point value"},
};

}  // namespace

std::span<const Command> number_commands() { return kCommands; }

}  // namespace vigil::server
