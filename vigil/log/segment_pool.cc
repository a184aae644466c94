// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/segment_pool.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "vigil/base/clock.h"
#include "vigil/log/block_writer.h"

namespace vigil::log {
namespace {

constexpr std::string_view kNewName = "segment.tmp";
constexpr std::uint64_t kPieceBytes = std::uint64_t{1} << 20;
// So that no mass of dirty pages stands in front of the log's own syncs; but where each sync takes
// long, as few as possible, or the next segment would come too late.
constexpr std::uint64_t kSyncBytes = std::uint64_t{4} << 20;
constexpr std::int64_t kSlowSync_ns = 100'000'000;
constexpr std::string_view kTerminator{"\0\0\0\0\0\0\0\0", kTerminatorBytes};

}  // namespace

SegmentPool::SegmentPool(const Directory& directory, const SegmentPoolOptions& options,
                         std::vector<StreamFile> older)
    : directory_(directory), options_(options), kept_(older.begin(), older.end()) {}

SegmentHeader SegmentPool::header_at(Position first) const {
  SegmentHeader header;
  header.first = first;
  header.end = first + options_.segment_bytes - kHeaderBlockBytes;
  header.key = options_.key;
  header.chain = options_.key.seed(first);
  header.identity = options_.identity;
  header.created_ms = unix_ms();
  return header;
}

// ---- Making ----

int SegmentPool::fill_with_zeroes(File& file) const {
  BlockWriter writer;
  std::uint64_t unsynced = 0;
  bool syncs = true;
  for (std::uint64_t offset = 0; offset < options_.segment_bytes;) {
    const std::uint64_t bytes = std::min(kPieceBytes, options_.segment_bytes - offset);
    int error = writer.write({file, offset, offset + bytes}, {}, bytes, BlockWriter::Path::kDirect);
    if (error != 0) return error;
    offset += bytes;
    unsynced += bytes;
    if (!syncs || unsynced < kSyncBytes) continue;
    const std::int64_t begin_ns = monotonic_ns();
    error = file.sync();
    if (error != 0) return error;
    unsynced = 0;
    syncs = monotonic_ns() - begin_ns < kSlowSync_ns;
  }
  return 0;
}

// From segment.tmp to a segment.
int SegmentPool::publish(File& file, const SegmentHeader& header,
                         std::string_view first_record) const {
  const std::string block = encode_header(header);
  const std::array<std::string_view, 3> pieces = {block, first_record, kTerminator};
  int error = file.write(0, pieces);
  if (error == 0) error = file.sync();
  if (error == 0) {
    error = directory_.files().rename(directory_.path_of(kNewName),
                                      directory_.path_of(segment_name(header.first)));
  }
  if (error == 0) error = directory_.files().sync_directory(directory_.path());
  return error;
}

Result<std::shared_ptr<OpenSegment>> SegmentPool::make(SegmentHeader header,
                                                       std::string_view first_record) {
  FileSystem& files = directory_.files();
  const std::string new_path = directory_.path_of(kNewName);
  auto segment = std::make_shared<OpenSegment>();
  int error = files.remove(new_path);
  if (error == 0 || error == ENOENT)
    error = files.open(new_path, OpenMode::kCreate, &segment->file);
  if (error == 0) error = fill_with_zeroes(*segment->file);
  if (error == 0) error = publish(*segment->file, header, first_record);
  if (error != 0) {
    segment->file.reset();
    (void)files.remove(new_path);  // gives back the room that it took
    return describe(directory_.path_of(segment_name(header.first)), "made", error);
  }
  segment->path = directory_.path_of(segment_name(header.first));
  segment->header = std::move(header);
  segment->file_bytes = options_.segment_bytes;
  return segment;
}

// Opens a released segment under the name segment.tmp. The new name must be on disk before the
// header changes, or a power cut could leave the new header under the old name.
int SegmentPool::make_reusable(const std::string& name, SegmentHeader* header,
                               std::unique_ptr<File>* file) const {
  FileSystem& files = directory_.files();
  std::string block(kHeaderBlockBytes, '\0');
  std::size_t count = 0;
  std::uint64_t size = 0;
  int error = files.open(directory_.path_of(name), OpenMode::kWrite, file);
  if (error == 0) error = (*file)->size(&size);
  if (error == 0) error = (*file)->read(0, block.data(), block.size(), &count);
  if (error != 0) return error;
  // Not an error: what cannot be reused is removed.
  const Result<SegmentHeader> old = decode_header({block.data(), count});
  if (!old || size != options_.segment_bytes) return EINVAL;
  header->zero_filled = false;
  header->previous_first = old->first;
  header->previous_key = old->key;
  error = files.rename(directory_.path_of(name), directory_.path_of(kNewName));
  if (error == 0) error = files.sync_directory(directory_.path());
  return error;
}

std::shared_ptr<OpenSegment> SegmentPool::reuse(SegmentHeader header) {
  StreamFile old;
  {
    const std::lock_guard guard(mutex_);
    if (released_.empty()) return nullptr;
    old = std::move(released_.back());
    released_.pop_back();
  }
  auto segment = std::make_shared<OpenSegment>();
  int error = make_reusable(old.name, &header, &segment->file);
  if (error == 0) error = publish(*segment->file, header, {});
  if (error != 0) {  // of another size, or unusable: not worth more than its removal
    (void)directory_.files().remove(directory_.path_of(old.name));
    return nullptr;
  }
  segment->path = directory_.path_of(segment_name(header.first));
  segment->header = std::move(header);
  segment->file_bytes = options_.segment_bytes;
  return segment;
}

Result<std::shared_ptr<OpenSegment>> SegmentPool::begin(Position first,
                                                        std::string_view first_record) {
  SegmentHeader header = header_at(first);
  header.first_of_run = true;
  Result<std::shared_ptr<OpenSegment>> segment = make(std::move(header), first_record);
  if (!segment) return segment.error();
  {
    const std::lock_guard guard(mutex_);
    kept_.push_back({first, segment_name(first)});
    next_first_ = (*segment)->header.end;
    ++made_;
  }
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "log-files");
  return segment;
}

// ---- Giving out ----

std::shared_ptr<OpenSegment> SegmentPool::take(Position first) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] {
    return ready_ != nullptr || stopping_ || (!waits_for_room_ && !no_room_.empty());
  });
  if (ready_ == nullptr) return nullptr;
  VIGIL_CHECK(ready_->header.first == first, "segments are taken in the order of the stream");
  kept_.push_back({first, segment_name(first)});
  next_first_ = ready_->header.end;
  changed_.notify_all();
  return std::exchange(ready_, nullptr);
}

void SegmentPool::refuse_to_wait_for_room() {
  const std::lock_guard guard(mutex_);
  waits_for_room_ = false;
  changed_.notify_all();
}

void SegmentPool::release(Position position) {
  const std::lock_guard guard(mutex_);
  while (kept_.size() > 1 && kept_[1].begin <= position) {
    released_.push_back(std::move(kept_.front()));
    kept_.pop_front();
  }
  changed_.notify_all();
}

SegmentPoolStats SegmentPool::stats() const {
  const std::lock_guard guard(mutex_);
  SegmentPoolStats stats;
  stats.segments = kept_.size() + released_.size() + (ready_ != nullptr ? 1 : 0);
  stats.segment_bytes = stats.segments * options_.segment_bytes;
  stats.made = made_;
  stats.reused = reused_;
  stats.no_room = no_room_;
  return stats;
}

void SegmentPool::stop() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Result<void> SegmentPool::remove_ready() {
  const std::lock_guard guard(mutex_);
  if (ready_ == nullptr) return {};
  int error = directory_.files().remove(ready_->path);
  if (error == 0) error = directory_.files().sync_directory(directory_.path());
  if (error != 0) return describe(ready_->path, "removed", error);
  ready_ = nullptr;
  return {};
}

// ---- The thread ----

void SegmentPool::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (ready_ == nullptr) {
      lock.unlock();
      make_next();
      lock.lock();
      if (ready_ == nullptr) {
        changed_.wait_for(lock, std::chrono::milliseconds(options_.retry_interval_ms),
                          [this] { return stopping_ || !released_.empty(); });
      }
      continue;
    }
    const std::vector<StreamFile> files = surplus();
    if (!files.empty()) {
      lock.unlock();
      remove_released(files);
      lock.lock();
      continue;
    }
    changed_.wait(
        lock, [this] { return stopping_ || ready_ == nullptr || released_.size() > kSparesMax; });
  }
}

void SegmentPool::make_next() {
  SegmentHeader header;
  {
    const std::lock_guard guard(mutex_);
    header = header_at(next_first_);
  }
  std::shared_ptr<OpenSegment> segment = reuse(header);
  const bool reused = segment != nullptr;
  std::string why;
  if (!reused) {
    Result<std::shared_ptr<OpenSegment>> made = make(header, {});
    if (made) {
      segment = std::move(*made);
    } else {
      why = made.error().message;
    }
  }
  const std::lock_guard guard(mutex_);
  has_room_.store(segment != nullptr, std::memory_order_relaxed);
  no_room_ = std::move(why);
  changed_.notify_all();
  if (segment == nullptr) return;
  ++(reused ? reused_ : made_);
  ready_ = std::move(segment);
}

// All released files but those that the next segments will be made of.
std::vector<StreamFile> SegmentPool::surplus() {
  std::vector<StreamFile> files;
  while (released_.size() > kSparesMax) {
    files.push_back(std::move(released_.front()));
    released_.erase(released_.begin());
  }
  return files;
}

void SegmentPool::remove_released(const std::vector<StreamFile>& files) {
  // A file that stays is needless, not wrong: the next run finds and releases it again.
  for (const StreamFile& file : files) {
    (void)directory_.files().remove(directory_.path_of(file.name));
  }
}

}  // namespace vigil::log
