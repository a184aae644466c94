// SPDX-License-Identifier: Apache-2.0
//
// Call: what the handler of a command works with.
//
// A handler reads all its arguments (arguments.h), checks them once, acts, and writes exactly one
// reply (none or many for the subscribe family). Errors are replies; handlers do not throw.
//
// Thread safety: belongs to one reactor.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "vigil/cache/cache.h"
#include "vigil/server/resp/arguments.h"
#include "vigil/server/resp/command.h"
#include "vigil/server/resp/reactor_state.h"
#include "vigil/server/resp/reply_errors.h"
#include "vigil/server/resp/writer.h"

namespace vigil::server {

class RespSession;

// One request being executed.
struct Call {
  RespSession& session;
  RespReactor& reactor;
  const Command& command;
  std::span<const std::string_view> args;  // behind the name, or behind both names
  const cache::Key& key;                   // the first key, if the command has keys
  std::int64_t now_ms;
  RespWriter reply;

  [[nodiscard]] cache::Cache& cache() const { return reactor.context.server.cache; }
  [[nodiscard]] const WallClock& wall_clock() const { return reactor.context.server.wall_clock; }
  [[nodiscard]] orders::Orders& orders() const { return reactor.context.server.orders; }
  [[nodiscard]] RespShared& shared() const { return reactor.shared; }
  [[nodiscard]] KeyspaceEvents& events() const { return reactor.shared.events; }

  // The arguments behind the first one, of a command that begins with its key.
  [[nodiscard]] Arguments after_key() const { return Arguments(args.subspan(1)); }

  void hit() const { ++reactor.tally.hits; }
  // A read found nothing at `name`.
  void miss(std::string_view name) const {
    events().notify(KeyspaceEvents::kMiss, "keymiss", name);
    count_miss();
  }
  // The two halves of it, for what is read to be changed: the first within the change.
  void announce_miss(const cache::Slot& slot) const {
    events().notify(KeyspaceEvents::kMiss, "keymiss", slot.key());
  }
  void count_miss() const { ++reactor.tally.misses; }

  void syntax_error() { reply.error(kSyntaxError); }
  void wrong_type() { reply.error(kWrongType); }
  void arity_error();
  // The shard did not take the write.
  void busy();
};

// The handler of a command that has nothing but subcommands.
void run_subcommand(Call& call);

// The row of a subcommand HELP, which lists its neighbours: help_row("client|help").
void subcommand_help(Call& call);
constexpr Command help_row(std::string_view name, std::uint32_t categories = 0) {
  return {.name = name,
          .arity = 2,
          .categories = categories,
          .handler = subcommand_help,
          .since = "5.0.0",
          .complexity = "O(1)",
          .summary = "Prints this help"};
}

}  // namespace vigil::server
