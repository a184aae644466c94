// SPDX-License-Identifier: Apache-2.0
//
// Server: the cache with its listeners and reactors; what vigild's main() starts and stops.
//
// Thread safety: start() and wait() by the owning thread; request_stop() from any thread and from
// a signal handler (it stores a flag and writes to an eventfd).
//
//   Server server(options, http_sessions);
//   if (Result<void> started = server.start({}); !started) return fail(started.error());
//   std::printf("ready resp=%s http=%s\n", server.resp_address().c_str(), ...);
//   server.wait();  // until request_stop(), then drains
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/server/config/options.h"
#include "vigil/server/reactor/server_state.h"

namespace vigil::server {

class Server {
 public:
  // What a server with a data directory says, on threads of its own.
  struct Reports {
    // Everything is served from now on; or the data cannot be read, and nothing will be.
    std::function<void(const Result<void>&)> loaded;
    std::function<void(std::string_view)> note;
    std::function<void(std::string_view)> warning;
  };

  // Without `http_sessions` no HTTP port is opened; without `data` everything is kept in memory
  // only.
  explicit Server(ServerOptions options, SessionFactory http_sessions = nullptr,
                  std::unique_ptr<DataDirectory> data = nullptr);
  // Stops and waits, if that was not done.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds the ports, starts the reactors and begins to read the data; requests that need it are
  // answered that it is being read. The error names the address and the reason.
  Result<void> start(Reports reports = {});

  // Asks for a graceful drain: no new connections, requests already received are answered, pending
  // output is flushed, at most for options.drain_timeout_ms.
  void request_stop() noexcept;

  // Returns when all reactors have ended after request_stop(), and the log is closed.
  void wait();

  [[nodiscard]] ServerState& state() { return *state_; }
  [[nodiscard]] std::string resp_address() const;  // "127.0.0.1:6390"
  [[nodiscard]] std::string http_address() const;  // empty without HTTP

 private:
  struct Impl;

  void start_durability(Reports reports);

  std::unique_ptr<ServerState> state_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace vigil::server
