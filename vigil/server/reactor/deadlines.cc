// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/deadlines.h"

namespace vigil::server {

namespace {

// `since` or `timeout` 0: never.
std::int64_t deadline(std::int64_t since_ms, std::int64_t timeout_ms) {
  return since_ms == 0 || timeout_ms == 0 ? Deadlines::kNever : since_ms + timeout_ms;
}

}  // namespace

std::int64_t Deadlines::deadline_of(const Connection& connection) const {
  const Connection::Timers& timers = connection.timers();
  const std::int64_t stalled = deadline(timers.stalled_ms, options_.slow_client_timeout_ms);
  if (connection.phase() == Connection::Phase::kLingering) {
    return std::min(stalled, deadline(timers.lingering_ms, kLinger_ms));
  }
  if (timers.request_ms != 0) {
    if (!connection.may_process()) return stalled;  // we do not read its rest now
    return std::min(stalled, deadline(timers.request_ms, options_.request_timeout_ms));
  }
  if (connection.subscriber() || connection.held()) return stalled;
  const std::int64_t idle = connection.protocol() == Protocol::kResp
                                ? options_.idle_timeout_ms
                                : options_.http_idle_timeout_ms;
  return std::min(stalled, deadline(timers.active_ms, idle));
}

}  // namespace vigil::server
