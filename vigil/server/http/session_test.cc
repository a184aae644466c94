// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/session.h"

#include <gtest/gtest.h>

#include <string>

#include "vigil/server/http/testing.h"
#include "vigil/text/json.h"

namespace vigil::server {
namespace {

const std::string kHealth = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
    ++found;
  }
  return found;
}

TEST(HttpSessionTest, AnswersWithLengthTypeAndDate) {
  HttpTestbed testbed;
  const HttpAnswer answer(testbed.send(kHealth));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "ok\n");
  EXPECT_EQ(answer.field("Content-Length"), "3");
  EXPECT_EQ(answer.field("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(answer.field("Date"), http_date(testbed.clock().unix_ms()));
  EXPECT_EQ(answer.field("Connection"), "");
  EXPECT_FALSE(testbed.closed());
}

TEST(HttpSessionTest, DatesFollowASteppedWallClock) {
  HttpTestbed testbed;
  const std::int64_t now_ms = testbed.clock().unix_ms();
  for (const std::int64_t step_ms : {7'200'000, -3'600'000, 86'400'000}) {
    testbed.state().wall_clock.follow({.unix_ms = now_ms, .wall_ms = now_ms + step_ms});
    EXPECT_EQ(HttpAnswer(testbed.send(kHealth)).field("Date"), http_date(now_ms + step_ms));
  }
}

TEST(HttpSessionTest, DatesAreWrittenAsHttpWantsThem) {
  EXPECT_EQ(http_date(784'111'777'999), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(HttpSessionTest, PipelinedRequestsAreAnsweredInOrder) {
  HttpTestbed testbed;
  const std::string put =
      "PUT /orders/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 20\r\n\r\n{\"status\":\"pending\"}";
  const std::string get = "GET /orders/1 HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string sent = testbed.send(put + get + kHealth);
  EXPECT_EQ(count(sent, "HTTP/1.1 "), 3U);
  EXPECT_LT(sent.find("201 Created"), sent.find("200 OK"));
  EXPECT_TRUE(sent.ends_with("ok\n"));
  EXPECT_EQ(testbed.pending_bytes(), 0U);
}

TEST(HttpSessionTest, TheAnswersAreTheSameWhereverTheInputIsCut) {
  const std::string put =
      "PUT /orders/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "14\r\n{\"status\":\"pending\"}\r\n0\r\n\r\n";
  const std::string get = "GET /orders/1/history HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string input = put + get + "DELETE /orders/1 HTTP/1.1\r\nHost: x\r\n\r\n" + kHealth;
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    HttpTestbed testbed;
    std::string sent = testbed.send(input.substr(0, cut));
    sent += testbed.send(input.substr(cut));
    ASSERT_EQ(count(sent, "HTTP/1.1 "), 4U) << "cut at " << cut;
    ASSERT_EQ(count(sent, "HTTP/1.1 201"), 1U) << "cut at " << cut;
    ASSERT_EQ(count(sent, "HTTP/1.1 204"), 1U) << "cut at " << cut;
    ASSERT_TRUE(sent.ends_with("ok\n")) << "cut at " << cut;
  }
}

TEST(HttpSessionTest, MidRequestMeansThatARequestIsIncomplete) {
  HttpTestbed testbed;
  EXPECT_FALSE(testbed.session().mid_request());
  testbed.send("GET /hea");
  EXPECT_TRUE(testbed.session().mid_request());
  testbed.send("lthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_FALSE(testbed.session().mid_request());
}

TEST(HttpSessionTest, HeadHasTheLengthButNotTheBody) {
  HttpTestbed testbed;
  const HttpAnswer answer(testbed.send("HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.field("Content-Length"), "3");
  EXPECT_EQ(answer.body, "");
}

TEST(HttpSessionTest, ContinueIsSentBeforeABodyThatIsWelcome) {
  HttpTestbed testbed;
  const std::string head =
      "PUT /orders/1 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ";
  EXPECT_EQ(testbed.send(head + "20\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(HttpAnswer(testbed.send("{\"status\":\"pending\"}")).status, 201);
  const HttpAnswer refused(testbed.send(head + "65537\r\n\r\n"));
  EXPECT_EQ(refused.status, 413);
  EXPECT_TRUE(testbed.closed());
}

TEST(HttpSessionTest, CloseIsAnnouncedAndDone) {
  HttpTestbed testbed;
  const HttpAnswer asked(
      testbed.send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + kHealth));
  EXPECT_EQ(asked.field("Connection"), "close");
  EXPECT_EQ(asked.body, "ok\n");  // and nothing for the request behind it
  EXPECT_TRUE(testbed.closed());

  testbed.reconnect();
  EXPECT_EQ(HttpAnswer(testbed.send("GET /healthz HTTP/1.0\r\n\r\n")).field("Connection"), "close");
  EXPECT_TRUE(testbed.closed());

  testbed.reconnect();
  const std::string kept = "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_EQ(HttpAnswer(testbed.send(kept)).field("Connection"), "keep-alive");
  EXPECT_FALSE(testbed.closed());
}

TEST(HttpSessionTest, ADrainingServerIsNotReadyAndClosesConnections) {
  HttpTestbed testbed;
  const std::string ready = "GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_EQ(HttpAnswer(testbed.send(ready)).status, 200);
  testbed.state().draining = true;
  const HttpAnswer answer(testbed.send(ready));
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.field("Retry-After"), "1");
  EXPECT_TRUE(testbed.closed());
}

TEST(HttpSessionTest, MalformedRequestsGetAProblemAndTheConnectionEnds) {
  for (const char* bad :
       {"\x16\x03\x01\x02 TLS?\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n", "get / HTTP/3\r\n\r\n",
        "*1\r\n$4\r\nPING\r\n\r\n\r\n"}) {
    HttpTestbed testbed;
    const HttpAnswer answer(testbed.send(bad));
    EXPECT_EQ(answer.status, 400) << bad;
    EXPECT_EQ(answer.field("Content-Type"), "application/problem+json") << bad;
    EXPECT_TRUE(text::is_json(answer.body)) << answer.body;
    EXPECT_TRUE(testbed.closed()) << bad;
  }
}

TEST(HttpSessionTest, StopsReadingWhenNobodyTakesTheAnswers) {
  ServerOptions options = HttpTestbed::small_options();
  options.output_high_water_bytes = 1000;
  HttpTestbed testbed(options);
  std::string requests;
  for (int i = 0; i < 100; ++i) requests += kHealth;
  const std::size_t first = count(testbed.send(requests), "HTTP/1.1 200");
  EXPECT_GT(first, 1U);
  EXPECT_LT(first, 20U);
  std::size_t total = first;
  while (testbed.pending_bytes() != 0) total += count(testbed.send(""), "HTTP/1.1 200");
  EXPECT_EQ(total, 100U);
}

TEST(HttpSessionTest, RequestsAreCounted) {
  HttpTestbed testbed;
  testbed.send(kHealth + kHealth + "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n");
  const ReactorCounters& counters = testbed.context().counters;
  EXPECT_EQ(counters.commands[static_cast<std::size_t>(CommandFamily::kHttp)].value(), 3U);
  EXPECT_EQ(counters.errors.value(), 1U);
  EXPECT_EQ(counters.batch_requests.value(), 3U);
}

}  // namespace
}  // namespace vigil::server
