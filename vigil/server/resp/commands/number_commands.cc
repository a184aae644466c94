// SPDX-License-Identifier: Apache-2.0
//
// INCR, DECR and their relatives: integers of 64 bits and long doubles kept as text.
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/commands/key_write.h"
#include "vigil/server/resp/number.h"

namespace vigil::server {

namespace {

// The two kinds of numbers: how one is read, added, written and replied.

struct Integers {
  using Value = std::int64_t;
  // A formatted integer.
  struct Text {
    std::array<char, 20> digits;
    std::size_t size = 0;
    operator std::string_view() const { return {digits.data(), size}; }
  };
  static constexpr std::string_view kEvent = "incrby";
  static constexpr const char* kInvalid = kNotAnInteger;
  static constexpr const char* kOverflow = "ERR increment or decrement would overflow";

  static std::optional<Value> parse(std::string_view text) { return parse_integer(text); }
  static std::optional<Value> add(Value a, Value b) {
    Value sum = 0;
    if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
    return sum;
  }
  static Text format(Value value) {
    Text text;
    char* const begin = text.digits.data();
    const char* const end = std::to_chars(begin, begin + text.digits.size(), value).ptr;
    text.size = static_cast<std::size_t>(end - begin);
    return text;
  }
  static void reply(RespWriter& reply, std::string_view text) { reply.integer(text); }
};

struct Floats {
  using Value = long double;
  using Text = std::string;
  static constexpr std::string_view kEvent = "incrbyfloat";
  static constexpr const char* kInvalid = kNotAFloat;
  static constexpr const char* kOverflow = "ERR increment would produce NaN or Infinity";

  static std::optional<Value> parse(std::string_view text) { return parse_long_double(text); }
  static std::optional<Value> add(Value a, Value b) {
    if (!std::isfinite(a + b)) return std::nullopt;
    return a + b;
  }
  static Text format(Value value) { return format_long_double(value); }
  static void reply(RespWriter& reply, std::string_view text) { reply.bulk(text); }
};

// Adds `by` (nothing: what was given is no number, which Redis says only after it has looked at the
// key) to the stored number and replies with the sum.
template <class Numbers>
void increment(Call& call, std::optional<typename Numbers::Value> by) {
  using Text = typename Numbers::Text;
  const auto sum = change_string(call, [&](cache::Slot& slot) -> Changed<Text> {
    const auto stored = stored_string(slot);
    const auto old = stored ? Numbers::parse(*stored) : typename Numbers::Value{0};
    if (!old || !by) return Failure{Numbers::kInvalid};
    const auto value = Numbers::add(*old, *by);
    if (!value) return Failure{Numbers::kOverflow};
    Text text = Numbers::format(*value);
    const Failure failure = put_string(call, slot, text, kept_deadline_ms(slot), Numbers::kEvent);
    if (failure) return failure;
    return text;
  });
  if (sum) Numbers::reply(call.reply, *sum);
}

void incr(Call& call) { increment<Integers>(call, 1); }
void decr(Call& call) { increment<Integers>(call, -1); }

void incrby(Call& call) {
  Arguments args = call.after_key();
  const std::int64_t by = args.integer();
  if (!args.ok()) return call.reply.error(args.error());
  increment<Integers>(call, by);
}

void decrby(Call& call) {
  Arguments args = call.after_key();
  const std::int64_t by = args.integer();
  if (by == std::numeric_limits<std::int64_t>::min()) args.fail("ERR decrement would overflow");
  if (!args.ok()) return call.reply.error(args.error());
  increment<Integers>(call, -by);
}

void incrbyfloat(Call& call) {
  Arguments args = call.after_key();
  const long double by = args.number();
  increment<Floats>(call, args.ok() ? std::optional(by) : std::nullopt);
}

constexpr auto kWriting = CommandFamily::kWrite;
constexpr std::uint32_t kStores = Command::kWrite | Command::kDenyOom | Command::kFast;

constexpr std::array kCommands = {
    Command{.name = "incr",
            .arity = 2,
            .flags = kStores,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = incr,
            .access = "RW access update",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Adds one to an integer value"},
    Command{.name = "decr",
            .arity = 2,
            .flags = kStores,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = decr,
            .access = "RW access update",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Subtracts one from an integer value"},
    Command{.name = "incrby",
            .arity = 3,
            .flags = kStores,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = incrby,
            .access = "RW access update",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Adds to an integer value"},
    Command{.name = "decrby",
            .arity = 3,
            .flags = kStores,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = decrby,
            .access = "RW access update",
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Subtracts from an integer value"},
    Command{.name = "incrbyfloat",
            .arity = 3,
            .flags = kStores,
            .categories = Category::kString,
            .keys = {1, 1, 1},
            .family = kWriting,
            .handler = incrbyfloat,
            .access = "RW access update",
            .since = "2.6.0",
            .complexity = "O(1)",
            .summary = "Adds to a floating-point value"},
};

}  // namespace

std::span<const Command> number_commands() { return kCommands; }

}  // namespace vigil::server
