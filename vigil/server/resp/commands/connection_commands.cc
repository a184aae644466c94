// SPDX-License-Identifier: Apache-2.0
//
// The connection itself: PING, HELLO, AUTH, CLIENT and the like.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "vigil/server/resp/command.h"
#include "vigil/server/resp/number.h"
#include "vigil/server/resp/session.h"

namespace vigil::server {

namespace {

constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";
constexpr std::string_view kBadName =
    "ERR Client names cannot contain spaces, newlines or special characters.";

void ping(Call& call) {
  if (call.args.size() > 2) return call.arity_error("ping");
  const bool has_text = call.args.size() == 2;
  if (call.session.protocol() == 2 && call.session.subscription_count() != 0) {
    call.reply.array(2);
    call.reply.bulk("pong");
    return call.reply.bulk(has_text ? call.args[1] : std::string_view());
  }
  has_text ? call.reply.bulk(call.args[1]) : call.reply.simple("PONG");
}

void echo(Call& call) { call.reply.bulk(call.args[1]); }

void quit(Call& call) {
  call.reply.ok();
  call.session.close_after_reply();
}

void select(Call& call) {
  const auto index = call.integer(1);
  if (!index) return;
  *index == 0 ? call.reply.ok() : call.reply.error("ERR DB index is out of range");
}

void reset(Call& call) {
  call.session.reset();
  call.reply.simple("RESET");
}

void auth(Call& call) {
  if (call.args.size() > 3) return call.syntax_error();
  if (call.args.size() == 2 && call.shared().server.options.password.empty()) {
    return call.reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  const std::string_view user = call.args.size() == 3 ? call.args[1] : "default";
  const bool fine = call.session.authenticate(user, call.args.back());
  fine ? call.reply.ok() : call.reply.error(kWrongPassword);
}

// Reads HELLO's options; false after replying with an error.
bool hello_options(Call& call) {
  for (std::size_t i = 2; i < call.args.size(); ++i) {
    const std::size_t left = call.args.size() - 1 - i;
    if (call.is(i, "auth") && left >= 2) {
      if (!call.session.authenticate(call.args[i + 1], call.args[i + 2])) {
        call.reply.error(kWrongPassword);
        return false;
      }
      i += 2;
    } else if (call.is(i, "setname") && left >= 1) {
      if (!call.session.set_name(call.args[++i])) {
        call.reply.error(kBadName);
        return false;
      }
    } else {
      call.reply.error("ERR Syntax error in HELLO option '" + std::string(call.args[i]) + "'");
      return false;
    }
  }
  return true;
}

void hello(Call& call) {
  std::optional<std::int64_t> version;
  if (call.args.size() >= 2) {
    version = parse_integer(call.args[1]);
    if (!version) {
      return call.reply.error("ERR Protocol version is not an integer or out of range");
    }
    if (*version < 2 || *version > 3) {
      return call.reply.error("NOPROTO unsupported protocol version");
    }
  }
  if (!hello_options(call)) return;
  if (!call.session.authenticated()) {
    return call.reply.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
        "protocol version at the same time");
  }
  if (version) call.session.set_protocol(static_cast<int>(*version));
  RespWriter reply(call.reply.output(), call.session.protocol());
  reply.map(7);
  reply.bulk("server");
  reply.bulk("redis");
  reply.bulk("version");
  reply.bulk("7.0.15");
  reply.bulk("proto");
  reply.integer(call.session.protocol());
  reply.bulk("id");
  reply.integer(static_cast<std::int64_t>(call.session.client().id));
  reply.bulk("mode");
  reply.bulk("standalone");
  reply.bulk("role");
  reply.bulk("master");
  reply.bulk("modules");
  reply.array(0);
}

// --- CLIENT --------------------------------------------------------------------------------------

void client_id(Call& call) {
  call.reply.integer(static_cast<std::int64_t>(call.session.client().id));
}

void client_getname(Call& call) {
  const std::string name = call.shared().clients.name(call.session.client());
  name.empty() ? call.reply.null() : call.reply.bulk(name);
}

void client_setname(Call& call) {
  call.session.set_name(call.args[2]) ? call.reply.ok() : call.reply.error(kBadName);
}

void client_setinfo(Call& call) {
  const bool known = call.is(2, "lib-name") || call.is(2, "lib-ver");
  known ? call.reply.ok()
        : call.reply.error("ERR Unrecognized option '" + std::string(call.args[2]) + "'");
}

void client_info(Call& call) {
  const Client& client = call.session.client();
  const std::string name = call.shared().clients.name(client);
  call.reply.verbatim("txt", describe_client(client, name, call.now_ms) + "\n");
}

// Whether the client belongs to the type (normal, pubsub); nothing for an unknown type.
std::optional<bool> has_type(const Client& client, std::string_view type) {
  const bool subscriber = client.channels.load(std::memory_order_relaxed) +
                              client.patterns.load(std::memory_order_relaxed) !=
                          0;
  if (equal_ignoring_case(type, "normal")) return !subscriber;
  if (equal_ignoring_case(type, "pubsub")) return subscriber;
  for (const std::string_view other : {"master", "replica", "slave"}) {
    if (equal_ignoring_case(type, other)) return false;
  }
  return std::nullopt;
}

bool known_type(Call& call, std::string_view type) {
  if (has_type(call.session.client(), type)) return true;
  call.reply.error("ERR Unknown client type '" + std::string(type) + "'");
  return false;
}

void client_list(Call& call) {
  std::string_view type;
  std::vector<std::uint64_t> ids;
  if (call.args.size() == 4 && call.is(2, "type")) {
    type = call.args[3];
    if (!known_type(call, type)) return;
  } else if (call.args.size() > 3 && call.is(2, "id")) {
    for (const std::string_view text : call.args.subspan(3)) {
      const auto id = parse_integer(text);
      if (!id) return call.reply.error("ERR Invalid client ID");
      ids.push_back(static_cast<std::uint64_t>(*id));
    }
  } else if (call.args.size() != 2) {
    return call.syntax_error();
  }
  std::string lines;
  call.shared().clients.for_each([&](const Client& client, std::string_view name) {
    if (!type.empty() && !has_type(client, type).value_or(false)) return;
    if (!ids.empty() && std::find(ids.begin(), ids.end(), client.id) == ids.end()) return;
    lines += describe_client(client, name, call.now_ms) + "\n";
  });
  call.reply.verbatim("txt", lines);
}

struct KillFilter {
  std::uint64_t id = 0;  // 0: any
  std::string_view type;
  std::string_view address;
  std::string_view local_address;
  bool skip_me = true;

  [[nodiscard]] bool accepts(const Client& client, const Client& me) const {
    if (id != 0 && client.id != id) return false;
    if (!type.empty() && !has_type(client, type).value_or(false)) return false;
    if (!address.empty() && client.address != address) return false;
    if (!local_address.empty() && client.local_address != local_address) return false;
    return !(skip_me && &client == &me);
  }
};

// Reads one option and its value; false after replying with an error.
bool parse_kill_option(Call& call, std::size_t i, KillFilter* filter) {
  const std::string_view value = call.args[i + 1];
  if (call.is(i, "id")) {
    const auto id = call.integer(i + 1);
    if (!id) return false;
    if (*id < 1) {
      call.reply.error("ERR client-id should be greater than 0");
      return false;
    }
    filter->id = static_cast<std::uint64_t>(*id);
  } else if (call.is(i, "type")) {
    filter->type = value;
    return known_type(call, value);
  } else if (call.is(i, "addr")) {
    filter->address = value;
  } else if (call.is(i, "laddr")) {
    filter->local_address = value;
  } else if (call.is(i, "user")) {
    if (value == "default") return true;
    call.reply.error("ERR No such user '" + std::string(value) + "'");
    return false;
  } else if (call.is(i, "skipme") && (call.is(i + 1, "yes") || call.is(i + 1, "no"))) {
    filter->skip_me = call.is(i + 1, "yes");
  } else {
    call.syntax_error();
    return false;
  }
  return true;
}

// Closes what the filter accepts, each on its own reactor; returns how many.
std::int64_t kill_clients(Call& call, const KillFilter& filter) {
  struct Target {
    std::uint64_t id;
    std::uint32_t reactor;
  };
  std::vector<Target> targets;
  const Client& me = call.session.client();
  Clients& clients = call.shared().clients;
  clients.for_each([&](const Client& client, std::string_view) {
    if (filter.accepts(client, me)) targets.push_back({client.id, client.reactor});
  });
  for (const Target& target : targets) {
    if (target.id == me.id) {
      call.session.close_after_reply();
    } else {
      call.shared().mailboxes[target.reactor]->post(
          [&clients, id = target.id] { clients.kill(id); });
    }
  }
  return static_cast<std::int64_t>(targets.size());
}

void client_kill(Call& call) {
  KillFilter filter;
  if (call.args.size() == 3) {
    filter.address = call.args[2];
    filter.skip_me = false;
    const bool found = kill_clients(call, filter) != 0;
    return found ? call.reply.ok() : call.reply.error("ERR No such client");
  }
  if (call.args.size() % 2 != 0) return call.syntax_error();
  for (std::size_t i = 2; i < call.args.size(); i += 2) {
    if (!parse_kill_option(call, i, &filter)) return;
  }
  call.reply.integer(kill_clients(call, filter));
}

void client_no_evict(Call& call) {
  if (!call.is(2, "on") && !call.is(2, "off")) return call.syntax_error();
  call.session.client().no_evict.store(call.is(2, "on"), std::memory_order_relaxed);
  call.reply.ok();
}

void client_reply(Call& call) {
  if (call.is(2, "on")) {
    call.session.set_replies(RespSession::Replies::kOn);
    call.reply.ok();
  } else if (call.is(2, "off")) {
    call.session.set_replies(RespSession::Replies::kOff);
  } else if (call.is(2, "skip")) {
    if (call.session.replies() == RespSession::Replies::kOn) {
      call.session.set_replies(RespSession::Replies::kSkipNext);
    }
  } else {
    call.syntax_error();
  }
}

void client_getredir(Call& call) { call.reply.integer(-1); }

// Invalidation messages come with a later stage; until then a client must not rely on them.
void client_tracking(Call& call) {
  if (call.is(2, "off")) return call.reply.ok();
  call.reply.error("ERR client side caching is not supported by this server");
}

void client(Call& call) {
  static constexpr std::array kSubcommands = {
      Subcommand{"id", 2, client_id},
      Subcommand{"getname", 2, client_getname},
      Subcommand{"setname", 3, client_setname},
      Subcommand{"setinfo", 4, client_setinfo},
      Subcommand{"info", 2, client_info},
      Subcommand{"list", -2, client_list},
      Subcommand{"kill", -3, client_kill},
      Subcommand{"no-evict", 3, client_no_evict},
      Subcommand{"reply", 3, client_reply},
      Subcommand{"getredir", 2, client_getredir},
      Subcommand{"tracking", -3, client_tracking},
  };
  dispatch(call, kSubcommands);
}

constexpr auto kFamily = CommandFamily::kConnection;

constexpr std::array kCommands = {
    Command{"ping", -1, Command::kFast | Command::kInSubscriber, 0, 0, 0, kFamily, ping,
            "Answers PONG, or the argument"},
    Command{"echo", 2, Command::kFast, 0, 0, 0, kFamily, echo, "Returns its argument"},
    Command{"quit", -1, Command::kFast | Command::kNoAuth | Command::kInSubscriber, 0, 0, 0,
            kFamily, quit, "Closes the connection"},
    Command{"select", 2, Command::kFast, 0, 0, 0, kFamily, select,
            "Selects the database; there is only 0"},
    Command{"reset", 1, Command::kFast | Command::kNoAuth | Command::kInSubscriber, 0, 0, 0,
            kFamily, reset, "Brings the connection back to its initial state"},
    Command{"auth", -2, Command::kFast | Command::kNoAuth, 0, 0, 0, kFamily, auth,
            "Authenticates the connection"},
    Command{"hello", -1, Command::kFast | Command::kNoAuth, 0, 0, 0, kFamily, hello,
            "Shakes hands: protocol version, authentication and name"},
    Command{"client", -2, 0, 0, 0, 0, kFamily, client, "Reports on and controls connections"},
};

}  // namespace

std::span<const Command> connection_commands() { return kCommands; }

}  // namespace vigil::server
