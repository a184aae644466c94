// SPDX-License-Identifier: Apache-2.0
//
// One connection over a socket pair, turn by turn and without a thread: phases, replies that wait
// for a commit or come later, time-outs.
#include "vigil/server/reactor/connection.h"

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/server/reactor/deadlines.h"
#include "vigil/server/reactor/line_session.h"
#include "vigil/testing/seed.h"

namespace vigil::server {
namespace {

using Phase = Connection::Phase;

class ConnectionTest : public ::testing::Test {
 protected:
  ConnectionTest() {
    protocol_.on_ticket = [this](const std::string&, ReplyTicket ticket) {
      tickets_.push_back(std::move(ticket));
    };
    options_.idle_timeout_ms = 300'000;
    options_.request_timeout_ms = 30'000;
    connect();
  }

  void connect() {
    int pair[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    peer_ = FileDescriptor(pair[0]);
    connection_ = std::make_unique<Connection>(++connections_, FileDescriptor(pair[1]),
                                               Protocol::kResp, host_);
    connection_->open(std::make_unique<LineSession>(protocol_, host_.commit_gate, *connection_));
  }

  // What a reactor does for the connection until nothing is left to do.
  void turn() {
    mailbox_->run();
    host_.commit_gate.release([](Connection& connection) { connection.request_attention(); });
    while (Connection* const connection = host_.attention.pop()) connection->attend();
  }
  void request(std::string_view lines) {
    ASSERT_EQ(::send(peer_.get(), lines.data(), lines.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(lines.size()));
    if ((connection_->wanted_events() & EPOLLIN) != 0) connection_->serve(EPOLLIN);
    turn();
  }
  void finish_sending() {
    ::shutdown(peer_.get(), SHUT_WR);
    connection_->serve(EPOLLIN);
    turn();
  }
  std::string received() {
    std::string bytes;
    char buffer[65536];
    for (ssize_t size = 0; (size = ::recv(peer_.get(), buffer, sizeof(buffer), 0)) > 0;) {
      bytes.append(buffer, static_cast<std::size_t>(size));
      if ((connection_->wanted_events() & EPOLLOUT) != 0) connection_->serve(EPOLLOUT);
      turn();
    }
    return bytes;
  }
  [[nodiscard]] bool peer_sees_end() {
    char byte = 0;
    return ::recv(peer_.get(), &byte, 1, 0) == 0;
  }
  void commit(CommitGate::Position position) {
    host_.commit_gate.advance(position);
    turn();
  }
  void complete(std::size_t ticket, std::string reply) {
    tickets_[ticket].complete(std::move(reply));
    turn();
  }
  [[nodiscard]] std::int64_t deadline() const {
    Deadlines deadlines(options_);
    deadlines.note(*connection_);
    return deadlines.next_sweep_ms();
  }

  ServerOptions options_;
  cache::Cache cache_{{.shards = 1}};
  Durability durability_{options_, cache_, nullptr};
  FaultLog faults_;
  CoarseClock clock_;
  ReactorCounters counters_;
  std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>();
  LineProtocol protocol_;
  std::deque<ReplyTicket> tickets_;
  BufferBudget buffers_{options_.connection_memory_limit_bytes, 1};
  ConnectionHost host_{options_, durability_, faults_, buffers_, 0, clock_, counters_, mailbox_};
  std::uint64_t connections_ = 0;
  FileDescriptor peer_;
  std::unique_ptr<Connection> connection_;
};

// --- Phases --------------------------------------------------------------------------------------

TEST_F(ConnectionTest, AnswersWhileOpen) {
  request("get a\nget b\nge");
  EXPECT_EQ(received(), "<get a><get b>");
  request("t c\n");
  EXPECT_EQ(received(), "<get c>");
  EXPECT_EQ(connection_->phase(), Phase::kOpen);
}

TEST_F(ConnectionTest, LingersWhenTheSessionEndsIt) {
  request("get a\nbye\nget b\n");
  EXPECT_EQ(received(), "<get a><bye>");
  EXPECT_EQ(connection_->phase(), Phase::kLingering);
  EXPECT_TRUE(peer_sees_end());
  request("late");  // is discarded
  EXPECT_EQ(connection_->phase(), Phase::kLingering);
  finish_sending();
  EXPECT_EQ(connection_->phase(), Phase::kClosed);
}

TEST_F(ConnectionTest, ClosesWithoutLingeringWhenThePeerHadFinished) {
  request("get a\n");
  finish_sending();
  EXPECT_EQ(connection_->phase(), Phase::kClosed);
  EXPECT_EQ(received(), "<get a>");
}

TEST_F(ConnectionTest, DrainsWhatWasReceived) {
  ASSERT_EQ(::send(peer_.get(), "get a\nget b\n", 12, 0), 12);
  connection_->drain();
  EXPECT_EQ(received(), "<get a><get b>");
  EXPECT_EQ(connection_->phase(), Phase::kLingering);
}

TEST_F(ConnectionTest, ABrokenSocketClosesEveryPhase) {
  connection_->serve(EPOLLHUP);
  EXPECT_EQ(connection_->phase(), Phase::kClosed);
  connect();
  request("later a\n");
  finish_sending();
  EXPECT_EQ(connection_->phase(), Phase::kClosing);
  connection_->serve(EPOLLERR);
  EXPECT_EQ(connection_->phase(), Phase::kClosed);
  connection_->close();  // again: nothing happens
  connection_->drop();
  EXPECT_EQ(counters_.connections_dropped.value(), 0U);
}

TEST_F(ConnectionTest, AKilledConnectionSendsNothingMore) {
  connection_->output().append("pending");
  connection_->request_attention();
  connection_->request_kill();
  turn();
  EXPECT_EQ(connection_->phase(), Phase::kClosed);
  EXPECT_EQ(received(), "");
}

// --- Commits -------------------------------------------------------------------------------------

TEST_F(ConnectionTest, RepliesLeaveOnceWhatTheirBatchWroteIsCommitted) {
  request("get a\nset 5\nget b\n");
  EXPECT_EQ(received(), "");
  commit(4);
  EXPECT_EQ(received(), "");
  commit(5);
  EXPECT_EQ(received(), "<get a><set 5><get b>");
}

TEST_F(ConnectionTest, AReadWaitsOnlyForEarlierWritesOfItsOwnConnection) {
  request("get a\n");
  EXPECT_EQ(received(), "<get a>");
  request("set 5\n");
  request("get b\n");
  EXPECT_EQ(received(), "") << "behind its own write";
  FileDescriptor writer = std::move(peer_);
  std::unique_ptr<Connection> writing = std::move(connection_);
  connect();
  request("get c\n");
  EXPECT_EQ(received(), "<get c>") << "another connection's write";
  std::swap(peer_, writer);
  std::swap(connection_, writing);
  commit(5);
  EXPECT_EQ(received(), "<set 5><get b>");
}

TEST_F(ConnectionTest, AWriteThatIsCommittedAlreadyWaitsForNothing) {
  commit(9);
  request("set 9\n");
  EXPECT_EQ(received(), "<set 9>");
  EXPECT_FALSE(connection_->held());
}

TEST_F(ConnectionTest, BatchesLeaveInTheirOrderAsTheirCommitsCome) {
  request("set 3\n");
  request("set 8\n");
  request("set 5\n");
  commit(5);
  EXPECT_EQ(received(), "<set 3>") << "5 stays behind 8";
  commit(8);
  EXPECT_EQ(received(), "<set 8><set 5>");
}

TEST_F(ConnectionTest, AWriteWithoutAReplyHoldsNothing) {
  request("silent 5\n");
  EXPECT_FALSE(connection_->held());
  request("get a\n");
  EXPECT_EQ(received(), "<get a>");
}

TEST_F(ConnectionTest, AFailedCommitLosesWhatWaitsAndNothingElse) {
  protocol_.lost_reply = "<lost>";
  request("get a\n");
  request("set 5\n");
  request("set 6\nget b\n");
  commit(5);
  host_.commit_gate.fail();
  turn();
  EXPECT_EQ(received(), "<get a><set 5><lost>");
  EXPECT_EQ(connection_->phase(), Phase::kLingering);
  EXPECT_TRUE(peer_sees_end());
}

TEST_F(ConnectionTest, AfterAFailureReadsAreAnsweredAndWritesAreLost) {
  host_.commit_gate.fail();
  request("get a\n");
  EXPECT_EQ(received(), "<get a>");
  request("set 5\nget b\n");
  EXPECT_EQ(received(), "");
  EXPECT_EQ(connection_->phase(), Phase::kLingering);
}

// --- Deferred replies ----------------------------------------------------------------------------

TEST_F(ConnectionTest, DeferredRepliesKeepTheOrderOfTheRequests) {
  request("get a\nlater 1\nget b\nlater 2\nlater 3\nget c\n");
  EXPECT_EQ(received(), "<get a>");
  complete(2, "(3)");
  complete(1, "(2)");
  EXPECT_EQ(received(), "");
  complete(0, "(1)");
  EXPECT_EQ(received(), "(1)<get b>(2)(3)<get c>");
  EXPECT_EQ(connection_->phase(), Phase::kOpen);
  request("get d\n");
  EXPECT_EQ(received(), "<get d>");
}

TEST_F(ConnectionTest, ADeferredReplyOfAWriteWaitsForBoth) {
  request("both 5\n");
  complete(0, "(5)");
  EXPECT_EQ(received(), "");
  commit(5);
  EXPECT_EQ(received(), "(5)");
  request("both 6\n");
  commit(6);
  EXPECT_EQ(received(), "");
  complete(1, "(6)");
  EXPECT_EQ(received(), "(6)");
}

TEST_F(ConnectionTest, AMessageGoesBehindAReplyThatIsPending) {
  request("later a\n");
  connection_->output().append("(message)");
  connection_->request_attention();
  turn();
  EXPECT_EQ(received(), "");
  complete(0, "(a)");
  EXPECT_EQ(received(), "(a)(message)");
}

TEST_F(ConnectionTest, AReplyDeferredOutsideOfARequestKeepsItsPlace) {
  connection_->output().append("(before)");
  ReplyTicket ticket = connection_->defer_reply(connection_->output());
  connection_->output().append("(behind)");
  connection_->request_attention();
  turn();
  EXPECT_EQ(received(), "(before)");
  ticket.complete("(now)");
  turn();
  EXPECT_EQ(received(), "(now)(behind)");
}

TEST_F(ConnectionTest, AnAbandonedReplyClosesBehindTheRepliesBeforeIt) {
  protocol_.lost_reply = "<lost>";
  request("get a\nlater 1\nlater 2\nget b\n");
  tickets_[1] = ReplyTicket();
  turn();
  EXPECT_EQ(received(), "<get a>");
  EXPECT_EQ(connection_->phase(), Phase::kOpen) << "the first may still come";
  complete(0, "(1)");
  EXPECT_EQ(received(), "(1)<lost>");
  EXPECT_EQ(connection_->phase(), Phase::kLingering);
}

TEST_F(ConnectionTest, AnswersToAClosedConnectionAreDropped) {
  request("later 1\nlater 2\nset 7\n");
  tickets_[0].complete("in the mail");
  connection_->close();
  EXPECT_EQ(host_.deferred_replies.pending(), 0U);
  connection_.reset();
  connect();
  request("later 3\n");
  complete(1, "late");
  commit(7);
  EXPECT_EQ(received(), "") << "another connection's reply";
  complete(2, "(3)");
  EXPECT_EQ(received(), "(3)");
}

TEST_F(ConnectionTest, AKillWhileRepliesArePending) {
  request("later 1\nset 7\n");
  connection_->request_kill();
  tickets_[0].complete("(1)");
  host_.commit_gate.advance(7);
  turn();
  EXPECT_EQ(connection_->phase(), Phase::kClosed);
  EXPECT_EQ(received(), "");
  EXPECT_EQ(host_.deferred_replies.pending(), 0U);
}

TEST_F(ConnectionTest, AHalfClosedPeerGetsItsPendingReplies) {
  request("later 1\nset 7\n");
  finish_sending();
  EXPECT_EQ(connection_->phase(), Phase::kClosing);
  EXPECT_EQ(connection_->wanted_events(), 0U) << "nothing to read, nothing that may leave";
  complete(0, "(1)");
  EXPECT_EQ(received(), "") << "the batch wrote 7";
  commit(7);
  EXPECT_EQ(received(), "(1)<set 7>");
  EXPECT_EQ(connection_->phase(), Phase::kClosed);
}

TEST_F(ConnectionTest, ADrainWaitsForPendingReplies) {
  ASSERT_EQ(::send(peer_.get(), "later 1\nget a\n", 14, 0), 14);
  connection_->drain();
  turn();
  EXPECT_EQ(connection_->phase(), Phase::kClosing);
  complete(0, "(1)");
  EXPECT_EQ(received(), "(1)<get a>");
  EXPECT_EQ(connection_->phase(), Phase::kLingering);
}

TEST_F(ConnectionTest, AFaultIsAnsweredBehindTheRepliesThatArePending) {
  request("later 1\nset 5\n");
  request("get a\nthrow\n");
  EXPECT_EQ(counters_.connection_faults.value(), 1U);
  commit(5);
  complete(0, "(1)");
  EXPECT_EQ(received(), "(1)<set 5><get a><fault>");
  EXPECT_EQ(connection_->phase(), Phase::kLingering);
}

TEST_F(ConnectionTest, AFaultAfterADeferredReplyLosesItsBatch) {
  protocol_.lost_reply = "<lost>";
  request("later 1\n");
  request("get a\nlater 2\nget b\nthrow later\n");
  EXPECT_EQ(host_.deferred_replies.pending(), 1U);
  complete(1, "(2)");
  complete(0, "(1)");
  EXPECT_EQ(received(), "(1)<lost>");
  EXPECT_EQ(connection_->phase(), Phase::kLingering);
  connect();
  request("get a\nlater 3\nthrow\n");  // nothing was pending before
  EXPECT_EQ(received(), "<lost>");
}

// --- Bounds --------------------------------------------------------------------------------------

TEST_F(ConnectionTest, AnAnswerBeyondTheOutputLimitCutsOff) {
  options_.output_limit_bytes = 1000;
  request("later 1\nlater 2\n");
  complete(1, std::string(600, 'x'));
  EXPECT_EQ(connection_->phase(), Phase::kOpen);
  request("later 3\n");
  complete(2, std::string(600, 'y'));
  EXPECT_EQ(connection_->phase(), Phase::kClosed);
  EXPECT_EQ(counters_.connections_dropped.value(), 1U);
}

TEST_F(ConnectionTest, TooManyHeldRepliesStopTheReadingUntilSomeLeave) {
  constexpr std::size_t kRequests = 3 * Connection::kHoldsMax;
  std::string requests;
  for (std::size_t i = 0; i < kRequests; ++i) requests += "later\n";
  request(requests);
  EXPECT_EQ(tickets_.size(), Connection::kHoldsMax);
  EXPECT_EQ(connection_->wanted_events(), 0U);
  std::string answers;
  for (std::size_t i = 0; i < kRequests; ++i) {
    ASSERT_GT(tickets_.size(), i);
    complete(i, "(" + std::to_string(i) + ")");
    answers += "(" + std::to_string(i) + ")";
  }
  EXPECT_EQ(received(), answers);
  EXPECT_EQ(connection_->wanted_events(), static_cast<std::uint32_t>(EPOLLIN));
}

TEST_F(ConnectionTest, HeldRepliesBeyondTheHighWaterMarkStopTheReading) {
  options_.output_high_water_bytes = 50;
  request("set 1\nget " + std::string(60, 'a') + "\n");
  request("get b\n");
  EXPECT_EQ(connection_->wanted_events(), 0U);
  commit(1);
  EXPECT_EQ(received(), "<set 1><get " + std::string(60, 'a') + ">");
  EXPECT_EQ(connection_->wanted_events(), static_cast<std::uint32_t>(EPOLLIN));
  connection_->serve(EPOLLIN);
  EXPECT_EQ(received(), "<get b>");
}

// --- Time-outs -----------------------------------------------------------------------------------

TEST_F(ConnectionTest, EachPhaseHasItsDeadline) {
  const std::int64_t now = clock_.unix_ms();
  EXPECT_EQ(deadline(), now + options_.idle_timeout_ms);
  request("ge");
  EXPECT_EQ(deadline(), now + options_.request_timeout_ms);
  request("t a\nbye\n");
  EXPECT_EQ(deadline(), now + Deadlines::kLinger_ms);
  connection_->time_out();
  EXPECT_EQ(connection_->phase(), Phase::kClosed);
  EXPECT_EQ(counters_.connections_dropped.value(), 0U) << "it lingered long enough";
}

TEST_F(ConnectionTest, APeerThatWaitsForUsIsNotIdle) {
  request("later 1\n");
  EXPECT_EQ(deadline(), Deadlines::kNever);
  const std::int64_t asked_ms = clock_.unix_ms();
  while (clock_.unix_ms() == asked_ms) clock_.tick();
  complete(0, "(1)");
  EXPECT_EQ(deadline(), clock_.unix_ms() + options_.idle_timeout_ms) << "it was not idle meanwhile";
}

TEST_F(ConnectionTest, ASubscriberIsNotIdleUntilItIsNoneAnyMore) {
  connection_->set_subscriber(true);
  EXPECT_EQ(deadline(), Deadlines::kNever);
  connection_->set_subscriber(false);
  EXPECT_EQ(deadline(), clock_.unix_ms() + options_.idle_timeout_ms);
}

TEST_F(ConnectionTest, RepliesThatTheSocketDoesNotTakeHaveADeadline) {
  options_.output_limit_bytes = options_.output_high_water_bytes = std::size_t{64} << 20;
  request("get " + std::string(100'000, 'a') + "\n");
  std::string requests;
  while (connection_->wanted_events() == EPOLLIN) request("get " + std::string(50'000, 'a') + "\n");
  EXPECT_EQ(deadline(), clock_.unix_ms() + options_.slow_client_timeout_ms);
  received();
  EXPECT_EQ(deadline(), clock_.unix_ms() + options_.idle_timeout_ms);
}

// --- Against a model -----------------------------------------------------------------------------

// Requests in random batches, commits and answers in random order: what the peer has received is
// at any time exactly the replies in front of the first that has to wait.
TEST_F(ConnectionTest, AnyOrderOfCommitsAndAnswersKeepsTheOrderOfReplies) {
  struct Reply {
    std::string bytes;
    CommitGate::Position commit;  // of its batch
    bool answered;
  };
  constexpr int kSteps = 20'000;
  constexpr std::size_t kPendingMax = 200;
  Random random(testing::test_seed());
  std::deque<Reply> pending;
  std::vector<std::pair<std::size_t, std::uint64_t>> deferred;  // ticket, number of its reply
  std::size_t next_ticket = 0;
  std::uint64_t received_replies = 0;
  CommitGate::Position executed = 0;
  CommitGate::Position committed = 0;
  const auto send_batch = [&] {
    std::string lines;
    const std::size_t first = pending.size();
    CommitGate::Position position = 0;
    for (std::uint64_t i = 1 + random.below(5); i > 0; --i) {
      const bool writes = random.below(2) == 0;
      const bool later = random.below(2) == 0;
      if (writes) position = ++executed;
      const std::string word = writes ? (later ? "both" : "set") : (later ? "later" : "get");
      const std::string line = word + " " + std::to_string(executed);
      if (later) deferred.emplace_back(next_ticket++, received_replies + pending.size());
      pending.push_back({LineSession::answer_to(line), 0, !later});
      lines += line + "\n";
    }
    for (std::size_t i = first; i < pending.size(); ++i) pending[i].commit = position;
    request(lines);
  };
  const auto answer_one = [&] {
    const std::size_t picked = random.below(deferred.size());
    const auto [ticket, number] = deferred[picked];
    deferred.erase(deferred.begin() + static_cast<std::ptrdiff_t>(picked));
    Reply& reply = pending[number - received_replies];
    reply.answered = true;
    complete(ticket, reply.bytes);
  };
  for (int step = 0; step < kSteps; ++step) {
    const std::uint64_t choice = random.below(3);
    if (choice == 0 && pending.size() < kPendingMax) {
      send_batch();
    } else if (choice == 1 && !deferred.empty()) {
      answer_one();
    } else if (committed != executed) {
      committed += 1 + random.below(executed - committed);
      commit(committed);
    }
    std::string wanted;
    for (; !pending.empty() && pending.front().answered && pending.front().commit <= committed;
         ++received_replies) {
      wanted += pending.front().bytes;
      pending.pop_front();
    }
    ASSERT_EQ(received(), wanted) << "step " << step;
  }
}

using ConnectionDeathTest = ConnectionTest;

TEST_F(ConnectionDeathTest, AReplyIsNotDeferredInTheOutputOfAnotherConnection) {
  Output stranger;
  EXPECT_DEATH(static_cast<void>(connection_->defer_reply(stranger)), "its own connection");
}

}  // namespace
}  // namespace vigil::server
