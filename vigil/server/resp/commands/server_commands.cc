// SPDX-License-Identifier: Apache-2.0
//
// The server as a whole: INFO, TIME, FUNCTION. CONFIG is in config_commands.cc, COMMAND in
// command_commands.cc.
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>

#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/commands/statistics.h"

namespace vigil::server {

namespace {

// --- INFO ----------------------------------------------------------------------------------------

std::string line(std::string_view name, std::string_view value) {
  return std::string(name) + ":" + std::string(value) + "\r\n";
}
std::string line(std::string_view name, std::uint64_t value) {
  return line(name, std::to_string(value));
}

std::string mebibytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.2fM", static_cast<double>(bytes) / (1 << 20));
  return text;
}

std::string info_server(Call& call) {
  const ServerState& server = call.shared().server;
  const auto uptime = static_cast<std::uint64_t>(call.now_ms - server.started_ms) / 1000;
  return line("redis_version", "7.0.15") + line("redis_mode", "standalone") +
         line("server_name", "vigil") + line("os", "Linux") + line("arch_bits", 64) +
         line("multiplexing_api", "epoll") +
         line("process_id", static_cast<std::uint64_t>(getpid())) +
         line("tcp_port", server.resp_port) + line("http_port", server.http_port) +
         line("io_threads_active", 0) + line("reactors", server.options.threads) +
         line("uptime_in_seconds", uptime) + line("uptime_in_days", uptime / 86'400);
}

std::string info_clients(Call& call) {
  const ServerState& server = call.shared().server;
  return line("connected_clients", call.shared().clients.size()) +
         line("maxclients", server.options.connections_max) + line("blocked_clients", 0) +
         line("tracking_clients", 0);
}

std::string info_memory(Call& call) {
  const cache::CacheStats stats = call.cache().stats();
  const std::uint64_t limit = stats.memory_limit_bytes;
  const BufferBudget& buffers = call.shared().server.buffers;
  const std::uint64_t used = stats.entry_bytes + stats.index_bytes;
  return line("used_memory", used) + line("used_memory_human", mebibytes(used)) +
         line("used_memory_dataset", stats.entry_bytes) +
         line("used_memory_overhead", stats.index_bytes) +
         line("used_memory_arena", stats.resident_bytes) + line("maxmemory", limit) +
         line("maxmemory_human", mebibytes(limit)) +
         line("maxmemory_policy", cache::eviction_policy_name(call.cache().eviction_policy())) +
         line("mem_clients_normal", buffers.used()) + line("maxmemory_clients", buffers.limit());
}

std::string info_stats(Call& call) {
  const RespShared& shared = call.shared();
  const Totals totals = sum_counters(shared.server);
  const cache::CacheStats stats = call.cache().stats();
  const auto since_reset = [](std::uint64_t now, const std::atomic<std::uint64_t>& then) {
    return now - std::min(now, then.load(std::memory_order_relaxed));
  };
  return line("total_connections_received",
              since_reset(totals.connections, shared.connections_at_reset)) +
         line("total_commands_processed", since_reset(totals.commands, shared.commands_at_reset)) +
         line("total_net_input_bytes", totals.bytes_in) +
         line("total_net_output_bytes", totals.bytes_out) +
         line("rejected_connections", totals.refused) +
         line("expired_keys", since_reset(stats.expired_total, shared.expired_at_reset)) +
         line("evicted_keys", since_reset(stats.evicted_total, shared.evicted_at_reset)) +
         line("keyspace_hits", since_reset(totals.hits, shared.hits_at_reset)) +
         line("keyspace_misses", since_reset(totals.misses, shared.misses_at_reset)) +
         line("pubsub_patterns", call.shared().pubsub.patterns()) +
         line("pubsub_channels", call.shared().pubsub.channels("*").size()) +
         line("total_error_replies", totals.errors) + line("busy_writes", stats.busy_total) +
         line("handed_over_writes", stats.handed_over_total);
}

std::string info_persistence(Call&) {
  return line("loading", 0) + line("rdb_bgsave_in_progress", 0) + line("aof_enabled", 0);
}

std::string info_replication(Call&) {
  return line("role", "master") + line("connected_slaves", 0) + line("master_repl_offset", 0);
}

std::string info_cpu(Call&) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    char text[40];
    std::snprintf(text, sizeof(text), "%ld.%06ld", static_cast<long>(time.tv_sec),
                  static_cast<long>(time.tv_usec));
    return std::string(text);
  };
  return line("used_cpu_sys", seconds(usage.ru_stime)) +
         line("used_cpu_user", seconds(usage.ru_utime));
}

std::string info_keyspace(Call& call) {
  const cache::CacheStats stats = call.cache().stats();
  if (stats.entries == 0) return {};
  return line("db0", "keys=" + std::to_string(stats.entries) +
                         ",expires=" + std::to_string(stats.with_deadline) + ",avg_ttl=0");
}

struct InfoSection {
  std::string_view name;  // lower case
  std::string_view title;
  std::string (*text)(Call&);
};

constexpr std::array kSections = {
    InfoSection{"server", "Server", info_server},
    InfoSection{"clients", "Clients", info_clients},
    InfoSection{"memory", "Memory", info_memory},
    InfoSection{"persistence", "Persistence", info_persistence},
    InfoSection{"stats", "Stats", info_stats},
    InfoSection{"replication", "Replication", info_replication},
    InfoSection{"cpu", "CPU", info_cpu},
    InfoSection{"keyspace", "Keyspace", info_keyspace},
};

// Whether the arguments ask for the section; without any they ask for all.
bool wanted(std::span<const std::string_view> asked, std::string_view section) {
  constexpr std::array<std::string_view, 3> kAll = {"all", "default", "everything"};
  return asked.empty() || std::any_of(asked.begin(), asked.end(), [&](std::string_view word) {
           return equal_ignoring_case(word, section) ||
                  std::any_of(kAll.begin(), kAll.end(),
                              [&](std::string_view all) { return equal_ignoring_case(word, all); });
         });
}

void info(Call& call) {
  std::string text;
  for (const InfoSection& section : kSections) {
    if (!wanted(call.args, section.name)) continue;
    if (!text.empty()) text += "\r\n";
    text += "# " + std::string(section.title) + "\r\n" + section.text(call);
  }
  call.reply.verbatim("txt", text);
}

// --- The rest ------------------------------------------------------------------------------------

void time_now(Call& call) {
  timeval now{};
  gettimeofday(&now, nullptr);
  call.reply.array(2);
  call.reply.bulk_integer(now.tv_sec);
  call.reply.bulk_integer(now.tv_usec);
}

// There are no functions; test suites and tools flush them to get a clean server.
void function_flush(Call& call) { call.reply.ok(); }

constexpr auto kFamily = CommandFamily::kServer;

constexpr std::array kFunctionSubcommands = {
    Command{.name = "function|flush",
            .arity = -2,
            .flags = Command::kWrite,
            .categories = Category::kScripting,
            .handler = function_flush,
            .summary = "Does nothing"},
};

constexpr std::array kCommands = {
    Command{.name = "info",
            .arity = -1,
            .categories = Category::kDangerous,
            .family = kFamily,
            .handler = info,
            .summary = "Reports on the server, by section"},
    Command{.name = "time",
            .arity = 1,
            .flags = Command::kFast,
            .family = kFamily,
            .handler = time_now,
            .summary = "Returns the time in seconds and microseconds"},
    Command{.name = "function",
            .arity = -2,
            .family = kFamily,
            .handler = run_subcommand,
            .summary = "FUNCTION FLUSH; there are none",
            .subcommands = kFunctionSubcommands},
};

}  // namespace

std::span<const Command> server_commands() { return kCommands; }

}  // namespace vigil::server
