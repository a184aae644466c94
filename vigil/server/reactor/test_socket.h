// SPDX-License-Identifier: Apache-2.0
//
// TestSocket: a client of a server that runs in the same process, for tests.
//
// Thread safety: none; belongs to one test.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "vigil/server/transport/socket.h"

namespace vigil::server {

inline constexpr int kPatience_ms = 20'000;  // bounds a hang; no test waits for it when all is well

// A blocking client socket.
class TestSocket {
 public:
  explicit TestSocket(std::uint16_t port, int receive_buffer = 0)
      : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (receive_buffer != 0) {
      ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        ::connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }

  [[nodiscard]] bool connected() const { return connected_; }
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  // Sends without waiting for room; false once the peer is gone.
  bool send_some(std::string_view bytes) {
    const ssize_t size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return size >= 0 || errno == EAGAIN;
  }
  void finish_sending() { ::shutdown(fd_.get(), SHUT_WR); }

  // Exactly `size` bytes, or fewer at the end of the stream.
  std::string receive(std::size_t size) {
    std::string bytes;
    while (bytes.size() < size && wait_readable()) {
      char buffer[65536];
      const ssize_t got =
          ::recv(fd_.get(), buffer, std::min(sizeof(buffer), size - bytes.size()), 0);
      if (got <= 0) break;
      bytes.append(buffer, static_cast<std::size_t>(got));
    }
    return bytes;
  }
  std::string receive_all() { return receive(static_cast<std::size_t>(-1)); }
  std::string request(std::string_view bytes, std::size_t reply_size) {
    send(bytes);
    return receive(reply_size);
  }
  // Waits until the peer closed, discarding what it sent before.
  bool wait_closed() {
    for (;;) {
      if (!wait_readable()) return false;
      char buffer[65536];
      if (::recv(fd_.get(), buffer, sizeof(buffer), 0) <= 0) return true;
    }
  }

 private:
  [[nodiscard]] bool wait_readable() const {
    pollfd item{fd_.get(), POLLIN, 0};
    return ::poll(&item, 1, kPatience_ms) == 1;
  }

  FileDescriptor fd_;
  bool connected_ = false;
};

}  // namespace vigil::server
