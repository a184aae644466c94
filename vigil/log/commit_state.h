// SPDX-License-Identifier: Apache-2.0
//
// CommitState: how far the log is committed and synced, and whether it failed: what the committer,
// the syncer and the log's users know of one another.
//
// Thread safety: any thread. The listener is called under a lock, so one call at a time, and never
// committed() after failed().
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

#include "vigil/log/record.h"

namespace vigil::log {

// Told from the log's own threads, one call at a time. Calls must be quick and must not call the
// log's close().
class CommitListener {
 public:
  CommitListener() = default;
  CommitListener(const CommitListener&) = delete;
  CommitListener& operator=(const CommitListener&) = delete;
  virtual ~CommitListener() = default;

  // Every change before `position` is safe as the mode says. Positions only grow.
  virtual void committed(Position position) noexcept = 0;
  // Once: nothing will be committed any more. `reason` is a sentence for the log and the operator.
  virtual void failed(std::string_view reason) noexcept = 0;
};

class CommitState {
 public:
  CommitState(Position start, CommitListener& listener)
      : listener_(listener), written_(start), committed_(start), durable_(start) {}

  [[nodiscard]] Position written() const { return written_.load(std::memory_order_acquire); }
  [[nodiscard]] Position committed() const { return committed_.load(std::memory_order_acquire); }
  [[nodiscard]] Position durable() const { return durable_.load(std::memory_order_acquire); }
  [[nodiscard]] bool has_failed() const { return failed_.load(std::memory_order_acquire); }
  [[nodiscard]] std::string failure() const;

  void set_written(Position position) { written_.store(position, std::memory_order_release); }
  void set_committed(Position position);
  void set_durable(Position position);
  // The first reason counts.
  void fail(std::string_view reason);
  void set_closed();

  // Waits until committed() >= position; false if the log failed or was closed before.
  [[nodiscard]] bool wait_committed(Position position);

 private:
  CommitListener& listener_;
  std::atomic<Position> written_;
  std::atomic<Position> committed_;
  std::atomic<Position> durable_;
  std::atomic<bool> failed_{false};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string reason_;   // guarded by mutex_
  bool closed_ = false;  // guarded by mutex_
};

}  // namespace vigil::log
