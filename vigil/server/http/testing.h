// SPDX-License-Identifier: Apache-2.0
//
// HttpTestbed: an HttpSession with a server state of its own and no network, for tests and fuzzing.
//
// Thread safety: none; belongs to one test.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "vigil/server/http/session.h"
#include "vigil/server/reactor/server_state.h"

namespace vigil::server {

class HttpTestbed {
 public:
  static ServerOptions small_options() {
    ServerOptions options;
    options.threads = 1;
    options.cache.shards = 2;
    options.http_body_bytes_max = std::size_t{64} << 10;
    return options;
  }

  explicit HttpTestbed(ServerOptions options = small_options())
      : state_(std::move(options)), context_{state_, 0, clock_, *state_.counters.front()} {
    reconnect();
  }

  // What a connection does with arriving bytes; returns what it would send.
  std::string send(std::string_view bytes) {
    constexpr std::size_t kPaddingBytes = 64;  // promised by Session behind the input
    pending_.append(bytes);
    const std::size_t offered = pending_.size();
    pending_.append(kPaddingBytes, 'x');
    const Consumed consumed =
        session_->consume(std::string_view(pending_).substr(0, offered), output_);
    pending_.resize(offered);
    pending_.erase(0, consumed.bytes);
    closed_ = consumed.close;
    std::string sent(output_.view());
    output_.consume(output_.size());
    return sent;
  }

  void reconnect() {
    session_ = std::make_unique<HttpSession>(context_, "[server]\n");
    pending_.clear();
    closed_ = false;
  }

  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] std::size_t pending_bytes() const { return pending_.size(); }
  [[nodiscard]] HttpSession& session() { return *session_; }
  [[nodiscard]] ServerState& state() { return state_; }
  [[nodiscard]] ReactorContext& context() { return context_; }
  [[nodiscard]] CoarseClock& clock() { return clock_; }

 private:
  ServerState state_;
  CoarseClock clock_;
  ReactorContext context_;
  Output output_;
  std::unique_ptr<HttpSession> session_;
  std::string pending_;
  bool closed_ = false;
};

// A response, taken apart.
struct HttpAnswer {
  int status = 0;
  std::string head;
  std::string body;

  explicit HttpAnswer(const std::string& bytes) {
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string::npos || bytes.size() < 12) return;
    status = std::stoi(bytes.substr(9, 3));
    head = bytes.substr(0, end + 2);
    body = bytes.substr(end + 4);
  }
  // The value of a header field, empty if it is missing.
  [[nodiscard]] std::string field(const std::string& name) const {
    const std::size_t at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const std::size_t start = at + name.size() + 4;
    return head.substr(start, head.find("\r\n", start) - start);
  }
};

}  // namespace vigil::server
