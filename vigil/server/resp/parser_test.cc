// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vigil/base/random.h"

namespace vigil::server {
namespace {

using Status = RespParser::Status;
using Args = std::vector<std::string>;

// Everything that `input` holds, offered in pieces that end at the given positions.
struct Parsed {
  std::vector<Args> requests;
  std::string error;
  std::size_t left = 0;
};

Parsed parse_in_pieces(std::string_view input, const std::vector<std::size_t>& cuts,
                       RespParser::Limits limits = {}, bool authenticated = true) {
  Parsed result;
  RespParser parser(limits);
  std::size_t start = 0;
  std::vector<std::size_t> ends = cuts;
  ends.push_back(input.size());
  for (const std::size_t end : ends) {
    for (;;) {
      RespArguments arguments;
      // A copy: nothing may depend on where the bytes lie, nor read behind them.
      const std::string bytes(input.substr(start, end - start));
      const Status status = parser.parse(bytes, authenticated, arguments);
      if (status == Status::kError) {
        result.error = parser.error();
        return result;
      }
      if (status == Status::kIncomplete) break;
      start += parser.consumed();
      Args args(arguments.views.begin(), arguments.views.end());
      if (!args.empty()) result.requests.push_back(std::move(args));
    }
  }
  result.left = input.size() - start;
  return result;
}

std::string error_of(std::string_view input, bool authenticated = true,
                     RespParser::Limits limits = {}) {
  return parse_in_pieces(input, {}, limits, authenticated).error;
}

constexpr std::string_view kMixed =
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nbc\r\n"
    "PING\r\n"
    "\r\n"
    "*0\r\n"
    "*-1\r\n"
    "set \"a b\" 'c\\'d' \"\\x41\\n\"\n"
    "*1\r\n$0\r\n\r\n"
    "*2\r\n$4\r\nECHO\r\n$12\r\n\r\n\r\n$3\r\nabc\r\r\n";

const std::vector<Args>& mixed_requests() {
  static const std::vector<Args> requests = {{"SET", "k", "a\r\nbc"},
                                             {"PING"},
                                             {"set", "a b", "c'd", "A\n"},
                                             {""},
                                             {"ECHO", "\r\n\r\n$3\r\nabc\r"}};
  return requests;
}

TEST(RespParserTest, ReadsMultibulkAndInlineRequests) {
  const Parsed parsed = parse_in_pieces(kMixed, {});
  EXPECT_EQ(parsed.error, "");
  EXPECT_EQ(parsed.requests, mixed_requests());
  EXPECT_EQ(parsed.left, 0U);
}

TEST(RespParserTest, ASplitAtAnyByteChangesNothing) {
  for (std::size_t cut = 0; cut <= kMixed.size(); ++cut) {
    const Parsed parsed = parse_in_pieces(kMixed, {cut});
    EXPECT_EQ(parsed.requests, mixed_requests()) << "cut at " << cut;
  }
}

TEST(RespParserTest, OneByteAtATimeChangesNothing) {
  std::vector<std::size_t> cuts;
  for (std::size_t cut = 0; cut < kMixed.size(); ++cut) cuts.push_back(cut);
  EXPECT_EQ(parse_in_pieces(kMixed, cuts).requests, mixed_requests());
}

TEST(RespParserTest, ManyArgumentsInManyPiecesStayLinear) {
  constexpr int kArguments = 20'000;
  std::string input = "*" + std::to_string(kArguments) + "\r\n";
  for (int i = 0; i < kArguments; ++i) input += "$1\r\nx\r\n";
  RespParser parser({});
  RespArguments arguments;
  for (std::size_t end = 0; end < input.size(); ++end) {
    const std::string_view bytes(input.data(), end);
    ASSERT_EQ(parser.parse(bytes, true, arguments), Status::kIncomplete);
  }
  EXPECT_EQ(parser.parse(input, true, arguments), Status::kRequest);
  EXPECT_EQ(arguments.views.size(), static_cast<std::size_t>(kArguments));
}

TEST(RespParserTest, ErrorsAreThoseOfRedis) {
  const std::string prefix = "ERR Protocol error: ";
  EXPECT_EQ(error_of("*3000000000\r\n"), prefix + "invalid multibulk length");
  EXPECT_EQ(error_of("*abc\r\n"), prefix + "invalid multibulk length");
  EXPECT_EQ(error_of("*01\r\n"), prefix + "invalid multibulk length");
  EXPECT_EQ(error_of("*\r\n"), prefix + "invalid multibulk length");
  EXPECT_EQ(error_of("*1\r\nfoo\r\n"), prefix + "expected '$', got 'f'");
  EXPECT_EQ(error_of("*1\r\n$-10\r\n"), prefix + "invalid bulk length");
  EXPECT_EQ(error_of("*1\r\n$2000000000\r\n"), prefix + "invalid bulk length");
  EXPECT_EQ(error_of("*1\r\n$blabla\r\n"), prefix + "invalid bulk length");
  EXPECT_EQ(error_of("*1\r\n$ 1\r\n"), prefix + "invalid bulk length");
  EXPECT_EQ(error_of("set \"\"\"a\"\"\" b\r\n"), prefix + "unbalanced quotes in request");
  EXPECT_EQ(error_of("set 'a\r\n"), prefix + "unbalanced quotes in request");
  const std::string long_line(RespParser::kLineMax + 1, 'x');
  EXPECT_EQ(error_of(long_line), prefix + "too big inline request");
  EXPECT_EQ(error_of("*" + long_line), prefix + "too big mbulk count string");
  EXPECT_EQ(error_of("*1\r\n$" + long_line), prefix + "too big bulk count string");
}

TEST(RespParserTest, ABulkEndsWithItsLineEnd) {
  const std::string error = "ERR Protocol error: expected CRLF behind a bulk";
  for (const std::string end : {"xx", "\rx", "x\n", "\n\n", "x", "\n"}) {
    for (const bool authenticated : {true, false}) {
      EXPECT_EQ(error_of("*2\r\n$4\r\nECHO\r\n$5\r\nhello" + end, authenticated), error);
      EXPECT_EQ(error_of("*1\r\n$4\r\nPING" + end, authenticated), error);
    }
  }
  EXPECT_EQ(error_of("*1\r\n$4\r\nPING\r"), "");
}

TEST(RespParserTest, OtherTypesAreNoRequests) {
  for (const char type : std::string_view("$+-:_#,(!=%~>|")) {
    EXPECT_EQ(
        error_of(std::string(1, type) + "1\r\n"),
        std::string("ERR Protocol error: expected '*' or an inline command, got '") + type + "'");
  }
  EXPECT_EQ(error_of("\x16\x03\x01"), "ERR Protocol error: this port speaks RESP without TLS");
}

TEST(RespParserTest, UnauthenticatedClientsMaySendLittle) {
  const std::string prefix = "ERR Protocol error: ";
  EXPECT_EQ(error_of("*11\r\n", false), prefix + "unauthenticated multibulk length");
  EXPECT_EQ(error_of("*1\r\n$16385\r\n", false), prefix + "unauthenticated bulk length");
  EXPECT_EQ(error_of("*10\r\n$16384\r\n", false), "");
}

TEST(RespParserTest, ARequestOverTheLimitIsRefusedBeforeItArrives) {
  const RespParser::Limits limits{100, 4};
  EXPECT_EQ(error_of("*5\r\n", true, limits), "ERR Protocol error: invalid multibulk length");
  EXPECT_EQ(error_of("*1\r\n$101\r\n", true, limits), "ERR Protocol error: invalid bulk length");
  const std::string half(60, 'x');
  EXPECT_EQ(error_of("*2\r\n$60\r\n" + half + "\r\n$60\r\n", true, limits),
            "ERR Protocol error: too big request");
}

TEST(RespParserTest, RandomPiecesOfRandomRequestsAreReadAsSent) {
  const std::uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<Args> requests;
    std::string input;
    for (std::uint64_t i = random.below(8); i-- > 0;) {
      Args args;
      for (std::uint64_t j = 1 + random.below(5); j-- > 0;) {
        std::string arg;
        for (std::uint64_t k = random.below(40); k-- > 0;) {
          arg += static_cast<char>("\r\n$*ab\0\xff"[random.below(8)]);
        }
        args.push_back(arg);
      }
      input += "*" + std::to_string(args.size()) + "\r\n";
      for (const std::string& arg : args) {
        input += "$" + std::to_string(arg.size()) + "\r\n" + arg + "\r\n";
      }
      requests.push_back(std::move(args));
    }
    std::vector<std::size_t> cuts;
    for (std::size_t cut = 0; cut < input.size(); cut += 1 + random.below(30)) cuts.push_back(cut);
    EXPECT_EQ(parse_in_pieces(input, cuts).requests, requests);
  }
}

}  // namespace
}  // namespace vigil::server
