// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/metrics/metrics.h"

#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <sstream>
#include <utility>

#include "vigil/base/version.h"

namespace vigil::server {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double kSecondsPerNanosecond = 1e-9;

using Labels = std::vector<ClientMetric::Label>;

// One family under construction.
class Family {
 public:
  Family(std::string name, std::string help, MetricType type) {
    family_.name = std::move(name);
    family_.help = std::move(help);
    family_.type = type;
  }

  Family& sample(double value, Labels labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (family_.type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family_.metric.push_back(std::move(metric));
    return *this;
  }
  Family& histogram(ClientMetric::Histogram value) {
    family_.metric.emplace_back().histogram = std::move(value);
    return *this;
  }
  MetricFamily take() { return std::move(family_); }

 private:
  MetricFamily family_;
};

using ReactorValue = std::function<std::uint64_t(const ReactorCounters&)>;
using HistogramMember = LatencyHistogram ReactorCounters::*;

// Which octaves of nanoseconds a histogram shows; each is divided in two.
struct Range {
  std::uint32_t first_octave;  // lowest bound: 2^first ns
  std::uint32_t last_octave;   // highest bound: 2^last ns
};

class Collection {
 public:
  explicit Collection(const ServerState& server) : server_(server) {}

  std::vector<MetricFamily> collect() {
    add_cache();
    add_shards();
    add_orders();
    add_requests();
    add_connections();
    add_reactors();
    add_durability();
    add_process();
    return std::move(families_);
  }

 private:
  void add(Family&& family) { families_.push_back(family.take()); }
  void gauge(std::string name, std::string help, double value) {
    add(std::move(Family(std::move(name), std::move(help), MetricType::Gauge).sample(value)));
  }
  void counter(std::string name, std::string help, std::uint64_t value) {
    add(std::move(Family(std::move(name), std::move(help), MetricType::Counter)
                      .sample(static_cast<double>(value))));
  }

  [[nodiscard]] std::uint64_t sum(const ReactorValue& value) const {
    std::uint64_t total = 0;
    for (const auto& counters : server_.counters) total += value(*counters);
    return total;
  }

  // Sums the reactors' log-linear buckets into cumulative ones at 2^k and 1.5 * 2^k ns.
  void histogram(std::string name, std::string help, HistogramMember member, Range range) {
    ClientMetric::Histogram result;
    const std::uint64_t first_bound_ns = std::uint64_t{1} << range.first_octave;
    const std::uint64_t last_bound_ns = std::uint64_t{1} << range.last_octave;
    std::uint64_t seen = 0;
    for (std::uint32_t i = 0; i < LatencyHistogram::kBuckets; ++i) {
      seen += sum([&](const ReactorCounters& c) { return (c.*member).bucket(i); });
      const std::uint64_t bound_ns = LatencyHistogram::upper_bound_ns(i);
      const bool shown = i % 2 == 1 && bound_ns >= first_bound_ns && bound_ns <= last_bound_ns;
      if (shown)
        result.bucket.push_back({seen, static_cast<double>(bound_ns) * kSecondsPerNanosecond});
    }
    result.sample_count = seen;
    result.sample_sum =
        static_cast<double>(sum([&](const ReactorCounters& c) { return (c.*member).sum_ns(); })) *
        kSecondsPerNanosecond;
    add(std::move(Family(std::move(name), std::move(help), MetricType::Histogram)
                      .histogram(std::move(result))));
  }

  void per_reactor(std::string name, std::string help, double unit, const ReactorValue& value) {
    Family family(std::move(name), std::move(help), MetricType::Counter);
    for (std::size_t i = 0; i < server_.counters.size(); ++i) {
      family.sample(static_cast<double>(value(*server_.counters[i])) * unit,
                    {{"reactor", std::to_string(i)}});
    }
    add(std::move(family));
  }

  void add_cache() {
    const cache::CacheStats stats = server_.cache.stats();
    gauge("cache_entries", "Visible keys, expired ones included until they are collected.",
          static_cast<double>(stats.entries));
    gauge("cache_entries_with_deadline", "Visible keys that expire.",
          static_cast<double>(stats.with_deadline));
    gauge("cache_tombstones", "Tombstones of orders and idempotency records.",
          static_cast<double>(stats.tombstones));
    gauge("cache_entry_bytes", "Memory allocated to entries.",
          static_cast<double>(stats.entry_bytes));
    gauge("cache_index_bytes", "Memory of the indexes.", static_cast<double>(stats.index_bytes));
    gauge("cache_resident_bytes", "Memory that counts to the limit.",
          static_cast<double>(stats.resident_bytes));
    gauge("cache_memory_limit_bytes", "The configured memory limit.",
          static_cast<double>(stats.memory_limit_bytes));
    counter("cache_busy_total", "Writes refused because the queue of their shard was full.",
            stats.busy_total);
    counter("cache_handed_over_total", "Writes applied by the thread that held the shard.",
            stats.handed_over_total);
    const auto deleted = static_cast<std::size_t>(orders::OrderOutcome::kDeleted);
    Family evicted("cache_evict_total", "Entries that left the cache, by reason.",
                   MetricType::Counter);
    evicted.sample(static_cast<double>(stats.expired_total), {{"reason", "expired"}});
    evicted.sample(static_cast<double>(stats.evicted_total), {{"reason", "memory"}});
    evicted.sample(static_cast<double>(sum([&](const ReactorCounters& c) {
                     return c.order_outcomes[deleted].value();
                   })),
                   {{"reason", "order_deleted"}});
    add(std::move(evicted));
    counter("cache_hits_total", "Reads that found their key.",
            sum([](const ReactorCounters& c) { return c.hits.value(); }));
    counter("cache_misses_total", "Reads that did not find their key.",
            sum([](const ReactorCounters& c) { return c.misses.value(); }));
    histogram("cache_write_latency_seconds", "Time of a write: its batch's time per request.",
              &ReactorCounters::write_latency, {7, 30});
    histogram("cache_expiry_lag_seconds", "Time from an entry's deadline to its eviction.",
              &ReactorCounters::expiry_lag, {16, 37});
  }

  void add_shards() {
    Family load("cache_shard_load_factor", "Used share of the shard's index slots.",
                MetricType::Gauge);
    Family depth("cache_queue_depth", "Writers that wait for the shard.", MetricType::Gauge);
    Family entries("cache_shard_entries", "Entries of the shard.", MetricType::Gauge);
    for (std::uint32_t shard = 0; shard < server_.cache.shard_count(); ++shard) {
      const cache::ShardStats stats = server_.cache.shard_stats(shard);
      const std::string label = std::to_string(shard);
      load.sample(stats.load_factor, {{"shard", label}});
      depth.sample(stats.queue_depth, {{"shard", label}});
      entries.sample(static_cast<double>(stats.entries), {{"shard", label}});
    }
    add(std::move(load));
    add(std::move(depth));
    add(std::move(entries));
  }

  void add_orders() {
    Family events("cache_order_events_total", "Order events, by outcome.", MetricType::Counter);
    for (std::size_t i = 0; i <= static_cast<std::size_t>(orders::OrderOutcome::kBusy); ++i) {
      const auto outcome = static_cast<orders::OrderOutcome>(i);
      events.sample(static_cast<double>(
                        sum([&](const ReactorCounters& c) { return c.order_outcomes[i].value(); })),
                    {{"outcome", std::string(orders::order_outcome_name(outcome))}});
    }
    add(std::move(events));
  }

  void add_requests() {
    Family commands("vigild_commands_total", "Requests, by family of commands.",
                    MetricType::Counter);
    for (std::size_t i = 0; i < kCommandFamilies; ++i) {
      commands.sample(
          static_cast<double>(sum([&](const ReactorCounters& c) { return c.commands[i].value(); })),
          {{"family", kCommandFamilyNames[i]}});
    }
    add(std::move(commands));
    counter("vigild_errors_total", "Error replies.",
            sum([](const ReactorCounters& c) { return c.errors.value(); }));
    counter("vigild_busy_rejections_total", "Error replies because a shard was busy.",
            sum([](const ReactorCounters& c) { return c.busy_rejections.value(); }));
    counter("vigild_batch_requests_total", "Requests that were handled in batches.",
            sum([](const ReactorCounters& c) { return c.batch_requests.value(); }));
    histogram("vigild_batch_latency_seconds",
              "Time from parsing the requests at hand on a connection to their last reply.",
              &ReactorCounters::batch_latency, {9, 30});
  }

  void add_connections() {
    gauge("vigild_connections_open", "Open connections.",
          static_cast<double>(server_.connections.load(std::memory_order_relaxed)));
    counter("vigild_connections_accepted_total", "Connections accepted.",
            sum([](const ReactorCounters& c) { return c.connections_accepted.value(); }));
    counter("vigild_connections_refused_total", "Connections refused over the limit.",
            sum([](const ReactorCounters& c) { return c.connections_refused.value(); }));
    counter("vigild_connections_dropped_total",
            "Connections cut off: output limit, time-out or protocol error.",
            sum([](const ReactorCounters& c) { return c.connections_dropped.value(); }));
    counter("vigild_connections_shed_total",
            "Of those, cut off because the buffers of all were over their limit.",
            sum([](const ReactorCounters& c) { return c.connections_shed.value(); }));
    gauge("vigild_connection_buffer_bytes", "Memory of the buffers of all connections.",
          static_cast<double>(server_.buffers.used()));
    gauge("vigild_connection_buffer_limit_bytes", "The configured limit of it; 0: none.",
          static_cast<double>(server_.buffers.limit()));
    counter("vigild_connection_faults_total",
            "Exceptions while connections were served; each ended its connection only.",
            sum([](const ReactorCounters& c) { return c.connection_faults.value(); }));
    counter("vigild_received_bytes_total", "Bytes received from clients.",
            sum([](const ReactorCounters& c) { return c.bytes_in.value(); }));
    counter("vigild_sent_bytes_total", "Bytes sent to clients.",
            sum([](const ReactorCounters& c) { return c.bytes_out.value(); }));
    counter("vigild_messages_published_total", "Pub/sub messages delivered to connections.",
            sum([](const ReactorCounters& c) { return c.messages_published.value(); }));
  }

  void add_reactors() {
    per_reactor("vigild_reactor_busy_seconds_total",
                "Time that the reactor did not wait; its rate is the reactor's utilisation.",
                kSecondsPerNanosecond, [](const ReactorCounters& c) { return c.busy_ns.value(); });
    per_reactor("vigild_reactor_cpu_seconds_total", "CPU time of the reactor's thread.",
                kSecondsPerNanosecond, [](const ReactorCounters& c) { return c.cpu_ns.value(); });
    per_reactor("vigild_reactor_turns_total", "Turns of the reactor's loop.", 1,
                [](const ReactorCounters& c) { return c.turns.value(); });
    per_reactor("vigild_reactor_wakeups_total", "Wake-ups by other reactors.", 1,
                [](const ReactorCounters& c) { return c.wakeups.value(); });
  }

  // Without a log all of it is there, and 0.
  void add_durability() {
    const Durability& durability = server_.durability;
    gauge("vigild_loading", "1 while the server reads its data.", durability.loading() ? 1 : 0);
    Family state("vigild_log_state", "1 for what the log lets be written now.", MetricType::Gauge);
    for (std::size_t i = 0; i < Durability::kServices; ++i) {
      const auto service = static_cast<Durability::Service>(i);
      const bool now = durability.keeps() && durability.service() == service;
      state.sample(now ? 1 : 0, {{"state", std::string(service_name(service))}});
    }
    add(std::move(state));
    const Durability::RecoveryStats recovery = durability.recovery();
    gauge("vigild_recovery_duration_seconds", "Time that reading the data took at the start.",
          static_cast<double>(recovery.took_ms) / 1000);
    gauge("vigild_recovery_records", "Records that were read at the start.",
          static_cast<double>(recovery.records));
    const log::Log* const log = durability.serving_log();
    add_log(log == nullptr ? log::LogStats{} : log->stats());
    const Snapshotter* const snapshotter = durability.snapshotter();
    add_snapshots(snapshotter == nullptr ? SnapshotStats{} : snapshotter->stats());
  }

  void add_log(const log::LogStats& stats) {
    counter("vigild_log_records_total", "Records that were appended to the log.", stats.records);
    counter("vigild_log_written_bytes_total", "Bytes written to the log's files.",
            stats.written_bytes);
    counter("vigild_log_commits_total", "Writes of the log, each of all that was executed since.",
            stats.commits);
    counter("vigild_log_syncs_total", "Syncs of the log.", stats.syncs);
    add(std::move(Family("vigild_log_sync_seconds_total", "Time spent in syncs of the log.",
                         MetricType::Counter)
                      .sample(static_cast<double>(stats.sync_ns_total) * kSecondsPerNanosecond)));
    gauge("vigild_log_sync_max_seconds", "The longest sync of the log.",
          static_cast<double>(stats.sync_ns_max) * kSecondsPerNanosecond);
    gauge("vigild_log_backlog_bytes", "Bytes of the log that are not written yet.",
          static_cast<double>(stats.backlog_bytes));
    gauge("vigild_log_unsynced_bytes", "Bytes of the log that a power cut could lose.",
          static_cast<double>(stats.tail - stats.durable));
    gauge("vigild_log_segments", "Files of the log, prepared ones included.",
          static_cast<double>(stats.segments));
    gauge("vigild_log_disk_bytes", "Size of those files.",
          static_cast<double>(stats.segment_bytes));
  }

  void add_snapshots(const SnapshotStats& stats) {
    gauge("vigild_snapshot_running", "1 while a snapshot is being written.", stats.running ? 1 : 0);
    counter("vigild_snapshots_total", "Snapshots that were written.", stats.done_total);
    counter("vigild_snapshot_failures_total", "Snapshots that failed.", stats.failed_total);
    gauge("vigild_snapshot_last_time_seconds", "End of the last snapshot, in Unix seconds.",
          static_cast<double>(stats.last_ms) / 1000);
    gauge("vigild_snapshot_last_duration_seconds", "Time that the last snapshot took.",
          static_cast<double>(std::max<std::int64_t>(stats.last_took_ms, 0)) / 1000);
    gauge("vigild_snapshot_last_bytes", "Size of the last snapshot.",
          static_cast<double>(stats.last_bytes));
    gauge("vigild_snapshot_log_bytes", "Bytes of the log since the last snapshot began.",
          static_cast<double>(stats.log_bytes_since));
  }

  void add_process() {
    add(std::move(
        Family("vigild_build_info", "The version that runs.", MetricType::Gauge)
            .sample(1, {{"version", std::string(version())}, {"compiler", __VERSION__}})));
    gauge("process_start_time_seconds", "Start of the process, in Unix seconds.",
          static_cast<double>(server_.started_ms) / 1000);
    gauge("process_resident_memory_bytes", "Resident memory of the process.", resident_bytes());
  }

  static double resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    double total_pages = 0;
    double resident_pages = 0;
    statm >> total_pages >> resident_pages;
    return resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE));
  }

  const ServerState& server_;
  std::vector<MetricFamily> families_;
};

}  // namespace

std::vector<MetricFamily> Metrics::Collect() const { return Collection(server_).collect(); }

std::string render_metrics(const prometheus::Collectable& metrics) {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, metrics.Collect());
  return std::move(text).str();
}

}  // namespace vigil::server
