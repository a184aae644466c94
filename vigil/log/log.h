// SPDX-License-Identifier: Apache-2.0
//
// Log: writes down every change of a cache, in each shard's order, and says from when on it is
// safe.
//
// Use when: acknowledged changes must survive the process (kill -9) or the machine (power). Use
// instead: nothing, if the cache may start empty.
//
//   Result<std::unique_ptr<Directory>> directory = Directory::open("vigil-data");
//   Result<LogEnd> end = read_log(**directory, {}, restore);    // log_reader.h
//   Result<std::unique_ptr<Log>> log = Log::open(**directory, *end, options, listener);
//   cache.add_observer(**log);
//   ... a batch of commands ...
//   const Position needed = (*log)->tail();
//   (*log)->commit_soon();          // committed() reaches `needed`, then the replies may leave
//
// The path of a change: the observer's call, under the shard, encodes the record and computes its
// checksum, takes a place in the stream under a short spin lock (append_buffer.h), and copies it
// into memory. No system call, no file and no wait is met there. The committer thread takes all
// that was appended, writes it with one gathered write per segment, syncs if the mode says so, and
// tells the listener. While it syncs the next batch gathers: one sync carries all requests that
// were executed meanwhile.
//
// What committed(p) means, of every change before p:
//
//   kAlways        it was written and synced: survives kill -9 and a power cut
//   kEverySecond   it was written: survives kill -9; it is synced within a second, or as soon as
//   the
//                  disk can, by a thread of its own, so that a slow sync delays no write
//
// Nothing else that runs weakens that: not a snapshot, not a change of segments.
//
// Faults (WriteState):
//   kNoRoom    the next segment cannot be made, or the disk is full. What was appended stays in
//              memory and is written when there is room; tried again every second. A full segment
//              is always ready beside the one being written, so deletes have room.
//   kFailed    a write failed for another reason, or a sync failed at all: for good. Nothing after
//              it is committed, the files are left as they are, the listener is told once.
//
// Thread safety: the observer's calls come as ShardObserver says, from any thread; group_began()
// and group_ended() concern the calling thread; every other member may be called from any thread,
// except close() and the destructor: after the last change. The listener is called from the log's
// threads.
//
// Complexity: an append is O(bytes), about 50 ns for a value of 100 bytes. Memory: what is not yet
// written, plus at most 16 MiB of spare chunks. The server bounds the first by refusing writes
// while write_state() is kBacklog; removals by expiry go on and are few bytes each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/cache/shard_observer.h"
#include "vigil/log/commit_state.h"
#include "vigil/log/directory.h"
#include "vigil/log/log_reader.h"
#include "vigil/log/record.h"
#include "vigil/log/segment.h"

namespace vigil::log {

enum class SyncMode : std::uint8_t { kAlways, kEverySecond };

struct LogOptions {
  SyncMode sync = SyncMode::kAlways;
  LogIdentity identity;
  std::uint64_t segment_bytes = std::uint64_t{32} << 20;  // of a file, header block included
  std::uint64_t backlog_bytes_max = std::uint64_t{64} << 20;
  // The largest record that will be appended. REQUIRES: a segment holds it.
  std::size_t record_bytes_max = kRecordBytesMax;
  std::int64_t idle_mark_ms = 50;  // after so long without a change the log notes what is durable
  std::int64_t sync_interval_ms = 1000;   // of kEverySecond
  std::int64_t retry_interval_ms = 1000;  // of making a segment when there was no room
};

// What may be written now; the first that applies, from the bottom up.
enum class WriteState : std::uint8_t {
  kReady,
  kNoRoom,   // refuse what adds; deletes and deadlines go on
  kBacklog,  // refuse every write for now: more than backlog_bytes_max is not yet written
  kFailed,   // refuse every write for good
};

struct LogStats {
  std::uint64_t records = 0;        // written in this run, marks included
  std::uint64_t written_bytes = 0;  // of records, to segments; a disk takes whole blocks
  std::uint64_t commits = 0;
  std::uint64_t syncs = 0;
  std::int64_t sync_ns_total = 0;
  std::int64_t sync_ns_max = 0;
  std::uint64_t backlog_bytes = 0;  // appended and not written
  std::uint64_t segments = 0;       // on disk, prepared ones included
  std::uint64_t segment_bytes = 0;  // of those, as files
  std::uint64_t segments_made = 0;  // written full of zeroes
  std::uint64_t segments_reused = 0;
  std::uint64_t buffer_bytes = 0;  // memory of chunks, spare ones included
  Position tail = 0;
  Position committed = 0;
  Position durable = 0;
  std::string no_room;  // why, while the state is kNoRoom
};

class Log final : public cache::ShardObserver {
 public:
  // Begins a run behind `end`, which read_log() returned for this directory: carries out its cut,
  // removes segments that hold nothing, makes the first segment of the run, starts the threads.
  // `directory` and `listener` outlive the log.
  static Result<std::unique_ptr<Log>> open(Directory& directory, const LogEnd& end,
                                           const LogOptions& options, CommitListener& listener);
  ~Log() override;  // close()

  // ---- Appending ----

  void stored(const cache::StoredEntry& entry) noexcept override;
  // A removal that leaves a tombstone is not written: the tombstone is, next.
  void removed(const cache::RemovedEntry& entry) noexcept override;
  void deadline_set(const cache::MovedDeadline& entry) noexcept override;
  void cleared(std::uint32_t shard, std::uint64_t version_floor) noexcept override;

  // Any record but marks: what is no event of the cache.
  void append(const Record& record) noexcept;

  // What this thread appends from group_began() to group_ended() is kept back and appended at the
  // end as a group: after a crash all of it is there or nothing. Between the two calls the thread
  // holds every shard that it changes, and applies no other thread's writes. They do not nest.
  void group_began() noexcept override;
  void group_ended() noexcept override;

  // ---- Committing ----

  // Behind the last record that was appended; what the calling thread appended, or waited for, is
  // before it.
  [[nodiscard]] Position tail() const noexcept;
  // Asks for everything up to tail() to be committed, and returns at once. Once per batch of
  // commands, with no shard held; also after expiry, which nobody waits for.
  void commit_soon() noexcept;
  [[nodiscard]] Position committed() const noexcept;
  // Everything before it was synced.
  [[nodiscard]] Position durable() const noexcept;
  // Waits until durable() reached `position`; an error if the log failed or was closed before.
  [[nodiscard]] Result<void> wait_durable(Position position);

  // ---- Segments ----

  // Segments that end at or before `position` are no longer needed: a synced snapshot covers them.
  // They are reused or removed soon.
  void release(Position position);

  // ---- State ----

  [[nodiscard]] WriteState write_state() const noexcept;
  [[nodiscard]] std::string failure() const;  // the reason of kFailed, else empty
  [[nodiscard]] LogStats stats() const;

  // Commits and syncs what was appended, notes that the run ended in order, truncates the last
  // segment to its end, stops the threads. After a failure it only stops the threads, and says so.
  // Idempotent.
  Result<void> close();

 private:
  class Run;
  explicit Log(std::unique_ptr<Run> run);

  std::unique_ptr<Run> run_;
};

}  // namespace vigil::log
