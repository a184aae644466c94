// SPDX-License-Identifier: Apache-2.0
//
// Acceptor: the listening sockets. Accepts connections, numbers them, hands them out to the
// reactors in turn, and refuses with a reason those beyond options.connections_max.
//
// When the process runs out of files it gives up a spare one for a moment to accept and refuse the
// connection, which would keep the listener ready and the loop spinning otherwise.
//
// Thread safety: belongs to one reactor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "vigil/server/reactor/poller.h"
#include "vigil/server/reactor/server_state.h"
#include "vigil/server/transport/socket.h"

namespace vigil::server {

struct AcceptedSocket {
  FileDescriptor socket;
  Protocol protocol = Protocol::kResp;
  std::uint64_t id = 0;  // of the connection; never used twice
};

class Acceptor {
 public:
  // Gives the connection to a reactor, by its index.
  using HandOver = std::function<void(std::uint32_t reactor, AcceptedSocket accepted)>;

  Acceptor(ServerState& server, ReactorCounters& counters, Poller& poller, HandOver hand_over);
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  void listen(FileDescriptor socket, Protocol protocol);
  // Accepts what waits on the listener that is the poller's `source`; false if none of them is.
  bool accept_from(const void* source);
  // No more connections.
  void close();

 private:
  struct Listener {
    FileDescriptor socket;
    Protocol protocol;
  };

  void accept_all(const Listener& listener);
  void refuse_with_spare_file(const Listener& listener);
  void admit(FileDescriptor socket, Protocol protocol);

  ServerState& server_;
  ReactorCounters& counters_;
  Poller& poller_;
  const HandOver hand_over_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  FileDescriptor spare_;
  std::uint64_t accepted_ = 0;
};

}  // namespace vigil::server
