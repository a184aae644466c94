// SPDX-License-Identifier: Apache-2.0
//
// Replies that wait, over real reactors and sockets, with threads that commit and complete.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/server/reactor/line_session.h"
#include "vigil/server/reactor/reactor.h"
#include "vigil/server/reactor/test_socket.h"
#include "vigil/server/reactor/ticket_queue.h"
#include "vigil/testing/seed.h"

namespace vigil::server {
namespace {

ServerOptions test_options() {
  ServerOptions options;
  options.threads = 2;
  options.cache.shards = 8;
  options.cache.memory_limit_bytes = std::uint64_t{1} << 30;
  return options;
}

// Two reactors that speak lines, with threads that commit and complete.
class HeldRepliesTest : public ::testing::Test {
 protected:
  void start(ServerOptions options = test_options()) {
    state_ = std::make_unique<ServerState>(std::move(options));
    protocol_.on_ticket = [this](std::string request, ReplyTicket ticket) {
      tickets_.push(std::move(request), std::move(ticket));
    };
    factories_.resp = [this](ReactorContext& context, Connection& connection) {
      return std::make_unique<LineSession>(protocol_, reactors_[context.reactor]->commit_gate(),
                                           connection);
    };
    for (std::uint32_t i = 0; i < state_->options.threads; ++i) {
      reactors_.push_back(std::make_unique<Reactor>(*state_, i, factories_));
    }
    for (const auto& reactor : reactors_) reactor->set_peers(reactors_);
    Result<FileDescriptor> socket = listen_on("127.0.0.1", 0, 64);
    ASSERT_TRUE(socket) << socket.error().message;
    port_ = local_port(socket->get());
    reactors_.front()->add_listener(std::move(*socket), Protocol::kResp);
    for (const auto& reactor : reactors_) {
      threads_.emplace_back([&reactor] { reactor->run(); });
    }
  }
  void TearDown() override { stop(); }

  void request_stop() {
    state_->draining.store(true);
    for (const auto& reactor : reactors_) reactor->mailbox().wake();
  }
  void stop() {
    request_stop();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  void commit(CommitGate::Position position) {
    committed_.store(position);
    for (const auto& reactor : reactors_) reactor->commit_gate().advance(position);
  }

  std::unique_ptr<ServerState> state_;
  LineProtocol protocol_;
  TicketQueue tickets_;
  SessionFactories factories_;
  std::vector<std::unique_ptr<Reactor>> reactors_;
  std::vector<std::thread> threads_;
  std::uint16_t port_ = 0;
  std::atomic<CommitGate::Position> committed_{0};
};

TEST_F(HeldRepliesTest, NoReplyLeavesBeforeItsCommitAndEachLeavesAfterIt) {
  constexpr int kRounds = 300;
  constexpr std::size_t kClients = 6;
  start();
  std::vector<std::unique_ptr<TestSocket>> clients;
  for (std::size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<TestSocket>(port_));
  }
  std::atomic<CommitGate::Position> written{0};
  std::thread committer([&] {  // group commit: everything that was written by now
    for (CommitGate::Position last = 0; last < kRounds * kClients;) {
      const CommitGate::Position position = written.load();
      if (position != last) commit(position);
      last = position;
      std::this_thread::yield();
    }
  });
  CommitGate::Position position = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::array<CommitGate::Position, kClients> positions{};
    for (std::size_t i = 0; i < kClients; ++i) {
      positions[i] = ++position;
      clients[i]->send("get a\nset " + std::to_string(position) + "\nget b\n");
    }
    written.store(position);
    for (std::size_t i = 0; i < kClients; ++i) {
      const std::string wanted = "<get a><set " + std::to_string(positions[i]) + "><get b>";
      ASSERT_EQ(clients[i]->receive(wanted.size()), wanted);
      ASSERT_GE(committed_.load(), positions[i]);
    }
  }
  committer.join();
}

TEST_F(HeldRepliesTest, AReactorThatSleepsIsWokenByItsCommitter) {
  start();
  TestSocket writer(port_);
  TestSocket reader(port_);
  writer.send("set 1\n");
  EXPECT_EQ(reader.request("get a\n", 7), "<get a>");
  EXPECT_EQ(reader.request("get a\n", 7), "<get a>");
  commit(1);
  EXPECT_EQ(writer.receive(7), "<set 1>");
}

TEST_F(HeldRepliesTest, AFailedCommitEndsTheWritersWithAnError) {
  protocol_.lost_reply = "<lost>";
  start();
  TestSocket first(port_);
  TestSocket second(port_);
  TestSocket reader(port_);
  first.send("get a\n");
  EXPECT_EQ(first.receive(7), "<get a>");
  first.send("set 1\nget b\n");
  second.send("set 2\n");
  for (const auto& reactor : reactors_) reactor->commit_gate().fail();
  EXPECT_EQ(first.receive_all(), "<lost>");
  EXPECT_EQ(second.receive_all(), "<lost>");
  EXPECT_EQ(reader.request("get c\n", 7), "<get c>");
}

TEST_F(HeldRepliesTest, RepliesOfOtherThreadsKeepTheOrderOfAPipeline) {
  constexpr int kRounds = 20;
  constexpr int kPairs = 300;
  constexpr std::size_t kWorkers = 3;
  start();
  Random random(testing::test_seed());
  TestSocket client(port_);
  for (int round = 0; round < kRounds; ++round) {
    std::string requests;
    std::string wanted;
    for (int i = 0; i < kPairs; ++i) {
      for (const char* word : {"later ", "get "}) {
        const std::string line = word + std::to_string(i);
        requests += line + "\n";
        wanted += LineSession::answer_to(line);
      }
    }
    client.send(requests);
    std::vector<TicketQueue::Item> items = tickets_.take(kPairs);
    std::shuffle(items.begin(), items.end(), random);
    std::vector<std::thread> workers;
    for (std::size_t worker = 0; worker < kWorkers; ++worker) {
      workers.emplace_back([&items, worker] {
        for (std::size_t i = worker; i < items.size(); i += kWorkers) {
          items[i].ticket.complete(LineSession::answer_to(items[i].request));
        }
      });
    }
    ASSERT_EQ(client.receive(wanted.size()), wanted);
    for (std::thread& worker : workers) worker.join();
  }
}

TEST_F(HeldRepliesTest, AnAnswerToAClientThatLeftDisturbsNobody) {
  start();
  auto leaving = std::make_unique<TestSocket>(port_);
  leaving->send("later 1\nbye\n");
  std::vector<TicketQueue::Item> items = tickets_.take(1);
  leaving.reset();
  TestSocket staying(port_);
  staying.send("later 2\n");
  std::vector<TicketQueue::Item> more = tickets_.take(1);
  items[0].ticket.complete("<1>");
  more[0].ticket.complete("<2>");
  EXPECT_EQ(staying.receive(3), "<2>");
}

TEST_F(HeldRepliesTest, AStopWaitsForRepliesThatArePending) {
  start();
  TestSocket deferred(port_);
  TestSocket writer(port_);
  TestSocket half_closed(port_);
  deferred.send("later 1\nget a\n");
  half_closed.send("later 2\n");
  half_closed.finish_sending();
  writer.send("get c\n");
  EXPECT_EQ(writer.receive(7), "<get c>");
  writer.send("set 7\nget b\n");
  std::vector<TicketQueue::Item> items = tickets_.take(2);
  request_stop();
  commit(7);
  EXPECT_EQ(writer.receive_all(), "<set 7><get b>");
  for (TicketQueue::Item& item : items) {
    item.ticket.complete(LineSession::answer_to(item.request));
  }
  EXPECT_EQ(deferred.receive_all(), "<later 1><get a>");
  EXPECT_EQ(half_closed.receive_all(), "<later 2>");
  stop();
}

TEST_F(HeldRepliesTest, AStopEndsThoughAReplyNeverComes) {
  ServerOptions options = test_options();
  options.drain_timeout_ms = 50;
  start(options);
  TestSocket client(port_);
  client.send("get a\nlater 1\n");
  EXPECT_EQ(client.receive(7), "<get a>");
  std::vector<TicketQueue::Item> items = tickets_.take(1);
  stop();
  EXPECT_EQ(client.receive_all(), "");
  items[0].ticket.complete("nobody is there");
}

}  // namespace
}  // namespace vigil::server
