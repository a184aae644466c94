// SPDX-License-Identifier: Apache-2.0
//
// The server over real loopback sockets: sharing, limits, hostile clients, drain.
#include "vigil/server/reactor/reactor.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "vigil/server/http/parser.h"
#include "vigil/server/http/reply.h"
#include "vigil/server/reactor/test_socket.h"
#include "vigil/server/reactor/ticket_queue.h"
#include "vigil/server/server.h"

namespace vigil::server {
namespace {

ServerOptions test_options() {
  ServerOptions options;
  options.resp_port = 0;
  options.threads = 2;
  options.cache.shards = 8;
  options.cache.memory_limit_bytes = std::uint64_t{1} << 30;
  return options;
}

// A session that answers every 'o' by "ok" and does worse at other bytes.
class FaultySession final : public Session {
 public:
  [[nodiscard]] Consumed consume(std::string_view input, Output& output) override {
    for (const char c : input) {
      replied_bytes_ = output.size();
      output.append("ok");
      if (c == 'l') throw std::length_error("text of\na library");
      if (c == 'b') throw std::bad_alloc();
      if (c == 'i') throw 7;
      if (c == 'd') no_answer_ = true;
      if (c == 'd') throw std::out_of_range("and again");
    }
    return {input.size(), false};
  }
  void answer_fault(Output& output) override {
    output.append("half");
    if (no_answer_) throw std::out_of_range("again");
    output.truncate(replied_bytes_);
    output.append("sorry");
  }
  [[nodiscard]] bool mid_request() const override { return false; }

 private:
  std::size_t replied_bytes_ = 0;
  bool no_answer_ = false;
};

SessionFactory faulty_sessions() {
  return [](ReactorContext&, Connection& connection) {
    if (connection.id() % 8 == 0) throw std::runtime_error("no session");
    return std::make_unique<FaultySession>();
  };
}

// HTTP whose replies to /later come later.
class DeferringHttpSession final : public Session {
 public:
  DeferringHttpSession(TicketQueue& tickets, Connection& connection)
      : tickets_(tickets), connection_(connection) {}

  [[nodiscard]] static std::string answer_to(std::string_view target) {
    HttpReply reply;
    reply.body = target;
    Output output;
    reply.write(HttpMethod::kGet, false, false, 0, &output);
    return std::string(output.view());
  }

  [[nodiscard]] Consumed consume(std::string_view input, Output& output) override {
    Consumed consumed;
    for (;;) {
      HttpRequest request;
      const HttpParser::Step step = parser_.parse(input.substr(consumed.bytes), &request);
      consumed.bytes += step.bytes;
      if (step.outcome != HttpParser::Outcome::kRequest) return consumed;
      if (request.path().starts_with("/later")) {
        tickets_.push(std::string(request.target), connection_.defer_reply(output));
      } else {
        output.append(answer_to(request.target));
      }
    }
  }
  void answer_fault(Output& output) override { output.append("HTTP/1.1 500 Fault\r\n\r\n"); }
  [[nodiscard]] bool mid_request() const override { return parser_.mid_request(); }

 private:
  TicketQueue& tickets_;
  Connection& connection_;
  HttpParser parser_{HttpLimits{}};
};

class ReactorTest : public ::testing::Test {
 protected:
  void start(const ServerOptions& options = test_options(), SessionFactory http = nullptr) {
    server_ = std::make_unique<Server>(options, std::move(http));
    const Result<void> started = server_->start();
    ASSERT_TRUE(started) << started.error().message;
  }
  [[nodiscard]] std::uint16_t port() const { return server_->state().resp_port; }
  [[nodiscard]] std::uint64_t sum_of(Counter ReactorCounters::*counter) const {
    std::uint64_t sum = 0;
    for (const auto& counters : server_->state().counters) sum += ((*counters).*counter).value();
    return sum;
  }
  [[nodiscard]] std::uint64_t dropped() const {
    return sum_of(&ReactorCounters::connections_dropped);
  }

  // Waits: a peer may see the end of its connection, or the reply to another, before it is counted.
  void expect_sum(Counter ReactorCounters::*counter, std::uint64_t wanted) {
    for (int waited_ms = 0; sum_of(counter) < wanted && waited_ms < kPatience_ms; ++waited_ms) {
      ::poll(nullptr, 0, 1);
    }
    EXPECT_EQ(sum_of(counter), wanted);
  }
  void expect_faults(std::uint64_t wanted) {
    expect_sum(&ReactorCounters::connection_faults, wanted);
  }
  void expect_dropped(std::uint64_t wanted) {
    expect_sum(&ReactorCounters::connections_dropped, wanted);
  }

  std::unique_ptr<Server> server_;
};

TEST_F(ReactorTest, ConnectionsOnAllReactorsSeeOneCache) {
  start();
  TestSocket first(port());
  TestSocket second(port());
  EXPECT_EQ(first.request("SET a 1\r\n", 5), "+OK\r\n");
  EXPECT_EQ(second.request("GET a\r\n", 7), "$1\r\n1\r\n");
  EXPECT_NE(server_->state().counters[0]->connections_open.value(), 0U);
  EXPECT_NE(server_->state().counters[1]->connections_open.value(), 0U);
}

TEST_F(ReactorTest, MessagesAndExpiredEventsCrossReactors) {
  ServerOptions options = test_options();
  options.notify_keyspace_events = "Ex";
  start(options);
  TestSocket first(port());
  TestSocket second(port());
  TestSocket writer(port());
  const std::string_view subscribe = "SUBSCRIBE __keyevent@0__:expired\r\n";
  const std::string confirmation =
      "*3\r\n$9\r\nsubscribe\r\n$22\r\n__keyevent@0__:expired\r\n:1\r\n";
  EXPECT_EQ(first.request(subscribe, confirmation.size()), confirmation);
  EXPECT_EQ(second.request(subscribe, confirmation.size()), confirmation);
  // Several keys, so that each reactor owns the expiry of some.
  std::size_t expected = 0;
  for (int i = 0; i < 32; ++i) {
    const std::string key = "key:" + std::to_string(10 + i);
    EXPECT_EQ(writer.request("SET " + key + " x PX 1\r\n", 5), "+OK\r\n");
    expected +=
        ("*3\r\n$7\r\nmessage\r\n$22\r\n__keyevent@0__:expired\r\n$6\r\n" + key + "\r\n").size();
  }
  EXPECT_EQ(first.receive(expected).size(), expected);
  EXPECT_EQ(second.receive(expected).size(), expected);
}

TEST_F(ReactorTest, LargeValuesAndLongPipelinesArriveWhole) {
  start();
  TestSocket client(port());
  const std::string value(3'000'000, 'v');
  EXPECT_EQ(client.request("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$3000000\r\n" + value + "\r\n", 5),
            "+OK\r\n");
  const std::string reply = client.request("GET a\r\n", 3'000'012);
  EXPECT_EQ(reply, "$3000000\r\n" + value + "\r\n");
  std::string pings;
  for (int i = 0; i < 100'000; ++i) pings += "PING\r\n";
  std::thread sender([&] { client.send(pings); });
  EXPECT_EQ(client.receive(700'000).size(), 700'000U);
  sender.join();
}

TEST_F(ReactorTest, AHalfClosedClientGetsItsReplies) {
  start();
  TestSocket client(port());
  client.send("SET a 1\r\nGET a\r\n");
  client.finish_sending();
  EXPECT_EQ(client.receive_all(), "+OK\r\n$1\r\n1\r\n");
}

TEST_F(ReactorTest, AProtocolErrorIsDeliveredBeforeTheClose) {
  start();
  TestSocket client(port());
  client.send("*1\r\nfoo\r\n" + std::string(100'000, 'x'));
  EXPECT_EQ(client.receive_all(), "-ERR Protocol error: expected '$', got 'f'\r\n");
}

TEST_F(ReactorTest, AClientThatDoesNotReadIsNotReadFromAndThenCutOff) {
  ServerOptions options = test_options();
  options.output_high_water_bytes = 64 * 1024;
  options.slow_client_timeout_ms = 100;
  start(options);
  TestSocket writer(port());
  const std::string value(100'000, 'v');
  writer.request("*3\r\n$3\r\nSET\r\n$1\r\na\r\n$100000\r\n" + value + "\r\n", 5);
  TestSocket greedy(port(), 4096);
  std::string requests;
  for (int i = 0; i < 20'000; ++i) requests += "GET a\r\n";
  // 2 GB of replies are asked for and none is read: the server must neither keep them nor stall.
  while (greedy.send_some(requests) && dropped() == 0) {
    EXPECT_EQ(writer.request("PING\r\n", 7), "+PONG\r\n");
  }
  expect_dropped(1);
  EXPECT_EQ(writer.request("PING\r\n", 7), "+PONG\r\n");
}

TEST_F(ReactorTest, ASubscriberThatDoesNotReadIsCutOffAtItsLimit) {
  ServerOptions options = test_options();
  options.pubsub_output_limit_bytes = 1 << 20;
  start(options);
  TestSocket subscriber(port(), 4096);
  subscriber.request("SUBSCRIBE c\r\n", 30);
  TestSocket publisher(port());
  const std::string message(100'000, 'm');
  const std::string publish = "*3\r\n$7\r\nPUBLISH\r\n$1\r\nc\r\n$100000\r\n" + message + "\r\n";
  for (int i = 0; i < 1000 && dropped() == 0; ++i) publisher.request(publish, 4);
  expect_dropped(1);
  EXPECT_EQ(publisher.request("PING\r\n", 7), "+PONG\r\n");
}

TEST_F(ReactorTest, ARequestThatDoesNotEndIsCutOff) {
  ServerOptions options = test_options();
  options.request_timeout_ms = 100;
  start(options);
  TestSocket idle(port());
  TestSocket loris(port());
  EXPECT_EQ(idle.request("PING\r\n", 7), "+PONG\r\n");
  loris.send("*2\r\n$3\r\nGET\r\n");
  EXPECT_TRUE(loris.wait_closed());
  expect_dropped(1);
  EXPECT_EQ(idle.request("PING\r\n", 7), "+PONG\r\n");  // idle between requests is fine
}

TEST_F(ReactorTest, AnIdleClientIsClosedOnlyIfAsked) {
  ServerOptions options = test_options();
  options.idle_timeout_ms = 50;
  start(options);
  TestSocket client(port());
  EXPECT_EQ(client.request("PING\r\n", 7), "+PONG\r\n");
  EXPECT_TRUE(client.wait_closed());
}

TEST_F(ReactorTest, AClientThatWasASubscriberIsIdleAgain) {
  ServerOptions options = test_options();
  options.idle_timeout_ms = 100;
  start(options);
  TestSocket client(port());
  client.send("SUBSCRIBE c\r\n");
  const std::string subscribed = "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n";
  EXPECT_EQ(client.receive(subscribed.size()), subscribed);
  ::poll(nullptr, 0, 300);  // the server looks for idle clients, finds none and stops looking
  client.send("UNSUBSCRIBE c\r\n");
  EXPECT_TRUE(client.wait_closed());
  expect_dropped(1);
}

TEST_F(ReactorTest, ConnectionsOverTheLimitAreRefusedWithAReason) {
  ServerOptions options = test_options();
  options.connections_max = 2;
  start(options);
  auto first = std::make_unique<TestSocket>(port());
  TestSocket second(port());
  EXPECT_EQ(first->request("PING\r\n", 7), "+PONG\r\n");
  EXPECT_EQ(second.request("PING\r\n", 7), "+PONG\r\n");
  TestSocket third(port());
  EXPECT_EQ(third.receive_all(), "-ERR max number of clients reached\r\n");
  EXPECT_EQ(second.request("PING\r\n", 7), "+PONG\r\n");
}

TEST_F(ReactorTest, OversizedRequestsAreRefused) {
  ServerOptions options = test_options();
  options.request_bytes_max = 100'000;
  start(options);
  TestSocket client(port());
  client.send("*1\r\n$100001\r\n");
  EXPECT_EQ(client.receive_all(), "-ERR Protocol error: invalid bulk length\r\n");
}

TEST_F(ReactorTest, ClientKillReachesOtherReactors) {
  start();
  TestSocket first(port());
  TestSocket second(port());
  EXPECT_EQ(first.request("CLIENT ID\r\n", 4), ":1\r\n");
  EXPECT_EQ(second.request("CLIENT ID\r\n", 4), ":2\r\n");
  EXPECT_EQ(second.request("CLIENT KILL ID 1\r\n", 4), ":1\r\n");
  EXPECT_TRUE(first.wait_closed());
}

TEST_F(ReactorTest, StopAnswersWhatWasReceivedAndEnds) {
  start();
  TestSocket idle(port());
  TestSocket busy(port());
  EXPECT_EQ(idle.request("PING\r\n", 7), "+PONG\r\n");
  EXPECT_EQ(busy.request("PING\r\n", 7), "+PONG\r\n");
  busy.send("SET a 1\r\nGET a\r\n");
  server_->request_stop();
  EXPECT_EQ(busy.receive_all(), "+OK\r\n$1\r\n1\r\n");
  EXPECT_EQ(idle.receive_all(), "");
  server_->wait();
  EXPECT_FALSE(TestSocket(port()).connected());
}

// Three batches of requests, whose replies fill socket and high-water mark after the first.
TEST_F(ReactorTest, StopAnswersRequestsThatWaitBehindUnreadReplies) {
  start();
  constexpr int kGets = 180;
  const std::string value(100'000, 'v');
  TestSocket client(port(), 4096);
  EXPECT_EQ(client.request("*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$100000\r\n" + value + "\r\n", 5),
            "+OK\r\n");
  std::string gets;
  for (int i = 0; i < kGets; ++i) gets += "GET b\r\n";
  client.send(gets);
  EXPECT_EQ(client.receive(1), "$") << "the pipeline is being answered";
  server_->request_stop();
  const std::size_t reply_bytes = std::string("$100000\r\n").size() + value.size() + 2;
  EXPECT_EQ(client.receive_all().size(), kGets * reply_bytes - 1);
  server_->wait();
}

TEST_F(ReactorTest, ATakenPortIsAnError) {
  start();
  ServerOptions options = test_options();
  options.resp_port = port();
  Server second(options);
  const Result<void> started = second.start();
  ASSERT_FALSE(started);
  EXPECT_NE(started.error().message.find("cannot listen on 127.0.0.1:"), std::string::npos);
}

TEST_F(ReactorTest, AFaultEndsItsConnectionAndNothingElse) {
  ServerOptions options = test_options();
  options.http_port = 0;
  start(options, faulty_sessions());
  const auto connect = [&] { return TestSocket(server_->state().http_port); };
  TestSocket witness = connect();
  EXPECT_EQ(witness.request("o", 2), "ok");
  std::uint64_t expected = 0;
  for (int round = 0; round < 20; ++round) {
    for (const char* input : {"l", "b", "i", "ol", "oob", "oooil"}) {
      TestSocket victim = connect();
      victim.send(input);
      const std::string answer = victim.receive_all();
      EXPECT_TRUE(victim.connected());
      if (!answer.empty()) {  // else its factory threw
        const std::size_t whole = std::string_view(input).find_first_not_of('o');
        std::string wanted;
        for (std::size_t i = 0; i < whole; ++i) wanted += "ok";
        EXPECT_EQ(answer, wanted + "sorry") << input;
      }
      expect_faults(++expected);
    }
    EXPECT_EQ(witness.request("o", 2), "ok");
  }
}

TEST_F(ReactorTest, AFaultWithoutAnAnswerLeavesNothingToOtherConnections) {
  ServerOptions options = test_options();
  options.http_port = 0;
  options.threads = 1;
  start(options, faulty_sessions());
  TestSocket witness(server_->state().http_port);
  for (int round = 0; round < 5; ++round) {
    TestSocket victim(server_->state().http_port);
    victim.send("ood");
    EXPECT_EQ(victim.receive_all(), "");
    EXPECT_EQ(witness.request("o", 2), "ok");
  }
  expect_faults(10);
}

TEST_F(ReactorTest, AFaultGivesItsPlaceBack) {
  ServerOptions options = test_options();
  options.http_port = 0;
  options.connections_max = 2;
  start(options, faulty_sessions());
  for (int round = 0; round < 50; ++round) {
    TestSocket victim(server_->state().http_port);
    victim.send("l");
    victim.receive_all();
  }
  expect_faults(50);
}

TEST_F(ReactorTest, AnIdleServerSleeps) {
  start();
  TestSocket client(port());
  EXPECT_EQ(client.request("SET a 1 EX 1000\r\n", 5), "+OK\r\n");
  const auto turns = [&] {
    return server_->state().counters[0]->turns.value() +
           server_->state().counters[1]->turns.value();
  };
  const std::uint64_t before = turns();
  ::poll(nullptr, 0, 200);  // the server has nothing to do meanwhile
  EXPECT_LT(turns() - before, 50U);
}

TEST_F(ReactorTest, AnHttpPipelineWithDeferredRepliesKeepsItsOrder) {
  TicketQueue tickets;
  ServerOptions options = test_options();
  options.http_port = 0;
  start(options, [&](ReactorContext&, Connection& connection) {
    return std::make_unique<DeferringHttpSession>(tickets, connection);
  });
  TestSocket client(server_->state().http_port);
  std::string requests;
  std::string wanted;
  for (const char* target : {"/a", "/later/1", "/b", "/later/2", "/later/3", "/c"}) {
    requests += "GET " + std::string(target) + " HTTP/1.1\r\nHost: x\r\n\r\n";
    wanted += DeferringHttpSession::answer_to(target);
  }
  client.send(requests);
  const std::string first = DeferringHttpSession::answer_to("/a");
  EXPECT_EQ(client.receive(first.size()), first);
  std::vector<TicketQueue::Item> items = tickets.take(3);
  while (!items.empty()) {  // the last one first
    items.back().ticket.complete(DeferringHttpSession::answer_to(items.back().request));
    items.pop_back();
  }
  wanted.erase(0, first.size());
  EXPECT_EQ(client.receive(wanted.size()), wanted);
}

}  // namespace
}  // namespace vigil::server
