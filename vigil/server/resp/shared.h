// SPDX-License-Identifier: Apache-2.0
//
// RespShared: what the RESP sessions of all reactors share beside the cache.
//
// Thread safety: the members as their own headers say; the command table is constant.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vigil/server/reactor/mailbox.h"
#include "vigil/server/reactor/server_state.h"
#include "vigil/server/resp/clients.h"
#include "vigil/server/resp/command_statistics.h"
#include "vigil/server/resp/keyspace_events.h"
#include "vigil/server/resp/monitors.h"
#include "vigil/server/resp/pubsub.h"

namespace vigil::server {

class CommandTable;  // command_table.h

struct RespShared {
  RespShared(ServerState& server_state, const CommandTable& command_table,
             std::vector<Mailbox*> reactor_mailboxes);

  ServerState& server;
  const CommandTable& commands;
  const std::vector<Mailbox*> mailboxes;  // one per reactor
  const std::string run_id;               // of this start: 40 hexadecimal digits
  PubSub pubsub;
  KeyspaceEvents events;
  Monitors monitors;
  Clients clients;
  // What each reactor counted, by its index.
  std::vector<std::unique_ptr<CommandStatistics>> command_statistics;
  // Subtracted from the totals that INFO shows; set by CONFIG RESETSTAT.
  std::atomic<std::uint64_t> hits_at_reset{0};
  std::atomic<std::uint64_t> misses_at_reset{0};
  std::atomic<std::uint64_t> commands_at_reset{0};
  std::atomic<std::uint64_t> connections_at_reset{0};
  std::atomic<std::uint64_t> expired_at_reset{0};
  std::atomic<std::uint64_t> evicted_at_reset{0};
};

}  // namespace vigil::server
