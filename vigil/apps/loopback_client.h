// SPDX-License-Identifier: Apache-2.0
//
// LoopbackClient: a small blocking client for the server in the same process; it knows just enough
// of RESP and HTTP to tell where a reply ends and whether it is a refusal.
//
// Thread safety: belongs to one thread. A reply that does not come within kTimeout_s is an error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "vigil/base/result.h"

namespace vigil::apps {

class LoopbackClient {
 public:
  static constexpr int kTimeout_s = 5;

  static Result<LoopbackClient> connect(const std::string& address, std::uint16_t port);
  ~LoopbackClient();
  LoopbackClient(LoopbackClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), buffer_(std::move(other.buffer_)) {}
  LoopbackClient& operator=(LoopbackClient&&) = delete;

  Result<void> send(std::string_view bytes);

  // Reads one reply; false if it is an error reply.
  Result<bool> read_resp_reply();
  // Reads one response; its status.
  Result<int> read_http_reply();

 private:
  explicit LoopbackClient(int socket) : socket_(socket) {}

  Result<std::string> read_line();
  Result<void> skip(std::size_t bytes);
  Result<void> fill();

  int socket_;
  std::string buffer_;
};

}  // namespace vigil::apps
