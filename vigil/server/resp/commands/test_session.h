// SPDX-License-Identifier: Apache-2.0
//
// RespTestServer and RespTestClient: RESP sessions without a network, for tests and fuzz targets.
//
//   RespTestServer server;
//   RespTestClient client(server);
//   EXPECT_EQ(client.run({"SET", "a", "1"}), "+OK\r\n");
//
// Thread safety: none.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vigil/base/clock.h"
#include "vigil/cache/expiry_listener.h"
#include "vigil/server/reactor/connection.h"
#include "vigil/server/reactor/mailbox.h"
#include "vigil/server/reactor/server_state.h"
#include "vigil/server/resp/commands/all_commands.h"
#include "vigil/server/resp/reactor_state.h"
#include "vigil/server/resp/session.h"

namespace vigil::server {

[[nodiscard]] inline ServerOptions small_server_options() {
  ServerOptions options;
  options.threads = 1;
  options.cache.shards = 4;
  options.cache.memory_limit_bytes = std::uint64_t{1} << 30;
  return options;
}

class RespTestServer {
 public:
  explicit RespTestServer(ServerOptions options = small_server_options(),
                          const CommandTable& commands = all_commands())
      : state_(std::move(options)),
        shared_(state_, commands, {mailbox_.get()}),
        context_{state_, 0, clock_, *state_.counters[0]},
        host_(state_.options, state_.durability, state_.faults, state_.buffers, 0, clock_,
              context_.counters, mailbox_),
        reactor_(context_, shared_),
        expiry_(state_.cache, [this](const cache::RemovedEntry& entry) {
          shared_.events.notify(KeyspaceEvents::kExpired, "expired", entry.key);
        }) {}

  [[nodiscard]] ServerState& state() { return state_; }
  [[nodiscard]] RespShared& shared() { return shared_; }
  [[nodiscard]] RespReactor& reactor() { return reactor_; }
  [[nodiscard]] ConnectionHost& host() { return host_; }
  [[nodiscard]] std::uint64_t next_id() { return ++ids_; }

  // Moves the clock on until it shows `unix_ms`, and collects what expired.
  void advance_to(std::int64_t unix_ms) {
    while (clock_.unix_ms() < unix_ms) clock_.tick();
    while (state_.cache.collect_expired(0, 1, clock_.unix_ms(), 1000).more) {
    }
    deliver();
  }
  [[nodiscard]] std::int64_t now_ms() const { return clock_.unix_ms(); }
  // Runs pub/sub messages that are under way.
  void deliver() { mailbox_->run(); }

 private:
  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  CoarseClock clock_;
  ServerState state_;
  RespShared shared_;
  ReactorContext context_;
  ConnectionHost host_;
  RespReactor reactor_;
  cache::ExpiryListener expiry_;
  std::uint64_t ids_ = 0;
};

class RespTestClient {
 public:
  explicit RespTestClient(RespTestServer& server)
      : server_(server),
        connection_(server.next_id(), FileDescriptor(), Protocol::kResp, server.host()),
        session_(server.reactor(), connection_) {}

  // Sends one request as an array of bulk strings and returns the raw reply.
  std::string run(const std::vector<std::string_view>& args) {
    std::string request = "*" + std::to_string(args.size()) + "\r\n";
    for (const std::string_view arg : args) {
      request += "$" + std::to_string(arg.size()) + "\r\n" + std::string(arg) + "\r\n";
    }
    return send(request);
  }

  // Offers raw bytes behind those that were not consumed yet; returns what was answered.
  std::string send(std::string_view bytes) {
    pending_ += bytes;
    Output output;
    while (!closed_) {
      // The session may read a little beyond its input.
      std::string padded = pending_ + std::string(64, '\xAA');
      const Consumed consumed =
          session_.consume(std::string_view(padded).substr(0, pending_.size()), output);
      pending_.erase(0, consumed.bytes);
      closed_ = consumed.close;
      if (consumed.bytes == 0) break;
    }
    return std::string(output.view());
  }

  // Offers raw bytes of which a request throws, and does what a connection does then; returns what
  // was answered.
  std::string send_until_fault(std::string_view bytes) {
    Output output;
    const std::string padded = std::string(bytes) + std::string(64, '\xAA');
    try {
      static_cast<void>(session_.consume(std::string_view(padded).substr(0, bytes.size()), output));
      return "nothing was thrown";
    } catch (const std::exception&) {
      session_.answer_fault(output);
    }
    return std::string(output.view());
  }

  // What pub/sub appended since the last call.
  std::string received() {
    server_.deliver();
    std::string bytes(connection_.output().view());
    connection_.output().truncate(0);
    return bytes;
  }

  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] bool mid_request() const { return session_.mid_request(); }
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }
  [[nodiscard]] Connection& connection() { return connection_; }

 private:
  RespTestServer& server_;
  Connection connection_;
  RespSession session_;
  std::string pending_;
  bool closed_ = false;
};

}  // namespace vigil::server
