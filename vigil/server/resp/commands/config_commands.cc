// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/commands/config_commands.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/server/resp/glob.h"
#include "vigil/server/resp/number.h"

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

constexpr std::array kParameters = {
    Parameter{"appendonly", [](const RespShared&) { return std::string("no"); }, nullptr},
    Parameter{"bind", [](const RespShared& shared) { return shared.server.options.bind; }, nullptr},
    Parameter{"databases", [](const RespShared&) { return std::string("1"); }, nullptr},
    Parameter{
        "io-threads",
        [](const RespShared& shared) { return std::to_string(shared.server.options.threads); },
        nullptr},
    Parameter{"maxclients",
              [](const RespShared& shared) {
                return std::to_string(shared.server.options.connections_max);
              },
              nullptr},
    Parameter{"maxmemory",
              [](const RespShared& shared) {
                return std::to_string(shared.server.options.cache.memory_limit_bytes);
              },
              nullptr},
    Parameter{"maxmemory-policy", [](const RespShared&) { return std::string("noeviction"); },
              nullptr},
    Parameter{"notify-keyspace-events",
              [](const RespShared& shared) { return KeyspaceEvents::format(shared.events.get()); },
              set_events},
    Parameter{"port",
              [](const RespShared& shared) { return std::to_string(shared.server.resp_port); },
              nullptr},
    Parameter{"proto-max-bulk-len",
              [](const RespShared&) { return std::to_string(cache::kMaxValueBytes); }, nullptr},
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
    for (const std::string_view pattern : call.args.subspan(2)) {
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

// The reason why the pair cannot be set; empty if it can.
std::string refusal(Call& call, std::string_view name, std::string_view value) {
  const Parameter* const parameter = find_parameter(name);
  if (parameter == nullptr) {
    return "ERR Unknown option or number of arguments for CONFIG SET - '" + std::string(name) + "'";
  }
  const std::string failed =
      "ERR CONFIG SET failed (possibly related to argument '" + std::string(name) + "')";
  if (parameter->set == nullptr) return failed + " - can't set immutable config";
  if (!parameter->set(call.shared(), value, /*apply=*/false)) {
    return failed + " - argument couldn't be parsed";
  }
  return {};
}

// All pairs or none.
void config_set(Call& call) {
  const auto pairs = call.args.subspan(2);
  if (pairs.size() % 2 != 0) return call.syntax_error();
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    const std::string reason = refusal(call, pairs[i], pairs[i + 1]);
    if (!reason.empty()) return call.reply.error(reason);
  }
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    find_parameter(pairs[i])->set(call.shared(), pairs[i + 1], /*apply=*/true);
  }
  call.reply.ok();
}

void config_resetstat(Call& call) {
  reset_statistics(call.shared());
  call.reply.ok();
}

}  // namespace

void config_command(Call& call) {
  static constexpr std::array kSubcommands = {
      Subcommand{"get", -3, config_get},
      Subcommand{"set", -4, config_set},
      Subcommand{"resetstat", 2, config_resetstat},
  };
  dispatch(call, kSubcommands);
}

}  // namespace vigil::server
