// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/reply_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace vigil::server {
namespace {

// Takes everything that may leave.
std::string leave(ReplyQueue* queue) {
  std::string bytes;
  while (!queue->sendable().empty()) {
    bytes += queue->sendable();
    queue->sent(queue->sendable().size());
  }
  return bytes;
}

void open_all(ReplyQueue* queue) {
  queue->open([](const ReplyQueue::Hold&) { return true; });
}

// What may be opened: commits up to `committed`, and what was answered.
void open_up_to(ReplyQueue* queue, CommitGate::Position committed) {
  queue->open([&](const ReplyQueue::Hold& hold) {
    return hold.commit != 0 ? hold.commit <= committed : hold.answer.has_value();
  });
}

TEST(ReplyQueueTest, WithoutHoldsEverythingMayLeave) {
  ReplyQueue queue;
  EXPECT_TRUE(queue.empty());
  queue.tail().append("abc");
  EXPECT_EQ(queue.sendable(), "abc");
  queue.sent(1);
  EXPECT_EQ(queue.sendable(), "bc");
  EXPECT_EQ(leave(&queue), "bc");
  EXPECT_TRUE(queue.empty());
}

TEST(ReplyQueueTest, OnlyWhatIsInFrontOfTheFirstHoldLeaves) {
  ReplyQueue queue;
  queue.tail().append("abc");
  queue.hold_commit(2, 0, 7);
  EXPECT_EQ(leave(&queue), "ab");
  EXPECT_FALSE(queue.empty());
  EXPECT_EQ(queue.size(), 1U);
  open_up_to(&queue, 6);
  EXPECT_EQ(leave(&queue), "");
  open_up_to(&queue, 7);
  EXPECT_EQ(leave(&queue), "c");
  EXPECT_TRUE(queue.empty());
}

TEST(ReplyQueueTest, AnAnswerComesInItsPlace) {
  ReplyQueue queue;
  queue.tail().append("ab");
  queue.hold_reply(2, 1);
  queue.tail().append("cd");
  queue.hold_reply(4, 2);
  queue.tail().append("ef");
  queue.answer(2, "(second)");
  open_up_to(&queue, 0);
  EXPECT_EQ(leave(&queue), "ab");
  EXPECT_EQ(queue.size(), 4 + std::string("(second)").size());
  queue.answer(1, "(first)");
  open_up_to(&queue, 0);
  EXPECT_EQ(leave(&queue), "(first)cd(second)ef");
  EXPECT_TRUE(queue.empty());
}

TEST(ReplyQueueTest, AnAnswerJoinsWhatWasNotSentYet) {
  ReplyQueue queue;
  queue.tail().append("abcd");
  queue.sent(1);
  queue.hold_reply(3, 1);
  queue.tail().append("e");
  queue.answer(1, "-");
  open_all(&queue);
  EXPECT_EQ(queue.sendable(), "bcd-");
  queue.sent(2);
  queue.tail().append("f");
  EXPECT_EQ(leave(&queue), "d-ef");
}

TEST(ReplyQueueTest, ABatchIsHeldInFrontOfItsDeferredReplies) {
  ReplyQueue queue;
  queue.hold_reply(0, 1);  // of an earlier batch
  queue.tail().append("ab");
  queue.hold_reply(1, 2);  // of this batch, which began at "ab"
  queue.hold_commit(0, 1, 5);
  queue.answer(1, "1");
  queue.answer(2, "2");
  open_up_to(&queue, 4);
  EXPECT_EQ(leave(&queue), "1");
  open_up_to(&queue, 5);
  EXPECT_EQ(leave(&queue), "a2b");
}

TEST(ReplyQueueTest, DroppingTakesTheFirstHoldAndAllThatIsBehindIt) {
  ReplyQueue queue;
  queue.tail().append("abc");
  queue.hold_reply(1, 11);
  queue.hold_commit(2, 1, 9);
  queue.hold_reply(3, 12);
  queue.answer(12, "answer");
  std::vector<std::uint64_t> dropped;
  queue.drop_held(0, [&](std::uint64_t ticket) { dropped.push_back(ticket); });
  EXPECT_EQ(dropped, (std::vector<std::uint64_t>{11, 12}));
  EXPECT_FALSE(queue.held());
  EXPECT_EQ(queue.size(), 1U);
  queue.tail().append("!");
  EXPECT_EQ(leave(&queue), "a!");
}

TEST(ReplyQueueTest, DroppingTheHoldsOfABatchKeepsEarlierOnes) {
  ReplyQueue queue;
  queue.tail().append("abc");
  queue.hold_reply(1, 11);
  queue.hold_reply(2, 12);
  queue.answer(11, "answer");
  queue.answer(12, "dropped");
  queue.drop_held(1, [](std::uint64_t ticket) { EXPECT_EQ(ticket, 12U); });
  EXPECT_EQ(queue.size(), std::string("ab").size() + std::string("answer").size());
  open_all(&queue);
  EXPECT_EQ(leave(&queue), "aanswerb");
}

TEST(ReplyQueueTest, LargeBuffersAreGivenBack) {
  ReplyQueue queue;
  queue.tail().append(std::string(100'000, 'a'));
  queue.hold_reply(100'000, 1);
  queue.answer(1, std::string(100'000, 'b'));
  open_all(&queue);
  EXPECT_EQ(leave(&queue).size(), 200'000U);
  queue.shrink(1000);
  EXPECT_EQ(queue.tail().capacity(), 0U);
}

}  // namespace
}  // namespace vigil::server
