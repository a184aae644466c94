// SPDX-License-Identifier: Apache-2.0
//
// LineSession: a protocol of lines for tests of what every protocol needs from a connection. Each
// line is a request; it is answered by itself in angle brackets:
//
//   get x        at once
//   set 7        once position 7 is committed
//   later x      once the ticket that `on_ticket` gets is completed
//   both 7       once its ticket is completed and position 7 is committed
//   silent 7     not at all, though it must be committed at position 7
//   bye          at once; the connection ends behind it
//   throw        throws after half an answer
//   throw later  throws after half an answer and a ticket
//
// Thread safety: belongs to one reactor. `on_ticket` is called on its thread.
#pragma once

#include <charconv>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "vigil/server/reactor/connection.h"
#include "vigil/server/reactor/session.h"

namespace vigil::server {

struct LineProtocol {
  std::function<void(std::string request, ReplyTicket ticket)> on_ticket;
  std::string lost_reply;  // in the place of replies that were lost; may be empty
};

class LineSession final : public Session {
 public:
  LineSession(const LineProtocol& protocol, CommitGate& gate, Connection& connection)
      : protocol_(protocol), gate_(gate), connection_(connection) {}

  [[nodiscard]] static std::string answer_to(std::string_view line) {
    return "<" + std::string(line) + ">";
  }

  [[nodiscard]] Consumed consume(std::string_view input, Output& output) override {
    Consumed consumed;
    while (!consumed.close) {
      const std::size_t end = input.find('\n', consumed.bytes);
      mid_request_ = end == std::string_view::npos && consumed.bytes < input.size();
      if (end == std::string_view::npos) break;
      replied_bytes_ = output.size();
      const std::string_view line = input.substr(consumed.bytes, end - consumed.bytes);
      if (!handle(line, output)) break;
      consumed.bytes = end + 1;
      consumed.close = line == "bye";
    }
    return consumed;
  }
  void answer_fault(Output& output) override {
    output.truncate(replied_bytes_);
    output.append("<fault>");
  }
  void replies_lost(Output& output) override { output.append(protocol_.lost_reply); }
  [[nodiscard]] bool mid_request() const override { return mid_request_; }

 private:
  // False if the request must wait in the input.
  bool handle(std::string_view line, Output& output) {
    const std::string_view word = line.substr(0, line.find(' '));
    const bool deferred = word == "later" || word == "both";
    if (deferred && !connection_.may_defer_reply()) return false;
    if (word == "set" || word == "both" || word == "silent") gate_.require(position_in(line));
    if (word == "throw") {
      output.append("half");
      const ReplyTicket ticket = line == "throw" ? ReplyTicket() : connection_.defer_reply(output);
      throw std::runtime_error("asked for");
    }
    if (deferred) {
      protocol_.on_ticket(std::string(line), connection_.defer_reply(output));
    } else if (word != "silent") {
      output.append(answer_to(line));
    }
    return true;
  }

  static CommitGate::Position position_in(std::string_view line) {
    CommitGate::Position position = 0;
    const std::string_view digits = line.substr(line.find(' ') + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), position);
    return position;
  }

  const LineProtocol& protocol_;
  CommitGate& gate_;
  Connection& connection_;
  std::size_t replied_bytes_ = 0;
  bool mid_request_ = false;
};

}  // namespace vigil::server
