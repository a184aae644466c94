// SPDX-License-Identifier: Apache-2.0
//
// SegmentPool: makes the next segment before it is needed, on a thread of its own, so that the
// committer never meets a file that must grow.
//
// A segment is written full of zeroes and synced, or made of one that was released, whose header
// alone is replaced. It is made under the name segment.tmp, synced, renamed, and the directory
// synced: what has the name of a segment is one.
//
//   released segment --rename, sync directory--> segment.tmp --header, sync, rename--> next segment
//
// One segment is ready beside the one that is written; kSparesMax released files are kept for those
// that follow: a file that is full already costs a header, a new one is written twice. The others
// are removed. If a segment cannot be made for want of room or for another reason, no_room()
// says why, and it is tried again every retry interval.
//
// Thread safety: any thread; take() from one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/log/directory.h"
#include "vigil/log/segment.h"

namespace vigil::log {

struct OpenSegment {
  std::string path;
  std::unique_ptr<File> file;
  SegmentHeader header;
  std::uint64_t file_bytes = 0;

  [[nodiscard]] std::uint64_t offset_of(Position position) const {
    return file_offset_of(header, position);
  }
};

struct SegmentPoolOptions {
  ChainKey key;  // of this run
  LogIdentity identity;
  std::uint64_t segment_bytes = 0;
  std::int64_t retry_interval_ms = 0;
};

struct SegmentPoolStats {
  std::uint64_t segments = 0;
  std::uint64_t segment_bytes = 0;
  std::uint64_t made = 0;
  std::uint64_t reused = 0;
  std::string no_room;
};

class SegmentPool {
 public:
  static constexpr std::size_t kSparesMax = 8;

  // `older`: segments of earlier runs, in ascending order.
  SegmentPool(const Directory& directory, const SegmentPoolOptions& options,
              std::vector<StreamFile> older);
  ~SegmentPool() { stop(); }
  SegmentPool(const SegmentPool&) = delete;
  SegmentPool& operator=(const SegmentPool&) = delete;

  // The first segment of the run, with its first record, on the calling thread; then starts the
  // thread, which makes the one that follows.
  [[nodiscard]] Result<std::shared_ptr<OpenSegment>> begin(Position first,
                                                           std::string_view first_record);

  // The segment that begins at `first`, which is the end of the one taken before; waits until there
  // is one. nullptr if there is none and stop(), or refuse_to_wait_for_room() without room, was
  // called.
  [[nodiscard]] std::shared_ptr<OpenSegment> take(Position first);
  void refuse_to_wait_for_room();

  // Segments whose successor begins at or before `position` may go.
  void release(Position position);

  [[nodiscard]] bool has_room() const { return has_room_.load(std::memory_order_relaxed); }
  [[nodiscard]] SegmentPoolStats stats() const;

  // Ends the thread and a wait in take(). Idempotent.
  void stop();
  // Removes the segment that is ready and was not taken. REQUIRES: stopped.
  [[nodiscard]] Result<void> remove_ready();

 private:
  [[nodiscard]] SegmentHeader header_at(Position first) const;
  [[nodiscard]] Result<std::shared_ptr<OpenSegment>> make(SegmentHeader header,
                                                          std::string_view first_record);
  [[nodiscard]] int fill_with_zeroes(File& file) const;
  // Nothing if there is no file to reuse.
  [[nodiscard]] std::shared_ptr<OpenSegment> reuse(SegmentHeader header);
  [[nodiscard]] int make_reusable(const std::string& name, SegmentHeader* header,
                                  std::unique_ptr<File>* file) const;
  [[nodiscard]] int publish(File& file, const SegmentHeader& header,
                            std::string_view first_record) const;
  void run();
  void make_next();
  void remove_released(const std::vector<StreamFile>& files);
  [[nodiscard]] std::vector<StreamFile> surplus();

  const Directory& directory_;
  const SegmentPoolOptions options_;
  std::atomic<bool> has_room_{true};

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_.
  std::deque<StreamFile> kept_;       // segments with records, the one being written last
  std::vector<StreamFile> released_;  // to be reused or removed
  std::shared_ptr<OpenSegment> ready_;
  Position next_first_ = 0;  // of the segment that is, or will be, ready
  std::string no_room_;
  std::uint64_t made_ = 0;
  std::uint64_t reused_ = 0;
  bool waits_for_room_ = true;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace vigil::log
