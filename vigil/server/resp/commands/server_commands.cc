// SPDX-License-Identifier: Apache-2.0
//
// The server as a whole: INFO, COMMAND, TIME. CONFIG is in resp_config_command.cc.
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <string>
#include <vector>

#include "vigil/server/resp/command.h"
#include "vigil/server/resp/commands/config_commands.h"
#include "vigil/server/resp/number.h"

namespace vigil::server {

namespace {

// --- INFO ----------------------------------------------------------------------------------------

struct Totals {
  std::uint64_t commands = 0;
  std::uint64_t connections = 0;
  std::uint64_t refused = 0;
  std::uint64_t hits = 0;
  std::uint64_t misses = 0;
  std::uint64_t errors = 0;
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
};

Totals sum_counters(const ServerState& server) {
  Totals totals;
  for (const auto& counters : server.counters) {
    for (const Counter& family : counters->commands) totals.commands += family.value();
    totals.connections += counters->connections_accepted.value();
    totals.refused += counters->connections_refused.value();
    totals.hits += counters->hits.value();
    totals.misses += counters->misses.value();
    totals.errors += counters->errors.value();
    totals.bytes_in += counters->bytes_in.value();
    totals.bytes_out += counters->bytes_out.value();
  }
  return totals;
}

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
  const std::uint64_t limit = call.cache().options().memory_limit_bytes;
  const std::uint64_t used = stats.entry_bytes + stats.index_bytes;
  return line("used_memory", used) + line("used_memory_human", mebibytes(used)) +
         line("used_memory_dataset", stats.entry_bytes) +
         line("used_memory_overhead", stats.index_bytes) +
         line("used_memory_arena", stats.resident_bytes) + line("maxmemory", limit) +
         line("maxmemory_human", mebibytes(limit)) + line("maxmemory_policy", "noeviction");
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
         line("evicted_keys", 0) +
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

void info(Call& call) {
  const auto wanted = [&](std::string_view section) {
    if (call.args.size() == 1) return true;
    for (std::size_t i = 1; i < call.args.size(); ++i) {
      if (call.is(i, section) || call.is(i, "all") || call.is(i, "default") ||
          call.is(i, "everything")) {
        return true;
      }
    }
    return false;
  };
  std::string text;
  for (const InfoSection& section : kSections) {
    if (!wanted(section.name)) continue;
    if (!text.empty()) text += "\r\n";
    text += "# " + std::string(section.title) + "\r\n" + section.text(call);
  }
  call.reply.verbatim("txt", text);
}

// --- COMMAND -------------------------------------------------------------------------------------

struct FlagName {
  std::uint32_t flag;
  std::string_view name;
};
constexpr std::array kFlagNames = {
    FlagName{Command::kWrite, "write"},     FlagName{Command::kReadOnly, "readonly"},
    FlagName{Command::kDenyOom, "denyoom"}, FlagName{Command::kAdmin, "admin"},
    FlagName{Command::kPubSub, "pubsub"},   FlagName{Command::kFast, "fast"},
    FlagName{Command::kNoAuth, "no_auth"},
};

void describe(Call& call, const Command* command) {
  if (command == nullptr) return call.reply.null();
  call.reply.array(10);
  call.reply.bulk(command->name);
  call.reply.integer(command->arity);
  std::vector<std::string_view> flags;
  for (const FlagName& flag : kFlagNames) {
    if ((command->flags & flag.flag) != 0) flags.push_back(flag.name);
  }
  call.reply.set(flags.size());
  for (const std::string_view flag : flags) call.reply.simple(flag);
  call.reply.integer(command->first_key);
  call.reply.integer(command->last_key);
  call.reply.integer(command->key_step);
  call.reply.set(1);
  call.reply.simple((command->flags & Command::kFast) != 0 ? "@fast" : "@slow");
  call.reply.array(0);  // tips
  call.reply.array(0);  // key specifications
  call.reply.array(0);  // subcommands
}

void command_all(Call& call) {
  call.reply.array(all_commands().size());
  for (const Command* command : all_commands()) describe(call, command);
}

void command_count(Call& call) {
  call.reply.integer(static_cast<std::int64_t>(all_commands().size()));
}

void command_info(Call& call) {
  if (call.args.size() == 2) return command_all(call);
  call.reply.array(call.args.size() - 2);
  for (const std::string_view name : call.args.subspan(2)) describe(call, find_command(name));
}

void command_list(Call& call) {
  if (call.args.size() != 2) return call.syntax_error();
  call.reply.array(all_commands().size());
  for (const Command* command : all_commands()) call.reply.bulk(command->name);
}

void command_docs(Call& call) {
  std::vector<const Command*> shown;
  if (call.args.size() == 2) {
    shown.assign(all_commands().begin(), all_commands().end());
  } else {
    for (const std::string_view name : call.args.subspan(2)) {
      if (const Command* command = find_command(name)) shown.push_back(command);
    }
  }
  call.reply.map(shown.size());
  for (const Command* command : shown) {
    call.reply.bulk(command->name);
    call.reply.map(2);
    call.reply.bulk("summary");
    call.reply.bulk(command->summary);
    call.reply.bulk("group");
    call.reply.bulk(kCommandFamilyNames[static_cast<std::size_t>(command->family)]);
  }
}

void command_getkeys(Call& call) {
  const auto args = call.args.subspan(2);
  const Command* const command = find_command(args[0]);
  if (command == nullptr) return call.reply.error("ERR Invalid command specified");
  if (command->first_key == 0) {
    return call.reply.error("ERR The command has no key arguments");
  }
  if (!command->accepts(args.size())) {
    return call.reply.error("ERR Invalid number of arguments specified for command");
  }
  const auto count = static_cast<int>(args.size());
  const int last = command->last_key < 0 ? count + command->last_key : command->last_key;
  std::vector<std::string_view> keys;
  for (int i = command->first_key; i <= last && i < count; i += command->key_step) {
    keys.push_back(args[static_cast<std::size_t>(i)]);
  }
  call.reply.array(keys.size());
  for (const std::string_view key : keys) call.reply.bulk(key);
}

void command(Call& call) {
  static constexpr std::array kSubcommands = {
      Subcommand{"count", 2, command_count},      Subcommand{"info", -2, command_info},
      Subcommand{"list", -2, command_list},       Subcommand{"docs", -2, command_docs},
      Subcommand{"getkeys", -4, command_getkeys},
  };
  call.args.size() == 1 ? command_all(call) : dispatch(call, kSubcommands);
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

void function(Call& call) {
  static constexpr std::array kSubcommands = {Subcommand{"flush", -2, function_flush}};
  dispatch(call, kSubcommands);
}

constexpr auto kFamily = CommandFamily::kServer;

constexpr std::array kCommands = {
    Command{"info", -1, 0, 0, 0, 0, kFamily, info, "Reports on the server, by section"},
    Command{"command", -1, 0, 0, 0, 0, kFamily, command, "Describes the commands"},
    Command{"config", -2, Command::kAdmin, 0, 0, 0, kFamily, config_command,
            "Reads and changes the configuration"},
    Command{"time", 1, Command::kFast, 0, 0, 0, kFamily, time_now,
            "Returns the time in seconds and microseconds"},
    Command{"function", -2, 0, 0, 0, 0, kFamily, function, "FUNCTION FLUSH; there are none"},
};

}  // namespace

std::span<const Command> server_commands() { return kCommands; }

void reset_statistics(RespShared& shared) {
  const Totals totals = sum_counters(shared.server);
  shared.hits_at_reset.store(totals.hits, std::memory_order_relaxed);
  shared.misses_at_reset.store(totals.misses, std::memory_order_relaxed);
  shared.commands_at_reset.store(totals.commands, std::memory_order_relaxed);
  shared.connections_at_reset.store(totals.connections, std::memory_order_relaxed);
  shared.expired_at_reset.store(shared.server.cache.stats().expired_total,
                                std::memory_order_relaxed);
}

}  // namespace vigil::server
