// SPDX-License-Identifier: Apache-2.0
//
// The connection itself: PING, HELLO, AUTH and the like. CLIENT is in client_commands.cc.
#include <array>
#include <optional>
#include <string>

#include "vigil/server/resp/commands/families.h"
#include "vigil/server/resp/session.h"

namespace vigil::server {

namespace {

constexpr char kWrongPassword[] = "WRONGPASS invalid username-password pair or user is disabled.";

// PING [text]
void ping(Call& call) {
  Arguments args(call.args);
  const bool has_text = args.more();
  const std::string_view text = has_text ? args.next() : std::string_view();
  if (args.more()) return call.arity_error();
  if (call.session.protocol() == 2 && call.session.subscription_count() != 0) {
    call.reply.array(2);
    call.reply.bulk("pong");
    return call.reply.bulk(text);
  }
  has_text ? call.reply.bulk(text) : call.reply.simple("PONG");
}

void echo(Call& call) { call.reply.bulk(call.args.front()); }

void quit(Call& call) {
  call.reply.ok();
  call.session.close_after_reply();
}

void select(Call& call) {
  Arguments args(call.args);
  if (args.integer() != 0) args.fail("ERR DB index is out of range");
  args.ok() ? call.reply.ok() : call.reply.error(args.error());
}

void reset(Call& call) {
  call.session.reset();
  call.reply.simple("RESET");
}

// AUTH [user] password
void auth(Call& call) {
  Arguments args(call.args);
  if (args.left() > 2) return call.syntax_error();
  const bool has_user = args.left() == 2;
  if (!has_user && call.shared().server.options.password.empty()) {
    return call.reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
  }
  const std::string_view user = has_user ? args.next() : "default";
  const bool fine = call.session.authenticate(user, args.next());
  fine ? call.reply.ok() : call.reply.error(kWrongPassword);
}

// The protocol version that HELLO asks for.
std::int64_t read_version(Arguments& args) {
  const auto version = parse_integer(args.next());
  if (!version) args.fail("ERR Protocol version is not an integer or out of range");
  if (version != 2 && version != 3) args.fail("NOPROTO unsupported protocol version");
  return version.value_or(0);
}

// One option of HELLO, which holds from the moment it was read, as in Redis.
void apply_hello_option(Arguments& args, Call& call) {
  if (args.left() > 2 && args.flag("auth")) {
    const std::string_view user = args.next();
    if (!call.session.authenticate(user, args.next())) args.fail(kWrongPassword);
  } else if (args.option("setname")) {
    if (!call.session.set_name(args.next())) args.fail(kBadClientName);
  } else {
    args.fail("ERR Syntax error in HELLO option '" + std::string(args.next()) + "'");
  }
}

void describe_server(Call& call) {
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

// HELLO [version [AUTH user password] [SETNAME name]]
void hello(Call& call) {
  Arguments args(call.args);
  std::optional<std::int64_t> version;
  if (args.more()) version = read_version(args);
  while (args.more()) apply_hello_option(args, call);
  if (!args.ok()) return call.reply.error(args.error());
  if (!call.session.authenticated()) {
    return call.reply.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "AUTH <user> <pass> option can be used to authenticate the client and select the RESP "
        "protocol version at the same time");
  }
  if (version) call.session.set_protocol(static_cast<int>(*version));
  describe_server(call);
}

constexpr auto kFamily = CommandFamily::kConnection;

constexpr std::array kCommands = {
    Command{.name = "ping",
            .arity = -1,
            .flags = Command::kFast | Command::kInSubscriber,
            .categories = Category::kConnection,
            .family = kFamily,
            .handler = ping,
            .summary = "Answers PONG, or the argument"},
    Command{.name = "echo",
            .arity = 2,
            .flags = Command::kFast | Command::kLoading,
            .categories = Category::kConnection,
            .family = kFamily,
            .handler = echo,
            .summary = "Returns its argument"},
    Command{.name = "quit",
            .arity = -1,
            .flags = Command::kFast | Command::kNoAuth | Command::kInSubscriber | Command::kLoading,
            .categories = Category::kConnection,
            .family = kFamily,
            .handler = quit,
            .summary = "Closes the connection"},
    Command{.name = "select",
            .arity = 2,
            .flags = Command::kFast | Command::kLoading,
            .categories = Category::kConnection,
            .family = kFamily,
            .handler = select,
            .summary = "Selects the database; there is only 0"},
    Command{.name = "reset",
            .arity = 1,
            .flags = Command::kFast | Command::kNoAuth | Command::kInSubscriber | Command::kLoading,
            .categories = Category::kConnection,
            .family = kFamily,
            .handler = reset,
            .summary = "Brings the connection back to its initial state"},
    Command{.name = "auth",
            .arity = -2,
            .flags = Command::kFast | Command::kNoAuth | Command::kLoading,
            .categories = Category::kConnection,
            .family = kFamily,
            .handler = auth,
            .summary = "Authenticates the connection"},
    Command{.name = "hello",
            .arity = -1,
            .flags = Command::kFast | Command::kNoAuth | Command::kLoading,
            .categories = Category::kConnection,
            .family = kFamily,
            .handler = hello,
            .summary = "Shakes hands: protocol version, authentication and name"},
};

}  // namespace

std::span<const Command> connection_commands() { return kCommands; }

}  // namespace vigil::server
