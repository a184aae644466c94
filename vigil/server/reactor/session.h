// SPDX-License-Identifier: Apache-2.0
//
// Session: one protocol spoken over one connection. The reactor owns the socket and the buffers;
// a session only turns input bytes into output bytes, so it can be driven by tests and fuzzers
// without a network.
//
// Thread safety: a session belongs to the reactor of its connection and is called by no other
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "vigil/server/reactor/output.h"

namespace vigil::server {

enum class Protocol : std::uint8_t { kResp, kHttp };

struct Consumed {
  std::size_t bytes = 0;  // taken from the front of the input; the rest is offered again with more
  bool close = false;     // close the connection after the output was sent
  bool wrote = false;     // requests were executed that may write: replies wait for the log
};

class Session {
 public:
  virtual ~Session() = default;

  // Handles the whole requests at the front of `input`, appending the replies to `output` in
  // order. Stops early (leaving input) when `output` holds more than the reactor's high-water
  // mark. `input` is followed by at least 64 readable bytes of unspecified content.
  [[nodiscard]] virtual Consumed consume(std::string_view input, Output& output) = 0;

  // Called once instead of another consume(), after that threw: takes back what it wrote of the
  // open reply to `output` and appends the reply to the request that failed. The connection is
  // closed then.
  virtual void answer_fault(Output& output) = 0;

  // Whether the peer is in the middle of a request: decides between the idle and the slow-client
  // time-out.
  [[nodiscard]] virtual bool mid_request() const = 0;

  // Memory in which the session keeps a part of an unfinished request.
  [[nodiscard]] virtual std::size_t buffer_bytes() const { return 0; }

  // Replies that were waiting cannot be given: what their requests wrote could not be committed
  // (CommitGate::fail()), or a deferred reply was abandoned. They were dropped with everything
  // behind them. The session may append one last reply, an error, in the place of the first of
  // them; the connection closes after it, and the peer knows nothing of the other requests'
  // outcome.
  virtual void replies_lost(Output& output) { static_cast<void>(output); }
};

}  // namespace vigil::server
