// SPDX-License-Identifier: Apache-2.0
//
// Committer: the thread that takes what was appended and writes it.
//
//   wait for a request -> append a mark -> take the batch -> write -> sync (kAlways) -> committed
//
// The mark in front of the batch's end says what was durable when the batch was taken: with it a
// reader tells damage from a torn tail (log_reader.h). When nothing came for a while, a last mark
// is written without a sync; it is committed at once, because nobody's change is in it.
//
// Thread safety: any thread; finish() and truncate_to_end() from one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/log/append_buffer.h"
#include "vigil/log/block_writer.h"
#include "vigil/log/commit_request.h"
#include "vigil/log/commit_state.h"
#include "vigil/log/segment_pool.h"
#include "vigil/log/syncer.h"

namespace vigil::log {

struct CommitterOptions {
  bool syncs = true;  // before committed(); else the syncer does it in its time
  std::int64_t idle_mark_ms = 0;
  std::int64_t retry_interval_ms = 0;
};

struct CommitterParts {
  AppendBuffer& buffer;
  SegmentPool& pool;
  Syncer& syncer;
  CommitState& state;
};

struct CommitterStats {
  std::uint64_t commits = 0;
  std::uint64_t written_bytes = 0;
  std::string no_room;
};

class Committer {
 public:
  Committer(const CommitterOptions& options, const CommitterParts& parts,
            std::shared_ptr<OpenSegment> segment);
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  void ask() noexcept { request_.ask(); }
  [[nodiscard]] bool has_room() const { return has_room_.load(std::memory_order_relaxed); }
  [[nodiscard]] CommitterStats stats() const;

  // Commits and syncs what was appended, and a mark that says so; ends the thread.
  [[nodiscard]] Result<void> finish();
  // REQUIRES: finish() succeeded; no segment is behind the one being written.
  [[nodiscard]] Result<void> truncate_to_end();

 private:
  void run();
  void commit();
  void write_idle_mark();
  // False if the log failed, or was stopped while there was no room.
  bool write(Batch& batch);
  bool write_pieces(const std::vector<std::string_view>& pieces, Position begin);
  bool write_padding(Position begin);
  bool write_at(Position begin, const std::vector<std::string_view>& pieces, std::size_t zeroes);
  // Waits for it; nullptr if the log was closed while there was no room.
  [[nodiscard]] std::shared_ptr<OpenSegment> next_segment(Position first);
  void note_no_room(std::string why);
  [[nodiscard]] bool wait_to_retry();
  [[nodiscard]] std::int64_t wait_ms() const;

  const CommitterOptions options_;
  CommitterParts parts_;
  CommitRequest request_;
  std::atomic<bool> has_room_{true};
  std::atomic<bool> stopping_{false};

  // The thread's own.
  BlockWriter writer_;
  double usual_bytes_ = 0;  // of a write, a moving average
  std::shared_ptr<OpenSegment> segment_;
  Position end_;               // of what was written
  Position changes_end_;       // of that without trailing marks
  Position marked_ = 0;        // what the last mark said is durable
  std::int64_t timed_ms_ = 0;  // when a mark last said the time

  mutable std::mutex mutex_;
  std::condition_variable stopped_;
  CommitterStats stats_;  // guarded by mutex_

  std::thread thread_;
};

}  // namespace vigil::log
