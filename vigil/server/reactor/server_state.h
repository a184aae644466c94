// SPDX-License-Identifier: Apache-2.0
//
// What sessions work with: ServerState is shared by all reactors, ReactorContext belongs to one.
//
// Thread safety: ServerState's members may each be used from any thread as their own headers say.
// A ReactorContext is used by the thread of its reactor only.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "vigil/base/clock.h"
#include "vigil/base/wall_clock.h"
#include "vigil/cache/cache.h"
#include "vigil/orders/orders.h"
#include "vigil/server/config/options.h"
#include "vigil/server/durability/durability.h"
#include "vigil/server/reactor/buffer_budget.h"
#include "vigil/server/reactor/counters.h"
#include "vigil/server/reactor/fault.h"
#include "vigil/server/reactor/load_samples.h"
#include "vigil/server/reactor/session.h"

namespace vigil::server {

class Connection;  // connection.h

struct ServerState {
  // Without a data directory everything is kept in memory only.
  explicit ServerState(ServerOptions server_options,
                       std::unique_ptr<DataDirectory> data_directory = nullptr);

  // Takes one of load_samples.
  void sample_load(std::int64_t now_ms);

  const ServerOptions options;  // threads is resolved: never 0
  cache::Cache cache;
  orders::Orders orders;
  Durability durability;
  std::vector<std::unique_ptr<ReactorCounters>> counters;  // one per reactor
  FaultLog faults;
  LoadSamples load_samples;
  WallClock wall_clock;  // followed by the reactors; translates dates at the edges
  BufferBudget buffers;
  const std::int64_t started_ms;
  // What SHUTDOWN does; set before the first connection. Empty: it is refused.
  std::function<void()> stop_process;
  std::atomic<bool> draining{false};          // set by request_stop(): /readyz answers 503
  std::atomic<std::uint64_t> connections{0};  // open now, over all reactors

  // The ports that were bound (port 0 resolved); set before the first connection.
  std::uint16_t resp_port = 0;
  std::uint16_t http_port = 0;
};

struct ReactorContext {
  ServerState& server;
  std::uint32_t reactor;     // 0 .. server.options.threads - 1
  const CoarseClock& clock;  // ticks once per turn of the loop
  ReactorCounters& counters;
};

// Makes the session of a new connection, on the reactor's thread. The connection outlives it.
using SessionFactory = std::function<std::unique_ptr<Session>(ReactorContext&, Connection&)>;

}  // namespace vigil::server
