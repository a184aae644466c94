// SPDX-License-Identifier: Apache-2.0
//
// CLIENT: this connection and the others.
#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <vector>

#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/session.h"

namespace vigil::server {

namespace {

void client_id(Call& call) {
  call.reply.integer(static_cast<std::int64_t>(call.session.client().id));
}

void client_getname(Call& call) {
  const std::string name = call.shared().clients.name(call.session.client());
  name.empty() ? call.reply.null() : call.reply.bulk(name);
}

void client_setname(Call& call) {
  call.session.set_name(call.args.front()) ? call.reply.ok() : call.reply.error(kBadClientName);
}

void client_setinfo(Call& call) {
  constexpr std::array kAttributes = {Choice<Clients::Text>{"lib-name", Clients::Text::kLibrary},
                                      Choice<Clients::Text>{"lib-ver", Clients::Text::kVersion}};
  Arguments args(call.args);
  const auto attribute = args.one_of<Clients::Text>(kAttributes);
  const std::string_view text = args.next();
  if (!attribute) {
    return call.reply.error("ERR Unrecognized option '" + std::string(call.args.front()) + "'");
  }
  if (!Clients::is_word(text)) {
    return call.reply.error("ERR " + std::string(call.args.front()) +
                            " cannot contain spaces, newlines or special characters.");
  }
  call.shared().clients.set(call.session.client(), *attribute, text);
  call.reply.ok();
}

// Redis shows the command that asks by its full name.
void name_this_command(Call& call) {
  call.session.client().last_command.store(call.command.name.data(), std::memory_order_relaxed);
}

void client_info(Call& call) {
  name_this_command(call);
  const Client& client = call.session.client();
  call.reply.verbatim("txt", call.shared().clients.describe(client, call.now_ms) + "\n");
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

// An error in `args` if there is no such type.
void check_type(Arguments& args, const Call& call, std::string_view type) {
  if (!has_type(call.session.client(), type)) {
    args.fail("ERR Unknown client type '" + std::string(type) + "'");
  }
}

// Which clients LIST shows.
struct ListFilter {
  std::string_view type;           // empty: any
  std::vector<std::uint64_t> ids;  // empty: any

  [[nodiscard]] bool accepts(const Client& client) const {
    if (!type.empty() && !has_type(client, type).value_or(false)) return false;
    return ids.empty() || std::find(ids.begin(), ids.end(), client.id) != ids.end();
  }
};

// [TYPE type | ID id...]
ListFilter read_list_filter(Arguments& args, const Call& call) {
  ListFilter filter;
  if (args.left() == 2 && args.option("type")) {
    filter.type = args.next();
    check_type(args, call, filter.type);
  } else if (args.option("id")) {
    for (const std::string_view text : args.tail()) {
      const auto id = parse_integer(text);
      if (!id) args.fail("ERR Invalid client ID");
      filter.ids.push_back(static_cast<std::uint64_t>(id.value_or(0)));
    }
  } else if (args.more()) {
    args.syntax_error();
  }
  return filter;
}

void client_list(Call& call) {
  Arguments args(call.args);
  const ListFilter filter = read_list_filter(args, call);
  if (!args.ok()) return call.reply.error(args.error());
  name_this_command(call);
  std::string lines;
  call.shared().clients.for_each([&](const Client& client, const Clients::Texts& texts) {
    if (filter.accepts(client)) lines += describe_client(client, texts, call.now_ms) + "\n";
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

// One option and its value.
void read_kill_option(Arguments& args, const Call& call, KillFilter* filter) {
  constexpr std::array kYesNo = {Choice<bool>{"yes", true}, Choice<bool>{"no", false}};
  if (args.option("id")) {
    const std::int64_t id = args.integer();
    if (id < 1) args.fail("ERR client-id should be greater than 0");
    filter->id = static_cast<std::uint64_t>(id);
  } else if (args.option("type")) {
    filter->type = args.next();
    check_type(args, call, filter->type);
  } else if (args.option("addr")) {
    filter->address = args.next();
  } else if (args.option("laddr")) {
    filter->local_address = args.next();
  } else if (args.option("user")) {
    const std::string_view user = args.next();
    if (user != "default") args.fail("ERR No such user '" + std::string(user) + "'");
  } else if (args.option("skipme")) {
    const auto skip_me = args.one_of<bool>(kYesNo);
    args.require(skip_me.has_value());
    filter->skip_me = skip_me.value_or(true);
  } else {
    args.syntax_error();
  }
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
  clients.for_each([&](const Client& client, const Clients::Texts&) {
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

// CLIENT KILL address | (ID id | TYPE type | ADDR a | LADDR a | USER user | SKIPME yes|no)...
void client_kill(Call& call) {
  Arguments args(call.args);
  KillFilter filter;
  if (args.left() == 1) {
    filter.address = args.next();
    filter.skip_me = false;
    const bool found = kill_clients(call, filter) != 0;
    return found ? call.reply.ok() : call.reply.error("ERR No such client");
  }
  args.require(args.left() % 2 == 0);
  while (args.more()) read_kill_option(args, call, &filter);
  if (!args.ok()) return call.reply.error(args.error());
  call.reply.integer(kill_clients(call, filter));
}

void set_mark(Call& call, std::atomic<bool>& mark) {
  constexpr std::array kOnOff = {Choice<bool>{"on", true}, Choice<bool>{"off", false}};
  const auto on = Arguments(call.args).one_of<bool>(kOnOff);
  if (!on) return call.syntax_error();
  mark.store(*on, std::memory_order_relaxed);
  call.reply.ok();
}

void client_no_evict(Call& call) { set_mark(call, call.session.client().no_evict); }
void client_no_touch(Call& call) { set_mark(call, call.session.client().no_touch); }

void client_reply(Call& call) {
  using Replies = RespSession::Replies;
  constexpr std::array kReplies = {Choice<Replies>{"on", Replies::kOn},
                                   Choice<Replies>{"off", Replies::kOff},
                                   Choice<Replies>{"skip", Replies::kSkipNext}};
  const auto replies = Arguments(call.args).one_of<Replies>(kReplies);
  if (!replies) return call.syntax_error();
  // SKIP does not switch replies on that are off.
  if (replies == Replies::kSkipNext && call.session.replies() == Replies::kOff) return;
  call.session.set_replies(*replies);
  if (replies == Replies::kOn) call.reply.ok();
}

// Nobody waits for anything, so there is nobody to wake.
void client_unblock(Call& call) {
  Arguments args(call.args);
  static_cast<void>(args.integer());  // whose error counts
  if (args.more()) args.require(args.flag("timeout") || args.flag("error"));
  args.require(!args.more());
  if (!args.ok()) return call.reply.error(args.error());
  call.reply.integer(0);
}

void client_trackinginfo(Call& call) {
  call.reply.map(3);
  call.reply.bulk("flags");
  call.reply.set(1);
  call.reply.bulk("off");
  call.reply.bulk("redirect");
  call.reply.integer(-1);
  call.reply.bulk("prefixes");
  call.reply.array(0);
}

void client_caching(Call& call) {
  Arguments args(call.args);
  if (!args.flag("yes") && !args.flag("no")) return call.syntax_error();
  call.reply.error(
      "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
      "OPTOUT mode enabled");
}

void client_getredir(Call& call) { call.reply.integer(-1); }

// Invalidation messages come with a later stage; until then a client must not rely on them.
void client_tracking(Call& call) {
  if (Arguments(call.args).flag("off")) return call.reply.ok();
  call.reply.error("ERR client side caching is not supported by this server");
}

constexpr std::array kClientSubcommands = {
    Command{.name = "client|id",
            .arity = 2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_id,
            .since = "5.0.0",
            .complexity = "O(1)",
            .summary = "Returns the connection's id"},
    Command{.name = "client|getname",
            .arity = 2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_getname,
            .since = "2.6.9",
            .complexity = "O(1)",
            .summary = "Returns the connection's name"},
    Command{.name = "client|setname",
            .arity = 3,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_setname,
            .since = "2.6.9",
            .complexity = "O(1)",
            .summary = "Names the connection"},
    Command{.name = "client|setinfo",
            .arity = 4,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_setinfo,
            .summary = "Takes note of the client's library"},
    Command{.name = "client|info",
            .arity = 2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_info,
            .since = "6.2.0",
            .complexity = "O(1)",
            .summary = "Describes the connection"},
    Command{.name = "client|list",
            .arity = -2,
            .flags = Command::kAdmin | Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_list,
            .since = "2.4.0",
            .complexity = "O(N)",
            .summary = "Describes the connections"},
    Command{.name = "client|kill",
            .arity = -3,
            .flags = Command::kAdmin | Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_kill,
            .since = "2.4.0",
            .complexity = "O(N)",
            .summary = "Closes connections"},
    Command{.name = "client|no-evict",
            .arity = 3,
            .flags = Command::kAdmin | Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_no_evict,
            .since = "7.0.0",
            .complexity = "O(1)",
            .summary = "Marks the connection; none is ever evicted"},
    Command{.name = "client|reply",
            .arity = 3,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_reply,
            .since = "3.2.0",
            .complexity = "O(1)",
            .summary = "Switches replies off and on"},
    Command{.name = "client|getredir",
            .arity = 2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_getredir,
            .since = "6.0.0",
            .complexity = "O(1)",
            .summary = "Returns -1: tracking is never redirected"},
    Command{.name = "client|tracking",
            .arity = -3,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_tracking,
            .since = "6.0.0",
            .complexity = "O(1)",
            .summary = "OFF only; there is no tracking"},
    Command{.name = "client|trackinginfo",
            .arity = 2,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_trackinginfo,
            .since = "6.2.0",
            .complexity = "O(1)",
            .summary = "Reports that tracking is off"},
    Command{.name = "client|caching",
            .arity = 3,
            .categories = Category::kConnection,
            .handler = client_caching,
            .since = "6.0.0",
            .complexity = "O(1)",
            .summary = "An error; there is no tracking"},
    Command{.name = "client|unblock",
            .arity = -3,
            .flags = Command::kAdmin | Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_unblock,
            .since = "5.0.0",
            .complexity = "O(1)",
            .summary = "Returns 0; no client is ever blocked"},
    Command{.name = "client|no-touch",
            .arity = 3,
            .flags = Command::kLoading,
            .categories = Category::kConnection,
            .handler = client_no_touch,
            .since = "7.2.0",
            .complexity = "O(1)",
            .summary = "Marks the connection; nothing is evicted by age of use"},
    help_row("client|help", Category::kConnection),
};

constexpr std::array kCommands = {
    Command{.name = "client",
            .arity = -2,
            .family = CommandFamily::kConnection,
            .handler = run_subcommand,
            .since = "2.4.0",
            .summary = "Reports on and controls connections",
            .subcommands = kClientSubcommands},
};

}  // namespace

std::span<const Command> client_commands() { return kCommands; }

}  // namespace vigil::server
