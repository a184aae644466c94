// SPDX-License-Identifier: Apache-2.0
//
// Every limit of an HTTP request, reached from outside: one byte under, at and over it, in every
// part of a request, however the bytes are cut; and sizes far over it, at which libraries throw.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "vigil/server/http/testing.h"

namespace vigil::server {
namespace {

constexpr std::size_t kHeaderMax = HttpLimits{}.header_bytes_max;
constexpr std::size_t kBodyMax = std::size_t{64} << 10;  // of HttpTestbed

// A request that consists of everything but `filler`, and a part that the filler makes longer.
struct Part {
  const char* name;
  std::string before;
  std::function<std::string(std::size_t)> filler;  // exactly so many bytes of header
  std::string after;
  // Bytes around the filler that are body, or that a chunk needs.
  std::size_t free_bytes;
  int status;  // while it is within the limit

  [[nodiscard]] std::string request(std::size_t header_bytes) const {
    const std::size_t fixed = before.size() + after.size() - free_bytes;
    return before + filler(header_bytes - fixed) + after;
  }
};

std::string letters(std::size_t bytes) { return std::string(bytes, 'a'); }

// Lines of four bytes, the last one longer.
std::string short_fields(std::size_t bytes) {
  std::string lines;
  while (lines.size() + 8 <= bytes) lines += "a:\r\n";
  return lines + "a:" + std::string(bytes - lines.size() - 4, 'b') + "\r\n";
}

// Chunks of one byte with an extension each, the last one longer; 6 bytes of each are free.
std::string extended_chunks(std::size_t bytes) {
  std::string chunks;
  std::size_t header = 0;
  for (; header + 8 <= bytes; header += 4) chunks += "1;b=c\r\nx\r\n";
  return chunks + "1;" + std::string(bytes - header - 1, 'b') + "\r\nx\r\n";
}

std::vector<Part> parts() {
  const std::string get = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
  const std::string chunked = get + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string one = "1\r\nx\r\n";
  const std::string last = "0\r\n\r\n";
  const auto value = [](std::size_t bytes) { return "\"" + letters(bytes - 2) + "\""; };
  return {
      {"target", "GET /", letters, " HTTP/1.1\r\nHost: x\r\n\r\n", 0, 404},
      {"query", "GET /healthz?", letters, " HTTP/1.1\r\nHost: x\r\n\r\n", 0, 200},
      {"name", get, letters, ": b\r\n\r\n", 0, 200},
      {"value", get + "a: ", letters, "\r\n\r\n", 0, 200},
      {"space before a value", get + "a:", [](std::size_t n) { return std::string(n, ' '); },
       "b\r\n\r\n", 0, 200},
      {"value that is acted on", get + "If-None-Match: ", value, "\r\n\r\n", 0, 200},
      {"number of fields", get, short_fields, "\r\n", 0, 200},
      {"fields before a body", get + "Content-Length: 4\r\na: ", letters, "\r\n\r\nbody", 4, 200},
      {"fields before chunks", get + "Transfer-Encoding: chunked\r\na: ", letters,
       "\r\n\r\n" + one + last, one.size() + last.size(), 200},
      {"extension", chunked + "1;", letters, "\r\nx\r\n" + last, 6 + last.size(), 200},
      {"extension's value", chunked + "1;a=", value, "\r\nx\r\n" + last, 6 + last.size(), 200},
      {"extensions", chunked, extended_chunks, last, last.size(), 200},
      {"extension of the last chunk", chunked + one + "0;", letters, "\r\n\r\n", one.size() + 5,
       200},
      {"zeros of a size", chunked, [](std::size_t n) { return std::string(n, '0'); }, one + last,
       one.size() + last.size(), 200},
      {"zeros of the last size", chunked + one, [](std::size_t n) { return std::string(n, '0'); },
       last, one.size() + last.size(), 200},
      {"trailer's name", chunked + one + "0\r\n", letters, ":b\r\n\r\n", one.size() + 5, 200},
      {"trailer's value", chunked + one + "0\r\na: ", letters, "\r\n\r\n", one.size() + 5, 200},
      {"number of trailers", chunked + one + "0\r\n", short_fields, "\r\n", one.size() + 5, 200},
  };
}

// Sends `request` in pieces of `piece` bytes until it is answered or refused.
HttpAnswer answer(HttpTestbed* testbed, std::string_view request, std::size_t piece) {
  testbed->reconnect();
  std::string sent;
  while (!request.empty() && !testbed->closed()) {
    sent += testbed->send(request.substr(0, piece));
    request.remove_prefix(std::min(piece, request.size()));
  }
  return HttpAnswer(sent);
}

const std::vector<std::size_t> kPieces = {1, 1000, kHeaderMax, std::size_t{1} << 30};

TEST(HttpLimitsTest, AHeaderAtItsLimitIsServedAndOneByteMoreIsRefusedInEveryPart) {
  HttpTestbed testbed;
  for (const Part& part : parts()) {
    for (const std::size_t piece : kPieces) {
      SCOPED_TRACE(std::string(part.name) + " in pieces of " + std::to_string(piece));
      for (const std::size_t under : {1U, 0U}) {
        const std::string request = part.request(kHeaderMax - under);
        EXPECT_EQ(answer(&testbed, request, piece).status, part.status);
        EXPECT_FALSE(testbed.closed());
        EXPECT_EQ(testbed.pending_bytes(), 0U);
      }
      EXPECT_EQ(answer(&testbed, part.request(kHeaderMax + 1), piece).status, 431);
      EXPECT_TRUE(testbed.closed());
    }
  }
}

// Beast throws for names and values of 65,534 bytes.
TEST(HttpLimitsTest, AHeaderFarOverItsLimitIsRefusedInEveryPart) {
  HttpTestbed testbed;
  for (const Part& part : parts()) {
    const bool in_target = std::string_view(part.before).find("\r\n") == std::string_view::npos;
    for (const std::size_t bytes : {65'533U, 65'534U, 65'535U, 65'536U, 66'000U, 1'048'576U}) {
      for (const std::size_t piece : {std::size_t{1000}, std::size_t{1} << 30}) {
        SCOPED_TRACE(std::string(part.name) + " of " + std::to_string(bytes));
        EXPECT_EQ(answer(&testbed, part.request(bytes + 200), piece).status, in_target ? 414 : 431);
        EXPECT_TRUE(testbed.closed());
      }
    }
  }
}

TEST(HttpLimitsTest, AnUnfinishedPartIsRefusedWithoutBeingKept) {
  HttpTestbed testbed;
  for (const Part& part : parts()) {
    SCOPED_TRACE(part.name);
    testbed.reconnect();
    testbed.send(part.before);
    for (std::size_t sent = 0; sent < kHeaderMax && !testbed.closed(); sent += 256) {
      ASSERT_LT(testbed.pending_bytes(), kHeaderMax);
      testbed.send(part.filler(256));
    }
    EXPECT_TRUE(testbed.closed());
  }
}

std::string sized(std::size_t bytes) {
  return "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(bytes) +
         "\r\n\r\n" + std::string(bytes, 'x');
}

// In chunks of at most `chunk` bytes.
std::string chunks(std::size_t bytes, std::size_t chunk) {
  std::string request = "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  while (bytes != 0) {
    const std::size_t size = std::min(bytes, chunk);
    char digits[20];
    std::snprintf(digits, sizeof(digits), "%zx\r\n", size);
    request += digits + std::string(size, 'x') + "\r\n";
    bytes -= size;
  }
  return request + "0\r\n\r\n";
}

TEST(HttpLimitsTest, ABodyAtItsLimitIsServedAndOneByteMoreIsRefused) {
  HttpTestbed testbed;
  const std::vector<std::function<std::string(std::size_t)>> forms = {
      sized, [](std::size_t bytes) { return chunks(bytes, kBodyMax * 2); },
      [](std::size_t bytes) { return chunks(bytes, 1000); },
      [](std::size_t bytes) { return chunks(bytes, 1); },  // six bytes for each: they are free
  };
  for (std::size_t form = 0; form < forms.size(); ++form) {
    for (const std::size_t piece : {std::size_t{777}, std::size_t{1} << 30}) {
      SCOPED_TRACE("form " + std::to_string(form) + " in pieces of " + std::to_string(piece));
      EXPECT_EQ(answer(&testbed, forms[form](kBodyMax - 1), piece).status, 200);
      EXPECT_EQ(answer(&testbed, forms[form](kBodyMax), piece).status, 200);
      EXPECT_FALSE(testbed.closed());
      EXPECT_EQ(answer(&testbed, forms[form](kBodyMax + 1), piece).status, 413);
      EXPECT_TRUE(testbed.closed());
    }
  }
}

TEST(HttpLimitsTest, ASizeThatNoIntegerHoldsIsRefused) {
  HttpTestbed testbed;
  const std::string head = "GET /healthz HTTP/1.1\r\nHost: x\r\n";
  for (const char* size : {"7fffffffffffffff", "8000000000000000", "ffffffffffffffff",
                           "10000000000000001", "fffffffffffffffffffffffffffffffff"}) {
    const std::string request = head + "Transfer-Encoding: chunked\r\n\r\n" + size + "\r\n";
    EXPECT_EQ(answer(&testbed, request, request.size()).status, 413) << size;
  }
  for (const char* size : {"9223372036854775807", "18446744073709551615"}) {
    const std::string request = head + "Content-Length: " + size + "\r\n\r\n";
    EXPECT_EQ(answer(&testbed, request, request.size()).status, 413) << size;
  }
  for (const char* size : {"18446744073709551616", "99999999999999999999999999"}) {
    const std::string request = head + "Content-Length: " + size + "\r\n\r\n";
    EXPECT_EQ(answer(&testbed, request, request.size()).status, 400) << size;
  }
}

TEST(HttpLimitsTest, TheLimitsHoldForEveryRequestOfAPipelineAndOnlyForIt) {
  HttpTestbed testbed;
  std::string pipeline;
  for (const Part& part : parts()) pipeline += part.request(kHeaderMax);
  const std::string sent = testbed.send(pipeline);
  EXPECT_FALSE(testbed.closed());
  EXPECT_EQ(testbed.pending_bytes(), 0U);
  for (const Part& part : parts()) {
    SCOPED_TRACE(part.name);
    testbed.reconnect();
    const std::string answers =
        testbed.send(parts().front().request(kHeaderMax) + part.request(kHeaderMax + 1) +
                     parts().back().request(500));
    EXPECT_TRUE(testbed.closed());
    EXPECT_NE(answers.find("HTTP/1.1 404"), std::string::npos);
    EXPECT_NE(answers.find("HTTP/1.1 431"), std::string::npos);
    EXPECT_EQ(answers.find("HTTP/1.1 200"), std::string::npos);
  }
}

TEST(HttpLimitsTest, MalformedChunksAreRefusedWhereverTheyAreCut) {
  HttpTestbed testbed;
  const std::string chunked =
      "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body : {"\r\n",
                           ";a\r\n",
                           "x\r\n",
                           "-1\r\n",
                           "0x1\r\n",
                           " 1\r\n",
                           "1 \r\n",
                           "1\nx\r\n0\r\n\r\n",
                           "1\r\nxx",
                           "1\r\nx\n0",
                           "1\r\nx\r0",
                           "1;\r\n",
                           "1;=b\r\n",
                           "1;a=\r\n",
                           "1;a=\"\r\n",
                           "1;a=\"b\\\r\n",
                           "1;a=\"b\x01\"\r\n",
                           "1;a b\r\n",
                           "1;a\rb\r\n",
                           "0\r\n:b\r\n",
                           "0\r\na b\r\n",
                           "0\r\na\r\n",
                           "0\r\n b:c\r\n",
                           "0\r\na: b\rc\r\n",
                           "0\r\na: b\x01\r\n",
                           "0\r\na: b\n",
                           "0\r\n\n",
                           "0\r\na: b\r\n c\r\n",
                           "0\r\nContent-Length: 1\r\n",
                           "0\r\ntransfer-encoding: chunked\r\n"}) {
    for (const std::size_t piece : {1U, 2U, 1000U}) {
      EXPECT_EQ(answer(&testbed, chunked + body, piece).status, 400) << body;
      EXPECT_TRUE(testbed.closed()) << body;
    }
  }
  for (const char* body : {"1;a\r\nx\r\n0\r\n\r\n", "1;a=b;c=\"d\\\"e\";f\r\nx\r\n0\r\n\r\n",
                           "1 ; a = b\r\nx\r\n0\r\n\r\n", "0;a\r\nb: c\r\nd:\r\n\r\n",
                           "A\r\n0123456789\r\n0\r\n\r\n", "00a\r\n0123456789\r\n000\r\n\r\n"}) {
    for (const std::size_t piece : {1U, 2U, 1000U}) {
      EXPECT_EQ(answer(&testbed, chunked + body, piece).status, 200) << body;
      EXPECT_FALSE(testbed.closed()) << body;
    }
  }
}

}  // namespace
}  // namespace vigil::server
