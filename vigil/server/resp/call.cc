// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/call.h"

#include <algorithm>
#include <cctype>

#include "vigil/server/resp/command_table.h"

namespace vigil::server {

void Call::arity_error() {
  reply.error("ERR wrong number of arguments for '" + std::string(command.name) + "' command");
}

void Call::busy() {
  ++reactor.tally.busy;
  reply.error(kBusy);
}

namespace {

std::string in_upper_case(std::string_view text) {
  std::string upper(text);
  std::transform(upper.begin(), upper.end(), upper.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return upper;
}

}  // namespace

void run_subcommand(Call& call) {
  constexpr std::size_t kShownMax = 128;
  const std::string_view name = call.args.front();
  const Command* const subcommand = call.command.find_subcommand(name);
  if (subcommand == nullptr) {
    return call.reply.error("ERR unknown subcommand '" + std::string(name.substr(0, kShownMax)) +
                            "'. Try " + in_upper_case(call.command.name) + " HELP.");
  }
  call.reactor.tally.refine(*subcommand);
  Call inner{call.session, call.reactor, *subcommand, call.args.subspan(1),
             call.key,     call.now_ms,  call.reply};
  if (!subcommand->accepts(call.args.size() + 1)) return inner.arity_error();
  subcommand->handler(inner);
}

void subcommand_help(Call& call) {
  const std::size_t bar = call.command.name.find('|');
  const Command& container = *call.shared().commands.find(call.command.name.substr(0, bar));
  call.reply.array(1 + 2 * container.subcommands.size());
  call.reply.simple(in_upper_case(container.name) +
                    " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const Command& subcommand : container.subcommands) {
    call.reply.simple(in_upper_case(subcommand.name.substr(bar + 1)));
    call.reply.simple("    " + std::string(subcommand.summary) + ".");
  }
}

}  // namespace vigil::server
