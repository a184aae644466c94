// SPDX-License-Identifier: Apache-2.0
//
// INFO: the server's figures under the names that Redis gives them, as clients' set-ups and
// monitoring read them. What has no meaning here is left out, what does not exist is 0.
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>

#include "vigil/server/resp/command_table.h"
#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/commands/statistics.h"
#include "vigil/server/resp/persistence_info.h"

namespace vigil::server {

namespace {

// The lines of one section.
class InfoText {
 public:
  void add(std::string_view name, std::string_view value) {
    text_.append(name).append(":").append(value).append("\r\n");
  }
  void add(std::string_view name, std::uint64_t value) { add(name, std::to_string(value)); }
  void add_fraction(std::string_view name, double value, std::string_view unit = "") {
    add(name, fixed(value) + std::string(unit));
  }
  // The number, and beside it the same for people.
  void add_bytes(const std::string& name, std::uint64_t bytes) {
    add(name, bytes);
    add(name + "_human", mebibytes(bytes));
  }
  void add_zeros(std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) add(name, std::uint64_t{0});
  }

  void add_lines(std::string_view lines) { text_ += lines; }

  [[nodiscard]] const std::string& text() const { return text_; }

  static std::string fixed(double value) {
    char text[40];
    std::snprintf(text, sizeof(text), "%.2f", value);
    return text;
  }

 private:
  static std::string mebibytes(std::uint64_t bytes) {
    return fixed(static_cast<double>(bytes) / (1 << 20)) + "M";
  }

  std::string text_;
};

double percent(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

double ratio(std::uint64_t a, std::uint64_t b) {
  return b == 0 ? 0 : static_cast<double>(a) / static_cast<double>(b);
}

std::string operating_system() {
  utsname name{};
  if (uname(&name) != 0) return "Linux";
  return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

std::string own_executable() {
  std::array<char, 4096> path{};
  const ssize_t size = readlink("/proc/self/exe", path.data(), path.size());
  return size < 0 ? std::string() : std::string(path.data(), static_cast<std::size_t>(size));
}

std::string compiler_version() {
  return std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__) + "." +
         std::to_string(__GNUC_PATCHLEVEL__);
}

void add_server(Call& call, InfoText& info) {
  const ServerState& server = call.shared().server;
  const auto uptime = static_cast<std::uint64_t>(call.now_ms - server.started_ms) / 1000;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  info.add("redis_version", "7.0.15");
  info.add("server_name", "vigil");
  info.add("redis_mode", "standalone");
  info.add("os", operating_system());
  info.add("arch_bits", 64);
  info.add("monotonic_clock", "POSIX clock_gettime");
  info.add("multiplexing_api", "epoll");
  info.add("atomicvar_api", "c11-builtin");
  info.add("gcc_version", compiler_version());
  info.add("process_id", static_cast<std::uint64_t>(getpid()));
  info.add("run_id", call.shared().run_id);
  info.add("tcp_port", server.resp_port);
  info.add("http_port", server.http_port);
  info.add("server_time_usec",
           std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(now).count()));
  info.add("uptime_in_seconds", uptime);
  info.add("uptime_in_days", uptime / 86'400);
  info.add("executable", own_executable());
  info.add("io_threads_active", std::uint64_t{0});
  info.add("reactors", server.options.threads);
}

void add_clients(Call& call, InfoText& info) {
  const RespShared& shared = call.shared();
  std::uint64_t subscribers = 0;
  shared.clients.for_each([&](const Client& client, const Clients::Texts&) {
    const auto channels = client.channels.load(std::memory_order_relaxed);
    if (channels + client.patterns.load(std::memory_order_relaxed) != 0) ++subscribers;
  });
  info.add("connected_clients", shared.clients.size());
  info.add("maxclients", shared.server.options.connections_max);
  info.add("pubsub_clients", subscribers);
  info.add_zeros({"cluster_connections", "blocked_clients", "tracking_clients",
                  "clients_in_timeout_table", "total_blocking_keys"});
}

std::uint64_t resident_bytes() {
  std::uint64_t total_pages = 0;
  std::uint64_t resident_pages = 0;
  std::ifstream("/proc/self/statm") >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void add_memory(Call& call, InfoText& info) {
  ServerState& server = call.shared().server;
  server.sample_load(call.now_ms);
  const cache::CacheStats stats = server.cache.stats();
  const std::uint64_t used = stats.entry_bytes + stats.index_bytes;
  const std::uint64_t resident = resident_bytes();
  const std::uint64_t peak = server.load_samples.peak_bytes();
  info.add_bytes("used_memory", used);
  info.add_bytes("used_memory_rss", resident);
  info.add_bytes("used_memory_peak", peak);
  info.add_fraction("used_memory_peak_perc", percent(used, peak), "%");
  info.add("used_memory_overhead", stats.index_bytes);
  info.add("used_memory_startup", server.load_samples.startup_bytes());
  info.add("used_memory_dataset", stats.entry_bytes);
  info.add_fraction("used_memory_dataset_perc", percent(stats.entry_bytes, used), "%");
  info.add("used_memory_arena", stats.resident_bytes);
  info.add("allocator_allocated", used);
  info.add("allocator_active", stats.resident_bytes);
  info.add("allocator_resident", stats.resident_bytes);
  info.add_fraction("allocator_frag_ratio", ratio(stats.resident_bytes, used));
  info.add("allocator_frag_bytes", stats.resident_bytes - std::min(stats.resident_bytes, used));
  info.add_bytes("total_system_memory", static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                                            static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
  info.add_bytes("maxmemory", stats.memory_limit_bytes);
  info.add("maxmemory_policy", cache::eviction_policy_name(server.cache.eviction_policy()));
  info.add("mem_clients_normal", server.buffers.used());
  info.add("maxmemory_clients", server.buffers.limit());
  info.add_fraction("allocator_rss_ratio", 1);
  info.add_fraction("rss_overhead_ratio", ratio(resident, stats.resident_bytes));
  info.add("rss_overhead_bytes", resident - std::min(resident, stats.resident_bytes));
  info.add_fraction("mem_fragmentation_ratio", ratio(resident, used));
  info.add("mem_fragmentation_bytes", resident - std::min(resident, used));
  info.add("mem_allocator", "slab");
  info.add_zeros({"used_memory_lua", "used_memory_vm_eval", "used_memory_scripts_eval",
                  "used_memory_vm_functions", "used_memory_vm_total", "used_memory_functions",
                  "used_memory_scripts", "number_of_cached_scripts", "number_of_functions",
                  "number_of_libraries", "mem_replication_backlog", "mem_total_replication_buffers",
                  "mem_clients_slaves", "mem_cluster_links", "mem_not_counted_for_evict",
                  "active_defrag_running", "allocator_rss_bytes", "lazyfree_pending_objects",
                  "lazyfreed_objects"});
}

void add_persistence(Call& call, InfoText& info) {
  info.add_lines(persistence_info(call.shared().server));
}

void add_stats(Call& call, InfoText& info) {
  RespShared& shared = call.shared();
  ServerState& server = shared.server;
  const Totals totals = sum_counters(server);
  const cache::CacheStats stats = server.cache.stats();
  server.sample_load(call.now_ms);
  const LoadSamples::Rates rates = server.load_samples.rates();
  const auto since_reset = [](std::uint64_t now, const std::atomic<std::uint64_t>& then) {
    return now - std::min(now, then.load(std::memory_order_relaxed));
  };
  info.add("total_connections_received",
           since_reset(totals.connections, shared.connections_at_reset));
  info.add("total_commands_processed", since_reset(totals.commands, shared.commands_at_reset));
  info.add("instantaneous_ops_per_sec", static_cast<std::uint64_t>(rates.requests));
  info.add("total_net_input_bytes", totals.bytes_in);
  info.add("total_net_output_bytes", totals.bytes_out);
  info.add_fraction("instantaneous_input_kbps", rates.bytes_in / 1024);
  info.add_fraction("instantaneous_output_kbps", rates.bytes_out / 1024);
  info.add("rejected_connections", totals.refused);
  info.add("expired_keys", since_reset(stats.expired_total, shared.expired_at_reset));
  info.add("evicted_clients", totals.shed);
  info.add("evicted_keys", since_reset(stats.evicted_total, shared.evicted_at_reset));
  info.add("keyspace_hits", since_reset(totals.hits, shared.hits_at_reset));
  info.add("keyspace_misses", since_reset(totals.misses, shared.misses_at_reset));
  info.add("pubsub_channels", shared.pubsub.channels("*").size());
  info.add("pubsub_patterns", shared.pubsub.patterns());
  info.add("total_error_replies", totals.errors);
  info.add("busy_writes", stats.busy_total);
  info.add("handed_over_writes", stats.handed_over_total);
  info.add_fraction("instantaneous_input_repl_kbps", 0);
  info.add_fraction("instantaneous_output_repl_kbps", 0);
  info.add_zeros({"total_net_repl_input_bytes",
                  "total_net_repl_output_bytes",
                  "sync_full",
                  "sync_partial_ok",
                  "sync_partial_err",
                  "expired_stale_perc",
                  "expired_time_cap_reached_count",
                  "total_eviction_exceeded_time",
                  "current_eviction_exceeded_time",
                  "pubsubshard_channels",
                  "latest_fork_usec",
                  "total_forks",
                  "migrate_cached_sockets",
                  "slave_expires_tracked_keys",
                  "active_defrag_hits",
                  "active_defrag_misses",
                  "active_defrag_key_hits",
                  "active_defrag_key_misses",
                  "total_active_defrag_time",
                  "current_active_defrag_time",
                  "tracking_total_keys",
                  "tracking_total_items",
                  "tracking_total_prefixes",
                  "unexpected_error_replies",
                  "dump_payload_sanitizations",
                  "io_threaded_reads_processed",
                  "io_threaded_writes_processed"});
}

void add_replication(Call& call, InfoText& info) {
  info.add("role", "master");
  info.add("connected_slaves", std::uint64_t{0});
  info.add("master_failover_state", "no-failover");
  info.add("master_replid", call.shared().run_id);
  info.add("master_replid2", std::string(call.shared().run_id.size(), '0'));
  info.add("master_repl_offset", std::uint64_t{0});
  info.add("second_repl_offset", "-1");
  info.add_zeros({"repl_backlog_active", "repl_backlog_size", "repl_backlog_first_byte_offset",
                  "repl_backlog_histlen"});
}

void add_cpu(Call&, InfoText& info) {
  const auto seconds = [](const timeval& time) {
    char text[40];
    std::snprintf(text, sizeof(text), "%ld.%06ld", static_cast<long>(time.tv_sec),
                  static_cast<long>(time.tv_usec));
    return std::string(text);
  };
  rusage own{};
  getrusage(RUSAGE_SELF, &own);
  rusage children{};
  getrusage(RUSAGE_CHILDREN, &children);
  info.add("used_cpu_sys", seconds(own.ru_stime));
  info.add("used_cpu_user", seconds(own.ru_utime));
  info.add("used_cpu_sys_children", seconds(children.ru_stime));
  info.add("used_cpu_user_children", seconds(children.ru_utime));
}

void add_modules(Call&, InfoText&) {}

void add_command_stats(Call& call, InfoText& info) {
  for (const Command& command : call.shared().commands.rows()) {
    const CommandTotals totals = command_totals(call.shared(), command);
    if (totals.calls == 0) continue;
    const std::uint64_t microseconds = totals.time_ns / 1000;
    info.add("cmdstat_" + std::string(command.name),
             "calls=" + std::to_string(totals.calls) + ",usec=" + std::to_string(microseconds) +
                 ",usec_per_call=" + InfoText::fixed(ratio(totals.time_ns, totals.calls) / 1000) +
                 ",rejected_calls=" + std::to_string(totals.rejected) +
                 ",failed_calls=" + std::to_string(totals.failed));
  }
}

void add_error_stats(Call& call, InfoText& info) {
  for (const auto& [code, count] : error_totals(call.shared())) {
    info.add("errorstat_" + code, "count=" + std::to_string(count));
  }
}

void add_latency_stats(Call& call, InfoText& info) {
  constexpr std::array<std::pair<std::string_view, double>, 3> kPercentiles = {
      {{"p50", 50}, {"p99", 99}, {"p99.9", 99.9}}};
  for (const Command& command : call.shared().commands.rows()) {
    const CommandTotals totals = command_totals(call.shared(), command);
    if (totals.calls == 0) continue;
    std::string line;
    for (const auto& [name, percentile] : kPercentiles) {
      char text[40];
      std::snprintf(text, sizeof(text), "%.3f",
                    static_cast<double>(totals.percentile_ns(percentile)) / 1000);
      line.append(line.empty() ? "" : ",").append(name).append("=").append(text);
    }
    info.add("latency_percentiles_usec_" + std::string(command.name), line);
  }
}

void add_cluster(Call&, InfoText& info) { info.add("cluster_enabled", std::uint64_t{0}); }

// The mean of what is left to some entries: keys lie in the order of their hashes, so the first
// ones are as good as any.
std::int64_t average_ttl_ms(Call& call) {
  constexpr std::size_t kSampled = 128;
  std::int64_t sum_ms = 0;
  std::int64_t count = 0;
  call.cache().scan(0, call.now_ms, kSampled, [&](const cache::Cache::ScannedEntry& entry) {
    if (entry.header.deadline_ms == cache::kNoDeadline) return;
    sum_ms += entry.header.deadline_ms - call.now_ms;
    ++count;
  });
  return count == 0 ? 0 : sum_ms / count;
}

void add_keyspace(Call& call, InfoText& info) {
  const cache::CacheStats stats = call.cache().stats();
  if (stats.entries == 0) return;
  info.add("db0", "keys=" + std::to_string(stats.entries) +
                      ",expires=" + std::to_string(stats.with_deadline) +
                      ",avg_ttl=" + std::to_string(average_ttl_ms(call)));
}

struct InfoSection {
  std::string_view name;  // lower case
  std::string_view title;
  void (*add)(Call&, InfoText&);
  bool by_default;
};

constexpr std::array kSections = {
    InfoSection{"server", "Server", add_server, true},
    InfoSection{"clients", "Clients", add_clients, true},
    InfoSection{"memory", "Memory", add_memory, true},
    InfoSection{"persistence", "Persistence", add_persistence, true},
    InfoSection{"stats", "Stats", add_stats, true},
    InfoSection{"replication", "Replication", add_replication, true},
    InfoSection{"cpu", "CPU", add_cpu, true},
    InfoSection{"modules", "Modules", add_modules, true},
    InfoSection{"commandstats", "Commandstats", add_command_stats, false},
    InfoSection{"errorstats", "Errorstats", add_error_stats, true},
    InfoSection{"latencystats", "Latencystats", add_latency_stats, false},
    InfoSection{"cluster", "Cluster", add_cluster, true},
    InfoSection{"keyspace", "Keyspace", add_keyspace, true},
};

// Whether the arguments ask for the section; without any they ask for those shown by default.
bool wanted(std::span<const std::string_view> asked, const InfoSection& section) {
  if (asked.empty()) return section.by_default;
  return std::any_of(asked.begin(), asked.end(), [&](std::string_view word) {
    if (equal_ignoring_case(word, "everything")) return true;
    if (equal_ignoring_case(word, "all")) return section.name != "modules";
    if (equal_ignoring_case(word, "default")) return section.by_default;
    return equal_ignoring_case(word, section.name);
  });
}

void info(Call& call) {
  std::string text;
  for (const InfoSection& section : kSections) {
    if (!wanted(call.args, section)) continue;
    InfoText lines;
    section.add(call, lines);
    if (!text.empty()) text += "\r\n";
    text.append("# ").append(section.title).append("\r\n").append(lines.text());
  }
  call.reply.verbatim("txt", text);
}

constexpr auto kFamily = CommandFamily::kServer;

constexpr std::array kCommands = {
    Command{.name = "info",
            .arity = -1,
            .flags = Command::kLoading,
            .categories = Category::kDangerous,
            .family = kFamily,
            .handler = info,
            .since = "1.0.0",
            .complexity = "O(1)",
            .summary = "Reports on the server, by section"},
};

}  // namespace

std::span<const Command> info_commands() { return kCommands; }

}  // namespace vigil::server
