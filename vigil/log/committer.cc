// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/committer.h"

#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/base/clock.h"

namespace vigil::log {
namespace {

// When nothing is expected: a request comes before that.
constexpr std::int64_t kQuietWait_ms = 1000;
constexpr std::int64_t kTimeInMarks_ms = 1000;
// Less is copied into the page cache sooner than a disk has taken it, if nobody waits for the disk.
constexpr double kDirectBytesMin = 64.0 * 1024;
constexpr double kUsualWrites = 8;  // that a change of habit takes

bool is_no_room(int error) { return error == ENOSPC || error == EDQUOT; }

}  // namespace

Committer::Committer(const CommitterOptions& options, const CommitterParts& parts,
                     std::shared_ptr<OpenSegment> segment)
    : options_(options),
      parts_(parts),
      segment_(std::move(segment)),
      end_(parts.buffer.tail()),
      changes_end_(end_),
      marked_(end_),
      thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "log-commit");
}

Committer::~Committer() {
  if (thread_.joinable()) (void)finish();  // a failure is in the state
}

CommitterStats Committer::stats() const {
  const std::lock_guard guard(mutex_);
  return stats_;
}

// ---- The thread ----

void Committer::run() {
  while (!stopping_.load(std::memory_order_acquire)) {
    const bool asked = request_.wait(wait_ms());
    if (parts_.state.has_failed()) continue;
    if (asked || parts_.buffer.tail() != end_) {
      commit();
    } else {
      write_idle_mark();
    }
  }
  if (!parts_.state.has_failed()) commit();
}

// A mark is due while the last one does not cover all changes.
std::int64_t Committer::wait_ms() const {
  return marked_ < changes_end_ ? options_.idle_mark_ms : kQuietWait_ms;
}

void Committer::commit() {
  if (parts_.buffer.tail() == end_) return;
  const Position durable = parts_.state.durable();
  if (durable > marked_) {
    const std::int64_t now_ms = unix_ms();
    const bool timed = now_ms - timed_ms_ >= kTimeInMarks_ms;
    if (timed) timed_ms_ = now_ms;
    parts_.buffer.append_mark({MarkCause::kDurable, durable, timed ? now_ms : 0});
    marked_ = durable;
  }
  Batch* const batch = parts_.buffer.take();
  const bool written = write(*batch);
  if (written) {
    end_ = changes_end_ = batch->end;
    parts_.syncer.wrote(segment_, end_);
    parts_.state.set_written(end_);
  }
  parts_.buffer.give_back(batch);
  if (!written || (options_.syncs && !parts_.syncer.sync_now())) return;
  parts_.state.set_committed(end_);
  const std::lock_guard guard(mutex_);
  ++stats_.commits;
}

void Committer::write_idle_mark() {
  const Position durable = parts_.state.durable();
  if (marked_ >= changes_end_ || durable < changes_end_) return;
  parts_.buffer.append_mark({MarkCause::kDurable, durable, unix_ms()});
  marked_ = durable;
  Batch* const batch = parts_.buffer.take();
  const bool alone = batch->records == 1;
  const bool written = write(*batch);
  if (written) {
    end_ = batch->end;
    parts_.syncer.wrote(segment_, end_);
    parts_.state.set_written(end_);
    if (!alone) changes_end_ = end_;
  }
  parts_.buffer.give_back(batch);
  if (!written) return;
  // Changes that came in between are committed like all others.
  if (!alone && options_.syncs && !parts_.syncer.sync_now()) return;
  parts_.state.set_committed(end_);
}

// ---- Writing ----

bool Committer::write(Batch& batch) {
  std::vector<std::string_view> pieces;
  Position begin = batch.first->position;
  Position end = begin;
  for (Chunk* chunk = batch.first; chunk != nullptr; chunk = chunk->next) {
    if (chunk->position >= segment_->header.end) {
      // Before the record that says that it follows is written.
      std::shared_ptr<OpenSegment> next = next_segment(chunk->position);
      if (next == nullptr || !write_pieces(pieces, begin) || !write_padding(end)) return false;
      parts_.syncer.wrote(segment_, end);
      segment_ = std::move(next);
      pieces.clear();
      begin = chunk->position;
    }
    pieces.push_back(chunk->view());
    end = chunk->position + chunk->used;
  }
  return write_pieces(pieces, begin);
}

// Records, and in a reused file the zeroes that end them.
bool Committer::write_pieces(const std::vector<std::string_view>& pieces, Position begin) {
  if (pieces.empty()) return true;
  return write_at(begin, pieces, segment_->header.zero_filled ? 0 : kTerminatorBytes);
}

// Behind the `continued` record of a reused file.
bool Committer::write_padding(Position begin) {
  if (segment_->header.zero_filled) return true;
  return write_at(begin, {}, segment_->file_bytes - segment_->offset_of(begin));
}

bool Committer::write_at(Position begin, const std::vector<std::string_view>& pieces,
                         std::size_t zeroes) {
  std::size_t bytes = 0;
  for (const std::string_view piece : pieces) bytes += piece.size();
  const BlockWriter::Target target{*segment_->file, segment_->offset_of(begin),
                                   segment_->file_bytes};
  // By what is usual: a block that is in the page cache and dirty holds a direct write up.
  usual_bytes_ += (static_cast<double>(bytes) - usual_bytes_) / kUsualWrites;
  const bool direct = options_.syncs || usual_bytes_ >= kDirectBytesMin;
  for (;;) {
    const int error = writer_.write(
        target, pieces, zeroes, direct ? BlockWriter::Path::kDirect : BlockWriter::Path::kCached);
    if (error == 0) break;
    const std::string why = describe(segment_->path, "written", error).message;
    if (!is_no_room(error)) {
      parts_.state.fail(why +
                        "; nothing more is written to the log. Look at the disk, then restart");
      return false;
    }
    note_no_room(why);
    if (!wait_to_retry()) return false;
  }
  if (!has_room()) note_no_room({});
  const std::lock_guard guard(mutex_);
  stats_.written_bytes += bytes;
  return true;
}

void Committer::note_no_room(std::string why) {
  has_room_.store(why.empty(), std::memory_order_relaxed);
  const std::lock_guard guard(mutex_);
  stats_.no_room = std::move(why);
}

bool Committer::wait_to_retry() {
  std::unique_lock lock(mutex_);
  stopped_.wait_for(lock, std::chrono::milliseconds(options_.retry_interval_ms),
                    [this] { return stopping_.load(std::memory_order_relaxed); });
  if (!stopping_.load(std::memory_order_relaxed)) return true;
  const std::string why = stats_.no_room;
  lock.unlock();
  parts_.state.fail(why + "; the log was closed before there was room for the last changes");
  return false;
}

std::shared_ptr<OpenSegment> Committer::next_segment(Position first) {
  VIGIL_CHECK(first == segment_->header.end, "the stream has no holes");
  std::shared_ptr<OpenSegment> next = parts_.pool.take(first);
  if (next == nullptr) {
    parts_.state.fail(parts_.pool.stats().no_room +
                      "; the log was closed before there was room for the last changes");
  }
  return next;
}

// ---- Closing ----

Result<void> Committer::finish() {
  if (!thread_.joinable()) return {};
  {
    const std::lock_guard guard(mutex_);
    stopping_.store(true, std::memory_order_release);
    stopped_.notify_all();
  }
  request_.ask();
  parts_.pool.refuse_to_wait_for_room();
  thread_.join();
  // From here on this thread is the only one. What counts is durable before the run is said to be
  // closed.
  if (!parts_.syncer.sync_now()) return Error{parts_.state.failure()};
  marked_ = parts_.state.durable();
  parts_.buffer.append_mark({MarkCause::kClosed, marked_, unix_ms()});
  commit();
  if (!parts_.syncer.sync_now()) return Error{parts_.state.failure()};
  return {};
}

Result<void> Committer::truncate_to_end() {
  int error = segment_->file->truncate(segment_->offset_of(end_));
  if (error == 0) error = segment_->file->sync();
  if (error != 0) return describe(segment_->path, "truncated", error);
  return {};
}

}  // namespace vigil::log
