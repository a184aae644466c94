// SPDX-License-Identifier: Apache-2.0
//
// The server as a whole: TIME, MONITOR, FUNCTION. INFO is in info_commands.cc, CONFIG in
// config_commands.cc, COMMAND in command_commands.cc, SHUTDOWN in persistence_commands.cc.
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
    help_row("function|help", Category::kScripting),
};

constexpr std::array kCommands = {
    Command{.name = "monitor",
            .arity = 1,
            .flags = Command::kAdmin | Command::kLoading,
            .family = kFamily,
            .handler = monitor,
            .since = "1.0.0",
            .complexity = "O(N)",
            .summary = "Shows every command that is executed, as it is executed"},
    Command{.name = "time",
            .arity = 1,
            .flags = Command::kFast | Command::kLoading,
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
