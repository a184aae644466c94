// SPDX-License-Identifier: Apache-2.0
//
// The RESP commands: one table of {name, arity, flags, keys, family, handler, summary}, filled by
// one file per family, and what a handler works with.
//
// A handler reads all its arguments, checks them, acts, and writes exactly one reply (none or many
// for the subscribe family). Errors are replies; handlers do not throw.
//
// Thread safety: the table is constant; a Call belongs to one reactor.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "vigil/cache/cache.h"
#include "vigil/server/reactor/counters.h"
#include "vigil/server/resp/resp_state.h"
#include "vigil/server/resp/writer.h"

namespace vigil::server {

class RespSession;
struct Command;

// One request being executed.
struct Call {
  RespSession& session;
  RespReactor& reactor;
  const Command& command;
  std::span<const std::string_view> args;  // args[0] is the command's name
  const cache::Key& key;                   // of args[command.first_key], if it has keys
  std::int64_t now_ms;
  RespWriter reply;

  [[nodiscard]] cache::Cache& cache() const { return reactor.context.server.cache; }
  [[nodiscard]] orders::Orders& orders() const { return reactor.context.server.orders; }
  [[nodiscard]] RespShared& shared() const { return reactor.shared; }
  [[nodiscard]] KeyspaceEvents& events() const { return reactor.shared.events; }

  // Case-insensitive comparison of an argument with an option's name.
  [[nodiscard]] bool is(std::size_t index, std::string_view option) const;
  // The integer argument, or nothing after replying with Redis's error.
  [[nodiscard]] std::optional<std::int64_t> integer(std::size_t index);

  void hit() const { ++reactor.tally.hits; }
  void miss() const { ++reactor.tally.misses; }

  void syntax_error() { reply.error("ERR syntax error"); }
  void wrong_type() {
    reply.error("WRONGTYPE Operation against a key holding the wrong kind of value");
  }
  void arity_error(std::string_view command_name);
};

using Handler = void (*)(Call&);

struct Command {
  // Flags, named in COMMAND INFO as Redis names them.
  enum Flag : std::uint32_t {
    kWrite = 1U << 0,
    kReadOnly = 1U << 1,
    kDenyOom = 1U << 2,
    kAdmin = 1U << 3,
    kPubSub = 1U << 4,
    kFast = 1U << 5,
    kNoAuth = 1U << 6,        // allowed before authentication
    kInSubscriber = 1U << 7,  // allowed to a RESP2 client that has subscriptions
  };

  std::string_view name;  // lower case; must have a static lifetime and a terminator
  int arity;              // including the name; negative: at least
  std::uint32_t flags;
  int first_key;  // 0: takes no keys
  int last_key;   // negative: counted from the end
  int key_step;
  CommandFamily family;
  Handler handler;
  std::string_view summary;

  [[nodiscard]] bool accepts(std::size_t arguments) const {
    return arity >= 0 ? arguments == static_cast<std::size_t>(arity)
                      : arguments >= static_cast<std::size_t>(-arity);
  }
};

// Case-insensitive; nullptr if there is none.
[[nodiscard]] const Command* find_command(std::string_view name);
// All commands, by name.
[[nodiscard]] std::span<const Command* const> all_commands();

// A command such as CLIENT that only selects a subcommand.
struct Subcommand {
  std::string_view name;  // lower case
  int arity;              // including both names; negative: at least
  Handler handler;
};
// Runs the subcommand named by args[1], or replies with Redis's error.
void dispatch(Call& call, std::span<const Subcommand> subcommands);

// The families.
[[nodiscard]] std::span<const Command> connection_commands();
[[nodiscard]] std::span<const Command> server_commands();
[[nodiscard]] std::span<const Command> string_commands();
[[nodiscard]] std::span<const Command> set_commands();
[[nodiscard]] std::span<const Command> number_commands();
[[nodiscard]] std::span<const Command> key_commands();
[[nodiscard]] std::span<const Command> expiry_commands();
[[nodiscard]] std::span<const Command> pubsub_commands();
[[nodiscard]] std::span<const Command> order_commands();

}  // namespace vigil::server
