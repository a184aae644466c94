// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/durability/snapshotter.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "vigil/base/clock.h"
#include "vigil/log/snapshot_file.h"

namespace vigil::server {

namespace {

constexpr std::chrono::seconds kLook{1};
constexpr std::int64_t kWork_ns = 200'000;
constexpr std::chrono::microseconds kRest{1000};
constexpr int kNice = 10;

// Threads have priorities of their own on Linux. Without the permission it runs as others do.
void lower_priority() {
  const auto thread = static_cast<id_t>(::syscall(SYS_gettid));
  static_cast<void>(::setpriority(PRIO_PROCESS, thread, kNice));
}

log::Record record_of(std::uint32_t shard, const cache::Cache::ScannedRecord& scanned) {
  log::Record record;
  record.type = log::RecordType::kStored;
  record.kind = scanned.header.kind;
  record.shard = shard;
  record.version = scanned.header.version;
  record.deadline_ms = scanned.header.deadline_ms;
  record.key = scanned.key;
  record.value = scanned.value;
  return record;
}

}  // namespace

// Work and rest in turns.
class Snapshotter::Pace {
 public:
  explicit Pace(const std::atomic<bool>& hurry) : hurry_(hurry) {}

  void step() {
    if (hurry_.load(std::memory_order_relaxed) || monotonic_ns() - worked_since_ns_ < kWork_ns) {
      return;
    }
    std::this_thread::sleep_for(kRest);
    worked_since_ns_ = monotonic_ns();
  }

 private:
  const std::atomic<bool>& hurry_;
  std::int64_t worked_since_ns_ = monotonic_ns();
};

Snapshotter::Snapshotter(log::Directory& directory, log::Log& log, cache::Cache& cache,
                         Options options)
    : directory_(directory),
      log_(log),
      cache_(cache),
      options_(std::move(options)),
      last_begin_(options_.last_begin) {
  stats_.last_bytes = options_.last_bytes;
  stats_.last_ms = options_.last_ms;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "snapshot");
}

Snapshotter::~Snapshotter() {
  {
    const std::scoped_lock lock(mutex_);
    ending_.store(true);
  }
  changed_.notify_all();
  thread_.join();
  for (const Done& done : waiting_) done(Error{"the server stops"});
}

bool Snapshotter::begin() {
  const std::scoped_lock lock(mutex_);
  if (stats_.running || asked_) return false;
  asked_ = true;
  changed_.notify_all();
  return true;
}

void Snapshotter::request(Done done) {
  const std::scoped_lock lock(mutex_);
  asked_ = true;
  hurry_.store(true);
  waiting_.push_back(std::move(done));
  changed_.notify_all();
}

SnapshotStats Snapshotter::stats() const {
  const std::scoped_lock lock(mutex_);
  SnapshotStats stats = stats_;
  stats.log_bytes_since = log_.tail() - last_begin_;
  return stats;
}

bool Snapshotter::due() const {
  const std::uint64_t worth_while = std::max(options_.log_bytes, stats_.last_bytes);
  return log_.tail() - std::max(last_begin_, failed_at_) > worth_while;
}

void Snapshotter::run() {
  lower_priority();
  std::unique_lock lock(mutex_);
  for (;;) {
    // A server that was killed often has much to catch up with: it looks before it waits.
    while (!ending_.load() && !asked_ && !due()) changed_.wait_for(lock, kLook);
    if (ending_.load()) return;
    asked_ = false;
    std::vector<Done> waiting = std::exchange(waiting_, {});
    stats_.running = true;
    stats_.started_ms = unix_ms();
    const std::int64_t started_ms = stats_.started_ms;
    lock.unlock();
    const Result<void> written = write();
    book(written, unix_ms() - started_ms);
    for (const Done& done : waiting) done(written);
    lock.lock();
    hurry_.store(!waiting_.empty());
  }
}

void Snapshotter::book(const Result<void>& written, std::int64_t took_ms) {
  const std::scoped_lock lock(mutex_);
  stats_.running = false;
  stats_.last_took_ms = took_ms;
  if (written) {
    ++stats_.done_total;
    stats_.last_ms = unix_ms();
    stats_.last_error.clear();
    return;
  }
  ++stats_.failed_total;
  stats_.last_error = written.error().message;
  failed_at_ = log_.tail();
}

Result<void> Snapshotter::write() {
  const log::Position begin = log_.tail();
  Result<log::SnapshotWriter> writer =
      log::SnapshotWriter::create(directory_, begin, options_.identity);
  if (!writer) return writer.error();
  Pace pace(hurry_);
  Result<void> done;
  for (std::uint32_t shard = 0; done && shard < cache_.shard_count(); ++shard) {
    done = write_shard(shard, *writer, pace);
  }
  // Not before everything that was seen is in the log for good.
  const log::Position end = log_.tail();
  log_.commit_soon();
  if (done) done = log_.wait_durable(end);
  if (done) done = writer->finish(end);
  if (!done) {
    writer->abandon();
    return done;
  }
  {
    const std::scoped_lock lock(mutex_);
    last_begin_ = begin;
    stats_.last_bytes = writer->bytes();
  }
  log_.release(begin);
  return directory_.remove_snapshots_before(begin);
}

Result<void> Snapshotter::write_shard(std::uint32_t shard, log::SnapshotWriter& writer,
                                      Pace& pace) {
  Result<void> done;
  std::uint64_t cursor = 0;
  do {
    if (ending_.load(std::memory_order_relaxed)) return Error{"the server stops"};
    cursor = cache_.scan_records(shard, cursor, [&](const cache::Cache::ScannedRecord& record) {
      if (done) done = writer.add(record_of(shard, record));
    });
    pace.step();
  } while (done && cursor != 0);
  if (!done) return done;
  log::Record floor;
  floor.type = log::RecordType::kFloor;
  floor.shard = shard;
  floor.version = cache_.version_floor(shard);
  return writer.add(floor);
}

}  // namespace vigil::server
