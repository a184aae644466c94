// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/deferred_replies.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace vigil::server {
namespace {

struct Received {
  std::uint64_t number;
  std::optional<std::string> reply;
  bool operator==(const Received&) const = default;
};

class DeferredRepliesTest : public ::testing::Test {
 protected:
  ReplyTicket issue() {
    return replies_.issue([this](std::uint64_t number, std::optional<std::string> reply) {
      received_.push_back({number, std::move(reply)});
    });
  }

  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  DeferredReplies replies_{mailbox_};
  std::vector<Received> received_;
};

TEST_F(DeferredRepliesTest, AReplyArrivesWithTheMailAndOnce) {
  ReplyTicket ticket = issue();
  const std::uint64_t number = ticket.number();
  std::thread other([&] { ticket.complete("answer"); });
  other.join();
  EXPECT_FALSE(ticket.valid());
  EXPECT_TRUE(received_.empty()) << "nothing happens outside of the reactor's thread";
  mailbox_->run();
  EXPECT_EQ(received_, (std::vector<Received>{{number, "answer"}}));
  EXPECT_EQ(replies_.pending(), 0U);
}

TEST_F(DeferredRepliesTest, ADestroyedTicketIsAbandoned) {
  std::uint64_t number = 0;
  {
    const ReplyTicket ticket = issue();
    number = ticket.number();
  }
  mailbox_->run();
  EXPECT_EQ(received_, (std::vector<Received>{{number, std::nullopt}}));
}

TEST_F(DeferredRepliesTest, AMovedTicketIsCompletedByItsNewOwnerAlone) {
  ReplyTicket first = issue();
  const std::uint64_t number = first.number();
  ReplyTicket second = std::move(first);
  EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): this is what is tested
  first = ReplyTicket();
  second.complete("answer");
  mailbox_->run();
  EXPECT_EQ(received_, (std::vector<Received>{{number, "answer"}}));
}

TEST_F(DeferredRepliesTest, AnOverwrittenTicketIsAbandoned) {
  ReplyTicket ticket = issue();
  const std::uint64_t lost = ticket.number();
  ticket = issue();
  const std::uint64_t kept = ticket.number();
  EXPECT_NE(lost, kept);
  ticket.complete("answer");
  mailbox_->run();
  EXPECT_EQ(received_, (std::vector<Received>{{lost, std::nullopt}, {kept, "answer"}}));
}

TEST_F(DeferredRepliesTest, AnAnswerToAWithdrawnTicketFindsNoReceiver) {
  ReplyTicket early = issue();
  ReplyTicket late = issue();
  early.complete("in the mail");
  replies_.withdraw(1);
  replies_.withdraw(late.number());
  late.complete("too late");
  ReplyTicket next = issue();
  mailbox_->run();
  EXPECT_TRUE(received_.empty());
  EXPECT_EQ(replies_.pending(), 1U) << "a number is never used twice";
  next.complete("mine");
  mailbox_->run();
  EXPECT_EQ(received_, (std::vector<Received>{{3, "mine"}}));
}

TEST(DeferredRepliesEndTest, ATicketMayOutliveItsReactor) {
  ReplyTicket kept;
  {
    auto mailbox = std::make_shared<Mailbox>();
    DeferredReplies replies(mailbox);
    kept = replies.issue([](std::uint64_t, const std::optional<std::string>&) { FAIL(); });
    // Left in the mailbox of its own reactor: destroyed with it.
    ReplyTicket posted =
        replies.issue([](std::uint64_t, const std::optional<std::string>&) { FAIL(); });
    mailbox->post([posted = std::move(posted)] {});
  }
  kept.complete("nobody is there");
}

}  // namespace
}  // namespace vigil::server
