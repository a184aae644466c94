// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/shared.h"

#include <utility>

#include "vigil/base/random.h"
#include "vigil/server/resp/command_table.h"

namespace vigil::server {

namespace {

KeyspaceEvents::Classes initial_events(const ServerOptions& options) {
  return KeyspaceEvents::parse(options.notify_keyspace_events).value_or(0);
}

std::string random_digits(std::size_t count) {
  Random random(random_seed());
  std::string digits;
  while (digits.size() < count) digits.push_back("0123456789abcdef"[random.below(16)]);
  return digits;
}

}  // namespace

RespShared::RespShared(ServerState& server_state, const CommandTable& command_table,
                       std::vector<Mailbox*> reactor_mailboxes)
    : server(server_state),
      commands(command_table),
      mailboxes(std::move(reactor_mailboxes)),
      run_id(random_digits(40)),
      pubsub(mailboxes),
      events(pubsub, initial_events(server_state.options)),
      monitors(mailboxes) {
  for (std::size_t i = 0; i < mailboxes.size(); ++i) {
    command_statistics.push_back(std::make_unique<CommandStatistics>(commands.rows().size()));
  }
}

}  // namespace vigil::server
