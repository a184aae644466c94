// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/http/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/server/http/scanner.h"
#include "vigil/server/http/text.h"

namespace vigil::server {
namespace {

using Outcome = HttpParser::Outcome;

// A request whose views were copied, to outlive the parser's next call.
struct Parsed {
  HttpMethod method;
  std::string target;
  std::string body;
  bool keep_alive;
  std::vector<std::string> fields;

  bool operator==(const Parsed&) const = default;
};

Parsed copy(const HttpRequest& request) {
  Parsed parsed{request.method,
                std::string(request.target),
                std::string(request.body),
                request.keep_alive,
                {}};
  for (std::size_t i = 0; i < kHttpFieldNames.size(); ++i) {
    parsed.fields.emplace_back(request.field(static_cast<HttpField>(i)));
  }
  return parsed;
}

struct Conversation {
  std::vector<Parsed> requests;
  int continues = 0;
  int error_status = 0;
  std::string error_detail;
};

// Feeds `input` in pieces that end at `cuts` and at its end, as a connection does.
Conversation run(std::string_view input, const std::vector<std::size_t>& cuts = {}) {
  HttpLimits limits;
  limits.body_bytes_max = 1000;
  HttpParser parser(limits);
  Conversation result;
  std::string pending;
  std::size_t fed = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : input.size();
    pending.append(input.substr(fed, end - fed));
    fed = end;
    for (;;) {
      HttpRequest request;
      const HttpParser::Step step = parser.parse(pending, &request);
      if (step.outcome == Outcome::kRequest) result.requests.push_back(copy(request));
      pending.erase(0, step.bytes);
      if (step.outcome == Outcome::kError) {
        result.error_status = step.status;
        result.error_detail = step.detail;
        return result;
      }
      if (step.outcome == Outcome::kContinueWanted) ++result.continues;
      if (step.outcome != Outcome::kRequest) break;
    }
  }
  return result;
}

const std::string kGet = "GET /orders/1?a=b HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"3\"\r\n\r\n";
const std::string kPut =
    "PUT /orders/1 HTTP/1.1\r\nhost: x\r\nContent-Type: application/json\r\nContent-Length: 4\r\n"
    "IDEMPOTENCY-KEY:  k 1 \r\n\r\nbody";
const std::string kChunked =
    "PATCH /orders/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: t\r\n\r\n";

TEST(HttpParserTest, ReadsAPlainRequest) {
  const Conversation result = run(kGet);
  ASSERT_EQ(result.requests.size(), 1U);
  const Parsed& request = result.requests.front();
  EXPECT_EQ(request.method, HttpMethod::kGet);
  EXPECT_EQ(request.target, "/orders/1?a=b");
  EXPECT_TRUE(request.keep_alive);
  EXPECT_EQ(request.fields[static_cast<std::size_t>(HttpField::kIfNoneMatch)], "\"3\"");
}

TEST(HttpParserTest, ReadsBodiesOfBothKinds) {
  const Conversation result = run(kPut + kChunked);
  ASSERT_EQ(result.requests.size(), 2U);
  EXPECT_EQ(result.requests[0].body, "body");
  EXPECT_EQ(result.requests[0].fields[static_cast<std::size_t>(HttpField::kIdempotencyKey)], "k 1");
  EXPECT_EQ(result.requests[1].body, "abcde");
  EXPECT_EQ(result.requests[1].method, HttpMethod::kPatch);
}

TEST(HttpParserTest, TheSameRequestsComeOutWhereverTheInputIsCut) {
  const std::string input = kGet + kPut + kChunked + "\r\n" + kGet;
  const Conversation whole = run(input);
  ASSERT_EQ(whole.requests.size(), 4U);
  for (std::size_t first = 0; first <= input.size(); ++first) {
    const Conversation cut = run(input, {first});
    ASSERT_EQ(cut.error_status, 0) << "cut at " << first;
    ASSERT_EQ(cut.requests, whole.requests) << "cut at " << first;
  }
  std::vector<std::size_t> everywhere;
  for (std::size_t i = 1; i < input.size(); ++i) everywhere.push_back(i);
  EXPECT_EQ(run(input, everywhere).requests, whole.requests);
}

TEST(HttpParserTest, ConnectionAndVersionDecideAboutKeepAlive) {
  const auto keeps = [](const char* head) {
    const Conversation result = run(std::string(head) + "\r\n\r\n");
    EXPECT_EQ(result.requests.size(), 1U) << head;
    return !result.requests.empty() && result.requests.front().keep_alive;
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: x"));
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: x\r\nConnection: close"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nHost: x\r\nConnection: foo, close"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: keep-alive"));
}

TEST(HttpParserTest, ContinueIsAskedForOnceAndOnlyWhenTheBodyIsNotThere) {
  const std::string head =
      "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n";
  EXPECT_EQ(run(head + "body").continues, 0);
  const Conversation waited = run(head + "body", {head.size(), head.size() + 2});
  EXPECT_EQ(waited.continues, 1);
  ASSERT_EQ(waited.requests.size(), 1U);
  EXPECT_EQ(waited.requests.front().body, "body");
}

TEST(HttpParserTest, RepeatedListsAreJoined) {
  const Conversation result =
      run("GET / HTTP/1.1\r\nHost: x\r\nIf-Match: \"1\"\r\nIf-Match: \"2\"\r\n\r\n");
  ASSERT_EQ(result.requests.size(), 1U);
  EXPECT_EQ(result.requests.front().fields[static_cast<std::size_t>(HttpField::kIfMatch)],
            "\"1\", \"2\"");
}

struct Malformed {
  std::string input;
  int status;
};

TEST(HttpParserTest, MalformedInputHasAStatus) {
  const std::string host = "Host: x\r\n";
  const Malformed cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET  / HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /a b HTTP/1.1\r\n" + host + "\r\n", 400},
      {"G\x01T / HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET / HTTP/1.1\n" + host + "\n", 400},
      {"GET / HTTP/2.0\r\n" + host + "\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET / HTTP/1.x\r\n" + host + "\r\n", 400},
      {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" + host + "no colon\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n" + host + host + "\r\n", 400},
      {"GET / HTTP/1.1\r\n" + host + std::string("A: \0\r\n\r\n", 8), 400},
      {"PUT / HTTP/1.1\r\n" + host + "Content-Length: x\r\n\r\n", 400},
      {"PUT / HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", 400},
      {"PUT / HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
      {"PUT / HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
       400},
      {"PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
       400},
      {"PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {"PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"PUT / HTTP/1.1\r\n" + host + "Content-Length: 1001\r\n\r\n", 413},
      {"PUT / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n" +
           std::string(1001, 'a') + "\r\n0\r\n\r\n",
       413},
      {"PUT / HTTP/1.1\r\n" + host + "Expect: tea\r\nContent-Length: 1\r\n\r\n", 417},
      {"GET / HTTP/1.1\r\n" + host + "A: " + std::string(17'000, 'a') + "\r\n\r\n", 431},
      {"GET /" + std::string(17'000, 'a'), 414},
  };
  for (const Malformed& bad : cases) {
    const Conversation result = run(bad.input);
    EXPECT_TRUE(result.requests.empty()) << bad.input.substr(0, 80);
    EXPECT_EQ(result.error_status, bad.status) << bad.input.substr(0, 80);
    EXPECT_FALSE(result.error_detail.empty());
  }
}

TEST(HttpParserTest, AControlCharacterIsRefusedWhereverTheInputIsCut) {
  const std::string head = "GET / HTTP/1.1\r\nHost: x\r\nA: applicatio" + std::string(37, '\0') +
                           "n/x\r\nContent-Length: 2\r\n\r\n";
  const std::string input = head + "x";
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    const Conversation result = run(input, {cut});
    EXPECT_EQ(result.error_status, 400) << "cut at " << cut;
  }
}

TEST(HttpParserTest, EmptyLinesBeforeARequestAreSkippedWithoutRecursion) {
  std::string lines;
  for (int i = 0; i < 200'000; ++i) lines += "\r\n";
  EXPECT_EQ(run(lines + kGet).requests.size(), 1U);
}

// The fast path may only accept what the full parser accepts, and must read the same into it.
TEST(HttpParserTest, TheScannerIsNeverMoreLenientThanTheParser) {
  const std::uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const std::string alphabet = "\r\n :/GETPUHost1.0-\t\"%\xe4\x01;,aZ{~";
  const HttpLimits limits;
  int accepted = 0;
  for (int round = 0; round < 100'000; ++round) {
    std::string input = round % 2 == 0 ? kGet : kPut;
    for (std::uint64_t edits = random.below(3); edits != 0; --edits) {
      const std::size_t at = random.below(input.size());
      const char c = alphabet[random.below(alphabet.size())];
      switch (random.below(3)) {
        case 0:
          input[at] = c;
          break;
        case 1:
          input.insert(at, 1, c);
          break;
        default:
          input.erase(at, 1);
      }
    }
    HttpRequest scanned;
    const std::size_t bytes = scan_http_request(input, limits, &scanned);
    if (bytes == 0) continue;
    ++accepted;
    // Cut inside the method, so that the full parser takes it.
    const Conversation parsed = run(std::string_view(input).substr(0, bytes), {1});
    ASSERT_EQ(parsed.requests.size(), 1U) << input;
    ASSERT_EQ(parsed.requests.front(), copy(scanned)) << input;
  }
  EXPECT_GT(accepted, 10'000);
}

TEST(HttpTextTest, EntityTagsMatchStronglyOrWeakly) {
  const auto tags = EntityTags::parse("W/\"3\", \"4\" ,\"x\"");
  ASSERT_TRUE(tags);
  EXPECT_FALSE(tags->any());
  EXPECT_TRUE(tags->matches_weakly(3));
  EXPECT_EQ(tags->strong_versions(), std::vector<std::uint64_t>{4});
  EXPECT_TRUE(EntityTags::parse("*")->any());
  for (const char* bad : {"", "3", "\"3", "\"3\" \"4\"", "w/\"3\"", "*, \"3\""}) {
    EXPECT_FALSE(EntityTags::parse(bad)) << bad;
  }
  EXPECT_TRUE(EntityTags::parse("\"0\"")->strong_versions().empty());
}

TEST(HttpTextTest, PercentEncodingGoesThereAndBack) {
  EXPECT_EQ(percent_encode("a-1/订"), "a-1%2F%E8%AE%A2");
  EXPECT_EQ(percent_decode("a-1%2f%E8%AE%A2"), "a-1/订");
  EXPECT_FALSE(percent_decode("%"));
  EXPECT_FALSE(percent_decode("%4"));
  EXPECT_FALSE(percent_decode("%zz"));
}

TEST(HttpTextTest, MediaTypesIgnoreCaseAndParameters) {
  EXPECT_TRUE(is_media_type("Application/JSON; charset=utf-8", "application/json"));
  EXPECT_FALSE(is_media_type("application/jsonx", "application/json"));
  EXPECT_TRUE(list_contains("a, Close ,b", "close"));
  EXPECT_FALSE(list_contains("closed", "close"));
}

}  // namespace
}  // namespace vigil::server
