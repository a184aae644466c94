// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the log share: records that own their bytes, a run of a log on a simulated
// disk, and reading it back.
//
// Thread safety: belongs to one thread, but for the listener.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/base/spin_lock.h"
#include "vigil/log/log.h"
#include "vigil/log/log_reader.h"
#include "vigil/log/testing/simulated_disk.h"

namespace vigil::log {

inline const std::string kFolder = "/data";

// A record with its bytes.
struct OwnedRecord {
  explicit OwnedRecord(const Record& record) : head(record), key(record.key), value(record.value) {
    head.key = head.value = {};
  }
  [[nodiscard]] Record record() const {
    Record record = head;
    record.key = key;
    record.value = value;
    return record;
  }
  bool operator==(const OwnedRecord&) const = default;

  Record head;
  std::string key;
  std::string value;
};

inline std::ostream& operator<<(std::ostream& out, const OwnedRecord& record) {
  return out << "{type " << static_cast<int>(record.head.type) << ", shard " << record.head.shard
             << ", version " << record.head.version << ", key " << record.key << ", "
             << record.value.size() << " bytes}";
}

[[nodiscard]] inline Record set_record(std::string_view key, std::string_view value,
                                       std::uint64_t version = 1) {
  Record record;
  record.version = version;
  record.key = key;
  record.value = value;
  return record;
}

[[nodiscard]] inline OwnedRecord random_record(Random& random) {
  Record record;
  record.type = static_cast<RecordType>(1 + random.below(4));
  record.shard = static_cast<std::uint32_t>(random.below(64));
  record.version = random.below(1 << 30);
  const bool timed = record.type == RecordType::kStored || record.type == RecordType::kDeadline;
  if (timed && random.below(2) == 0) {
    record.deadline_ms = 1 + static_cast<std::int64_t>(random.below(1U << 31));
  }
  OwnedRecord owned(record);
  if (record.type == RecordType::kStored) {
    owned.head.kind = static_cast<cache::Kind>(random.below(cache::kKinds));
    owned.value.resize(random.below(8) == 0 ? random.below(200) : random.below(30));
  }
  if (record.type != RecordType::kCleared) owned.key.resize(random.below(20));
  for (std::string* bytes : {&owned.key, &owned.value}) {
    for (char& byte : *bytes) byte = static_cast<char>(random.below(256));
  }
  return owned;
}

// Notes on the disk what was committed when.
class NotingListener final : public CommitListener {
 public:
  explicit NotingListener(SimulatedDisk* disk = nullptr) : disk_(disk) {}

  void committed(Position position) noexcept override {
    if (disk_ != nullptr) disk_->note(position);
    position_.store(position);
  }
  void failed(std::string_view reason) noexcept override {
    const std::lock_guard guard(mutex_);
    reason_ = reason;
    ++failures_;
  }
  [[nodiscard]] Position position() const { return position_.load(); }
  [[nodiscard]] std::string reason() const {
    const std::lock_guard guard(mutex_);
    return reason_;
  }
  [[nodiscard]] int failures() const {
    const std::lock_guard guard(mutex_);
    return failures_;
  }

 private:
  SimulatedDisk* disk_;
  std::atomic<Position> position_{0};
  mutable std::mutex mutex_;
  std::string reason_;
  int failures_ = 0;
};

// Small segments, no marks by time.
[[nodiscard]] inline LogOptions small_log_options() {
  LogOptions options;
  options.identity = {64, "xxh3", 0x1234};
  options.record_bytes_max = 400;
  options.segment_bytes = kHeaderBlockBytes + 1024;
  options.idle_mark_ms = 3'600'000;
  options.retry_interval_ms = 1;
  return options;
}

struct ReadBack {
  std::vector<OwnedRecord> records;
  std::vector<Position> positions;
  LogEnd end;
};

[[nodiscard]] inline Result<ReadBack> read_back(const Directory& directory,
                                                const ReadOptions& options = {}) {
  ReadBack back;
  Result<LogEnd> end = read_log(directory, options, [&](const LoggedRecord& logged) {
    back.records.emplace_back(logged.record);
    back.records.back().head.continues = false;
    back.positions.push_back(logged.position);
  });
  if (!end) return end.error();
  back.end = std::move(*end);
  return back;
}

// What a server that starts on the disk would recover.
[[nodiscard]] inline Result<ReadBack> recover(SimulatedDisk& disk) {
  const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, disk);
  if (!directory) return directory.error();
  return read_back(**directory);
}

// A server's run: directory, recovery from the newest snapshot on, log.
class TestRun {
 public:
  explicit TestRun(SimulatedDisk& disk, const LogOptions& options = small_log_options())
      : listener_(&disk) {
    const Result<void> opened = open(disk, options);
    if (!opened) error_ = opened.error().message;
  }

  [[nodiscard]] bool is_open() const { return log_ != nullptr; }
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] const ReadBack& recovered() const { return back_; }
  [[nodiscard]] Log& log() { return *log_; }
  [[nodiscard]] Directory& directory() { return *directory_; }
  [[nodiscard]] const NotingListener& listener() const { return listener_; }

  // Appends and waits until it is committed, or the log failed.
  bool commit(const std::vector<OwnedRecord>& records) {
    for (const OwnedRecord& record : records) log_->append(record.record());
    return wait_committed(log_->tail());
  }
  // Until the segment behind the last one is ready: else a kill leaves it half made, or not.
  void wait_for_next_segment() {
    Backoff backoff;
    for (;;) {
      const LogStats stats = log_->stats();
      const std::uint64_t used = (stats.tail - back_.end.end) / segment_span_ + 1;
      if (stats.segments_made + stats.segments_reused > used) return;
      backoff.pause();
    }
  }
  bool wait_committed(Position position) {
    log_->commit_soon();
    Backoff backoff;
    while (log_->committed() < position) {
      if (log_->write_state() == WriteState::kFailed) return false;
      backoff.pause();
    }
    return true;
  }

 private:
  Result<void> open(SimulatedDisk& disk, const LogOptions& options) {
    segment_span_ = options.segment_bytes - kHeaderBlockBytes;
    Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, disk);
    if (!directory) return directory.error();
    directory_ = std::move(*directory);
    const Result<DirectoryListing> listing = directory_->list();
    if (!listing) return listing.error();
    ReadOptions read;
    if (!listing->snapshots.empty()) read.from = listing->snapshots.back().begin;
    Result<ReadBack> back = read_back(*directory_, read);
    if (!back) return back.error();
    back_ = std::move(*back);
    Result<std::unique_ptr<Log>> log = Log::open(*directory_, back_.end, options, listener_);
    if (!log) return log.error();
    log_ = std::move(*log);
    return {};
  }

  NotingListener listener_;
  std::uint64_t segment_span_ = 0;
  std::unique_ptr<Directory> directory_;
  ReadBack back_;
  std::unique_ptr<Log> log_;
  std::string error_;
};

}  // namespace vigil::log
