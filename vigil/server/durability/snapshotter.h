// SPDX-License-Identifier: Apache-2.0
//
// Snapshotter: writes snapshots of a cache while it is in use, so that old parts of its log can go.
//
// A snapshot is fuzzy (log/snapshot_file.h): a thread of low priority walks the shards bucket by
// bucket as a reader, so no writer waits for it, takes each shard for an instant at its end, and
// counts the snapshot only when the log is durable up to there. It works for a fifth of a
// millisecond and then rests, unless somebody waits for it; the writer syncs every half MiB, so
// that the log's own syncs find no mass of dirty pages in front of them.
//
// One begins when the log since the last one is larger than that one and than
// options.durability.snapshot_log_bytes, and when it is asked for. So the files of a server take at
// most about three times its data and that limit: the old snapshot, the log behind it, the new one.
//
// A snapshot that fails (no room, a broken disk) leaves everything as it was; it is tried again
// when the log has grown by as much again, or at the next request.
//
// Memory: one block of the file, one record.
//
// Thread safety: all members from any thread, the destructor by the owner.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "vigil/base/result.h"
#include "vigil/cache/cache.h"
#include "vigil/log/log.h"
#include "vigil/log/snapshot_file.h"

namespace vigil::server {

struct SnapshotStats {
  bool running = false;
  std::int64_t started_ms = 0;   // of the running one, Unix
  std::uint64_t done_total = 0;  // in this run of the server
  std::uint64_t failed_total = 0;
  std::string last_error;    // empty: the last one succeeded
  std::int64_t last_ms = 0;  // when the last one ended, Unix; 0: there is none
  std::int64_t last_took_ms = -1;
  std::uint64_t last_bytes = 0;
  std::uint64_t log_bytes_since = 0;  // since the last one began
};

class Snapshotter {
 public:
  struct Options {
    log::LogIdentity identity;
    std::uint64_t log_bytes = 0;  // that make a snapshot worth while
    // Of the snapshot that was recovered.
    log::Position last_begin = 0;
    std::uint64_t last_bytes = 0;
    std::int64_t last_ms = 0;
  };
  // Called once, on the snapshotter's thread.
  using Done = std::function<void(const Result<void>&)>;

  // All outlive the snapshotter.
  Snapshotter(log::Directory& directory, log::Log& log, cache::Cache& cache, Options options);
  // Gives up a snapshot that is being written.
  ~Snapshotter();
  Snapshotter(const Snapshotter&) = delete;
  Snapshotter& operator=(const Snapshotter&) = delete;

  // Begins a snapshot; false if one is being written.
  bool begin();
  // Calls `done` behind a snapshot that begins after this call, and hurries.
  void request(Done done);

  [[nodiscard]] SnapshotStats stats() const;

 private:
  class Pace;

  void run();
  [[nodiscard]] bool due() const;
  Result<void> write();
  Result<void> write_shard(std::uint32_t shard, log::SnapshotWriter& writer, Pace& pace);
  void book(const Result<void>& written, std::int64_t took_ms);

  log::Directory& directory_;
  log::Log& log_;
  cache::Cache& cache_;
  const Options options_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool asked_ = false;
  std::vector<Done> waiting_;
  SnapshotStats stats_;
  log::Position last_begin_;
  log::Position failed_at_ = 0;  // the log's tail when the last attempt failed
  std::atomic<bool> ending_{false};
  std::atomic<bool> hurry_{false};
  std::thread thread_;
};

}  // namespace vigil::server
