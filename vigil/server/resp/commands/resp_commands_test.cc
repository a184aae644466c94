// SPDX-License-Identifier: Apache-2.0
//
// Every command through RespSession::consume, without a network. The expected replies are those of
// Redis 7.0.15, ORDER.* apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "vigil/server/resp/call.h"
#include "vigil/server/resp/commands/test_session.h"

namespace vigil::server {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr std::string_view kWrongType =
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
constexpr std::string_view kSyntax = "-ERR syntax error\r\n";
constexpr std::string_view kNotAnInteger = "-ERR value is not an integer or out of range\r\n";
constexpr std::string_view kNull = "$-1\r\n";

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

class RespCommandsTest : public ::testing::Test {
 protected:
  // One request written as words; quote nothing.
  std::string run(std::string_view words) { return run_as(client_, words); }

  static std::string run_as(RespTestClient& client, std::string_view words) {
    std::vector<std::string_view> args;
    while (!words.empty()) {
      const std::size_t end = words.find(' ');
      args.push_back(words.substr(0, end));
      words.remove_prefix(end == std::string_view::npos ? words.size() : end + 1);
    }
    return client.run(args);
  }

  RespTestServer server_;
  RespTestClient client_{server_};
};

TEST_F(RespCommandsTest, SetAndGet) {
  EXPECT_EQ(run("GET a"), kNull);
  EXPECT_EQ(run("SET a 1"), "+OK\r\n");
  EXPECT_EQ(run("get a"), bulk("1"));
  EXPECT_EQ(client_.run({"SET", "bin", std::string_view("\0\r\n", 3)}), "+OK\r\n");
  EXPECT_EQ(run("GET bin"), bulk(std::string_view("\0\r\n", 3)));
  EXPECT_EQ(run("SET a"), "-ERR wrong number of arguments for 'set' command\r\n");
  const std::string large(1'000'000, 'x');
  EXPECT_EQ(client_.run({"SET", "large", large}), "+OK\r\n");
  EXPECT_EQ(run("GET large"), bulk(large));
  const std::string too_large(cache::kValueBytesMax + 1, 'x');
  EXPECT_EQ(client_.run({"SET", "large", too_large}),
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
}

TEST_F(RespCommandsTest, SetOptionsDecideWhetherAndForHowLong) {
  EXPECT_EQ(run("SET a 1 XX"), kNull);
  EXPECT_EQ(run("SET a 1 NX"), "+OK\r\n");
  EXPECT_EQ(run("SET a 2 NX"), kNull);
  EXPECT_EQ(run("SET a 2 XX GET"), bulk("1"));
  EXPECT_EQ(run("SET a 3 NX GET"), bulk("2"));
  EXPECT_EQ(run("SET new 3 GET"), kNull);
  EXPECT_EQ(run("SET a 3 EX 100"), "+OK\r\n");
  EXPECT_EQ(run("TTL a"), ":100\r\n");
  EXPECT_EQ(run("SET a 4 KEEPTTL"), "+OK\r\n");
  EXPECT_EQ(run("TTL a"), ":100\r\n");
  EXPECT_EQ(run("SET a 5 PX 5000"), "+OK\r\n");
  EXPECT_EQ(run("PTTL a"), ":5000\r\n");
  EXPECT_EQ(run("SET a 5 EXAT 4000000000"), "+OK\r\n");
  EXPECT_EQ(run("EXPIRETIME a"), ":4000000000\r\n");
  EXPECT_EQ(run("SET a 5 PXAT 4000000000123"), "+OK\r\n");
  EXPECT_EQ(run("PEXPIRETIME a"), ":4000000000123\r\n");
  EXPECT_EQ(run("SET a 6"), "+OK\r\n");
  EXPECT_EQ(run("TTL a"), ":-1\r\n");
  EXPECT_EQ(run("SET a 7 PXAT 1"), "+OK\r\n");
  EXPECT_EQ(run("GET a"), kNull);
}

TEST_F(RespCommandsTest, SetIfEqualComparesBeforeItWrites) {
  EXPECT_EQ(run("SET a 1 IFEQ 0"), kNull);
  EXPECT_EQ(run("SET a 1"), "+OK\r\n");
  EXPECT_EQ(run("SET a 2 IFEQ 0"), kNull);
  EXPECT_EQ(run("SET a 2 IFEQ 1"), "+OK\r\n");
  EXPECT_EQ(run("SET a 3 IFEQ 2 GET"), bulk("2"));
  EXPECT_EQ(run("SET a 3 IFEQ 2 NX"), kSyntax);
}

TEST_F(RespCommandsTest, SetRefusesConflictingOptions) {
  EXPECT_EQ(run("SET a 1 NX XX"), kSyntax);
  EXPECT_EQ(run("SET a 1 EX 1 PX 1"), kSyntax);
  EXPECT_EQ(run("SET a 1 KEEPTTL EX 1"), kSyntax);
  EXPECT_EQ(run("SET a 1 EX"), kSyntax);
  EXPECT_EQ(run("SET a 1 FOO"), kSyntax);
  EXPECT_EQ(run("SET a 1 EX x"), kNotAnInteger);
  const std::string invalid = "-ERR invalid expire time in 'set' command\r\n";
  EXPECT_EQ(run("SET a 1 EX 0"), invalid);
  EXPECT_EQ(run("SET a 1 PX -1"), invalid);
  EXPECT_EQ(run("SET a 1 EX 9223372036854775807"), invalid);
  EXPECT_EQ(run("SET a 1 PX 9223372036854775807"), invalid);
  EXPECT_EQ(run("EXISTS a"), ":0\r\n");
}

TEST_F(RespCommandsTest, RelativesOfSet) {
  EXPECT_EQ(run("SETNX a 1"), ":1\r\n");
  EXPECT_EQ(run("SETNX a 2"), ":0\r\n");
  EXPECT_EQ(run("SETEX a 10 x"), "+OK\r\n");
  EXPECT_EQ(run("TTL a"), ":10\r\n");
  EXPECT_EQ(run("PSETEX a 10000 x"), "+OK\r\n");
  EXPECT_EQ(run("PTTL a"), ":10000\r\n");
  EXPECT_EQ(run("SETEX a 0 x"), "-ERR invalid expire time in 'setex' command\r\n");
  EXPECT_EQ(run("PSETEX a -1 x"), "-ERR invalid expire time in 'psetex' command\r\n");
  EXPECT_EQ(run("GETSET a y"), bulk("x"));
  EXPECT_EQ(run("TTL a"), ":-1\r\n");
  EXPECT_EQ(run("GETSET none y"), kNull);
  EXPECT_EQ(run("GETDEL a"), bulk("y"));
  EXPECT_EQ(run("GETDEL a"), kNull);
}

TEST_F(RespCommandsTest, GetexChangesTheExpiry) {
  EXPECT_EQ(run("GETEX a"), kNull);
  run("SET a 1");
  EXPECT_EQ(run("GETEX a EX 10"), bulk("1"));
  EXPECT_EQ(run("TTL a"), ":10\r\n");
  EXPECT_EQ(run("GETEX a"), bulk("1"));
  EXPECT_EQ(run("TTL a"), ":10\r\n");
  EXPECT_EQ(run("GETEX a PERSIST"), bulk("1"));
  EXPECT_EQ(run("TTL a"), ":-1\r\n");
  EXPECT_EQ(run("GETEX a PERSIST EX 1"), kSyntax);
  EXPECT_EQ(run("GETEX a NX"), kSyntax);
  EXPECT_EQ(run("GETEX a EX 0"), "-ERR invalid expire time in 'getex' command\r\n");
  EXPECT_EQ(run("GETEX a PXAT 1"), bulk("1"));
  EXPECT_EQ(run("EXISTS a"), ":0\r\n");
}

TEST_F(RespCommandsTest, ManyKeysAtOnce) {
  EXPECT_EQ(run("MSET a 1 b 2 a 3"), "+OK\r\n");
  EXPECT_EQ(run("MGET a b none"), "*3\r\n" + bulk("3") + bulk("2") + std::string(kNull));
  EXPECT_EQ(run("MSET a 1 b"), "-ERR wrong number of arguments for 'mset' command\r\n");
  EXPECT_EQ(run("MSETNX c 1 a 1"), ":0\r\n");
  EXPECT_EQ(run("EXISTS c"), ":0\r\n");
  EXPECT_EQ(run("MSETNX c 1 d 1"), ":1\r\n");
  EXPECT_EQ(run("MSETNX c 1 d"), "-ERR wrong number of arguments for 'msetnx' command\r\n");
}

TEST_F(RespCommandsTest, AppendAndRanges) {
  EXPECT_EQ(run("APPEND a Hello"), ":5\r\n");
  EXPECT_EQ(run("APPEND a World"), ":10\r\n");
  EXPECT_EQ(run("STRLEN a"), ":10\r\n");
  EXPECT_EQ(run("STRLEN none"), ":0\r\n");
  EXPECT_EQ(run("GETRANGE a 0 4"), bulk("Hello"));
  EXPECT_EQ(run("GETRANGE a -5 -1"), bulk("World"));
  EXPECT_EQ(run("GETRANGE a -1 -5"), bulk(""));
  EXPECT_EQ(run("GETRANGE a 5 100"), bulk("World"));
  EXPECT_EQ(run("GETRANGE a 100 200"), bulk(""));
  EXPECT_EQ(run("SUBSTR a 0 0"), bulk("H"));
  EXPECT_EQ(run("GETRANGE none 0 1"), bulk(""));
  EXPECT_EQ(run("GETRANGE a x 1"), kNotAnInteger);
  EXPECT_EQ(run("SETRANGE a 5 Redis"), ":10\r\n");
  EXPECT_EQ(run("GET a"), bulk("HelloRedis"));
  EXPECT_EQ(run("SETRANGE b 2 x"), ":3\r\n");
  EXPECT_EQ(run("GET b"), bulk(std::string_view("\0\0x", 3)));
  EXPECT_EQ(client_.run({"SETRANGE", "none", "3", ""}), ":0\r\n");
  EXPECT_EQ(run("SETRANGE a -1 x"), "-ERR offset is out of range\r\n");
  EXPECT_EQ(run("SETRANGE a 536870912 x"),
            "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n");
}

TEST_F(RespCommandsTest, Counters) {
  EXPECT_EQ(run("INCR n"), ":1\r\n");
  EXPECT_EQ(run("INCRBY n 41"), ":42\r\n");
  EXPECT_EQ(run("DECR n"), ":41\r\n");
  EXPECT_EQ(run("DECRBY n 41"), ":0\r\n");
  run("SET n 9223372036854775807");
  EXPECT_EQ(run("INCR n"), "-ERR increment or decrement would overflow\r\n");
  EXPECT_EQ(run("DECRBY n -9223372036854775808"), "-ERR decrement would overflow\r\n");
  EXPECT_EQ(run("INCRBY n x"), kNotAnInteger);
  run("SET n 1x");
  EXPECT_EQ(run("INCR n"), kNotAnInteger);
  run("SET n 10 EX 100");
  EXPECT_EQ(run("INCR n"), ":11\r\n");
  EXPECT_EQ(run("TTL n"), ":100\r\n");
  EXPECT_EQ(run("INCRBYFLOAT f 10.5"), bulk("10.5"));
  EXPECT_EQ(run("INCRBYFLOAT f 0.1"), bulk("10.6"));
  EXPECT_EQ(run("INCRBYFLOAT f -10.6"), bulk("0"));
  EXPECT_EQ(run("INCRBYFLOAT f 3.0e3"), bulk("3000"));
  EXPECT_EQ(run("INCRBYFLOAT f x"), "-ERR value is not a valid float\r\n");
  EXPECT_EQ(run("INCRBYFLOAT f inf"), "-ERR increment would produce NaN or Infinity\r\n");
}

TEST_F(RespCommandsTest, KeysAreCountedListedAndDeleted) {
  run("MSET a 1 b 2 cc 3");
  EXPECT_EQ(run("EXISTS a b none a"), ":3\r\n");
  EXPECT_EQ(run("TOUCH a none"), ":1\r\n");
  EXPECT_EQ(run("TYPE a"), "+string\r\n");
  EXPECT_EQ(run("TYPE none"), "+none\r\n");
  EXPECT_EQ(run("DBSIZE"), ":3\r\n");
  EXPECT_EQ(run("KEYS c*"), "*1\r\n" + bulk("cc"));
  EXPECT_THAT(run("RANDOMKEY"), AnyOf(bulk("a"), bulk("b"), bulk("cc")));
  EXPECT_EQ(run("DEL a b none"), ":2\r\n");
  EXPECT_EQ(run("UNLINK cc"), ":1\r\n");
  EXPECT_EQ(run("RANDOMKEY"), kNull);
  run("SET a 1");
  EXPECT_EQ(run("FLUSHDB FOO"), kSyntax);
  EXPECT_EQ(run("FLUSHDB ASYNC"), "+OK\r\n");
  EXPECT_EQ(run("FLUSHALL"), "+OK\r\n");
  EXPECT_EQ(run("DBSIZE"), ":0\r\n");
}

TEST_F(RespCommandsTest, ScanVisitsEveryKeyOnce) {
  constexpr int kKeys = 500;
  for (int i = 0; i < kKeys; ++i) run("SET key:" + std::to_string(i) + " x");
  std::string cursor = "0";
  int seen = 0;
  do {
    const std::string reply = run("SCAN " + cursor + " COUNT 7 MATCH key:*");
    ASSERT_THAT(reply, StartsWith("*2\r\n$"));
    const std::size_t start = reply.find("\r\n", 4) + 2;
    cursor = reply.substr(start, reply.find("\r\n", start) - start);
    for (std::size_t at = reply.find("key:"); at != std::string::npos;
         at = reply.find("key:", at + 1)) {
      ++seen;
    }
  } while (cursor != "0");
  EXPECT_EQ(seen, kKeys);
  EXPECT_EQ(run("SCAN x"), "-ERR invalid cursor\r\n");
  EXPECT_EQ(run("SCAN 0 COUNT 0"), kSyntax);
  EXPECT_EQ(run("SCAN 0 COUNT"), kSyntax);
  EXPECT_EQ(run("SCAN 0 COUNT x"), kNotAnInteger);
  EXPECT_THAT(run("SCAN 0 TYPE order COUNT 10000"), testing::EndsWith("*0\r\n"));
}

TEST_F(RespCommandsTest, RenameMovesValueAndExpiry) {
  EXPECT_EQ(run("RENAME none b"), "-ERR no such key\r\n");
  run("SET a 1 EX 100");
  run("SET b 2");
  EXPECT_EQ(run("RENAMENX a b"), ":0\r\n");
  EXPECT_EQ(run("RENAME a b"), "+OK\r\n");
  EXPECT_EQ(run("GET b"), bulk("1"));
  EXPECT_EQ(run("TTL b"), ":100\r\n");
  EXPECT_EQ(run("EXISTS a"), ":0\r\n");
  EXPECT_EQ(run("RENAMENX b c"), ":1\r\n");
  EXPECT_EQ(run("RENAME c c"), "+OK\r\n");
  EXPECT_EQ(run("RENAMENX c c"), ":0\r\n");
}

TEST_F(RespCommandsTest, ExpiryOptionsAndErrors) {
  EXPECT_EQ(run("EXPIRE none 10"), ":0\r\n");
  EXPECT_EQ(run("TTL none"), ":-2\r\n");
  run("SET a 1");
  EXPECT_EQ(run("EXPIRE a 100 XX"), ":0\r\n");
  EXPECT_EQ(run("EXPIRE a 100 GT"), ":0\r\n");
  EXPECT_EQ(run("EXPIRE a 100 NX"), ":1\r\n");
  EXPECT_EQ(run("EXPIRE a 200 NX"), ":0\r\n");
  EXPECT_EQ(run("EXPIRE a 50 GT"), ":0\r\n");
  EXPECT_EQ(run("EXPIRE a 200 LT"), ":0\r\n");
  EXPECT_EQ(run("EXPIRE a 200 XX GT"), ":1\r\n");
  EXPECT_EQ(run("PEXPIRE a 150000 LT"), ":1\r\n");
  EXPECT_EQ(run("TTL a"), ":150\r\n");
  EXPECT_EQ(run("EXPIREAT a 4000000000"), ":1\r\n");
  EXPECT_EQ(run("PEXPIREAT a 4000000000999"), ":1\r\n");
  EXPECT_EQ(run("PEXPIRETIME a"), ":4000000000999\r\n");
  EXPECT_EQ(run("EXPIRETIME a"), ":4000000001\r\n");
  EXPECT_EQ(run("PERSIST a"), ":1\r\n");
  EXPECT_EQ(run("PERSIST a"), ":0\r\n");
  EXPECT_EQ(run("PERSIST none"), ":0\r\n");
  EXPECT_EQ(run("EXPIRE a 1 FOO"), "-ERR Unsupported option FOO\r\n");
  EXPECT_EQ(run("EXPIRE a 1 NX GT"),
            "-ERR NX and XX, GT or LT options at the same time are not compatible\r\n");
  EXPECT_EQ(run("EXPIRE a 1 GT LT"),
            "-ERR GT and LT options at the same time are not compatible\r\n");
  EXPECT_EQ(run("EXPIRE a x"), kNotAnInteger);
  EXPECT_EQ(run("EXPIRE a 9223372036854775807"),
            "-ERR invalid expire time in 'expire' command\r\n");
  EXPECT_EQ(run("EXPIRE a -1"), ":1\r\n");
  EXPECT_EQ(run("EXISTS a"), ":0\r\n");
}

TEST_F(RespCommandsTest, DatesFollowASteppedWallClockAndPeriodsDoNot) {
  constexpr std::int64_t kHour_ms = 3'600'000;
  for (const std::int64_t step_ms : {2 * kHour_ms, -kHour_ms, 24 * kHour_ms, std::int64_t{1000}}) {
    const std::int64_t now_ms = server_.now_ms();
    run("SET before x PX 60000");
    run("ORDER.PUT order:" + std::to_string(step_ms) + " pending {} PX 60000");
    const std::int64_t wall_ms = now_ms + step_ms;
    server_.state().wall_clock.follow({.unix_ms = now_ms, .wall_ms = wall_ms});

    EXPECT_EQ(run("PTTL before"), ":60000\r\n");
    EXPECT_EQ(run("PEXPIRETIME before"), ":" + std::to_string(wall_ms + 60'000) + "\r\n");
    const std::string date = std::to_string(wall_ms + 60'000);
    for (const std::string& set :
         {"SET k v PXAT " + date, "GETEX k PXAT " + date, "PEXPIREAT k " + date}) {
      run("SET k v");
      run(set);
      EXPECT_EQ(run("PTTL k"), ":60000\r\n") << set;
      EXPECT_EQ(run("PEXPIRETIME k"), ":" + date + "\r\n") << set;
    }
    EXPECT_EQ(run("PEXPIREAT k " + std::to_string(wall_ms - 1)), ":1\r\n");
    EXPECT_EQ(run("EXISTS k"), ":0\r\n");

    const std::string id = " order:" + std::to_string(step_ms);
    EXPECT_THAT(run("ORDER.GET" + id),
                AllOf(HasSubstr(":" + date), HasSubstr(":" + std::to_string(now_ms))));
    run("ORDER.PUT" + id + " pending {}");
    EXPECT_THAT(run("ORDER.GET" + id), HasSubstr(":" + std::to_string(wall_ms)));
    server_.state().wall_clock.follow({.unix_ms = now_ms, .wall_ms = now_ms});
  }
}

TEST_F(RespCommandsTest, ADateLongAgoIsOverHoweverFarTheWallClockIsAhead) {
  const std::int64_t now_ms = server_.now_ms();
  server_.state().wall_clock.follow({.unix_ms = now_ms, .wall_ms = 2 * now_ms});
  for (const std::string& date : {std::string("1"), std::string("2000"), std::to_string(now_ms)}) {
    EXPECT_EQ(run("SET k v PXAT " + date), "+OK\r\n");
    EXPECT_EQ(run("EXISTS k"), ":0\r\n");
    run("ORDER.PUT o pending {} PXAT " + date);
    EXPECT_EQ(run("ORDER.GET o"), kNull);
  }
}

TEST_F(RespCommandsTest, AnExpiredKeyIsGoneAndAnnounced) {
  RespTestClient subscriber(server_);
  EXPECT_EQ(run("CONFIG SET notify-keyspace-events Ex"), "+OK\r\n");
  run_as(subscriber, "SUBSCRIBE __keyevent@0__:expired");
  run("SET a 1 PX 1");
  server_.advance_to(server_.now_ms() + 2);
  EXPECT_EQ(run("GET a"), kNull);
  EXPECT_EQ(subscriber.received(),
            "*3\r\n" + bulk("message") + bulk("__keyevent@0__:expired") + bulk("a"));
}

TEST_F(RespCommandsTest, KeyspaceEventsNameWhatHappened) {
  RespTestClient subscriber(server_);
  run("CONFIG SET notify-keyspace-events KA");
  run_as(subscriber, "PSUBSCRIBE __keyspace@0__:*");
  const auto events_of = [&](std::string_view request) {
    run(request);
    const std::string bytes = subscriber.received();
    std::string events;
    std::size_t at = 0;
    // Each message ends with the bulk of its event's name.
    while ((at = bytes.find("__keyspace@0__:k\r\n$", at)) != std::string::npos) {
      const std::size_t start = bytes.find("\r\n", at + 18) + 2;
      events += bytes.substr(start, bytes.find("\r\n", start) - start) + " ";
      at = start;
    }
    return events;
  };
  EXPECT_EQ(events_of("SET k 1"), "set ");
  EXPECT_EQ(events_of("SET k 1 EX 10"), "set expire ");
  EXPECT_EQ(events_of("INCR k"), "incrby ");
  EXPECT_EQ(events_of("INCRBYFLOAT k 1"), "incrbyfloat ");
  EXPECT_EQ(events_of("APPEND k 1"), "append ");
  EXPECT_EQ(events_of("SETRANGE k 1 x"), "setrange ");
  EXPECT_EQ(events_of("EXPIRE k 10"), "expire ");
  EXPECT_EQ(events_of("PERSIST k"), "persist ");
  EXPECT_EQ(events_of("RENAME k other"), "rename_from ");
  EXPECT_EQ(events_of("RENAME other k"), "rename_to ");
  EXPECT_EQ(events_of("GETDEL k"), "del ");
  EXPECT_EQ(events_of("DEL k"), "");
  EXPECT_EQ(events_of("ORDER.PUT k pending x"), "order.put ");
  EXPECT_EQ(events_of("ORDER.TRANSITION k paid"), "order.transition ");
  EXPECT_EQ(events_of("DEL k"), "del ");

  run("CONFIG SET notify-keyspace-events KnA");
  EXPECT_EQ(events_of("SET k 1"), "new set ");
  EXPECT_EQ(events_of("SET k 1"), "set ");
  EXPECT_EQ(events_of("RENAME k other"), "rename_from ");
  EXPECT_EQ(events_of("RENAME other k"), "new rename_to ");
  for (const std::string creates :
       {"INCR k", "APPEND k 1", "SETRANGE k 1 x", "SETNX k v", "SETEX k 10 v", "GETSET k v",
        "MSET k v", "MSETNX k v", "INCRBYFLOAT k 1", "ORDER.PUT k pending x"}) {
    events_of("DEL k");
    EXPECT_THAT(events_of(creates), StartsWith("new ")) << creates;
  }
}

TEST_F(RespCommandsTest, AReadThatFindsNothingIsAnEventOfItsOwn) {
  RespTestClient subscriber(server_);
  run_as(subscriber, "PSUBSCRIBE __keyevent@0__:keymiss");
  const auto misses_of = [&](const std::string& request) {
    run(request);
    const std::string bytes = subscriber.received();
    int misses = 0;
    for (std::size_t at = 0; (at = bytes.find("pmessage", at)) != std::string::npos; ++at) ++misses;
    return misses;
  };
  EXPECT_EQ(misses_of("GET a"), 0);
  run("CONFIG SET notify-keyspace-events EA");
  EXPECT_EQ(misses_of("GET a"), 0);
  run("CONFIG SET notify-keyspace-events Em");
  for (const std::string read :
       {"GET a", "STRLEN a", "GETRANGE a 0 1", "TTL a", "PEXPIRETIME a", "TYPE a", "GETEX a",
        "GETDEL a", "GETSET a 1", "DEL a", "SET a 1 GET", "DEL a"}) {
    EXPECT_EQ(misses_of(read), read == "DEL a" ? 0 : 1) << read;
  }
  EXPECT_EQ(misses_of("MGET a b"), 2);
  EXPECT_EQ(misses_of("EXISTS a b a"), 3);
  run("SET a 1");
  EXPECT_EQ(misses_of("MGET a b"), 1);
  EXPECT_EQ(misses_of("INCR c"), 0);
}

TEST_F(RespCommandsTest, OrdersHaveVersionsAndStatuses) {
  const std::string put = run("ORDER.PUT o pending {\"n\":1}");
  EXPECT_EQ(put, "*8\r\n" + bulk("outcome") + bulk("created") + bulk("version") + ":1\r\n" +
                     bulk("status") + bulk("pending") + bulk("replayed") + ":0\r\n");
  EXPECT_THAT(run("ORDER.TRANSITION o processing VERSION 5"), HasSubstr(":5\r\n"));
  EXPECT_THAT(run("ORDER.TRANSITION o paid VERSION 5"),
              StartsWith("-STALE stored version is 5, status processing"));
  EXPECT_THAT(run("ORDER.TRANSITION o paid IFVERSION 4"), StartsWith("-CONFLICT "));
  EXPECT_THAT(run("ORDER.TRANSITION o pending"), StartsWith("-ILLEGAL "));
  EXPECT_THAT(run("ORDER.TRANSITION o nonsense"), StartsWith("-BADSTATUS "));
  EXPECT_THAT(run("ORDER.TRANSITION none paid"), StartsWith("-NOTFOUND "));
  EXPECT_THAT(run("ORDER.TRANSITION o failed PAYLOAD why"), HasSubstr("updated"));
  EXPECT_THAT(run("ORDER.TRANSITION o paid"), StartsWith("-TERMINAL "));
  const std::string order = run("ORDER.GET o");
  EXPECT_THAT(order, HasSubstr(bulk("status") + bulk("failed")));
  EXPECT_THAT(order, HasSubstr(bulk("payload") + bulk("why")));
  EXPECT_THAT(order, HasSubstr(bulk("ttl_ms") + ":-1\r\n"));
  EXPECT_THAT(run("ORDER.HISTORY o"), StartsWith("*3\r\n*6\r\n"));
  EXPECT_THAT(run("ORDER.STATUSES"), HasSubstr("refunding"));
  EXPECT_THAT(run("ORDER.DEL o"), HasSubstr("deleted"));
  EXPECT_EQ(run("ORDER.GET o"), kNull);
  EXPECT_EQ(run("ORDER.HISTORY o"), kNull);
  EXPECT_THAT(run("ORDER.PUT o pending x VERSION 1"), StartsWith("-STALE "));
}

TEST_F(RespCommandsTest, OrderOptionsAreChecked) {
  EXPECT_EQ(run("ORDER.PUT o pending x VERSION"), kSyntax);
  EXPECT_EQ(run("ORDER.PUT o pending x FOO 1"), kSyntax);
  EXPECT_EQ(run("ORDER.PUT o pending x PAYLOAD y"), kSyntax);
  EXPECT_EQ(run("ORDER.PUT o pending x VERSION x"), kNotAnInteger);
  EXPECT_THAT(run("ORDER.PUT o pending x VERSION 0"), StartsWith("-ERR value is out of range"));
  EXPECT_THAT(run("ORDER.PUT o pending x EX 0"), StartsWith("-ERR invalid expire time"));
  EXPECT_THAT(run("ORDER.PUT o pending x EX 100 IDEMPOTENCY k1"), HasSubstr("created"));
  EXPECT_THAT(run("ORDER.PUT o pending x EX 100 IDEMPOTENCY k1"),
              HasSubstr(bulk("replayed") + ":1\r\n"));
  EXPECT_THAT(run("ORDER.PUT o pending y EX 100 IDEMPOTENCY k1"), StartsWith("-IDEMPOTENCY "));
  EXPECT_EQ(run("TTL o"), ":100\r\n");
  EXPECT_THAT(run("ORDER.PUT o pending x IFVERSION 0"), StartsWith("-CONFLICT "));
}

TEST_F(RespCommandsTest, StringsAndOrdersDoNotMix) {
  run("ORDER.PUT o pending x");
  for (const char* request :
       {"GET o", "SET o x", "SET o x EX 10", "SET o x GET", "GETSET o x", "GETDEL o", "GETEX o",
        "APPEND o x", "STRLEN o", "INCR o", "INCRBYFLOAT o 1", "GETRANGE o 0 1", "SETRANGE o 0 x",
        "MSET o x", "RENAME o p"}) {
    EXPECT_EQ(run(request), kWrongType) << request;
  }
  EXPECT_EQ(run("MGET o"), "*1\r\n$-1\r\n");
  EXPECT_EQ(run("SETNX o x"), ":0\r\n");
  EXPECT_EQ(run("TYPE o"), "+order\r\n");
  EXPECT_EQ(run("EXISTS o"), ":1\r\n");
  run("SET s x");
  EXPECT_EQ(run("ORDER.GET s"), kWrongType);
  EXPECT_EQ(run("ORDER.PUT s pending x"), kWrongType);
  EXPECT_EQ(run("DEL o s"), ":2\r\n");
  EXPECT_THAT(run("ORDER.PUT o pending x VERSION 1"), StartsWith("-STALE "));
}

TEST_F(RespCommandsTest, AnOrderExpiredByCommandLeavesItsTombstone) {
  run("ORDER.PUT o pending x VERSION 7");
  EXPECT_EQ(run("EXPIRE o -1"), ":1\r\n");
  EXPECT_EQ(run("EXISTS o"), ":0\r\n");
  EXPECT_THAT(run("ORDER.PUT o pending x VERSION 7"), StartsWith("-STALE "));
}

TEST_F(RespCommandsTest, ConnectionCommands) {
  EXPECT_EQ(run("PING"), "+PONG\r\n");
  EXPECT_EQ(run("PING hi"), bulk("hi"));
  EXPECT_EQ(run("PING a b"), "-ERR wrong number of arguments for 'ping' command\r\n");
  EXPECT_EQ(run("ECHO hi"), bulk("hi"));
  EXPECT_EQ(run("SELECT 0"), "+OK\r\n");
  EXPECT_EQ(run("SELECT 1"), "-ERR DB index is out of range\r\n");
  EXPECT_EQ(run("SELECT x"), kNotAnInteger);
  EXPECT_EQ(run("CLIENT ID"), ":1\r\n");
  EXPECT_EQ(run("CLIENT GETNAME"), kNull);
  EXPECT_EQ(run("CLIENT SETNAME me"), "+OK\r\n");
  EXPECT_EQ(run("CLIENT GETNAME"), bulk("me"));
  EXPECT_THAT(client_.run({"CLIENT", "SETNAME", "a b"}), StartsWith("-ERR Client names cannot"));
  EXPECT_THAT(run("CLIENT INFO"), HasSubstr("name=me"));
  EXPECT_THAT(run("CLIENT LIST"), HasSubstr("id=1 "));
  EXPECT_EQ(run("CLIENT LIST ID 99"), bulk(""));
  EXPECT_EQ(run("CLIENT NO-EVICT ON"), "+OK\r\n");
  EXPECT_EQ(run("CLIENT SETINFO LIB-NAME x"), "+OK\r\n");
  EXPECT_THAT(run("CLIENT TRACKING ON"), StartsWith("-ERR "));
  EXPECT_EQ(run("CLIENT GETREDIR"), ":-1\r\n");
  EXPECT_EQ(run("CLIENT FOO"), "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n");
  EXPECT_EQ(run("CLIENT SETNAME"),
            "-ERR wrong number of arguments for 'client|setname' command\r\n");
  EXPECT_EQ(run("RESET"), "+RESET\r\n");
  EXPECT_EQ(run("CLIENT GETNAME"), kNull);
  EXPECT_EQ(run("QUIT"), "+OK\r\n");
  EXPECT_TRUE(client_.closed());
}

TEST_F(RespCommandsTest, RepliesCanBeSwitchedOff) {
  EXPECT_EQ(run("CLIENT REPLY SKIP"), "");
  EXPECT_EQ(run("PING"), "");
  EXPECT_EQ(run("PING"), "+PONG\r\n");
  EXPECT_EQ(run("CLIENT REPLY OFF"), "");
  EXPECT_EQ(run("SET a 1"), "");
  EXPECT_EQ(run("CLIENT REPLY SKIP"), "");
  EXPECT_EQ(run("PING"), "");
  EXPECT_EQ(run("CLIENT REPLY ON"), "+OK\r\n");
  EXPECT_EQ(run("GET a"), bulk("1"));
}

TEST_F(RespCommandsTest, PushesAreNoRepliesThatCouldBeSwitchedOff) {
  const auto confirmed = [](std::string_view what, std::string_view name, int count) {
    return "*3\r\n" + bulk(what) + bulk(name) + ":" + std::to_string(count) + "\r\n";
  };
  run("CLIENT REPLY OFF");
  EXPECT_EQ(run("SUBSCRIBE c"), confirmed("subscribe", "c", 1));
  EXPECT_EQ(run("PSUBSCRIBE p"), confirmed("psubscribe", "p", 2));
  EXPECT_EQ(run("SUBSCRIBE"), "");
  RespTestClient other(server_);
  run_as(other, "PUBLISH c hi");
  EXPECT_EQ(client_.received(), "*3\r\n" + bulk("message") + bulk("c") + bulk("hi"));
  EXPECT_EQ(run("PUNSUBSCRIBE p"), confirmed("punsubscribe", "p", 1));
  EXPECT_EQ(run("UNSUBSCRIBE c"), confirmed("unsubscribe", "c", 0));
  EXPECT_EQ(run("PING"), "");
  EXPECT_EQ(run("CLIENT REPLY ON"), "+OK\r\n");
  EXPECT_EQ(run("CLIENT REPLY SKIP"), "");
  EXPECT_EQ(run("SUBSCRIBE c"), confirmed("subscribe", "c", 1));
  EXPECT_EQ(run("PING"), "*2\r\n" + bulk("pong") + bulk(""));
}

TEST_F(RespCommandsTest, KillClosesOtherClientsOnTheirReactor) {
  RespTestClient other(server_);
  EXPECT_EQ(run("CLIENT KILL ID 2"), ":1\r\n");
  server_.deliver();
  other.connection().attend();
  EXPECT_TRUE(other.connection().closed());
  EXPECT_EQ(run("CLIENT KILL ID 77"), ":0\r\n");
  EXPECT_EQ(run("CLIENT KILL 1.2.3.4:5"), "-ERR No such client\r\n");
  EXPECT_EQ(run("CLIENT KILL ID 0"), "-ERR client-id should be greater than 0\r\n");
  EXPECT_EQ(run("CLIENT KILL TYPE foo"), "-ERR Unknown client type 'foo'\r\n");
  EXPECT_EQ(run("CLIENT KILL ID 1 SKIPME no"), ":1\r\n");
  EXPECT_TRUE(client_.closed());
}

TEST_F(RespCommandsTest, HelloSwitchesToRespThree) {
  EXPECT_THAT(run("HELLO"), StartsWith("*14\r\n$6\r\nserver\r\n"));
  EXPECT_EQ(run("HELLO 4"), "-NOPROTO unsupported protocol version\r\n");
  EXPECT_EQ(run("HELLO x"), "-ERR Protocol version is not an integer or out of range\r\n");
  EXPECT_EQ(run("HELLO 3 FOO"), "-ERR Syntax error in HELLO option 'FOO'\r\n");
  EXPECT_THAT(run("HELLO 3 SETNAME me"), StartsWith("%7\r\n"));
  EXPECT_EQ(run("GET none"), "_\r\n");
  EXPECT_THAT(run("CONFIG GET maxclients"), StartsWith("%1\r\n"));
  EXPECT_THAT(run("CLIENT INFO"), StartsWith("="));
  EXPECT_THAT(run("ORDER.PUT o pending x"), StartsWith("%4\r\n"));
  EXPECT_EQ(run("SUBSCRIBE c"), ">3\r\n" + bulk("subscribe") + bulk("c") + ":1\r\n");
  EXPECT_EQ(run("GET none"), "_\r\n");  // allowed beside subscriptions
}

TEST_F(RespCommandsTest, SubscribersOfRespTwoMayOnlySubscribe) {
  EXPECT_EQ(run("SUBSCRIBE a b"), "*3\r\n" + bulk("subscribe") + bulk("a") + ":1\r\n" + "*3\r\n" +
                                      bulk("subscribe") + bulk("b") + ":2\r\n");
  EXPECT_EQ(run("GET a"),
            "-ERR Can't execute 'get': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
            "RESET are allowed in this context\r\n");
  EXPECT_EQ(run("PING"), "*2\r\n" + bulk("pong") + bulk(""));
  EXPECT_EQ(run("PSUBSCRIBE x*"), "*3\r\n" + bulk("psubscribe") + bulk("x*") + ":3\r\n");
  EXPECT_EQ(run("UNSUBSCRIBE b"), "*3\r\n" + bulk("unsubscribe") + bulk("b") + ":2\r\n");
  EXPECT_EQ(run("UNSUBSCRIBE"), "*3\r\n" + bulk("unsubscribe") + bulk("a") + ":1\r\n");
  EXPECT_EQ(run("UNSUBSCRIBE"), "*3\r\n" + bulk("unsubscribe") + std::string(kNull) + ":1\r\n");
  EXPECT_EQ(run("PUNSUBSCRIBE"), "*3\r\n" + bulk("punsubscribe") + bulk("x*") + ":0\r\n");
  EXPECT_EQ(run("GET a"), kNull);
}

TEST_F(RespCommandsTest, PublishReachesSubscribers) {
  RespTestClient subscriber(server_);
  run_as(subscriber, "SUBSCRIBE news");
  run_as(subscriber, "PSUBSCRIBE n*");
  EXPECT_EQ(run("PUBLISH news hi"), ":2\r\n");
  EXPECT_EQ(subscriber.received(), "*3\r\n" + bulk("message") + bulk("news") + bulk("hi") +
                                       "*4\r\n" + bulk("pmessage") + bulk("n*") + bulk("news") +
                                       bulk("hi"));
  EXPECT_EQ(run("PUBSUB CHANNELS"), "*1\r\n" + bulk("news"));
  EXPECT_EQ(run("PUBSUB NUMSUB news none"),
            "*4\r\n" + bulk("news") + ":1\r\n" + bulk("none") + ":0\r\n");
  EXPECT_EQ(run("PUBSUB NUMPAT"), ":1\r\n");
  EXPECT_EQ(run("PUBLISH other hi"), ":0\r\n");
}

TEST_F(RespCommandsTest, ASubscribersOwnMessageComesBeforeTheReply) {
  run("HELLO 3");
  run("SUBSCRIBE w");
  const std::string message = ">3\r\n" + bulk("message") + bulk("w") + bulk("hi");
  const std::string left = ">3\r\n" + bulk("unsubscribe") + bulk("w") + ":0\r\n";
  EXPECT_EQ(run("PUBLISH w hi"), message + ":1\r\n");
  EXPECT_EQ(client_.received(), "");
  EXPECT_EQ(client_.send("PUBLISH w hi\r\nUNSUBSCRIBE w\r\nPUBLISH w hi\r\n"),
            message + ":1\r\n" + left + ":0\r\n");
}

TEST_F(RespCommandsTest, ASubscribersOwnEventComesBeforeTheReply) {
  run("CONFIG SET notify-keyspace-events E$g");
  run("HELLO 3");
  run("PSUBSCRIBE __keyevent*");
  const auto event = [](std::string_view name, std::string_view key) {
    return ">4\r\n" + bulk("pmessage") + bulk("__keyevent*") +
           bulk("__keyevent@0__:" + std::string(name)) + bulk(key);
  };
  EXPECT_EQ(client_.send("SET k v\r\nDEL k\r\nPING\r\n"),
            event("set", "k") + "+OK\r\n" + event("del", "k") + ":1\r\n+PONG\r\n");
}

TEST_F(RespCommandsTest, AMessageIsNotLostToALaterUnsubscribe) {
  RespTestClient other(server_);
  for (const bool resp3 : {false, true}) {
    if (resp3) run("HELLO 3");
    const std::string push = resp3 ? ">3\r\n" : "*3\r\n";
    run("SUBSCRIBE w");
    EXPECT_EQ(run_as(other, "PUBLISH w hi"), ":1\r\n");
    std::string expected = push;
    expected.append(bulk("message")).append(bulk("w")).append(bulk("hi"));
    expected.append(push).append(bulk("unsubscribe")).append(bulk("w")).append(":0\r\n");
    EXPECT_EQ(run("UNSUBSCRIBE w"), expected);
  }
}

TEST_F(RespCommandsTest, ServerCommands) {
  EXPECT_EQ(run("CONFIG GET notify-keyspace-events"),
            "*2\r\n" + bulk("notify-keyspace-events") + bulk(""));
  EXPECT_EQ(run("CONFIG SET notify-keyspace-events q"),
            "-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - "
            "argument couldn't be parsed\r\n");
  EXPECT_EQ(run("CONFIG SET foo 1"),
            "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n");
  EXPECT_EQ(run("CONFIG SET port 1"),
            "-ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable "
            "config\r\n");
  run("GET none");
  EXPECT_THAT(run("INFO stats"), HasSubstr("keyspace_misses:1\r\n"));
  EXPECT_EQ(run("CONFIG RESETSTAT"), "+OK\r\n");
  EXPECT_THAT(run("INFO stats"), HasSubstr("keyspace_misses:0\r\n"));
  EXPECT_THAT(run("INFO"), HasSubstr("# Keyspace"));
  EXPECT_EQ(run("COMMAND COUNT"), ":" + std::to_string(all_commands().sorted().size()) + "\r\n");
  EXPECT_THAT(run("COMMAND INFO get none"), StartsWith("*2\r\n*10\r\n" + bulk("get") + ":2\r\n"));
  EXPECT_THAT(run("COMMAND DOCS get"), HasSubstr("summary"));
  EXPECT_THAT(run("COMMAND LIST"), HasSubstr(bulk("order.put")));
  EXPECT_EQ(run("COMMAND GETKEYS MSET a 1 b 2"), "*2\r\n" + bulk("a") + bulk("b"));
  EXPECT_EQ(run("COMMAND GETKEYS PING x"), "-ERR The command has no key arguments\r\n");
  EXPECT_THAT(run("TIME"), StartsWith("*2\r\n$10\r\n"));
  EXPECT_EQ(run("FUNCTION FLUSH"), "+OK\r\n");
}

// The e2e test redis_differential compares the whole table with Redis.
TEST_F(RespCommandsTest, CommandsAreDescribedWithTheirCategories) {
  EXPECT_THAT(run("COMMAND INFO incr"),
              StartsWith("*1\r\n*10\r\n" + bulk("incr") +
                         ":2\r\n*3\r\n+write\r\n+denyoom\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
                         "*3\r\n+@write\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n"));
  EXPECT_THAT(run("COMMAND INFO Client|KILL"),
              HasSubstr("*4\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n+@connection\r\n"));
  EXPECT_THAT(run("COMMAND INFO client"), HasSubstr(bulk("client|kill")));
  EXPECT_EQ(run("COMMAND INFO client|none get|x none|id"), "*3\r\n$-1\r\n$-1\r\n$-1\r\n");
  EXPECT_EQ(run("COMMAND LIST FILTERBY ACLCAT scripting"),
            "*2\r\n" + bulk("function|flush") + bulk("function|help"));
  EXPECT_EQ(run("COMMAND LIST FILTERBY PATTERN CLIENT|I*"),
            "*2\r\n" + bulk("client|id") + bulk("client|info"));
  EXPECT_EQ(run("COMMAND LIST FILTERBY ACLCAT none"), "*0\r\n");
  EXPECT_EQ(run("COMMAND LIST FILTERBY MODULE any"), "*0\r\n");
  for (const char* request : {"COMMAND LIST FOO", "COMMAND LIST FILTERBY",
                              "COMMAND LIST FOO PATTERN *", "COMMAND LIST FILTERBY PATTERN",
                              "COMMAND LIST FILTERBY FOO *", "COMMAND LIST FILTERBY PATTERN * *"}) {
    EXPECT_EQ(run(request), kSyntax) << request;
  }
  EXPECT_THAT(run("COMMAND DOCS client|id"), StartsWith("*2\r\n" + bulk("client|id")));
  EXPECT_EQ(run("COMMAND GETKEYS client none"), "-ERR Invalid command specified\r\n");
}

TEST(CommandTableTest, EveryCommandIsComplete) {
  for (const Command* command : all_commands().sorted()) {
    EXPECT_EQ(all_commands().find(command->name), command);
    EXPECT_NE(command->handler, nullptr) << command->name;
    EXPECT_NE(command->family, CommandFamily::kUnknown) << command->name;
    EXPECT_FALSE(command->summary.empty()) << command->name;
    for (const Command& subcommand : command->subcommands) {
      EXPECT_THAT(std::string(subcommand.name), StartsWith(std::string(command->name) + "|"));
      EXPECT_EQ(all_commands().find_full(subcommand.name), &subcommand);
      EXPECT_NE(subcommand.handler, nullptr) << subcommand.name;
      EXPECT_FALSE(subcommand.summary.empty()) << subcommand.name;
    }
  }
}

TEST(CommandTableTest, KeysOfARequestAreThoseTheTableNames) {
  const Command* const mset = all_commands().find("MSET");
  ASSERT_NE(mset, nullptr);
  const std::vector<std::string_view> request = {"MSET", "a", "1", "b", "2"};
  EXPECT_EQ(mset->keys_of(request), (std::vector<std::string_view>{"a", "b"}));
  const std::vector<std::string_view> short_request = {"RENAME", "a"};
  EXPECT_EQ(all_commands().find("rename")->keys_of(short_request),
            (std::vector<std::string_view>{"a"}));
}

TEST_F(RespCommandsTest, UnknownCommandsAreNamed) {
  EXPECT_EQ(run("FOO a b"), "-ERR unknown command 'FOO', with args beginning with: 'a' 'b' \r\n");
  EXPECT_EQ(run("MULTI"), "-ERR unknown command 'MULTI', with args beginning with: \r\n");
  EXPECT_EQ(client_.run({"a\r\nb"}), "-ERR unknown command 'a  b', with args beginning with: \r\n");
}

TEST_F(RespCommandsTest, APipelineIsAnsweredInOrder) {
  std::string requests;
  std::string replies;
  for (int i = 0; i < 1000; ++i) {
    requests += "SET k" + std::to_string(i) + " " + std::to_string(i) + "\r\nGET k" +
                std::to_string(i) + "\r\n";
    replies += "+OK\r\n" + bulk(std::to_string(i));
  }
  EXPECT_EQ(client_.send(requests), replies);
  EXPECT_FALSE(client_.mid_request());
  EXPECT_EQ(client_.send("*2\r\n$3\r\nGET\r\n"), "");
  EXPECT_TRUE(client_.mid_request());
}

TEST_F(RespCommandsTest, AProtocolErrorIsAnsweredAfterWhatWasGood) {
  EXPECT_EQ(client_.send("PING\r\n*1\r\nfoo\r\nPING\r\n"),
            "+PONG\r\n-ERR Protocol error: expected '$', got 'f'\r\n");
  EXPECT_TRUE(client_.closed());
}

TEST_F(RespCommandsTest, InAPipelineOnlyTheSkippedReplyIsMissing) {
  EXPECT_EQ(client_.send("PING a\r\nCLIENT REPLY SKIP\r\nPING b\r\nPING c\r\n"),
            "$1\r\na\r\n$1\r\nc\r\n");
}

TEST_F(RespCommandsTest, InAPipelineEveryErrorIsCounted) {
  const std::uint64_t before = server_.state().counters[0]->errors.value();
  client_.send("PING\r\nGET\r\nPING\r\nUNKNOWN\r\nPING -\r\n");
  EXPECT_EQ(server_.state().counters[0]->errors.value() - before, 2U);
}

TEST(RespFaultTest, AFaultIsAnsweredBehindTheWholeRepliesBeforeIt) {
  const std::array<Command, 2> commands = {
      Command{.name = "fine", .arity = 1, .handler = [](Call& call) { call.reply.ok(); }},
      Command{.name = "throws", .arity = 1, .handler = [](Call& call) {
                call.reply.array(2);
                call.reply.ok();
                throw std::runtime_error("of the test");
              }}};
  const CommandTable table{std::span<const Command>(commands)};
  RespTestServer server(small_server_options(), table);
  RespTestClient client(server);
  EXPECT_EQ(client.send_until_fault("FINE\r\nFINE\r\nTHROWS\r\nFINE\r\n"),
            "+OK\r\n+OK\r\n-ERR internal error\r\n");
}

TEST(RespAuthenticationTest, NothingWorksBeforeThePassword) {
  ServerOptions options = small_server_options();
  options.password = "secret";
  RespTestServer server(options);
  RespTestClient client(server);
  EXPECT_EQ(client.run({"GET", "a"}), "-NOAUTH Authentication required.\r\n");
  EXPECT_THAT(client.run({"HELLO", "3"}), StartsWith("-NOAUTH HELLO must be called"));
  EXPECT_THAT(client.run({"AUTH", "wrong"}), StartsWith("-WRONGPASS "));
  EXPECT_THAT(client.run({"AUTH", "someone", "secret"}), StartsWith("-WRONGPASS "));
  // In one pipeline: what follows AUTH is read as an authenticated client's.
  const std::string large(20'000, 'x');
  EXPECT_EQ(client.send("AUTH secret\r\n*3\r\n$3\r\nSET\r\n$1\r\na\r\n$20000\r\n" + large + "\r\n"),
            "+OK\r\n+OK\r\n");
  EXPECT_EQ(client.run({"RESET"}), "+RESET\r\n");
  EXPECT_EQ(client.run({"GET", "a"}), "-NOAUTH Authentication required.\r\n");
  EXPECT_THAT(client.run({"HELLO", "3", "AUTH", "default", "secret"}), StartsWith("%7\r\n"));
}

TEST(RespAuthenticationTest, AuthWithoutAPasswordIsExplained) {
  RespTestServer server;
  RespTestClient client(server);
  EXPECT_THAT(client.run({"AUTH", "x"}),
              StartsWith("-ERR AUTH <password> called without any password configured"));
  EXPECT_EQ(client.run({"AUTH", "default", "x"}), "+OK\r\n");
}

// While the only shard is held and its queue is full. Should a waiting write give up for want of
// processor time, the request waits in its place and gives up too.
TEST(RespBusyTest, AWriteThatTheShardDoesNotTakeIsRefusedAndCounted) {
  ServerOptions options = small_server_options();
  options.cache.shards = 1;
  options.cache.write_queue_capacity = 2;
  RespTestServer server(options);
  RespTestClient client(server);
  cache::Cache& cache = server.state().cache;
  const cache::Key key = cache.key("a");
  const std::vector<std::vector<std::string_view>> requests = {
      {"SET", "a", "1"}, {"SETNX", "a", "1"},    {"INCR", "a"},
      {"DEL", "a"},      {"EXPIRE", "a", "100"}, {"ORDER.PUT", "o", "pending", "x"}};
  std::vector<std::string> replies;
  std::array<std::thread, 2> waiters;
  const auto held = cache.write(key, server.now_ms(), [&](cache::Slot&) {
    for (std::uint32_t i = 0; i < waiters.size(); ++i) {
      waiters[i] = std::thread(
          [&] { static_cast<void>(cache.write(key, server.now_ms(), [](cache::Slot&) {})); });
      while (cache.shard_stats(0).queue_depth <= i) std::this_thread::yield();
    }
    std::thread([&] {
      for (const auto& request : requests) replies.push_back(client.run(request));
    }).join();
  });
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_EQ(held, cache::WriteStatus::kApplied);
  EXPECT_EQ(replies,
            std::vector<std::string>(requests.size(), "-BUSY shard queue is full, retry\r\n"));
  EXPECT_EQ(server.state().counters[0]->busy_rejections.value(), requests.size());
  EXPECT_EQ(client.run({"EXISTS", "a", "o"}), ":0\r\n");
}

TEST(RespMemoryTest, WritesAreRefusedOverTheMemoryLimit) {
  ServerOptions options = small_server_options();
  options.cache.memory_limit_bytes = std::uint64_t{32} << 20;
  RespTestServer server(options);
  RespTestClient client(server);
  const std::string value(1 << 20, 'x');
  std::string reply = "+OK\r\n";
  for (int i = 0; i < 200 && reply == "+OK\r\n"; ++i) {
    reply = client.run({"SET", std::to_string(i), value});
  }
  const std::string out_of_memory = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
  EXPECT_EQ(reply, out_of_memory);
  const std::vector<std::vector<std::string_view>> requests = {
      {"SETNX", "none", value},      {"SET", "none", value, "EX", "9"},
      {"SET", "none", value, "GET"}, {"GETSET", "none", value},
      {"APPEND", "none", value},     {"SETRANGE", "none", "0", value},
      {"MSET", "none", value},       {"RENAME", "0", "none"}};
  for (const auto& request : requests) EXPECT_EQ(client.run(request), out_of_memory) << request[0];
  EXPECT_EQ(client.run({"PING"}), "+PONG\r\n");
}

}  // namespace
}  // namespace vigil::server
