// SPDX-License-Identifier: Apache-2.0
//
// Poller: the epoll set of one reactor. A source is whatever pointer the caller finds again.
//
// Thread safety: belongs to one thread.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "vigil/server/transport/socket.h"

namespace vigil::server {

class Poller {
 public:
  // Aborts if the system has no epoll instance left.
  Poller();
  Poller(const Poller&) = delete;
  Poller& operator=(const Poller&) = delete;

  // False if the system has no memory or no watch left for it.
  [[nodiscard]] bool add(int fd, std::uint32_t events, void* source);
  // REQUIRES: `fd` was added.
  void change(int fd, std::uint32_t events, void* source);
  void remove(int fd);

  // Waits for events, at most `timeout_ms` (-1: for ever); valid until the next call.
  [[nodiscard]] std::span<const epoll_event> wait(int timeout_ms);

 private:
  static constexpr std::size_t kEventsMax = 256;  // of one turn

  FileDescriptor epoll_;
  std::array<epoll_event, kEventsMax> events_{};
};

}  // namespace vigil::server
