// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/durability/recovery.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/base/clock.h"
#include "vigil/base/hash.h"
#include "vigil/cache/restoration.h"
#include "vigil/log/record.h"
#include "vigil/log/snapshot_file.h"
#include "vigil/orders/record.h"
#include "vigil/server/durability/worker_pool.h"

namespace vigil::server {

namespace {

using log::Record;
using log::RecordType;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

// --- Applying ------------------------------------------------------------------------------------

// Does to the cache what records say. Records of one shard come from one thread at a time.
class Applier {
 public:
  Applier(cache::Cache& cache, const RecoveryOptions& options, const RecoveryProgress& progress)
      : cache_(cache), options_(options), progress_(progress), restoration_(cache, unix_ms()) {}

  // Whether shard numbers of records by this writer mean the shards of the cache.
  [[nodiscard]] bool same_shards(const log::LogIdentity& writer) const {
    return writer.shards == options_.identity.shards && writer.hash == options_.identity.hash;
  }

  // In their order, looking ahead: what costs is memory that is not in the processor's caches.
  Result<void> apply(std::span<const Record> records, const log::LogIdentity& writer) {
    if (options_.cancel != nullptr && options_.cancel->load(std::memory_order_relaxed)) return {};
    const bool same = same_shards(writer);
    std::uint64_t bytes = 0;
    Result<void> done;
    for (std::size_t i = 0; i < records.size() && done; ++i) {
      if (same && i + kIndexAhead < records.size()) {
        const Record& later = records[i + kIndexAhead];
        restoration_.prefetch_index(later.shard, later.key);
        const Record& soon = records[i + kEntryAhead];
        restoration_.prefetch_entry(soon.shard, soon.key);
      }
      const Record& record = records[i];
      bytes += record.key.size() + record.value.size() + kRecordHeadBytes;
      done = same ? apply_to(record.shard, record) : reroute(record, writer);
    }
    bytes_applied_.fetch_add(bytes, std::memory_order_relaxed);
    return done;
  }

 private:
  static constexpr std::size_t kIndexAhead = 16;
  static constexpr std::size_t kEntryAhead = 6;
  static constexpr std::size_t kRecordHeadBytes = 8;  // in the file, at least
  static constexpr double kGuessMargin = 1.0625;      // what comes may be larger

  Result<void> apply_to(std::uint32_t shard, const Record& record) {
    switch (record.type) {
      case RecordType::kStored:
        return store(shard, record);
      case RecordType::kDeadline:
        restoration_.deadline_set(shard, record.key, record.deadline_ms);
        break;
      case RecordType::kRemoved:
        restoration_.removed(shard, record.key, record.version);
        break;
      case RecordType::kCleared:
        restoration_.cleared(shard, record.version);
        break;
      case RecordType::kFloor:
        restoration_.raise_version_floor(shard, record.version);
        break;
      case RecordType::kMark:
      case RecordType::kContinued:
        break;
    }
    return {};
  }

  Result<void> store(std::uint32_t shard, const Record& record) {
    const cache::EntryHeader header{
        .version = record.version, .deadline_ms = record.deadline_ms, .kind = record.kind};
    const cache::AssignStatus status = restoration_.stored(shard, record.key, record.value, header);
    if (status == cache::AssignStatus::kStored) return {};
    if (status == cache::AssignStatus::kTooLarge) {
      return Error{"a stored record is larger than this version of vigild allows"};
    }
    return too_small();
  }

  // What all will take is guessed from what was applied so far, which is less than what was read.
  [[nodiscard]] Error too_small() const {
    const std::uint64_t limit = cache_.options().memory_limit_bytes;
    const auto applied = static_cast<double>(bytes_applied_.load(std::memory_order_relaxed));
    const auto total = static_cast<double>(progress_.bytes_total.load(std::memory_order_relaxed));
    const double grows = kGuessMargin * std::max(total / std::max(applied, 1.0), 1.0);
    const std::uint64_t needed =
        static_cast<std::uint64_t>(grows * static_cast<double>(limit)) / kMiB + 1;
    return Error{"the stored data does not fit into cache.memory_limit, which is " +
                 std::to_string(limit / kMiB) + "MiB; it needs about " + std::to_string(needed) +
                 "MiB (--memory-limit " + std::to_string(needed) + "MiB)"};
  }

  // --- Other shards than when it was written ---

  [[nodiscard]] std::uint32_t shard_of(const Record& record) const {
    return cache_.key(orders::shard_key(record.kind, record.key, record.value)).shard;
  }

  // A removal of a remembered answer does not say its order and finds nothing: the answer goes when
  // its own deadline passes.
  Result<void> reroute(const Record& record, const log::LogIdentity& writer) {
    if (record.type == RecordType::kFloor) {
      raise_all_floors(record.version);
      return {};
    }
    if (record.type == RecordType::kCleared) {
      clear_shard_of(writer, record.shard);
      raise_all_floors(record.version);
      return {};
    }
    return apply_to(shard_of(record), record);
  }

  void raise_all_floors(std::uint64_t version) {
    for (std::uint32_t shard = 0; shard < cache_.shard_count(); ++shard) {
      restoration_.raise_version_floor(shard, version);
    }
  }

  void clear_shard_of(const log::LogIdentity& writer, std::uint32_t cleared) {
    const Result<HashAlgorithm> hash = parse_hash_algorithm(writer.hash);
    VIGIL_CHECK(hash.has_value(), "the log's header names a hash that was checked");
    for (std::uint32_t shard = 0; shard < cache_.shard_count(); ++shard) {
      std::vector<std::pair<std::string, std::uint64_t>> gone;
      std::uint64_t cursor = 0;
      do {
        cursor = cache_.scan_records(shard, cursor, [&](const cache::Cache::ScannedRecord& record) {
          const std::string_view key =
              orders::shard_key(record.header.kind, record.key, record.value);
          const auto was =
              static_cast<std::uint32_t>(stable_hash(*hash, key)) & (writer.shards - 1);
          if (was == cleared) gone.emplace_back(record.key, record.header.version);
        });
      } while (cursor != 0);
      for (const auto& [key, version] : gone) restoration_.removed(shard, key, version);
    }
  }

  cache::Cache& cache_;
  const RecoveryOptions& options_;
  const RecoveryProgress& progress_;
  cache::Restoration restoration_;
  std::atomic<std::uint64_t> bytes_applied_{0};
};

// --- The snapshot --------------------------------------------------------------------------------

Result<void> load_block(const std::string& path, const log::SnapshotBlock& block,
                        const log::LogIdentity& writer, Applier& applier) {
  if (Result<void> checked = log::check_block(path, block); !checked) return checked;
  std::vector<Record> records;
  records.reserve(block.records);
  log::for_each_record(block, [&](const Record& record) { records.push_back(record); });
  return applier.apply(records, writer);
}

Result<void> load_snapshot(log::SnapshotReader& reader, Applier& applier, WorkerPool& workers,
                           RecoveryProgress* progress) {
  const log::LogIdentity& writer = reader.header().identity;
  // A key that two blocks have may be loaded in either order: the log has its last state.
  Result<bool> more = true;
  for (std::uint32_t turn = 0; !workers.failed(); ++turn) {
    auto block = std::make_shared<log::SnapshotBlock>();
    more = reader.next(block.get());
    if (!more || !*more) break;
    progress->bytes_done.store(reader.bytes_read(), std::memory_order_relaxed);
    progress->records.fetch_add(block->records, std::memory_order_relaxed);
    workers.post(turn % workers.size(), [&applier, &writer, block, path = reader.path()] {
      return load_block(path, *block, writer, applier);
    });
  }
  Result<void> loaded = workers.finish();
  if (!more) return more.error();
  return loaded;
}

// --- The log -------------------------------------------------------------------------------------

// Records on their way to a worker, with their bytes.
class RecordBatch {
 public:
  static constexpr std::size_t kBytesMax = std::size_t{256} << 10;
  static constexpr std::size_t kRecordsMax = 2048;

  explicit RecordBatch(std::shared_ptr<const log::LogIdentity> writer)
      : writer_(std::move(writer)) {}

  [[nodiscard]] bool full() const {
    return bytes_.size() >= kBytesMax || records_.size() >= kRecordsMax;
  }

  void add(const Record& record) {
    records_.push_back(record);  // its views get the right bytes in apply()
    bytes_.append(record.key).append(record.value);
  }

  // Once.
  Result<void> apply(Applier& applier) {
    std::string_view bytes = bytes_;
    for (Record& record : records_) {
      record.key = bytes.substr(0, record.key.size());
      record.value = bytes.substr(record.key.size(), record.value.size());
      bytes.remove_prefix(record.key.size() + record.value.size());
    }
    return applier.apply(records_, *writer_);
  }

 private:
  const std::shared_ptr<const log::LogIdentity> writer_;
  std::string bytes_;
  std::vector<Record> records_;
};

// Hands the records of the log to the workers: each shard always to the same one.
class Dispatcher {
 public:
  Dispatcher(Applier& applier, WorkerPool& workers)
      : applier_(applier), workers_(workers), batches_(workers.size()) {}

  void add(const log::LoggedRecord& logged) {
    if (writer_ == nullptr || !(*writer_ == logged.identity)) begin_run(logged.identity);
    // A record that changes its shard may concern several of them.
    const std::uint32_t worker = same_shards_ ? logged.record.shard % workers_.size() : 0;
    std::shared_ptr<RecordBatch>& batch = batches_[worker];
    if (batch != nullptr && batch->full()) flush(worker);
    if (batch == nullptr) batch = std::make_shared<RecordBatch>(writer_);
    batch->add(logged.record);
  }

  Result<void> finish() {
    flush_all();
    return workers_.finish();
  }

 private:
  // The shards of one run may be dealt out otherwise than those of the run before: waits for it.
  void begin_run(const log::LogIdentity& writer) {
    flush_all();
    static_cast<void>(workers_.finish());  // which goes on failing
    writer_ = std::make_shared<const log::LogIdentity>(writer);
    same_shards_ = applier_.same_shards(writer);
  }
  void flush(std::uint32_t worker) {
    std::shared_ptr<RecordBatch> batch = std::exchange(batches_[worker], nullptr);
    if (batch == nullptr) return;
    workers_.post(worker, [this, batch] { return batch->apply(applier_); });
  }
  void flush_all() {
    for (std::uint32_t i = 0; i < workers_.size(); ++i) flush(i);
  }

  Applier& applier_;
  WorkerPool& workers_;
  std::vector<std::shared_ptr<RecordBatch>> batches_;
  std::shared_ptr<const log::LogIdentity> writer_;
  bool same_shards_ = true;
};

// Of the log's records from `begin` on, and of the room that its last file has ready.
std::uint64_t log_bytes_from(const log::Directory& directory,
                             const std::vector<log::StreamFile>& segments, log::Position begin) {
  if (segments.empty()) return 0;
  std::error_code unknown;
  const std::uintmax_t last =
      std::filesystem::file_size(directory.path_of(segments.back().name), unknown);
  const log::Position end = segments.back().begin + (unknown ? 0 : last);
  return end - std::min(end, std::max(begin, segments.front().begin));
}

std::string changed_from(const std::string& what, const std::string& before,
                         const std::string& now) {
  return what + " changed from " + before + " to " + now + "; the data was routed anew";
}

void compare(const log::LogIdentity& before, const log::LogIdentity& now,
             std::vector<std::string>* warnings) {
  if (before.shards != now.shards) {
    warnings->push_back(
        changed_from("cache.shards", std::to_string(before.shards), std::to_string(now.shards)));
  }
  if (before.hash != now.hash) {
    warnings->push_back(changed_from("cache.hash", before.hash, now.hash));
  }
  if (before.transitions_hash != now.transitions_hash) {
    warnings->push_back(
        "the table of transitions is another than when the stored orders were written; they keep "
        "their statuses, and the new steps hold from now on");
  }
}

}  // namespace

Result<Recovered> recover(const log::Directory& directory, cache::Cache& cache,
                          const RecoveryOptions& options, RecoveryProgress* progress) {
  const Result<log::DirectoryListing> listing = directory.list();
  if (!listing) return listing.error();
  Recovered recovered;
  Applier applier(cache, options, *progress);
  WorkerPool workers(std::max(options.threads, 1U));
  std::optional<log::LogIdentity> written_by;
  std::uint64_t snapshot_bytes = 0;
  const auto note_total = [&](log::Position log_begin) {
    progress->bytes_total.store(
        snapshot_bytes + log_bytes_from(directory, listing->segments, log_begin),
        std::memory_order_relaxed);
  };
  note_total(0);
  if (!listing->snapshots.empty()) {
    Result<log::SnapshotReader> reader =
        log::SnapshotReader::open(directory, listing->snapshots.back());
    if (!reader) return reader.error();
    snapshot_bytes = reader->file_bytes();
    note_total(reader->header().begin);
    if (Result<void> loaded = load_snapshot(*reader, applier, workers, progress); !loaded) {
      return loaded.error();
    }
    written_by = reader->header().identity;
    recovered.snapshot_begin = reader->header().begin;
    recovered.snapshot_bytes = snapshot_bytes;
    recovered.snapshot_time_ms = reader->header().created_ms;
  }

  Dispatcher dispatcher(applier, workers);
  log::ReadOptions read;
  read.from = recovered.snapshot_begin;
  read.cut_bytes_max = options.cut_bytes_max;
  read.progress = [&](std::uint64_t done, std::uint64_t) {
    progress->bytes_done.store(snapshot_bytes + done, std::memory_order_relaxed);
  };
  Result<log::LogEnd> end = log::read_log(directory, read, [&](const log::LoggedRecord& logged) {
    if (workers.failed()) return;
    dispatcher.add(logged);
    progress->records.fetch_add(1, std::memory_order_relaxed);
  });
  if (Result<void> applied = dispatcher.finish(); !applied) return applied.error();
  if (!end) return end.error();
  if (end->identity) written_by = end->identity;
  if (written_by) compare(*written_by, options.identity, &recovered.warnings);
  recovered.end = *std::move(end);
  return recovered;
}

}  // namespace vigil::server
