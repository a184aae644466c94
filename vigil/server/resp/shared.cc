// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/shared.h"

#include <utility>

namespace vigil::server {

namespace {

KeyspaceEvents::Classes initial_events(const ServerOptions& options) {
  return KeyspaceEvents::parse(options.notify_keyspace_events).value_or(0);
}

}  // namespace

RespShared::RespShared(ServerState& server_state, const CommandTable& command_table,
                       std::vector<Mailbox*> reactor_mailboxes)
    : server(server_state),
      commands(command_table),
      mailboxes(std::move(reactor_mailboxes)),
      pubsub(mailboxes),
      events(pubsub, initial_events(server_state.options)) {}

}  // namespace vigil::server
