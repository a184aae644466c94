// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/syncer.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "vigil/base/clock.h"

namespace vigil::log {

Syncer::Syncer(CommitState& state, std::int64_t interval_ms)
    : state_(state), interval_ms_(interval_ms) {
  if (interval_ms_ == 0) return;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "log-sync");
}

void Syncer::wrote(const std::shared_ptr<OpenSegment>& segment, Position end) {
  const std::lock_guard guard(mutex_);
  if (dirty_.empty() || dirty_.back() != segment) dirty_.push_back(segment);
  end_ = end;
}

bool Syncer::sync_file(OpenSegment& segment) {
  const std::int64_t begin_ns = monotonic_ns();
  const int error = segment.file->sync();
  const std::int64_t took_ns = monotonic_ns() - begin_ns;
  if (error != 0) {
    state_.fail(describe(segment.path, "synced", error).message +
                "; nothing more is written to the log: what the disk has of the last changes is "
                "unknown. Look at the disk, then restart");
    return false;
  }
  const std::lock_guard guard(mutex_);
  ++stats_.syncs;
  stats_.sync_ns_total += took_ns;
  stats_.sync_ns_max = std::max(stats_.sync_ns_max, took_ns);
  return true;
}

bool Syncer::sync_now() {
  const std::lock_guard one(sync_mutex_);
  // A sync after one that failed would succeed without what was lost.
  if (state_.has_failed()) return false;
  std::vector<std::shared_ptr<OpenSegment>> files;
  Position end = 0;
  {
    const std::lock_guard guard(mutex_);
    files.swap(dirty_);
    end = end_;
  }
  for (const std::shared_ptr<OpenSegment>& segment : files) {
    if (!sync_file(*segment)) return false;
  }
  if (!files.empty()) state_.set_durable(end);
  return true;
}

SyncerStats Syncer::stats() const {
  const std::lock_guard guard(mutex_);
  return stats_;
}

void Syncer::stop() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Syncer::run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, std::chrono::milliseconds(interval_ms_),
                            [this] { return stopping_; })) {
    if (dirty_.empty()) continue;
    lock.unlock();
    (void)sync_now();  // a failure is in the state
    lock.lock();
  }
}

}  // namespace vigil::log
