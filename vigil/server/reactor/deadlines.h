// SPDX-License-Identifier: Apache-2.0
//
// Deadlines: when the connections of one reactor must have heard from their peers. Knows only the
// earliest deadline; when that comes it looks at every connection (a *sweep*), at most once per
// kSweepInterval_ms.
//
// What a connection waits for, and how long: for progress of its output
// options.slow_client_timeout_ms; for the rest of a request options.request_timeout_ms; for the
// next request the idle time-out of its protocol, unless it is a subscriber or still waits for
// replies itself; in the phase kLingering for the peer's close kLinger_ms.
//
// Complexity: note() O(1); a sweep O(connections). Thread safety: belongs to one reactor.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <vector>

#include "vigil/server/config/options.h"
#include "vigil/server/reactor/connection.h"

namespace vigil::server {

class Deadlines {
 public:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
  static constexpr std::int64_t kSweepInterval_ms = 50;
  static constexpr std::int64_t kLinger_ms = 1000;

  explicit Deadlines(const ServerOptions& options) : options_(options) {}

  // Must be called after anything that may have brought the connection's deadline forward.
  void note(const Connection& connection) {
    next_sweep_ms_ = std::min(next_sweep_ms_, deadline_of(connection));
  }
  [[nodiscard]] std::int64_t next_sweep_ms() const { return next_sweep_ms_; }

  // Calls overdue(connection) for each connection whose deadline has come. The callback may remove
  // that connection, and no other, by putting the last one in its place.
  template <class Overdue>
  void sweep(const std::vector<std::unique_ptr<Connection>>& connections, std::int64_t now_ms,
             Overdue overdue) {
    if (now_ms < next_sweep_ms_) return;
    std::int64_t earliest = kNever;
    for (std::size_t i = connections.size(); i-- > 0;) {
      const std::int64_t deadline = deadline_of(*connections[i]);
      if (deadline <= now_ms) {
        overdue(*connections[i]);
      } else {
        earliest = std::min(earliest, deadline);
      }
    }
    next_sweep_ms_ = earliest == kNever ? kNever : std::max(earliest, now_ms + kSweepInterval_ms);
  }

 private:
  [[nodiscard]] inline std::int64_t deadline_of(const Connection& connection) const;
  // `since` or `timeout` 0: never.
  [[nodiscard]] static std::int64_t deadline_after(std::int64_t since_ms, std::int64_t timeout_ms) {
    return since_ms == 0 || timeout_ms == 0 ? kNever : since_ms + timeout_ms;
  }

  const ServerOptions& options_;
  std::int64_t next_sweep_ms_ = kNever;
};

// Inline: computed after each event of a connection.
inline std::int64_t Deadlines::deadline_of(const Connection& connection) const {
  const Connection::Timers& timers = connection.timers();
  const std::int64_t stalled = deadline_after(timers.stalled_ms, options_.slow_client_timeout_ms);
  if (connection.phase() == Connection::Phase::kLingering) {
    return std::min(stalled, deadline_after(timers.lingering_ms, kLinger_ms));
  }
  if (timers.request_ms != 0) {
    if (!connection.may_process()) return stalled;  // we do not read its rest now
    return std::min(stalled, deadline_after(timers.request_ms, options_.request_timeout_ms));
  }
  if (connection.subscriber() || connection.held()) return stalled;
  const std::int64_t idle = connection.protocol() == Protocol::kResp
                                ? options_.idle_timeout_ms
                                : options_.http_idle_timeout_ms;
  return std::min(stalled, deadline_after(timers.active_ms, idle));
}

}  // namespace vigil::server
