// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/admin.h"

#include <cmath>
#include <string>
#include <string_view>

#include "vigil/base/clock.h"
#include "vigil/base/version.h"
#include "vigil/server/http/openapi.h"
#include "vigil/server/http/problem.h"
#include "vigil/server/metrics/metrics.h"
#include "vigil/text/json.h"
#include "vigil/thread_dump/thread_dump.h"

namespace vigil::server {

namespace {

// Writes one JSON object, member by member; end() closes it, for a destructor may not throw.
class JsonObject {
 public:
  explicit JsonObject(std::string* out) : out_(out) { out_->push_back('{'); }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;

  void member(std::string_view name, std::uint64_t value) {
    key(name);
    append_unsigned(value, out_);
  }
  void member(std::string_view name, std::string_view value) {
    key(name);
    append_json_string(value, out_);
  }
  void end() { out_->push_back('}'); }
  // Starts a member whose value the caller writes.
  std::string* key(std::string_view name) {
    if (!first_) out_->push_back(',');
    first_ = false;
    append_json_string(name, out_);
    out_->push_back(':');
    return out_;
  }

 private:
  std::string* out_;
  bool first_ = true;
};

void append_cache_stats(const cache::Cache& cache, std::string* out) {
  const cache::CacheStats stats = cache.stats();
  JsonObject object(out);
  object.member("entries", stats.entries);
  object.member("with_deadline", stats.with_deadline);
  object.member("tombstones", stats.tombstones);
  object.member("expired_total", stats.expired_total);
  object.member("busy_total", stats.busy_total);
  object.member("handed_over_total", stats.handed_over_total);
  object.member("entry_bytes", stats.entry_bytes);
  object.member("index_bytes", stats.index_bytes);
  object.member("resident_bytes", stats.resident_bytes);
  object.end();
}

void append_shards(const cache::Cache& cache, std::string* out) {
  out->push_back('[');
  for (std::uint32_t shard = 0; shard < cache.shard_count(); ++shard) {
    const cache::ShardStats stats = cache.shard_stats(shard);
    if (shard != 0) out->push_back(',');
    JsonObject object(out);
    object.member("entries", stats.entries);
    object.member("load_factor_percent",
                  static_cast<std::uint64_t>(std::lround(stats.load_factor * 100)));
    object.member("queue_depth", stats.queue_depth);
    object.end();
  }
  out->push_back(']');
}

void append_reactors(const ServerState& server, std::string* out) {
  out->push_back('[');
  for (const auto& counters : server.counters) {
    if (out->back() == '}') out->push_back(',');
    JsonObject object(out);
    std::uint64_t requests = 0;
    for (const Counter& family : counters->commands) requests += family.value();
    object.member("requests", requests);
    object.member("connections_open", counters->connections_open.value());
    object.member("bytes_in", counters->bytes_in.value());
    object.member("bytes_out", counters->bytes_out.value());
    object.member("busy_ns", counters->busy_ns.value());
    object.member("cpu_ns", counters->cpu_ns.value());
    object.end();
  }
  out->push_back(']');
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
  reply->content_type = kTextType;
  reply->body = "ready\n";
}

void HttpAdmin::metrics(HttpReply* reply) const {
  reply->content_type = kMetricsType;
  reply->body = render_metrics(Metrics(server_));
}

void HttpAdmin::openapi(HttpReply* reply) const { reply->body = openapi_document(); }

void HttpAdmin::stats(HttpReply* reply) const {
  JsonObject object(&reply->body);
  object.member("version", version());
  object.member("uptime_ms", static_cast<std::uint64_t>(unix_ms() - server_.started_ms));
  object.member("connections_open", server_.connections.load(std::memory_order_relaxed));
  append_cache_stats(server_.cache, object.key("cache"));
  append_reactors(server_, object.key("reactors"));
  append_shards(server_.cache, object.key("shards"));
  object.end();
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
