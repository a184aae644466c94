// SPDX-License-Identifier: Apache-2.0
//
// Connection: one client as its session and its reactor see it.
//
// The session may append to output() outside of consume() (a pub/sub message) and then calls
// request_attention(), so that the reactor sends it before it sleeps.
//
// Thread safety: belongs to one reactor.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "vigil/server/fault.h"
#include "vigil/server/output.h"
#include "vigil/server/session.h"
#include "vigil/server/socket.h"

namespace vigil::server {

enum class Protocol : std::uint8_t { kResp, kHttp };

class Connection {
 public:
  Connection(std::uint64_t id, FileDescriptor fd, Protocol protocol, std::int64_t now_ms,
             std::vector<Connection*>& attention)
      : id_(id),
        fd_(std::move(fd)),
        protocol_(protocol),
        created_ms_(now_ms),
        attention_(attention),
        active_ms(now_ms) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // --- For sessions ----------------------------------------------------------------------------

  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] Protocol protocol() const { return protocol_; }
  [[nodiscard]] std::int64_t created_ms() const { return created_ms_; }
  [[nodiscard]] Output& output() { return output_; }
  [[nodiscard]] FaultPlace fault_place() const {
    return {protocol_ == Protocol::kResp ? "RESP connection" : "HTTP connection", id_};
  }

  void request_attention() {
    if (attention_requested) return;
    attention_.push_back(this);
    attention_requested = true;
  }
  // Closes without sending what is pending.
  void request_kill() {
    killed = true;
    request_attention();
  }
  // A subscriber's output has a limit of its own: it receives without asking.
  bool subscriber = false;

 private:
  const std::uint64_t id_;
  FileDescriptor fd_;
  const Protocol protocol_;
  const std::int64_t created_ms_;
  std::vector<Connection*>& attention_;
  Output output_;

 public:
  // --- For the reactor -------------------------------------------------------------------------

  std::unique_ptr<Session> session;
  Output input;  // a byte queue too: what was read and not consumed yet

  std::int64_t active_ms;       // last byte received
  std::int64_t request_ms = 0;  // when the open request began; 0: none is open
  std::int64_t stalled_ms = 0;  // since when pending output made no progress; 0: none pending
  std::uint32_t events = 0;     // what epoll watches
  std::size_t index = 0;        // in the reactor's list
  bool attention_requested = false;
  bool killed = false;
  bool closed = false;         // waits to be destroyed at the end of the turn
  bool closing = false;        // no more requests; close once the output was sent
  bool peer_done = false;      // the peer sent its last byte
  bool draining = false;       // the server stops: what was received is the last input
  bool input_blocked = false;  // requests wait in `input` until the peer reads its replies
  bool lingering = false;      // our side is shut down; reading until the peer closes
  std::size_t discarded = 0;   // bytes read while lingering
};

}  // namespace vigil::server
