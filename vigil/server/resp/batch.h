// SPDX-License-Identifier: Apache-2.0
//
// RespBatch: the requests that one round of RespSession::consume works on, in the order in which
// they were sent.
//
//   batch.clear();
//   parser.parse(input, authenticated, batch.arguments());   // appends the arguments of a request
//   Request& request = batch.add(first_arg);
//   batch.args(request);                                     // "SET", "key", "value"
//
// A batch is kept by the reactor, not by the session: its buffers stay in the processor's cache,
// and connections stay small.
//
// Thread safety: belongs to one reactor.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "vigil/cache/cache.h"
#include "vigil/server/resp/parser.h"

namespace vigil::server {

struct Command;

// A parsed request, between the passes over a batch.
struct Request {
  const Command* command = nullptr;  // nullptr: unknown
  std::uint32_t first_arg = 0;       // in the batch's arguments
  std::uint32_t arg_count = 0;
  std::size_t begin = 0;  // bytes of the batch's input in front of it
  cache::Key key;         // of the first key; its bytes are null if the command has none
};

class RespBatch {
 public:
  static constexpr std::size_t kRequestsMax = 64;

  void clear() {
    size_ = 0;
    arguments_.clear();
  }
  // What the parser appends to; requests refer to it by index, because it may move.
  [[nodiscard]] RespArguments& arguments() { return arguments_; }

  // A request whose arguments are those from `first_arg` on; its command and key are for the caller
  // to set. REQUIRES: size() < kRequestsMax.
  [[nodiscard]] Request& add(std::size_t first_arg) {
    Request& request = requests_[size_++];
    request.first_arg = static_cast<std::uint32_t>(first_arg);
    request.arg_count = static_cast<std::uint32_t>(arguments_.views.size() - first_arg);
    return request;
  }
  // The one added before `request`; nullptr if that is the first.
  [[nodiscard]] const Request* before(const Request& request) const {
    return &request == requests_.data() ? nullptr : &request - 1;
  }

  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] std::span<const Request> requests() const { return {requests_.data(), size_}; }
  // With the command's name; valid until more is parsed.
  [[nodiscard]] std::span<const std::string_view> args(const Request& request) const {
    return {arguments_.views.data() + request.first_arg, request.arg_count};
  }

 private:
  std::array<Request, kRequestsMax> requests_;
  std::size_t size_ = 0;
  RespArguments arguments_;
};

}  // namespace vigil::server
