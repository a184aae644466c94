// SPDX-License-Identifier: Apache-2.0
//
// What RESP sessions work with beside the cache: RespShared over all reactors, RespReactor for the
// sessions of one.
//
// Thread safety: RespShared's members as their headers say; a RespReactor belongs to one reactor.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/cache/cache.h"
#include "vigil/server/reactor/server_state.h"
#include "vigil/server/resp/clients.h"
#include "vigil/server/resp/keyspace_events.h"
#include "vigil/server/resp/parser.h"
#include "vigil/server/resp/pubsub.h"

namespace vigil::server {

struct Command;

struct RespShared {
  RespShared(ServerState& server_state, std::vector<Mailbox*> reactor_mailboxes);

  ServerState& server;
  const std::vector<Mailbox*> mailboxes;  // one per reactor
  PubSub pubsub;
  KeyspaceEvents events;
  Clients clients;
  // Subtracted from the totals that INFO shows; set by CONFIG RESETSTAT.
  std::atomic<std::uint64_t> hits_at_reset{0};
  std::atomic<std::uint64_t> misses_at_reset{0};
  std::atomic<std::uint64_t> commands_at_reset{0};
  std::atomic<std::uint64_t> connections_at_reset{0};
  std::atomic<std::uint64_t> expired_at_reset{0};
};

// A parsed request, between the passes over a batch.
struct Request {
  const Command* command = nullptr;  // nullptr: unknown
  std::uint32_t first_arg = 0;       // in RespBatch::arguments
  std::uint32_t arg_count = 0;
  cache::Key key;
};

// The requests that one pass of RespSession::consume works on. One per reactor: its buffers stay
// in the processor's cache, and connections stay small.
struct RespBatch {
  static constexpr std::size_t kRequestsMax = 64;

  std::array<Request, kRequestsMax> requests;
  std::size_t size = 0;
  RespArguments arguments;
};

// Counted while a batch runs, added to the reactor's counters at its end.
struct RespTally {
  std::array<std::uint32_t, kCommandFamilies> commands{};
  std::uint32_t writes = 0;
  std::uint32_t hits = 0;
  std::uint32_t misses = 0;
  std::uint32_t errors = 0;
  std::uint32_t busy = 0;
};

struct RespReactor {
  RespReactor(ReactorContext& reactor_context, RespShared& resp_shared)
      : context(reactor_context), shared(resp_shared), random(random_seed()) {}

  ReactorContext& context;
  RespShared& shared;
  RespBatch batch;
  RespTally tally;
  Random random;        // of RANDOMKEY
  std::string scratch;  // of handlers that build a value
};

}  // namespace vigil::server
