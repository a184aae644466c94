// SPDX-License-Identifier: Apache-2.0
//
// The server as a whole: TIME, SHUTDOWN, MONITOR, FUNCTION. INFO is in info_commands.cc, CONFIG in
// config_commands.cc, COMMAND in command_commands.cc.
#include <sys/time.h>

#include <array>

#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/session.h"

namespace vigil::server {

namespace {

void time_now(Call& call) {
  timeval now{};
  gettimeofday(&now, nullptr);
  call.reply.array(2);
  call.reply.bulk_integer(now.tv_sec);
  call.reply.bulk_integer(now.tv_usec);
}

// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]: the server drains as after SIGTERM, which ends
// this connection without a reply. There is nothing to save and nobody to wait for.
void shut_down(Call& call) {
  Arguments args(call.args);
  bool abort = false;
  while (args.more()) {
    if (args.flag("abort")) {
      abort = true;
    } else {
      args.require(args.flag("nosave") || args.flag("save") || args.flag("now") ||
                   args.flag("force"));
    }
  }
  if (abort) args.require(call.args.size() == 1);
  if (!args.ok()) return call.reply.error(args.error());
  if (abort) return call.reply.error("ERR No shutdown in progress.");
  call.session.close_after_reply();
  call.shared().server.shut_down();
}

void monitor(Call& call) {
  call.session.start_monitoring();
  call.reply.ok();
}

// There are no functions; test suites and tools flush them to get a clean server.
void function_flush(Call& call) { call.reply.ok(); }

constexpr auto kFamily = CommandFamily::kServer;

constexpr std::array kFunctionSubcommands = {
    Command{.name = "function|flush",
            .arity = -2,
            .flags = Command::kWrite,
            .categories = Category::kScripting,
            .handler = function_flush,
            .since = "7.0.0",
            .complexity = "O(N)",
            .summary = "Does nothing"},
    help_row("function|help"),
};

constexpr std::array kCommands = {
    Command{.name = "shutdown",
            .arity = -1,
            .flags = Command::kAdmin,
            .family = kFamily,
            .handler = shut_down,
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Drains and ends the server"},
    Command{.name = "monitor",
            .arity = 1,
            .flags = Command::kAdmin,
            .family = kFamily,
            .handler = monitor,
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Shows every command that is executed, as it is executed"},
    Command{.name = "time",
            .arity = 1,
            .flags = Command::kFast,
            .family = kFamily,
            .handler = time_now,
            .since = "2.6.0",
            .complexity = "O(1)",
            .summary = "Returns the time in seconds and microseconds"},
    Command{.name = "function",
            .arity = -2,
            .family = kFamily,
            .handler = run_subcommand,
            .since = "7.0.0",
            .summary = "FUNCTION FLUSH; there are none",
            .subcommands = kFunctionSubcommands},
};

}  // namespace

std::span<const Command> server_commands() { return kCommands; }

}  // namespace vigil::server
