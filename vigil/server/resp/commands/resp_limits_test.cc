// SPDX-License-Identifier: Apache-2.0
//
// Every limit of a RESP request, reached from outside: one under, at and one over it, however the
// bytes are cut.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "vigil/server/resp/commands/test_session.h"

namespace vigil::server {
namespace {

constexpr std::size_t kRequestMax = 200'000;
constexpr std::size_t kArgumentsMax = 1000;
constexpr std::size_t kLineMax = RespParser::kLineMax;

ServerOptions limited_options() {
  ServerOptions options = small_server_options();
  options.request_bytes_max = kRequestMax;
  options.request_args_max = kArgumentsMax;
  return options;
}

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string protocol_error(const char* reason) {
  return std::string("-ERR Protocol error: ") + reason + "\r\n";
}

struct Answer {
  std::string bytes;
  bool closed;

  bool operator==(const Answer&) const = default;
};
// NOLINTNEXTLINE(readability-identifier-naming): the name that GoogleTest looks for
void PrintTo(const Answer& answer, std::ostream* out) {
  *out << answer.bytes << (answer.closed ? " and closed" : "");
}

Answer answer(RespTestServer* server, std::string_view request, std::size_t piece) {
  RespTestClient client(*server);
  Answer answer{{}, false};
  while (!request.empty() && !client.closed()) {
    answer.bytes += client.send(request.substr(0, piece));
    request.remove_prefix(std::min(piece, request.size()));
  }
  answer.closed = client.closed();
  return answer;
}

struct Limit {
  const char* name;
  std::function<std::string(std::size_t)> request;  // of that length or count
  std::size_t max;
  std::string within;  // the answer up to the limit; empty: the server waits for more
  std::string beyond;  // the protocol error
};

void check(RespTestServer* server, const std::vector<Limit>& limits) {
  for (const Limit& limit : limits) {
    for (const std::size_t piece : {std::size_t{61}, std::size_t{16'384}, std::size_t{1} << 30}) {
      SCOPED_TRACE(std::string(limit.name) + " in pieces of " + std::to_string(piece));
      const Answer within{limit.within, false};
      const Answer beyond{protocol_error(limit.beyond.c_str()), true};
      EXPECT_EQ(answer(server, limit.request(limit.max - 1), piece), within);
      EXPECT_EQ(answer(server, limit.request(limit.max), piece), within);
      EXPECT_EQ(answer(server, limit.request(limit.max + 1), piece), beyond);
      EXPECT_EQ(answer(server, limit.request(3 * limit.max), piece), beyond);
    }
  }
}

// "PING", and spaces up to `bytes`, without the line feed.
std::string inline_ping(std::size_t bytes) { return "PING" + std::string(bytes - 4, ' '); }

// DEL of as many keys as make `count` arguments.
std::string deletion(std::size_t count) {
  std::string request = "*" + std::to_string(count) + "\r\n" + bulk("DEL");
  for (std::size_t i = 1; i < count; ++i) request += bulk("");
  return request;
}

// DEL of one key, `bytes` long in all.
std::string deletion_of_bytes(std::size_t bytes) {
  const std::string head = "*2\r\n" + bulk("DEL");
  return head + bulk(std::string(
                    bytes - head.size() - bulk(std::string(100'000, 'k')).size() + 100'000, 'k'));
}

std::string digits(char type, std::size_t bytes) { return type + std::string(bytes - 1, '1'); }

TEST(RespLimitsTest, ARequestAtALimitIsServedAndOneOverItIsRefused) {
  RespTestServer server(limited_options());
  const std::string pong = "+PONG\r\n";
  check(&server,
        {
            {"inline", [](std::size_t n) { return inline_ping(n) + "\n"; }, kLineMax, pong,
             "too big inline request"},
            {"unfinished inline", inline_ping, kLineMax, "", "too big inline request"},
            {"argument of an inline request",
             [](std::size_t n) { return "ECHO \"" + std::string(n - 6, ' '); }, kLineMax, "",
             "too big inline request"},
            {"arguments", deletion, kArgumentsMax, ":0\r\n", "invalid multibulk length"},
            {"count of arguments", [](std::size_t n) { return "*" + std::to_string(n) + "\r\n"; },
             kArgumentsMax, "", "invalid multibulk length"},
            {"digits of a count", [](std::size_t n) { return digits('*', n); }, kLineMax, "",
             "too big mbulk count string"},
            {"digits of a length", [](std::size_t n) { return "*1\r\n" + digits('$', n); },
             kLineMax, "", "too big bulk count string"},
        });
}

// An empty request is no request: the length of the whole decides, not that of its parts.
TEST(RespLimitsTest, AWholeRequestAtItsLimitIsServedAndOneByteMoreIsRefused) {
  RespTestServer server(limited_options());
  for (const std::size_t piece : {std::size_t{997}, std::size_t{1} << 30}) {
    const Answer deleted{":0\r\n", false};
    EXPECT_EQ(answer(&server, deletion_of_bytes(kRequestMax - 1), piece), deleted);
    EXPECT_EQ(answer(&server, deletion_of_bytes(kRequestMax), piece), deleted);
    const Answer refused{protocol_error("too big request"), true};
    EXPECT_EQ(answer(&server, deletion_of_bytes(kRequestMax + 1), piece), refused);
  }
}

TEST(RespLimitsTest, ALengthIsRefusedBeforeItsBytesArrive) {
  RespTestServer server(limited_options());
  const auto announced = [&](std::size_t bytes) {
    return answer(&server, "*1\r\n$" + std::to_string(bytes) + "\r\n", 1000);
  };
  const std::size_t framing = std::string_view("*1\r\n$200000\r\n\r\n").size();
  EXPECT_EQ(announced(kRequestMax - framing), (Answer{"", false}));
  const Answer too_big{protocol_error("too big request"), true};
  EXPECT_EQ(announced(kRequestMax - framing + 1), too_big);
  EXPECT_EQ(announced(kRequestMax), too_big);
  const Answer invalid{protocol_error("invalid bulk length"), true};
  EXPECT_EQ(announced(kRequestMax + 1), invalid);
  EXPECT_EQ(announced(std::size_t{1} << 62), invalid);
}

TEST(RespLimitsTest, APipelineHasTheLimitsOfEachOfItsRequests) {
  RespTestServer server(limited_options());
  const std::string full = deletion_of_bytes(kRequestMax);
  const std::string line = inline_ping(kLineMax) + "\n";
  std::string pipeline;
  std::string replies;
  for (int i = 0; i < 10; ++i) {
    pipeline += full + line + deletion(kArgumentsMax);
    replies += ":0\r\n+PONG\r\n:0\r\n";
  }
  EXPECT_EQ(answer(&server, pipeline, 100'000), (Answer{replies, false}));
  pipeline += deletion(kArgumentsMax + 1) + line;
  replies += protocol_error("invalid multibulk length");
  EXPECT_EQ(answer(&server, pipeline, 100'000), (Answer{replies, true}));
}

TEST(RespLimitsTest, BeforeAuthenticationTheLimitsAreSmaller) {
  ServerOptions options = limited_options();
  options.password = "secret";
  RespTestServer server(options);
  const std::string refusal = "-NOAUTH Authentication required.\r\n";
  check(&server,
        {
            {"arguments", deletion, 10, refusal, "unauthenticated multibulk length"},
            {"argument",
             [](std::size_t n) { return "*2\r\n" + bulk("DEL") + bulk(std::string(n, 'k')); },
             16'384, refusal, "unauthenticated bulk length"},
        });
}

TEST(RespLimitsTest, NumbersThatNoIntegerHoldsAreRefused) {
  RespTestServer server(limited_options());
  for (const char* number : {"9223372036854775807", "9223372036854775808", "18446744073709551616",
                             "99999999999999999999999999", "00", "+1", "1e3", "0x1", " 1", "1 ",
                             "-", "-9223372036854775809", ""}) {
    const std::string count = "*" + std::string(number) + "\r\n";
    const std::string length = "*1\r\n$" + std::string(number) + "\r\n";
    for (const std::size_t piece : {1U, 1000U}) {
      EXPECT_EQ(answer(&server, count, piece),
                (Answer{protocol_error("invalid multibulk length"), true}))
          << number;
      EXPECT_EQ(answer(&server, length, piece),
                (Answer{protocol_error("invalid bulk length"), true}))
          << number;
    }
  }
  EXPECT_EQ(answer(&server, "*-9223372036854775808\r\nPING\r\n", 1), (Answer{"+PONG\r\n", false}));
}

TEST(RespLimitsTest, RequestsDoNotNest) {
  RespTestServer server(limited_options());
  std::string nested;
  for (int i = 0; i < 100'000; ++i) nested += "*1\r\n";
  for (const std::size_t piece : {std::size_t{1000}, nested.size()}) {
    EXPECT_EQ(answer(&server, nested, piece),
              (Answer{protocol_error("expected '$', got '*'"), true}));
  }
}

TEST(RespLimitsTest, ARequestBrokenOffAtAnyByteIsNotAnsweredAndServedWithTheRest) {
  RespTestServer server(limited_options());
  for (const std::string& request :
       {std::string("ECHO \"a\\x41\"\r\n"), "*2\r\n" + bulk("ECHO") + bulk("aA")}) {
    for (std::size_t cut = 0; cut < request.size(); ++cut) {
      RespTestClient client(server);
      EXPECT_EQ(client.send(request.substr(0, cut)), "") << cut;
      EXPECT_EQ(client.send(request.substr(cut)), "$2\r\naA\r\n") << cut;
    }
  }
}

}  // namespace
}  // namespace vigil::server
