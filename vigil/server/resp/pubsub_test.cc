// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/pubsub.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <vector>

#include "vigil/server/resp/keyspace_events.h"

namespace vigil::server {
namespace {

using Topic = PubSub::Topic;

struct Recorder final : Subscriber {
  void on_message(std::string_view pattern, std::string_view channel,
                  std::string_view message) noexcept override {
    messages.push_back(std::string(pattern) + "|" + std::string(channel) + "|" +
                       std::string(message));
  }
  std::vector<std::string> messages;
};

TEST(PubSubTest, AMessageReachesChannelsAndPatternsOnEveryReactor) {
  Mailbox first;
  Mailbox second;
  PubSub pubsub({&first, &second});
  Recorder exact;
  Recorder pattern;
  pubsub.subscribe(0, exact, Topic::kChannel, "news");
  pubsub.subscribe(1, pattern, Topic::kPattern, "n*");
  EXPECT_EQ(pubsub.publish("news", "hello"), 2U);
  EXPECT_EQ(pubsub.publish("nothing", "x"), 1U);
  EXPECT_EQ(pubsub.publish("other", "x"), 0U);
  first.run();
  second.run();
  EXPECT_EQ(exact.messages, (std::vector<std::string>{"|news|hello"}));
  EXPECT_EQ(pattern.messages, (std::vector<std::string>{"n*|news|hello", "n*|nothing|x"}));
}

TEST(PubSubTest, WhatWasDeliveredEarlierIsNotDeliveredByTheMailAgain) {
  Mailbox mailbox;
  PubSub pubsub({&mailbox});
  Recorder recorder;
  pubsub.subscribe(0, recorder, Topic::kChannel, "a");
  pubsub.publish("a", "1");
  pubsub.publish("a", "2");
  pubsub.deliver_pending(0);
  EXPECT_EQ(recorder.messages, (std::vector<std::string>{"|a|1", "|a|2"}));
  pubsub.publish("a", "3");
  mailbox.run();
  mailbox.run();
  EXPECT_EQ(recorder.messages, (std::vector<std::string>{"|a|1", "|a|2", "|a|3"}));
}

TEST(PubSubTest, CountsFollowSubscriptions) {
  Mailbox mailbox;
  PubSub pubsub({&mailbox});
  Recorder recorder;
  pubsub.subscribe(0, recorder, Topic::kChannel, "a");
  pubsub.subscribe(0, recorder, Topic::kChannel, "b");
  pubsub.subscribe(0, recorder, Topic::kPattern, "*");
  EXPECT_EQ(pubsub.channels("*"), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(pubsub.subscribers("a"), 1U);
  EXPECT_EQ(pubsub.patterns(), 1U);
  pubsub.unsubscribe(0, recorder, Topic::kChannel, "a");
  pubsub.unsubscribe(0, recorder, Topic::kPattern, "*");
  EXPECT_EQ(pubsub.channels("*"), (std::vector<std::string>{"b"}));
  EXPECT_EQ(pubsub.subscribers("a"), 0U);
  EXPECT_EQ(pubsub.patterns(), 0U);
  EXPECT_EQ(pubsub.publish("a", "x"), 0U);
}

TEST(PubSubTest, EventsGoToBothChannelsInOrder) {
  Mailbox mailbox;
  PubSub pubsub({&mailbox});
  KeyspaceEvents events(pubsub, *KeyspaceEvents::parse("KEA"));
  Recorder recorder;
  pubsub.subscribe(0, recorder, Topic::kPattern, "__key*@0__:*");
  events.notify(KeyspaceEvents::kExpired, "expired", "k");
  events.set(*KeyspaceEvents::parse("E$"));
  events.notify(KeyspaceEvents::kExpired, "expired", "not wanted");
  events.notify(KeyspaceEvents::kString, "set", "k");
  mailbox.run();
  EXPECT_EQ(recorder.messages, (std::vector<std::string>{"__key*@0__:*|__keyspace@0__:k|expired",
                                                         "__key*@0__:*|__keyevent@0__:expired|k",
                                                         "__key*@0__:*|__keyevent@0__:set|k"}));
}

TEST(PubSubTest, EventClassesPrintAsRedisPrintsThem) {
  EXPECT_EQ(KeyspaceEvents::format(*KeyspaceEvents::parse("KEA")), "AKE");
  EXPECT_EQ(KeyspaceEvents::format(*KeyspaceEvents::parse("Exg$")), "g$xE");
  EXPECT_EQ(KeyspaceEvents::format(0), "");
  EXPECT_FALSE(KeyspaceEvents::parse("q"));
}

TEST(MailboxTest, TasksOfOneSenderRunInOrderAndNoneIsLost) {
  constexpr int kSenders = 4;
  constexpr int kTasks = 5000;
  Mailbox mailbox;
  std::vector<int> last(kSenders, -1);
  int out_of_order = 0;
  int received = 0;
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&, sender] {
      for (int i = 0; i < kTasks; ++i) {
        mailbox.post([&, sender, i] {
          auto& previous = last[static_cast<std::size_t>(sender)];
          if (previous != i - 1) ++out_of_order;
          previous = i;
          ++received;
        });
      }
    });
  }
  while (received < kSenders * kTasks) mailbox.run();
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(out_of_order, 0);
}

TEST(MailboxTest, ASleeperThatAnnouncedItselfIsWoken) {
  Mailbox mailbox;
  ASSERT_TRUE(mailbox.prepare_sleep());
  mailbox.post([] {});
  std::uint64_t count = 0;
  EXPECT_EQ(::read(mailbox.event_fd(), &count, sizeof(count)), 8);
  EXPECT_FALSE(mailbox.prepare_sleep());  // there is mail
  EXPECT_EQ(mailbox.run(), 1U);
  EXPECT_LT(::read(mailbox.event_fd(), &count, sizeof(count)), 0);  // awake: no wake-up was sent
}

}  // namespace
}  // namespace vigil::server
