// SPDX-License-Identifier: Apache-2.0
//
// ServerOptions: everything that decides how a Server behaves, as plain data; Config: that, and how
// the process around it behaves. config.h fills them from a file and flags, tests by hand.
//
// Thread safety: plain values. The server copies its options at construction and never changes the
// copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "vigil/cache/cache.h"
#include "vigil/orders/orders.h"

namespace vigil::server {

// What outlives the process: docs/durability.md.
struct DurabilityOptions {
  std::string mode = "always";  // when a write is acknowledged: "always", "everysec" or "off"
  std::uint64_t segment_bytes = std::uint64_t{32} << 20;        // one file of the log
  std::uint64_t cut_bytes_max = std::uint64_t{64} << 20;        // a torn end that may be cut off
  std::uint64_t backlog_bytes_max = std::uint64_t{64} << 20;    // not written yet: writes wait
  std::uint64_t snapshot_log_bytes = std::uint64_t{256} << 20;  // log after which a snapshot begins
};

struct ServerOptions {
  // --- Where it listens ------------------------------------------------------------------------
  std::string bind = "127.0.0.1";  // numeric IPv4 or IPv6 address
  std::uint16_t resp_port = 6390;  // 0: a free port
  std::uint16_t http_port = 8390;  // 0: a free port
  std::uint32_t threads = 0;       // reactors; 0: one per core this process may use
  int listen_backlog = 511;
  std::string resp_socket;  // path of a Unix socket beside the port; empty: none
  std::string http_socket;

  // --- Who may use it --------------------------------------------------------------------------
  std::string password;     // of AUTH and HELLO; empty: none is asked for
  std::string admin_token;  // bearer token of the HTTP /admin paths; empty: none is asked for

  // --- What it stores --------------------------------------------------------------------------
  cache::CacheOptions cache;
  orders::OrderOptions orders;
  std::string notify_keyspace_events;  // as in Redis: "KEA", "Ex"; empty: none
  std::string data_dir;                // of vigild.ready, the log and its snapshots; empty: none
  DurabilityOptions durability;        // with a data_dir

  // --- Limits of one connection ----------------------------------------------------------------
  std::uint32_t connections_max = 10'000;                 // over all reactors and protocols
  std::size_t request_bytes_max = std::size_t{64} << 20;  // one request, header to last byte
  std::uint32_t request_args_max = 1U << 20;              // arguments of one RESP request
  std::size_t http_body_bytes_max = std::size_t{4} << 20;
  std::size_t output_high_water_bytes = std::size_t{1} << 20;  // above: the peer is not read from
  std::size_t output_limit_bytes = std::size_t{64} << 20;      // above: the peer is cut off
  std::size_t pubsub_output_limit_bytes = std::size_t{32} << 20;

  std::uint64_t connection_memory_limit_bytes = std::uint64_t{256} << 20;  // of all; 0: none

  // --- Time-outs, milliseconds; 0: never -------------------------------------------------------
  std::int64_t idle_timeout_ms = 0;              // RESP, between requests
  std::int64_t http_idle_timeout_ms = 60'000;    // HTTP keep-alive
  std::int64_t request_timeout_ms = 30'000;      // from the first byte of a request to its last
  std::int64_t slow_client_timeout_ms = 30'000;  // pending output of which nothing could be sent
  std::int64_t drain_timeout_ms = 5'000;         // at most, between request_stop() and the end
};

// Of a vigild.
struct Config {
  ServerOptions server;
  std::string password_file;     // its first line becomes server.password
  std::string admin_token_file;  // its first line becomes server.admin_token
  bool allow_unauthenticated = false;
  std::string log_level = "info";
  std::string log_file;  // empty: standard error
};

}  // namespace vigil::server
