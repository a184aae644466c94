// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/admin.h"

#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/base/clock.h"
#include "vigil/base/version.h"
#include "vigil/server/http/openapi.h"
#include "vigil/server/http/problem.h"
#include "vigil/server/metrics/metrics.h"
#include "vigil/text/json_writer.h"
#include "vigil/thread_dump/thread_dump.h"

namespace vigil::server {

namespace {

void write_cache_stats(const cache::Cache& cache, text::JsonWriter* json) {
  const cache::CacheStats stats = cache.stats();
  json->begin_object("cache");
  json->member("entries", stats.entries);
  json->member("with_deadline", stats.with_deadline);
  json->member("tombstones", stats.tombstones);
  json->member("expired_total", stats.expired_total);
  json->member("busy_total", stats.busy_total);
  json->member("handed_over_total", stats.handed_over_total);
  json->member("entry_bytes", stats.entry_bytes);
  json->member("index_bytes", stats.index_bytes);
  json->member("resident_bytes", stats.resident_bytes);
  json->end_object();
}

// Why clients should go elsewhere. A log that is behind for a moment is no reason.
std::optional<Problem> unreadiness(Durability::Service service) {
  using Service = Durability::Service;
  if (service == Service::kLoading) return Problem::kLoading;
  const bool takes_all = service == Service::kFull || service == Service::kBehind;
  return takes_all ? std::nullopt : std::optional(Problem::kReadOnly);
}

void write_durability(const ServerState& server, text::JsonWriter* json) {
  const Durability& durability = server.durability;
  const Durability::RecoveryStats recovery = durability.recovery();
  const log::Log* const log = durability.serving_log();
  const log::LogStats stats = log == nullptr ? log::LogStats{} : log->stats();
  const Snapshotter* const snapshotter = durability.snapshotter();
  const SnapshotStats snapshots = snapshotter == nullptr ? SnapshotStats{} : snapshotter->stats();
  json->begin_object("durability");
  json->member("mode", durability.keeps() ? server.options.durability.mode : "off");
  json->member("state", service_name(durability.service()));
  json->member("recovered_records", recovery.records);
  json->member("recovery_ms", recovery.took_ms);
  json->member("log_written_bytes", stats.written_bytes);
  json->member("log_backlog_bytes", stats.backlog_bytes);
  json->member("log_unsynced_bytes", stats.tail - stats.durable);
  json->member("log_disk_bytes", stats.segment_bytes);
  json->member("log_syncs", stats.syncs);
  json->member("snapshots", snapshots.done_total);
  json->member("snapshot_failures", snapshots.failed_total);
  json->member("last_snapshot_ms", snapshots.last_ms);
  json->end_object();
}

void write_reactors(const ServerState& server, text::JsonWriter* json) {
  json->begin_array("reactors");
  for (const auto& counters : server.counters) {
    std::uint64_t requests = 0;
    for (const Counter& family : counters->commands) requests += family.value();
    json->begin_object();
    json->member("requests", requests);
    json->member("connections_open", counters->connections_open.value());
    json->member("bytes_in", counters->bytes_in.value());
    json->member("bytes_out", counters->bytes_out.value());
    json->member("busy_ns", counters->busy_ns.value());
    json->member("cpu_ns", counters->cpu_ns.value());
    json->end_object();
  }
  json->end_array();
}

void write_shards(const cache::Cache& cache, text::JsonWriter* json) {
  json->begin_array("shards");
  for (std::uint32_t shard = 0; shard < cache.shard_count(); ++shard) {
    const cache::ShardStats stats = cache.shard_stats(shard);
    json->begin_object();
    json->member("entries", stats.entries);
    json->member("load_factor_percent", std::lround(stats.load_factor * 100));
    json->member("queue_depth", stats.queue_depth);
    json->end_object();
  }
  json->end_array();
}

}  // namespace

bool HttpAdmin::handle(const HttpRequest& request, HttpReply* reply) const {
  struct Route {
    std::string_view path;
    void (HttpAdmin::*answer)(HttpReply*) const;
  };
  static constexpr Route kRoutes[] = {
      {"/healthz", &HttpAdmin::health},        {"/readyz", &HttpAdmin::readiness},
      {"/metrics", &HttpAdmin::metrics},       {"/openapi.json", &HttpAdmin::openapi},
      {"/admin/stats", &HttpAdmin::stats},     {"/admin/config", &HttpAdmin::config},
      {"/debug/threads", &HttpAdmin::threads},
  };
  for (const Route& route : kRoutes) {
    if (route.path != request.path()) continue;
    if (request.method == HttpMethod::kGet || request.method == HttpMethod::kHead) {
      (this->*route.answer)(reply);
    } else {
      reply_method_not_allowed("GET, HEAD, OPTIONS", request, reply);
    }
    return true;
  }
  return false;
}

void HttpAdmin::health(HttpReply* reply) const {
  reply->content_type = kTextType;
  reply->body = "ok\n";
}

void HttpAdmin::readiness(HttpReply* reply) const {
  if (server_.draining.load(std::memory_order_relaxed)) {
    reply_problem(Problem::kDraining, "connect to another instance", reply);
    return;
  }
  if (const std::optional<Problem> problem = unreadiness(server_.durability.service())) {
    reply_problem(*problem, server_.durability.sentence(), reply);
    return;
  }
  reply->content_type = kTextType;
  reply->body = "ready\n";
}

void HttpAdmin::metrics(HttpReply* reply) const {
  reply->content_type = kMetricsType;
  reply->body = render_metrics(Metrics(server_));
}

void HttpAdmin::openapi(HttpReply* reply) const { reply->body = openapi_document(); }

void HttpAdmin::stats(HttpReply* reply) const {
  text::JsonWriter json(&reply->body);
  json.begin_object();
  json.member("version", version());
  json.member("uptime_ms", unix_ms() - server_.started_ms);
  json.member("connections_open", server_.connections.load(std::memory_order_relaxed));
  write_cache_stats(server_.cache, &json);
  write_durability(server_, &json);
  write_reactors(server_, &json);
  write_shards(server_.cache, &json);
  json.end_object();
}

void HttpAdmin::config(HttpReply* reply) const {
  reply->content_type = "application/toml";
  reply->body = effective_config_;
}

// Takes some milliseconds, and half a second where a thread does not answer.
void HttpAdmin::threads(HttpReply* reply) const {
  reply->body = thread_dump_text("GET /debug/threads");
  if (reply->body.empty()) {
    reply_problem(Problem::kNoSuchPath, "this process did not install the thread dump", reply);
    return;
  }
  reply->content_type = kTextType;
}

}  // namespace vigil::server
