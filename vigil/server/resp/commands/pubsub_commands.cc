// SPDX-License-Identifier: Apache-2.0
//
// Publish and subscribe.
#include <array>
#include <string>
#include <vector>

#include "vigil/server/resp/commands/families.h"
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
  for (const std::string_view name : call.args) {
    call.session.subscribe(topic, name);
    confirm(call, topic == Topic::kChannel ? "subscribe" : "psubscribe", &name);
  }
}

void unsubscribe_from(Call& call, Topic topic) {
  const std::string_view what = topic == Topic::kChannel ? "unsubscribe" : "punsubscribe";
  std::vector<std::string> all;
  std::vector<std::string_view> names(call.args.begin(), call.args.end());
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
  Arguments args(call.args);
  const std::string_view channel = args.next();
  const std::size_t receivers = call.shared().pubsub.publish(channel, args.next());
  call.reply.integer(static_cast<std::int64_t>(receivers));
}

void pubsub_channels(Call& call) {
  Arguments args(call.args);
  const std::string_view pattern = args.more() ? args.next() : "*";
  if (args.more()) return call.arity_error();
  const auto names = call.shared().pubsub.channels(pattern);
  call.reply.array(names.size());
  for (const std::string& name : names) call.reply.bulk(name);
}

void pubsub_numsub(Call& call) {
  call.reply.array(2 * call.args.size());
  for (const std::string_view name : call.args) {
    call.reply.bulk(name);
    call.reply.integer(static_cast<std::int64_t>(call.shared().pubsub.subscribers(name)));
  }
}

void pubsub_numpat(Call& call) {
  call.reply.integer(static_cast<std::int64_t>(call.shared().pubsub.patterns()));
}

constexpr auto kFamily = CommandFamily::kPubSub;
constexpr std::uint32_t kSubscribes = Command::kPubSub | Command::kInSubscriber | Command::kLoading;

constexpr std::array kPubsubSubcommands = {
    Command{.name = "pubsub|channels",
            .arity = -2,
            .flags = Command::kPubSub | Command::kLoading,
            .handler = pubsub_channels,
            .summary = "Lists the channels that have subscribers"},
    Command{.name = "pubsub|numsub",
            .arity = -2,
            .flags = Command::kPubSub | Command::kLoading,
            .handler = pubsub_numsub,
            .summary = "Counts the subscribers of channels"},
    Command{.name = "pubsub|numpat",
            .arity = 2,
            .flags = Command::kPubSub | Command::kLoading,
            .handler = pubsub_numpat,
            .summary = "Counts the patterns that are listened to"},
};

constexpr std::array kCommands = {
    Command{.name = "subscribe",
            .arity = -2,
            .flags = kSubscribes,
            .family = kFamily,
            .handler = subscribe,
            .summary = "Listens to channels"},
    Command{.name = "psubscribe",
            .arity = -2,
            .flags = kSubscribes,
            .family = kFamily,
            .handler = psubscribe,
            .summary = "Listens to the channels that match patterns"},
    Command{.name = "unsubscribe",
            .arity = -1,
            .flags = kSubscribes,
            .family = kFamily,
            .handler = unsubscribe,
            .summary = "Stops listening to channels"},
    Command{.name = "punsubscribe",
            .arity = -1,
            .flags = kSubscribes,
            .family = kFamily,
            .handler = punsubscribe,
            .summary = "Stops listening to patterns"},
    Command{.name = "publish",
            .arity = 3,
            .flags = Command::kPubSub | Command::kFast | Command::kLoading,
            .family = kFamily,
            .handler = publish,
            .summary = "Sends a message to a channel"},
    Command{.name = "pubsub",
            .arity = -2,
            .family = kFamily,
            .handler = run_subcommand,
            .summary = "Reports on channels and subscriptions",
            .subcommands = kPubsubSubcommands},
};

}  // namespace

std::span<const Command> pubsub_commands() { return kCommands; }

}  // namespace vigil::server
