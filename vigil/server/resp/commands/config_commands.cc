// SPDX-License-Identifier: Apache-2.0
//
// CONFIG: the server's options under Redis's parameter names.
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/commands/statistics.h"
#include "vigil/server/resp/glob.h"

namespace vigil::server {

namespace {

// One parameter. Without `set` it is fixed at start.
struct Parameter {
  std::string_view name;  // lower case
  std::string (*get)(const RespShared&);
  // Checks the value and, if `apply`, makes it hold; false if it is not valid.
  bool (*set)(RespShared&, std::string_view value, bool apply);
};

bool set_events(RespShared& shared, std::string_view value, bool apply) {
  const auto classes = KeyspaceEvents::parse(value);
  if (classes && apply) shared.events.set(*classes);
  return classes.has_value();
}

// "100mb" -> 104857600, as Redis reads sizes.
std::optional<std::uint64_t> parse_size(std::string_view text) {
  struct Unit {
    std::string_view name;
    std::uint64_t factor;
  };
  constexpr std::array kUnits = {
      Unit{"", 1},          Unit{"b", 1},         Unit{"k", 1000},          Unit{"kb", 1U << 10},
      Unit{"m", 1'000'000}, Unit{"mb", 1U << 20}, Unit{"g", 1'000'000'000}, Unit{"gb", 1U << 30},
  };
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  const std::string_view name(end, static_cast<std::size_t>(text.data() + text.size() - end));
  for (const Unit& unit : kUnits) {
    std::uint64_t bytes = 0;
    if (equal_ignoring_case(name, unit.name) &&
        !__builtin_mul_overflow(number, unit.factor, &bytes)) {
      return bytes;
    }
  }
  return std::nullopt;
}

// 0 is the most there can be: a cache always has a limit.
bool set_memory_limit(RespShared& shared, std::string_view value, bool apply) {
  std::optional<std::uint64_t> bytes = parse_size(value);
  if (bytes == 0) bytes = cache::kMemoryLimitMax;
  if (!bytes || *bytes < cache::kMemoryLimitMin || *bytes > cache::kMemoryLimitMax) return false;
  if (apply) shared.server.cache.set_memory_limit(*bytes);
  return true;
}

bool set_eviction_policy(RespShared& shared, std::string_view value, bool apply) {
  std::string name(value);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  const std::optional<cache::EvictionPolicy> policy = cache::parse_eviction_policy(name);
  if (policy && apply) shared.server.cache.set_eviction_policy(*policy);
  return policy.has_value();
}

constexpr std::array kParameters = {
    Parameter{"appendfsync",
              [](const RespShared& shared) {
                const bool keeps = shared.server.durability.keeps();
                return keeps ? shared.server.options.durability.mode : std::string("no");
              },
              nullptr},
    Parameter{"appendonly",
              [](const RespShared& shared) {
                return std::string(shared.server.durability.keeps() ? "yes" : "no");
              },
              nullptr},
    Parameter{"bind", [](const RespShared& shared) { return shared.server.options.bind; }, nullptr},
    Parameter{"databases", [](const RespShared&) { return std::string("1"); }, nullptr},
    Parameter{"dir", [](const RespShared& shared) { return shared.server.options.data_dir; },
              nullptr},
    Parameter{
        "io-threads",
        [](const RespShared& shared) { return std::to_string(shared.server.options.threads); },
        nullptr},
    Parameter{"maxclients",
              [](const RespShared& shared) {
                return std::to_string(shared.server.options.connections_max);
              },
              nullptr},
    Parameter{
        "maxmemory",
        [](const RespShared& shared) { return std::to_string(shared.server.cache.memory_limit()); },
        set_memory_limit},
    Parameter{
        "maxmemory-clients",
        [](const RespShared& shared) { return std::to_string(shared.server.buffers.limit()); },
        nullptr},
    Parameter{"maxmemory-policy",
              [](const RespShared& shared) {
                return std::string(
                    cache::eviction_policy_name(shared.server.cache.eviction_policy()));
              },
              set_eviction_policy},
    Parameter{"notify-keyspace-events",
              [](const RespShared& shared) { return KeyspaceEvents::format(shared.events.get()); },
              set_events},
    Parameter{"port",
              [](const RespShared& shared) { return std::to_string(shared.server.resp_port); },
              nullptr},
    Parameter{"proto-max-bulk-len",
              [](const RespShared&) { return std::to_string(cache::kValueBytesMax); }, nullptr},
    Parameter{"save", [](const RespShared&) { return std::string(); }, nullptr},
    Parameter{"tcp-backlog",
              [](const RespShared& shared) {
                return std::to_string(shared.server.options.listen_backlog);
              },
              nullptr},
    Parameter{"timeout",
              [](const RespShared& shared) {
                return std::to_string(shared.server.options.idle_timeout_ms / 1000);
              },
              nullptr},
};

const Parameter* find_parameter(std::string_view name) {
  for (const Parameter& parameter : kParameters) {
    if (equal_ignoring_case(parameter.name, name)) return &parameter;
  }
  return nullptr;
}

void config_get(Call& call) {
  std::vector<const Parameter*> shown;
  for (const Parameter& parameter : kParameters) {
    for (const std::string_view pattern : call.args) {
      if (!glob_match(pattern, parameter.name, /*ignore_case=*/true)) continue;
      shown.push_back(&parameter);
      break;
    }
  }
  call.reply.map(shown.size());
  for (const Parameter* parameter : shown) {
    call.reply.bulk(parameter->name);
    call.reply.bulk(parameter->get(call.shared()));
  }
}

// An error in `args` if the pair cannot be set.
void check_pair(Arguments& args, const Call& call, std::string_view name, std::string_view value) {
  const Parameter* const parameter = find_parameter(name);
  if (parameter == nullptr) {
    return args.fail("ERR Unknown option or number of arguments for CONFIG SET - '" +
                     std::string(name) + "'");
  }
  const std::string failed =
      "ERR CONFIG SET failed (possibly related to argument '" + std::string(name) + "')";
  if (parameter->set == nullptr) return args.fail(failed + " - can't set immutable config");
  if (!parameter->set(call.shared(), value, /*apply=*/false)) {
    args.fail(failed + " - argument couldn't be parsed");
  }
}

// CONFIG SET (name value)...: all pairs or none.
void config_set(Call& call) {
  Arguments args(call.args);
  args.require(args.left() % 2 == 0);
  while (args.more()) {
    const std::string_view name = args.next();
    check_pair(args, call, name, args.next());
  }
  if (!args.ok()) return call.reply.error(args.error());
  for (Arguments pairs(call.args); pairs.more();) {
    const Parameter* const parameter = find_parameter(pairs.next());
    parameter->set(call.shared(), pairs.next(), /*apply=*/true);
  }
  call.reply.ok();
}

void config_resetstat(Call& call) {
  reset_statistics(call.shared());
  call.reply.ok();
}

constexpr std::array kConfigSubcommands = {
    Command{.name = "config|get",
            .arity = -3,
            .flags = Command::kAdmin | Command::kLoading,
            .handler = config_get,
            .since = "2.0.0",
            .complexity = "O(N)",
            .summary = "Returns the parameters that match patterns"},
    Command{.name = "config|set",
            .arity = -4,
            .flags = Command::kAdmin | Command::kLoading,
            .handler = config_set,
            .since = "2.0.0",
            .complexity = "O(N)",
            .summary = "Changes parameters"},
    Command{.name = "config|resetstat",
            .arity = 2,
            .flags = Command::kAdmin | Command::kLoading,
            .handler = config_resetstat,
            .since = "2.0.0",
            .complexity = "O(1)",
            .summary = "Starts the counts of INFO at zero again"},
    help_row("config|help"),
};

constexpr std::array kCommands = {
    Command{.name = "config",
            .arity = -2,
            .family = CommandFamily::kServer,
            .handler = run_subcommand,
            .since = "2.0.0",
            .summary = "Reads and changes the configuration",
            .subcommands = kConfigSubcommands},
};

}  // namespace

std::span<const Command> config_commands() { return kCommands; }

}  // namespace vigil::server
