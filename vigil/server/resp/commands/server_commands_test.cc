// SPDX-License-Identifier: Apache-2.0
//
// What programs ask a server about itself: INFO, COMMAND, CLIENT, MONITOR, SHUTDOWN.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "vigil/server/resp/commands/test_session.h"

namespace vigil::server {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

class ServerCommandsTest : public ::testing::Test {
 protected:
  std::string run(std::string_view words) { return run_as(client_, words); }

  static std::string run_as(RespTestClient& client, std::string_view words) {
    return client.send(std::string(words) + "\r\n");
  }
  // The value of a field of INFO; "-" if it is not there.
  std::string info(std::string_view section, const std::string& field) {
    const std::string text = run("INFO " + std::string(section));
    const std::size_t at = text.find("\n" + field + ":");
    if (at == std::string::npos) return "-";
    const std::size_t start = at + field.size() + 2;
    return text.substr(start, text.find('\r', start) - start);
  }

  RespTestServer server_;
  RespTestClient client_{server_};
};

TEST_F(ServerCommandsTest, InfoHasTheSectionsOfRedis) {
  const auto titles = [&](const std::string& request) {
    const std::string text = run(request);
    std::string found;
    for (std::size_t at = 0; (at = text.find("# ", at)) != std::string::npos; ++at) {
      found += text.substr(at + 2, text.find('\r', at) - at - 2) + " ";
    }
    return found;
  };
  const std::string by_default =
      "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster "
      "Keyspace ";
  EXPECT_EQ(titles("INFO"), by_default);
  EXPECT_EQ(titles("INFO default"), by_default);
  EXPECT_EQ(titles("INFO everything"),
            "Server Clients Memory Persistence Stats Replication CPU Modules Commandstats "
            "Errorstats Latencystats Cluster Keyspace ");
  EXPECT_EQ(titles("INFO all"),
            "Server Clients Memory Persistence Stats Replication CPU Commandstats Errorstats "
            "Latencystats Cluster Keyspace ");
  EXPECT_EQ(titles("INFO cpu KEYSPACE nothing"), "CPU Keyspace ");
}

TEST_F(ServerCommandsTest, InfoHasWhatClientsReadAtTheirStart) {
  EXPECT_EQ(info("", "cluster_enabled"), "0");
  EXPECT_EQ(info("", "redis_mode"), "standalone");
  EXPECT_EQ(info("", "loading"), "0");
  EXPECT_EQ(info("", "role"), "master");
  EXPECT_EQ(info("", "run_id").size(), 40U);
  EXPECT_EQ(info("", "run_id"), info("", "master_replid"));
}

TEST_F(ServerCommandsTest, MemoryIsThatOfTheProcessAndItsPeakStays) {
  const auto number = [&](const std::string& field) { return std::stoull(info("memory", field)); };
  EXPECT_GT(number("used_memory_rss"), std::uint64_t{1} << 20);
  EXPECT_GT(number("total_system_memory"), number("used_memory_rss"));
  const std::uint64_t before = number("used_memory");
  run("SET big " + std::string(60'000, 'x'));
  const std::uint64_t full = number("used_memory");
  EXPECT_GE(full, before + 60'000);
  run("DEL big");
  EXPECT_LT(number("used_memory"), full);
  EXPECT_GE(number("used_memory_peak"), full);
}

TEST_F(ServerCommandsTest, EveryCommandIsCountedWithItsFailures) {
  run("SET k v");
  run("GET k");
  run("GET k");
  run("INCR k");     // fails
  run("INCR");       // rejected
  run("CLIENT ID");  // counted under its full name
  run("NOSUCH thing");
  run("GET k");
  EXPECT_THAT(info("commandstats", "cmdstat_get"),
              MatchesRegex("calls=3,usec=[0-9]+,usec_per_call=[0-9.]+,rejected_calls=0,"
                           "failed_calls=0"));
  EXPECT_THAT(info("commandstats", "cmdstat_incr"),
              AllOf(StartsWith("calls=2,"), HasSubstr("rejected_calls=1,failed_calls=1")));
  EXPECT_THAT(info("commandstats", "cmdstat_client|id"), StartsWith("calls=1,"));
  EXPECT_EQ(info("commandstats", "cmdstat_client"), "-");
  EXPECT_EQ(info("errorstats", "errorstat_ERR"), "count=3");
  EXPECT_THAT(info("latencystats", "latency_percentiles_usec_get"),
              MatchesRegex("p50=[0-9.]+,p99=[0-9.]+,p99.9=[0-9.]+"));

  EXPECT_EQ(run("CONFIG RESETSTAT"), "+OK\r\n");
  server_.deliver();
  EXPECT_EQ(info("commandstats", "cmdstat_get"), "-");
  EXPECT_EQ(info("errorstats", "errorstat_ERR"), "-");
}

TEST_F(ServerCommandsTest, CountsInAPipelineAreThoseOfItsRequests) {
  client_.send("SET a 1\r\nGET a\r\nGET a\r\nCLIENT ID\r\nCLIENT GETNAME\r\nGET a\r\nNO\r\n");
  EXPECT_THAT(info("commandstats", "cmdstat_get"), StartsWith("calls=3,"));
  EXPECT_THAT(info("commandstats", "cmdstat_set"), StartsWith("calls=1,"));
  EXPECT_THAT(info("commandstats", "cmdstat_client|id"), StartsWith("calls=1,"));
  EXPECT_THAT(info("commandstats", "cmdstat_client|getname"), StartsWith("calls=1,"));
}

TEST_F(ServerCommandsTest, KeyspaceTellsWhatIsLeftOnAverage) {
  EXPECT_EQ(info("keyspace", "db0"), "-");
  run("SET a 1");
  EXPECT_EQ(info("keyspace", "db0"), "keys=1,expires=0,avg_ttl=0");
  run("SET b 1 PX 100000");
  run("SET c 1 PX 300000");
  EXPECT_EQ(info("keyspace", "db0"), "keys=3,expires=2,avg_ttl=200000");
}

TEST_F(ServerCommandsTest, EveryContainerHelps) {
  for (const std::string_view container : {"CLIENT", "COMMAND", "CONFIG", "PUBSUB", "FUNCTION"}) {
    const std::string help = run(std::string(container) + " HELP");
    EXPECT_THAT(help, AllOf(HasSubstr("+" + std::string(container) + " <subcommand>"),
                            HasSubstr("+HELP\r\n+    Prints this help.\r\n")));
  }
  EXPECT_EQ(run("CLIENT HELP extra"),
            "-ERR wrong number of arguments for 'client|help' command\r\n");
}

TEST_F(ServerCommandsTest, CommandInfoTellsWhereTheKeysAre) {
  const std::string get = run("COMMAND INFO get");
  EXPECT_THAT(get, HasSubstr("$5\r\nflags\r\n*2\r\n+RO\r\n+access\r\n$12\r\nbegin_search\r\n"));
  EXPECT_THAT(get,
              HasSubstr("$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n"));
  EXPECT_THAT(run("COMMAND INFO mset"),
              HasSubstr("$7\r\nlastkey\r\n:-1\r\n$7\r\nkeystep\r\n:2\r\n"));
  const std::string rename = run("COMMAND INFO rename");
  EXPECT_THAT(rename, AllOf(HasSubstr("+RW\r\n+access\r\n+delete"), HasSubstr("+OW\r\n+update")));
  EXPECT_EQ(run("COMMAND GETKEYSANDFLAGS RENAME a b"),
            "*2\r\n*2\r\n$1\r\na\r\n*3\r\n+RW\r\n+access\r\n+delete\r\n"
            "*2\r\n$1\r\nb\r\n*2\r\n+OW\r\n+update\r\n");
  EXPECT_THAT(run("COMMAND DOCS get"), AllOf(HasSubstr("$5\r\nsince\r\n$5\r\n1.0.0\r\n"),
                                             HasSubstr("$5\r\ngroup\r\n$6\r\nstring\r\n"),
                                             HasSubstr("$10\r\ncomplexity\r\n$4\r\nO(1)\r\n")));
}

TEST(CommandRowsTest, EveryKeyHasItsUse) {
  for (const Command& command : all_commands().rows()) {
    EXPECT_EQ(command.keys.first == 0, command.access.empty()) << command.name;
    EXPECT_NE(command.summary, "") << command.name;
  }
}

TEST_F(ServerCommandsTest, ClientsAreDescribedWithTheirLibraries) {
  EXPECT_EQ(run("CLIENT SETINFO lib-name redis-py"), "+OK\r\n");
  EXPECT_EQ(run("CLIENT SETINFO LIB-VER 5.0.1"), "+OK\r\n");
  EXPECT_THAT(client_.run({"CLIENT", "SETINFO", "lib-ver", "a b"}),
              StartsWith("-ERR lib-ver cannot contain spaces"));
  EXPECT_THAT(run("CLIENT SETINFO color red"), StartsWith("-ERR Unrecognized option 'color'"));
  EXPECT_THAT(
      run("CLIENT INFO"),
      AllOf(HasSubstr(" qbuf=0 "), HasSubstr(" oll=0 omem=0 tot-mem=0 "),
            HasSubstr(" cmd=client|info "), HasSubstr(" lib-name=redis-py lib-ver=5.0.1 ")));
  EXPECT_EQ(run("CLIENT NO-TOUCH ON"), "+OK\r\n");
  EXPECT_EQ(run("CLIENT NO-EVICT ON"), "+OK\r\n");
  EXPECT_THAT(run("CLIENT LIST"), AllOf(HasSubstr(" flags=eT "), HasSubstr(" cmd=client|list ")));
  EXPECT_EQ(run("CLIENT UNBLOCK 1"), ":0\r\n");
  EXPECT_THAT(run("CLIENT TRACKINGINFO"), HasSubstr("$3\r\noff\r\n"));
}

TEST_F(ServerCommandsTest, AMonitorSeesWhatIsExecuted) {
  RespTestClient monitor(server_);
  EXPECT_EQ(run_as(monitor, "MONITOR"), "+OK\r\n");
  const auto shown = [&](const std::string& request) {
    run(request);
    return monitor.received();
  };
  EXPECT_THAT(shown("SET k \"a\\r\\n\\x01\\\"\\\\\""),
              MatchesRegex("\\+[0-9]+\\.[0-9]{6} \\[0 [^]]*\\] \"SET\" \"k\" "
                           "\"a\\\\r\\\\n\\\\x01\\\\\"\\\\\\\\\"\r\n"));
  EXPECT_THAT(shown("CLIENT ID"), HasSubstr("\"CLIENT\" \"ID\""));
  for (const std::string hidden : {"CONFIG GET port", "CLIENT LIST", "INCR", "NOSUCH", "MONITOR"}) {
    RespTestClient other(server_);
    run_as(other, hidden);
    EXPECT_EQ(monitor.received(), "") << hidden;
  }
  EXPECT_THAT(shown("AUTH secret"),
              AllOf(HasSubstr("\"AUTH\" \"(redacted)\""), Not(HasSubstr("secret"))));
  EXPECT_THAT(run("CLIENT LIST"), HasSubstr(" flags=O "));
  EXPECT_EQ(run_as(monitor, "RESET"), "+RESET\r\n");
  static_cast<void>(monitor.received());
  EXPECT_EQ(shown("GET k"), "");
}

TEST_F(ServerCommandsTest, ShutdownEndsTheServerWithoutAReply) {
  int ended = 0;
  server_.state().stop_process = [&ended] { ++ended; };
  EXPECT_EQ(run("SHUTDOWN LATER"), "-ERR syntax error\r\n");
  EXPECT_EQ(run("SHUTDOWN ABORT"), "-ERR No shutdown in progress.\r\n");
  EXPECT_EQ(ended, 0);
  EXPECT_EQ(run("SHUTDOWN NOSAVE NOW"), "");
  EXPECT_EQ(ended, 1);
  EXPECT_TRUE(client_.closed());
}

TEST_F(ServerCommandsTest, WhoMeantHttpIsToldSoAndNothingIsExecuted) {
  server_.state().http_port = 8390;
  for (const std::string line : {"GET / HTTP/1.1", "PUT / HTTP/1.1", "FROB x HTTP/9"}) {
    RespTestClient peer(server_);
    const std::string answer = peer.send(line + "\r\nX: y\r\n\r\nSET pwned 1\r\n");
    EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 400 "), HasSubstr("8390")));
    EXPECT_TRUE(peer.closed());
  }
  EXPECT_EQ(run("EXISTS pwned"), ":0\r\n");
  EXPECT_EQ(run("SET k HTTP/1.1 EX 10"), "+OK\r\n");
}

TEST_F(ServerCommandsTest, WhoMeantTlsIsToldSo) {
  EXPECT_THAT(client_.send("\x16\x03\x01\x02"), HasSubstr("without TLS"));
  EXPECT_TRUE(client_.closed());
}

}  // namespace
}  // namespace vigil::server
