// SPDX-License-Identifier: Apache-2.0
//
// Syncer: makes durable what was written, on the caller's thread, and once an interval on its own.
//
// A sync takes the files that were written since the last one and the position that they reach;
// what is written while it runs waits for the next. If it fails, that is for good (commit_state.h).
//
// Thread safety: any thread; wrote() from one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "vigil/log/commit_state.h"
#include "vigil/log/segment_pool.h"

namespace vigil::log {

struct SyncerStats {
  std::uint64_t syncs = 0;
  std::int64_t sync_ns_total = 0;
  std::int64_t sync_ns_max = 0;
};

class Syncer {
 public:
  // With interval_ms 0 there is no thread.
  Syncer(CommitState& state, std::int64_t interval_ms);
  ~Syncer() { stop(); }
  Syncer(const Syncer&) = delete;
  Syncer& operator=(const Syncer&) = delete;

  // The segment holds the stream up to `end`.
  void wrote(const std::shared_ptr<OpenSegment>& segment, Position end);

  // Syncs what was written, on the calling thread; false if that failed, now or before.
  [[nodiscard]] bool sync_now();

  [[nodiscard]] SyncerStats stats() const;
  // Idempotent. What is not synced stays so.
  void stop();

 private:
  void run();
  bool sync_file(OpenSegment& segment);

  CommitState& state_;
  const std::int64_t interval_ms_;

  std::mutex sync_mutex_;  // one sync at a time; taken before mutex_
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::vector<std::shared_ptr<OpenSegment>> dirty_;
  Position end_ = 0;
  bool stopping_ = false;
  SyncerStats stats_;

  std::thread thread_;
};

}  // namespace vigil::log
