// SPDX-License-Identifier: Apache-2.0
//
// Publish and subscribe.
#include <array>
#include <string>
#include <vector>

#include "vigil/server/resp/command.h"
#include "vigil/server/resp/session.h"

namespace vigil::server {

namespace {

using Topic = PubSub::Topic;

// The confirmation of one subscription change.
void confirm(Call& call, std::string_view what, const std::string_view* name) {
  call.reply.push(3);
  call.reply.bulk(what);
  name != nullptr ? call.reply.bulk(*name) : call.reply.null();
  call.reply.integer(static_cast<std::int64_t>(call.session.subscription_count()));
}

void subscribe_to(Call& call, Topic topic) {
  for (const std::string_view name : call.args.subspan(1)) {
    call.session.subscribe(topic, name);
    confirm(call, topic == Topic::kChannel ? "subscribe" : "psubscribe", &name);
  }
}

void unsubscribe_from(Call& call, Topic topic) {
  const std::string_view what = topic == Topic::kChannel ? "unsubscribe" : "punsubscribe";
  std::vector<std::string> all;
  std::vector<std::string_view> names(call.args.begin() + 1, call.args.end());
  if (names.empty()) {
    const auto& subscriptions = call.session.subscriptions(topic);
    all.assign(subscriptions.begin(), subscriptions.end());
    names.assign(all.begin(), all.end());
  }
  for (const std::string_view name : names) {
    call.session.unsubscribe(topic, name);
    confirm(call, what, &name);
  }
  if (names.empty()) confirm(call, what, nullptr);
}

void subscribe(Call& call) { subscribe_to(call, Topic::kChannel); }
void psubscribe(Call& call) { subscribe_to(call, Topic::kPattern); }
void unsubscribe(Call& call) { unsubscribe_from(call, Topic::kChannel); }
void punsubscribe(Call& call) { unsubscribe_from(call, Topic::kPattern); }

void publish(Call& call) {
  const std::size_t receivers = call.shared().pubsub.publish(call.args[1], call.args[2]);
  call.reply.integer(static_cast<std::int64_t>(receivers));
}

void pubsub_channels(Call& call) {
  if (call.args.size() > 3) return call.arity_error("pubsub|channels");
  const auto names =
      call.shared().pubsub.channels(call.args.size() == 3 ? call.args[2] : std::string_view("*"));
  call.reply.array(names.size());
  for (const std::string& name : names) call.reply.bulk(name);
}

void pubsub_numsub(Call& call) {
  const auto names = call.args.subspan(2);
  call.reply.array(2 * names.size());
  for (const std::string_view name : names) {
    call.reply.bulk(name);
    call.reply.integer(static_cast<std::int64_t>(call.shared().pubsub.subscribers(name)));
  }
}

void pubsub_numpat(Call& call) {
  call.reply.integer(static_cast<std::int64_t>(call.shared().pubsub.patterns()));
}

void pubsub(Call& call) {
  static constexpr std::array kSubcommands = {
      Subcommand{"channels", -2, pubsub_channels},
      Subcommand{"numsub", -2, pubsub_numsub},
      Subcommand{"numpat", 2, pubsub_numpat},
  };
  dispatch(call, kSubcommands);
}

constexpr auto kFamily = CommandFamily::kPubSub;
constexpr std::uint32_t kSubscribes = Command::kPubSub | Command::kInSubscriber;

constexpr std::array kCommands = {
    Command{"subscribe", -2, kSubscribes, 0, 0, 0, kFamily, subscribe, "Listens to channels"},
    Command{"psubscribe", -2, kSubscribes, 0, 0, 0, kFamily, psubscribe,
            "Listens to the channels that match patterns"},
    Command{"unsubscribe", -1, kSubscribes, 0, 0, 0, kFamily, unsubscribe,
            "Stops listening to channels"},
    Command{"punsubscribe", -1, kSubscribes, 0, 0, 0, kFamily, punsubscribe,
            "Stops listening to patterns"},
    Command{"publish", 3, Command::kPubSub | Command::kFast, 0, 0, 0, kFamily, publish,
            "Sends a message to a channel"},
    Command{"pubsub", -2, Command::kPubSub, 0, 0, 0, kFamily, pubsub,
            "Reports on channels and subscriptions"},
};

}  // namespace

std::span<const Command> pubsub_commands() { return kCommands; }

}  // namespace vigil::server
