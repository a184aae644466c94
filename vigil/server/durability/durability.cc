// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/durability/durability.h"

#include <pthread.h>

#include <algorithm>
#include <array>
#include <exception>
#include <utility>

#include "vigil/base/clock.h"
#include "vigil/base/hash.h"

namespace vigil::server {

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

}  // namespace

// Forwards what the log commits; the first position comes from the recovery's thread.
class Durability::Commits final : public log::CommitListener {
 public:
  explicit Commits(const Listener& listener) : listener_(listener) {}

  void committed(log::Position position) noexcept override {
    const std::scoped_lock lock(mutex_);
    if (position <= last_) return;
    last_ = position;
    listener_.committed(position);
  }
  void failed(std::string_view reason) noexcept override {
    const std::scoped_lock lock(mutex_);
    listener_.warning(
        std::string("the log failed, from now on the server only reads: ").append(reason));
    listener_.failed();
  }

 private:
  const Listener& listener_;
  std::mutex mutex_;
  log::Position last_ = 0;
};

Durability::Durability(const ServerOptions& options, cache::Cache& cache,
                       std::unique_ptr<DataDirectory> directory)
    : options_(options.durability),
      threads_(options.threads),
      transitions_hash_(options.orders.table.fingerprint()),
      cache_(cache),
      directory_(std::move(directory)),
      loading_(keeps()) {}

Durability::~Durability() { stop(); }

// --- Life ----------------------------------------------------------------------------------------

void Durability::start(Listener listener) {
  listener_ = std::move(listener);
  if (!keeps()) return listener_.recovered({});
  recovery_started_ms_.store(unix_ms());
  commits_ = std::make_unique<Commits>(listener_);
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "recovery");
}

void Durability::stop() {
  cancel_.store(true);
  if (thread_.joinable()) thread_.join();
  snapshotter_.reset();
  if (log_ == nullptr) return;
  if (const Result<void> closed = log_->close(); !closed) {
    listener_.warning("the log was not closed in order: " + closed.error().message);
  }
}

void Durability::run() {
  Result<void> opened;
  try {
    opened = recover_and_open();
  } catch (const std::exception& error) {
    opened = Error{std::string("reading ") + directory_->path() + ": " + error.what()};
  }
  recovery_took_ms_.store(std::max<std::int64_t>(unix_ms() - recovery_started_ms_.load(), 1));
  if (opened) loading_.store(false, std::memory_order_release);
  listener_.recovered(opened);
}

log::LogIdentity Durability::identity() const {
  return {.shards = cache_.shard_count(),
          .hash = std::string(hash_algorithm_name(cache_.options().hash)),
          .transitions_hash = transitions_hash_};
}

Result<void> Durability::recover_and_open() {
  RecoveryOptions recovery;
  recovery.identity = identity();
  recovery.cut_bytes_max = options_.cut_bytes_max;
  recovery.threads = threads_;
  recovery.cancel = &cancel_;
  Result<Recovered> recovered = recover(directory_->log(), cache_, recovery, &progress_);
  if (!recovered) return recovered.error();
  if (cancel_.load()) return Error{"the server was stopped while it read its data"};
  report(*recovered);

  log::LogOptions log_options;
  log_options.sync =
      options_.mode == "always" ? log::SyncMode::kAlways : log::SyncMode::kEverySecond;
  log_options.identity = identity();
  log_options.segment_bytes = options_.segment_bytes;
  log_options.backlog_bytes_max = options_.backlog_bytes_max;
  Result<std::unique_ptr<log::Log>> log =
      log::Log::open(directory_->log(), recovered->end, log_options, *commits_);
  if (!log) return log.error();
  log_ = *std::move(log);
  // What the last run had no time for.
  log_->release(recovered->snapshot_begin);
  const Result<void> removed = directory_->log().remove_snapshots_before(recovered->snapshot_begin);
  if (!removed) listener_.warning(removed.error().message);
  cache_.add_observer(*log_);
  commits_->committed(log_->committed());
  snapshotter_ = std::make_unique<Snapshotter>(
      directory_->log(), *log_, cache_,
      Snapshotter::Options{.identity = identity(),
                           .log_bytes = options_.snapshot_log_bytes,
                           .last_begin = std::max(recovered->snapshot_begin, recovered->end.begin),
                           .last_bytes = recovered->snapshot_bytes,
                           .last_ms = recovered->snapshot_time_ms});
  serving_log_.store(log_.get(), std::memory_order_release);
  return {};
}

void Durability::report(const Recovered& recovered) const {
  const std::int64_t took_ms = unix_ms() - recovery_started_ms_.load();
  listener_.note("read " + std::to_string(progress_.records.load()) + " records, " +
                 std::to_string(progress_.bytes_total.load() / kMiB) + " MiB, from " +
                 directory_->path() + " in " + std::to_string(took_ms) + " ms");
  if (recovered.end.cut) listener_.warning(recovered.end.cut->sentence());
  for (const std::string& warning : recovered.warnings) listener_.warning(warning);
  for (const std::string& status : directory_->lost_statuses()) {
    listener_.warning("the table of transitions has no status \"" + status +
                      "\" any more; stored orders that have it are final");
  }
}

// --- Requests ------------------------------------------------------------------------------------

Durability::Service Durability::service() const {
  if (loading()) return Service::kLoading;
  const log::Log* const log = serving_log();
  if (log == nullptr) return Service::kFull;
  switch (log->write_state()) {
    case log::WriteState::kReady:
      return Service::kFull;
    case log::WriteState::kNoRoom:
      return Service::kNoRoom;
    case log::WriteState::kBacklog:
      return Service::kBehind;
    case log::WriteState::kFailed:
      return Service::kFailed;
  }
  return Service::kFailed;
}

std::string Durability::sentence() const {
  switch (service()) {
    case Service::kFull:
      return "everything is served";
    case Service::kLoading: {
      const RecoveryStats stats = recovery();
      const std::uint64_t total = std::max<std::uint64_t>(stats.bytes_total, 1);
      return "the server reads its data, " + std::to_string(stats.bytes_done * 100 / total) +
             " % of " + std::to_string(stats.bytes_total / kMiB) + " MiB";
    }
    case Service::kBehind:
      return "the log waits for the disk, try again";
    case Service::kNoRoom:
      return "the log has no room: " + serving_log()->stats().no_room +
             "; until there is room writes that add are refused, reads and deletes go on";
    case Service::kFailed:
      return "the log failed, the server only reads: " + failure();
  }
  return {};
}

std::string_view service_name(Durability::Service service) {
  static constexpr std::array<std::string_view, Durability::kServices> kNames = {
      "ready", "loading", "behind", "no_room", "failed"};
  return kNames[static_cast<std::size_t>(service)];
}

std::string Durability::failure() const {
  const log::Log* const log = serving_log();
  return log == nullptr ? std::string() : log->failure();
}

Durability::RecoveryStats Durability::recovery() const {
  RecoveryStats stats;
  stats.started_ms = recovery_started_ms_.load();
  stats.bytes_done = progress_.bytes_done.load(std::memory_order_relaxed);
  stats.bytes_total = progress_.bytes_total.load(std::memory_order_relaxed);
  stats.records = progress_.records.load(std::memory_order_relaxed);
  const std::int64_t took_ms = recovery_took_ms_.load();
  if (stats.started_ms != 0) {
    stats.took_ms = took_ms != 0 ? took_ms : unix_ms() - stats.started_ms;
  }
  return stats;
}

}  // namespace vigil::server
