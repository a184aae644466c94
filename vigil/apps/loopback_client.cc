// SPDX-License-Identifier: Apache-2.0
#include "vigil/apps/loopback_client.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>

#include "vigil/server/http/text.h"

namespace vigil::apps {

namespace {

Error system_error(std::string_view what) {
  return Error{std::string(what).append(": ").append(std::strerror(errno))};
}

std::size_t to_count(std::string_view digits) {
  std::size_t count = 0;
  const auto [stop, error] = std::from_chars(digits.data(), digits.data() + digits.size(), count);
  return error == std::errc() && stop != digits.data() ? count : 0;
}

}  // namespace

Result<LoopbackClient> LoopbackClient::connect(const std::string& address, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
    return Error{address + " is not an address"};
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  LoopbackClient client(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (client.socket_ < 0) return system_error("socket");
  const timeval timeout{kTimeout_s, 0};
  setsockopt(client.socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(client.socket_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  if (::connect(client.socket_, found->ai_addr, found->ai_addrlen) != 0) {
    return system_error("connect to " + address + ":" + std::to_string(port));
  }
  return client;
}

LoopbackClient::~LoopbackClient() {
  if (socket_ >= 0) close(socket_);
}

Result<void> LoopbackClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return system_error("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

Result<void> LoopbackClient::fill() {
  std::array<char, 16384> piece;
  ssize_t got = -1;
  do {
    got = recv(socket_, piece.data(), piece.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return system_error("receive");
  if (got == 0) return Error{"the server closed the connection"};
  buffer_.append(piece.data(), static_cast<std::size_t>(got));
  return {};
}

Result<std::string> LoopbackClient::read_line() {
  std::size_t end = buffer_.find("\r\n");
  while (end == std::string::npos) {
    if (Result<void> filled = fill(); !filled) return filled.error();
    end = buffer_.find("\r\n");
  }
  std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 2);
  return line;
}

Result<void> LoopbackClient::skip(std::size_t bytes) {
  while (buffer_.size() < bytes) {
    if (Result<void> filled = fill(); !filled) return filled.error();
  }
  buffer_.erase(0, bytes);
  return {};
}

Result<bool> LoopbackClient::read_resp_reply() {
  bool accepted = true;
  // Replies that are still to come: an aggregate adds its parts.
  for (std::size_t pending = 1; pending != 0; --pending) {
    const Result<std::string> line = read_line();
    if (!line) return line.error();
    const std::string_view rest =
        std::string_view(*line).substr(std::min<std::size_t>(1, line->size()));
    switch (line->empty() ? '\0' : line->front()) {
      case '-':
      case '!':
        accepted = false;
        break;
      case '*':
      case '~':
        pending += to_count(rest);
        break;
      case '%':
        pending += 2 * to_count(rest);
        break;
      case '$':
      case '=':
        if (rest == "-1") break;
        if (Result<void> skipped = skip(to_count(rest) + 2); !skipped) return skipped.error();
        break;
      default:
        break;
    }
  }
  return accepted;
}

Result<int> LoopbackClient::read_http_reply() {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  constexpr std::string_view kLength = "Content-Length:";
  const Result<std::string> status_line = read_line();
  if (!status_line) return status_line.error();
  if (!status_line->starts_with(kVersion)) return Error{"not an HTTP response: " + *status_line};
  std::size_t body_size = 0;
  for (;;) {
    const Result<std::string> line = read_line();
    if (!line) return line.error();
    if (line->empty()) break;
    const std::string_view field(*line);
    if (server::equals_ignoring_case(field.substr(0, kLength.size()), kLength)) {
      body_size = to_count(server::trim_http_space(field.substr(kLength.size())));
    }
  }
  if (Result<void> skipped = skip(body_size); !skipped) return skipped.error();
  return static_cast<int>(to_count(status_line->substr(kVersion.size(), 3)));
}

}  // namespace vigil::apps
