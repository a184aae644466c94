// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "vigil/server/http/testing.h"
#include "vigil/text/json.h"

namespace vigil::server {
namespace {

using ::testing::HasSubstr;

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

int status_of(HttpTestbed& testbed, const std::string& request) {
  testbed.reconnect();
  return HttpAnswer(testbed.send(request)).status;
}

TEST(HttpSessionTest, TargetsOfEveryForm) {
  HttpTestbed testbed;
  const auto get = [&](const std::string& target) {
    return status_of(testbed, "GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
  };
  for (const std::string target : {"/healthz", "/healthz?a=b", "http://host/healthz",
                                   "HTTP://host:80/healthz?x", "https://[::1]:1/healthz"}) {
    EXPECT_EQ(get(target), 200) << target;
  }
  for (const std::string target : {"http://host", "http://host/", "http://host?/healthz", "/"}) {
    EXPECT_EQ(get(target), 404) << target;
  }
  for (const std::string target : {"*", "healthz", "host:80", "ftp://host/healthz", "/healthz#a",
                                   "/orders/a#b", "http://host/healthz#", "#"}) {
    EXPECT_EQ(get(target), 400) << target;
  }
}

TEST(HttpSessionTest, OptionsOfTheWholeServer) {
  HttpTestbed testbed;
  for (const std::string target : {"*", "http://host"}) {
    testbed.reconnect();
    const HttpAnswer answer(testbed.send("OPTIONS " + target + " HTTP/1.1\r\nHost: x\r\n\r\n"));
    EXPECT_EQ(answer.status, 204);
    EXPECT_THAT(answer.field("Allow"), HasSubstr("PATCH"));
    EXPECT_FALSE(testbed.closed());
  }
}

TEST(HttpSessionTest, AnUnknownMethodIsNotImplementedAndAKnownOneNotAllowed) {
  HttpTestbed testbed;
  const auto ask = [&](const std::string& method, const std::string& target) {
    return status_of(testbed, method + " " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
  };
  for (const std::string target : {"/orders/A", "/orders:bulk", "/healthz", "/nothing", "*"}) {
    for (const std::string method : {"FROB", "TRACE", "CONNECT", "get", "PROPFIND"}) {
      EXPECT_EQ(ask(method, target), 501) << method << ' ' << target;
    }
  }
  EXPECT_EQ(ask("CONNECT", "host:443"), 501);
  EXPECT_EQ(ask("POST", "/orders/A"), 405);
  EXPECT_EQ(ask("GET", "/orders:bulk"), 405);
  EXPECT_EQ(ask("DELETE", "/healthz"), 405);
  EXPECT_EQ(ask("PUT", "/orders/A/history"), 405);
}

TEST(HttpSessionTest, VersionsOfHttp) {
  HttpTestbed testbed;
  const auto ask = [&](const std::string& version) {
    return status_of(testbed, "GET /healthz " + version + "\r\nHost: x\r\n\r\n");
  };
  for (const std::string version : {"HTTP/1.0", "HTTP/1.1", "HTTP/1.2", "HTTP/1.9"}) {
    EXPECT_EQ(ask(version), 200) << version;
  }
  for (const std::string version : {"HTTP/2.0", "HTTP/0.9", "HTTP/3.1", "HTTP/9.9"}) {
    EXPECT_EQ(ask(version), 505) << version;
  }
  for (const std::string version : {"HTTP/1", "HTTP/1.10", "http/1.1", "HTTP/x.y", "HTTPS/1.1"}) {
    EXPECT_EQ(ask(version), 400) << version;
  }
  EXPECT_EQ(status_of(testbed, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
}

TEST(HttpSessionTest, ATargetThatLeavesNoRoomIsTooLong) {
  const std::size_t limit = HttpLimits().header_bytes_max;
  const std::string fixed = "GET /healthz? HTTP/1.1\r\nHost: x\r\n\r\n";
  HttpTestbed testbed;
  const auto ask = [&](std::size_t target_bytes) {
    std::string request = fixed;
    return status_of(testbed, request.insert(13, std::string(target_bytes, 'a')));
  };
  EXPECT_EQ(ask(limit - fixed.size()), 200);
  EXPECT_EQ(ask(limit - fixed.size() + 1), 431);
  EXPECT_EQ(ask(limit), 414);
  EXPECT_EQ(status_of(testbed, "GET /" + std::string(limit, 'a')), 414);
  EXPECT_EQ(status_of(testbed, "GET / HTTP/1.1\r\nX: " + std::string(limit, 'a')), 431);
}

// The connection ends, because the peer may send the body or not.
TEST(HttpSessionTest, WhatIsRefusedWithoutItsBodyIsRefusedBeforeIt) {
  HttpTestbed testbed;
  const auto ask = [&](const std::string& line, const std::string& fields = "") {
    testbed.reconnect();
    return HttpAnswer(testbed.send(line + " HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n" +
                                   "Content-Length: 20\r\n" + fields + "\r\n"));
  };
  const std::string zipped = "Content-Encoding: gzip\r\n";
  for (const auto& [answer, status] :
       {std::pair(ask("PUT /nothing"), 404), std::pair(ask("PUT /orders/a/b"), 404),
        std::pair(ask("POST /orders/a"), 405), std::pair(ask("PUT /healthz"), 405),
        std::pair(ask("FROB /orders/a"), 501), std::pair(ask("PUT /orders/%zz"), 400),
        std::pair(ask("PUT /orders/.."), 400), std::pair(ask("PUT /orders/a", zipped), 415)}) {
    EXPECT_EQ(answer.status, status);
    EXPECT_EQ(answer.field("Connection"), "close");
  }
  EXPECT_TRUE(testbed.closed());
  EXPECT_EQ(ask("PUT /orders/a").status, 100);
  EXPECT_FALSE(testbed.closed());
}

TEST(HttpSessionTest, WhoMeantAnotherProtocolIsToldSo) {
  HttpTestbed testbed;
  testbed.state().resp_port = 6390;
  const std::string resp = "-ERR this port speaks HTTP; RESP is served on port 6390\r\n";
  const std::string ping = "*1\r\n$4\r\nPING\r\n";
  EXPECT_EQ(testbed.send(ping), resp);
  EXPECT_TRUE(testbed.closed());
  testbed.reconnect();
  std::string answered;
  for (const char byte : ping.substr(0, 2)) answered += testbed.send(std::string(1, byte));
  EXPECT_EQ(answered, resp);
  testbed.reconnect();
  EXPECT_EQ(testbed.send("*2\r\n$4\r\nECHO\r\n$4\r\n\r\n\r\n\r\n"), resp);

  for (const std::string other : {"PING\r\n", "QUIT\r\n", "EHLO host\r\n", "\x16\x03\x01\x02"}) {
    EXPECT_EQ(status_of(testbed, other), 400) << other;
    EXPECT_TRUE(testbed.closed());
  }
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
        "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1e3\r\n\r\n", "get / HTTP/3\r\n\r\n"}) {
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
