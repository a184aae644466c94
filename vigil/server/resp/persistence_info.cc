// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/persistence_info.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "vigil/base/clock.h"

namespace vigil::server {

namespace {

class Fields {
 public:
  void add(std::string_view name, std::string_view value) {
    text_.append(name).append(":").append(value).append("\r\n");
  }
  void add(std::string_view name, std::int64_t value) { add(name, std::to_string(value)); }
  void add(std::string_view name, std::uint64_t value) { add(name, std::to_string(value)); }
  void add(std::string_view name, bool value) { add(name, std::string_view(value ? "1" : "0")); }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string_view status_of(bool fine) { return fine ? "ok" : "err"; }

void add_loading(const Durability& durability, Fields* fields) {
  const Durability::RecoveryStats stats = durability.recovery();
  const std::uint64_t done = std::max<std::uint64_t>(stats.bytes_done, 1);
  const std::uint64_t left = stats.bytes_total - std::min(stats.bytes_total, stats.bytes_done);
  const std::uint64_t percent =
      stats.bytes_done * 100 / std::max<std::uint64_t>(stats.bytes_total, 1);
  fields->add("loading_start_time", stats.started_ms / 1000);
  fields->add("loading_total_bytes", stats.bytes_total);
  fields->add("loading_loaded_bytes", stats.bytes_done);
  fields->add("loading_loaded_perc", percent);
  fields->add("loading_eta_seconds",
              static_cast<std::uint64_t>(stats.took_ms) * left / done / 1000);
}

void add_snapshots(const ServerState& server, Fields* fields) {
  const Snapshotter* const snapshotter = server.durability.snapshotter();
  const SnapshotStats stats = snapshotter == nullptr ? SnapshotStats{} : snapshotter->stats();
  const std::int64_t took_s = stats.last_took_ms < 0 ? -1 : stats.last_took_ms / 1000;
  const std::int64_t running_s = stats.running ? (unix_ms() - stats.started_ms) / 1000 : -1;
  fields->add("rdb_bgsave_in_progress", stats.running);
  fields->add("rdb_last_save_time", last_save_ms(server) / 1000);
  fields->add("rdb_last_bgsave_status", status_of(stats.last_error.empty()));
  fields->add("rdb_last_bgsave_time_sec", took_s);
  fields->add("rdb_current_bgsave_time_sec", running_s);
  fields->add("rdb_saves", stats.done_total);
  fields->add("snapshot_bytes", stats.last_bytes);
  fields->add("snapshot_log_bytes", stats.log_bytes_since);
  if (!stats.last_error.empty()) fields->add("snapshot_error", stats.last_error);
}

void add_log(const Durability& durability, const log::Log& log, Fields* fields) {
  const log::LogStats stats = log.stats();
  const std::string failure = log.failure();
  fields->add("aof_last_write_status", status_of(failure.empty() && stats.no_room.empty()));
  fields->add("aof_current_size", stats.segment_bytes);
  fields->add("aof_buffer_length", stats.backlog_bytes);
  fields->add("log_state", service_name(durability.service()));
  if (!failure.empty()) fields->add("log_error", failure);
  if (!stats.no_room.empty()) fields->add("log_error", stats.no_room);
  fields->add("log_segments", stats.segments);
  fields->add("log_records", stats.records);
  fields->add("log_written_bytes", stats.written_bytes);
  fields->add("log_commits", stats.commits);
  fields->add("log_syncs", stats.syncs);
  fields->add("log_sync_usec", stats.sync_ns_total / 1000);
  fields->add("log_sync_usec_max", stats.sync_ns_max / 1000);
  fields->add("log_unsynced_bytes", stats.tail - stats.durable);
}

}  // namespace

std::string persistence_info(const ServerState& server) {
  const Durability& durability = server.durability;
  Fields fields;
  fields.add("loading", durability.loading());
  fields.add("async_loading", false);
  if (durability.loading()) add_loading(durability, &fields);
  add_snapshots(server, &fields);
  fields.add("aof_enabled", durability.keeps());
  fields.add("aof_rewrite_in_progress", false);
  fields.add("durability", durability.keeps() ? server.options.durability.mode : "off");
  if (const log::Log* const log = durability.serving_log()) add_log(durability, *log, &fields);
  return fields.take();
}

std::int64_t last_save_ms(const ServerState& server) {
  const Snapshotter* const snapshotter = server.durability.snapshotter();
  const std::int64_t last_ms = snapshotter == nullptr ? 0 : snapshotter->stats().last_ms;
  return last_ms == 0 ? server.started_ms : last_ms;
}

}  // namespace vigil::server
