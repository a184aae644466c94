// SPDX-License-Identifier: Apache-2.0
//
// Demo: a live order workload against a server in the same process, by real clients over loopback
// sockets: about 2,000 events per second, four fifths by RESP, one fifth by HTTP. Orders are
// created with a deadline, take legal steps, expire, and now and then a late, repeated or illegal
// event is refused.
//
// Thread safety: belongs to main; runs a thread of its own between construction and destruction,
// which touches nothing of the server but its sockets. A lost connection ends the workload, never
// the server.
#pragma once

#include <stop_token>
#include <string>
#include <thread>

#include "vigil/server/reactor/server_state.h"

namespace vigil::apps {

class Demo {
 public:
  // Starts the workload and prints what to try on standard error. The server must be ready.
  explicit Demo(const server::ServerState& server);
  // Stops and waits.
  ~Demo() = default;
  Demo(const Demo&) = delete;
  Demo& operator=(const Demo&) = delete;

 private:
  std::jthread thread_;
};

}  // namespace vigil::apps
