// SPDX-License-Identifier: Apache-2.0
//
// CommitGate: keeps the replies of a batch of requests back until what the batch wrote is committed
// (group commit: one write to disk for everything that was executed meanwhile).
//
// Use: a *committer* orders all changes by a position, stores them and calls advance(). The code
// that executes a request which changed something, or whose reply depends on a change that may not
// be committed yet (an idempotent retry), calls require() with that change's position. After the
// batch the connection holds the batch's replies, and all that come behind them, until the highest
// required position is committed. A batch that required nothing waits for nothing, except behind
// earlier replies of its own connection. A server without a log never calls require(): its gate is
// always open and costs a branch per batch.
//
// Failure: after fail() no position beyond the last advance() will ever be committed. Replies that
// wait for one are dropped with all that is behind them, Session::replies_lost() may put an error
// in their place, and the connection closes. Replies that wait for nothing still leave.
//
// No wake-up is lost: the reactor announces the lowest position it waits for, then looks at the
// committed one; the committer stores the committed position, then looks for an announcement. Both
// sides are sequentially consistent, so at least one sees the other (as in Mailbox).
//
// Thread safety: advance() and fail() by one committer at a time, on any thread, which must end
// before the reactor is destroyed; everything else by the reactor's thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "vigil/server/reactor/mailbox.h"

namespace vigil::server {

class Connection;  // connection.h

class CommitGate {
 public:
  using Position = std::uint64_t;  // the first change has 1; 0: nothing to wait for
  enum class State : std::uint8_t { kWaiting, kCommitted, kFailed };

  // Wakes the reactor through its mailbox, which must outlive the gate.
  explicit CommitGate(Mailbox& mailbox) : mailbox_(mailbox) {}
  CommitGate(const CommitGate&) = delete;
  CommitGate& operator=(const CommitGate&) = delete;

  // --- The committer ---------------------------------------------------------------------------

  // Everything up to `committed` is committed. REQUIRES: it never goes back; not after fail().
  void advance(Position committed);
  void fail();

  // --- A batch ---------------------------------------------------------------------------------

  void begin_batch() { required_ = 0; }
  // The replies of the batch wait for `position`; the highest of a batch counts.
  void require(Position position) {
    if (position > required_) required_ = position;
  }
  [[nodiscard]] Position required() const { return required_; }

  [[nodiscard]] State state_of(Position position) const;

  // --- Connections that wait -------------------------------------------------------------------

  void wait(Position position, Connection& connection);
  // The connection closes.
  void forget(const Connection& connection);
  // Calls visit(connection) for each wait that ended, in the order of wait(). The visitor must not
  // call wait() or forget().
  template <class Visitor>
  void release(Visitor visit) {
    if (waits_.empty() || state_of(lowest_) == State::kWaiting) return;
    lowest_ = kNobodyWaits;
    std::erase_if(waits_, [&](const Wait& wait) {
      const bool ended = state_of(wait.position) != State::kWaiting;
      ended ? visit(*wait.connection) : note_lowest(wait.position);
      return ended;
    });
  }

  // Announces that the reactor will sleep; false if a wait has ended.
  [[nodiscard]] bool prepare_sleep();
  void end_sleep() { announced_.store(kNobodyWaits, std::memory_order_relaxed); }

 private:
  static constexpr Position kNobodyWaits = std::numeric_limits<Position>::max();
  struct Wait {
    Position position;
    Connection* connection;
  };

  void note_lowest(Position position) {
    if (position < lowest_) lowest_ = position;
  }

  Mailbox& mailbox_;
  std::atomic<Position> committed_{0};
  std::atomic<bool> failed_{false};
  std::atomic<Position> announced_{kNobodyWaits};  // the lowest one, while the reactor sleeps

  Position required_ = 0;  // by the running batch
  std::vector<Wait> waits_;
  Position lowest_ = kNobodyWaits;  // at most the lowest position of waits_
};

}  // namespace vigil::server
