// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/acceptor.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "vigil/base/check.h"

namespace vigil::server {

namespace {

constexpr int kAcceptsPerTurnMax = 64;

FileDescriptor spare_file() { return FileDescriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

std::string_view refusal(Protocol protocol) {
  return protocol == Protocol::kResp
             ? "-ERR max number of clients reached\r\n"
             : "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\n"
               "Content-Length: 0\r\n\r\n";
}

void refuse(const FileDescriptor& socket, Protocol protocol) {
  const std::string_view text = refusal(protocol);
  [[maybe_unused]] const ssize_t sent =
      ::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace

Acceptor::Acceptor(ServerState& server, ReactorCounters& counters, Poller& poller,
                   HandOver hand_over)
    : server_(server), counters_(counters), poller_(poller), hand_over_(std::move(hand_over)) {}

void Acceptor::listen(FileDescriptor socket, Protocol protocol) {
  if (!spare_.valid()) spare_ = spare_file();
  listeners_.push_back(std::make_unique<Listener>(Listener{std::move(socket), protocol}));
  Listener& listener = *listeners_.back();
  VIGIL_CHECK(poller_.add(listener.socket.get(), EPOLLIN, &listener),
              "the system has no epoll watch left for a listening socket");
}

bool Acceptor::accept_from(const void* source) {
  for (const auto& listener : listeners_) {
    if (source != listener.get()) continue;
    accept_all(*listener);
    return true;
  }
  return false;
}

void Acceptor::close() {
  for (const auto& listener : listeners_) listener->socket.reset();
}

void Acceptor::accept_all(const Listener& listener) {
  for (int i = 0; i < kAcceptsPerTurnMax; ++i) {
    FileDescriptor socket(
        ::accept4(listener.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.valid()) {
      admit(std::move(socket), listener.protocol);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EMFILE && errno != ENFILE) return;
    refuse_with_spare_file(listener);
  }
}

void Acceptor::refuse_with_spare_file(const Listener& listener) {
  spare_.reset();
  FileDescriptor socket(::accept4(listener.socket.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (socket.valid()) refuse(socket, listener.protocol);
  socket.reset();
  spare_ = spare_file();
  counters_.connections_refused.add(1);
}

void Acceptor::admit(FileDescriptor socket, Protocol protocol) {
  if (server_.connections.fetch_add(1, std::memory_order_relaxed) >=
      server_.options.connections_max) {
    server_.connections.fetch_sub(1, std::memory_order_relaxed);
    counters_.connections_refused.add(1);
    return refuse(socket, protocol);
  }
  const std::uint64_t id = ++accepted_;
  const auto reactor = static_cast<std::uint32_t>(id % server_.options.threads);
  hand_over_(reactor, {std::move(socket), protocol, id});
}

}  // namespace vigil::server
