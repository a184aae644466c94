// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "vigil/server/config/setting.h"

namespace vigil::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// "" or the error.
std::string load(std::string_view toml, Config* config) {
  const Result<void> done = apply_toml(toml, "v.toml", config);
  return done ? "" : done.error().message;
}
std::string error_of(std::string_view toml) {
  Config config;
  return load(toml, &config);
}

Result<Invocation> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "vigild");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}
std::string flag_error(std::vector<const char*> arguments) {
  const Result<Invocation> invocation = parse(std::move(arguments));
  return invocation ? "" : invocation.error().message;
}

class TemporaryFile {
 public:
  explicit TemporaryFile(std::string_view text) { std::ofstream(path_) << text; }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  [[nodiscard]] const char* path() const { return path_.c_str(); }

 private:
  const std::string path_ = ::testing::TempDir() + "vigil-config-" + std::to_string(getpid());
};

TEST(ConfigTest, AFileSetsWhatItNames) {
  Config config;
  ASSERT_EQ(load(R"(
[server]
resp_port = 7000
[cache]
memory_limit = "2GiB"
hash = "md5-8"
[timeouts]
idle = "5m"
request = 250
[orders]
initial = ["new"]
[orders.transitions]
new = ["done", "failed"]
)",
                 &config),
            "");
  EXPECT_EQ(config.server.resp_port, 7000);
  EXPECT_EQ(config.server.cache.memory_limit_bytes, std::uint64_t{2} << 30);
  EXPECT_EQ(config.server.cache.hash, HashAlgorithm::kMd5);
  EXPECT_EQ(config.server.idle_timeout_ms, 300'000);
  EXPECT_EQ(config.server.request_timeout_ms, 250);
  const orders::TransitionTable& table = config.server.orders.table;
  EXPECT_EQ(table.names(), (std::vector<std::string>{"new", "done", "failed"}));
  EXPECT_TRUE(table.terminal(*table.find("done")));
  EXPECT_EQ(config.server.http_port, ServerOptions().http_port);
}

struct BadFile {
  const char* toml;
  const char* error;
};

TEST(ConfigTest, EveryErrorNamesPlaceKeyFindingAndRemedy) {
  const BadFile cases[] = {
      {"[server]\nresp_port = 70000\n",
       "v.toml:2:13: server.resp_port: found \"70000\", expected an integer from 0 to 65535"},
      {"[server]\nresp_port = \"6390\"\n",
       "v.toml:2:13: server.resp_port: found \"6390\", expected an integer from 0 to 65535"},
      {"[server]\n\nresp_port = -1\n",
       "v.toml:3:13: server.resp_port: found \"-1\", expected an integer from 0 to 65535"},
      {"[server]\nthreads = 1.5\n",
       "v.toml:2:11: server.threads: found a fraction, expected an integer from 0 to 256"},
      {"[server]\nbind = \"localhost\"\n",
       "v.toml:2:8: server.bind: found \"localhost\", expected a numeric IPv4 or IPv6 address"},
      {"[server]\nbind = [\"::1\"]\n",
       "v.toml:2:8: server.bind: found an array, expected a numeric IPv4 or IPv6 address"},
      {"[cache]\nshards = 100\n",
       "v.toml:2:10: cache.shards: found \"100\", expected a power of two from 1 to 4096"},
      {"[cache]\nhash = \"sha1\"\n",
       "v.toml:2:8: cache.hash: found \"sha1\", expected xxh3, md5-8 or crc32"},
      {"[cache]\nmemory_limit = \"4GB\"\n",
       "v.toml:2:16: cache.memory_limit: found \"4GB\", expected bytes, or a size such as "
       "\"4GiB\", "
       "from \"64MiB\" to \"32GiB\""},
      {"[cache]\nmemory_limit = \"99999999999999999999GiB\"\n",
       "v.toml:2:16: cache.memory_limit: found \"99999999999999999999GiB\", expected bytes, or a "
       "size "
       "such as \"4GiB\", from \"64MiB\" to \"32GiB\""},
      {"[timeouts]\nidle = \"5 minutes\"\n",
       "v.toml:2:8: timeouts.idle: found \"5 minutes\", expected milliseconds, or a time such as "
       "\"30s\", from 0 to \"720h\""},
      {"[server]\nlog_level = \"verbose\"\n",
       "v.toml:2:13: server.log_level: found \"verbose\", expected debug, info, warning, error or "
       "off"},
      {"[security]\nallow_unauthenticated = 1\n",
       "v.toml:2:25: security.allow_unauthenticated: found 1, expected true or false"},
      {"[server]\nrespport = 1\n",
       "v.toml:2:12: server.respport: unknown key; did you mean server.resp_port?"},
      {"[sever]\nbind = \"::1\"\n",
       "v.toml:2:8: sever.bind: unknown key; did you mean server.bind?"},
      {"xyzzy_plugh_frobnicate = 1\n", "v.toml:1:26: xyzzy_plugh_frobnicate: unknown key"},
      {"[sevrer]\n", "v.toml:1:1: sevrer: unknown key"},
      {"[orders]\ninitial = [\"a\"]\n",
       "v.toml:2:11: orders.initial: found without [orders.transitions], expected both or neither"},
      {"[orders.transitions]\na = [\"b\"]\n",
       "v.toml:1:1: orders.transitions: found without orders.initial, expected both or neither"},
      {"[orders]\ninitial = \"a\"\n",
       "v.toml:2:11: orders.initial: found \"a\", expected an array of statuses"},
      {"[orders]\ninitial = [\"a\"]\n[orders.transitions]\na = [1]\n",
       "v.toml:4:6: orders.transitions.a: found 1, expected a status in quotes"},
      {"# 分片\n[cache]\n哈希 = \"xxh3\"\n",
       "v.toml:3:1: found a character that is not ASCII outside of a string or comment; put it in "
       "quotes"},
      {"[server]\nbind = \"本机\"\n",
       "v.toml:2:8: server.bind: found \"本机\", expected a numeric IPv4 or IPv6 address"},
  };
  for (const BadFile& bad : cases) EXPECT_EQ(error_of(bad.toml), bad.error) << bad.toml;
  EXPECT_THAT(error_of("[server\n"), StartsWith("v.toml:1:8: "));
  EXPECT_THAT(error_of("[orders]\ninitial = []\n[orders.transitions]\na = [\"b\"]\n"),
              StartsWith("v.toml:3:1: orders.transitions: "));
}

TEST(ConfigTest, FlagsOverrideTheFile) {
  const TemporaryFile file("[server]\nresp_port = 1111\nhttp_port = 2222\n");
  const Result<Invocation> invocation =
      parse({"--config", file.path(), "--resp-port", "0", "--threads=2", "--shards", "128"});
  ASSERT_TRUE(invocation) << invocation.error().message;
  EXPECT_EQ(invocation->action, Invocation::Action::kServe);
  EXPECT_EQ(invocation->config.server.resp_port, 0);
  EXPECT_EQ(invocation->config.server.http_port, 2222);
  EXPECT_EQ(invocation->config.server.threads, 2U);
  EXPECT_EQ(invocation->config.server.cache.shards, 128U);
}

TEST(ConfigTest, FlagErrorsNameTheFlag) {
  EXPECT_EQ(flag_error({"--resp-port", "abc"}),
            "--resp-port: found \"abc\", expected an integer from 0 to 65535");
  EXPECT_EQ(flag_error({"--rep-port", "1"}),
            "--rep-port: unknown argument; did you mean --resp-port?");
  EXPECT_EQ(flag_error({"extra"}), "extra: unknown argument");
  EXPECT_THAT(flag_error({"--resp-port"}), HasSubstr("--resp-port"));
  EXPECT_EQ(flag_error({"--config", "/nowhere/v.toml"}),
            "--config: /nowhere/v.toml: cannot be read: No such file or directory");
}

TEST(ConfigTest, OtherMachinesNeedAPasswordOrAnExplicitYes) {
  EXPECT_THAT(flag_error({"--bind", "0.0.0.0"}), HasSubstr("no password is set; set "));
  EXPECT_EQ(flag_error({"--bind", "0.0.0.0", "--allow-unauthenticated"}), "");
  EXPECT_EQ(flag_error({"--bind", "::1"}), "");
  EXPECT_EQ(flag_error({"--bind", "127.8.8.8"}), "");
  const TemporaryFile secret("s3cret\r\nsecond line\n");
  const Result<Invocation> invocation =
      parse({"--bind", "0.0.0.0", "--password-file", secret.path()});
  ASSERT_TRUE(invocation);
  EXPECT_EQ(invocation->config.server.password, "s3cret");
}

TEST(ConfigTest, SecretFilesMustHoldASecret) {
  EXPECT_EQ(flag_error({"--password-file", "/nowhere"}),
            "security.password_file: /nowhere: cannot be read: No such file or directory");
  const TemporaryFile empty("\n");
  EXPECT_THAT(flag_error({"--admin-token-file", empty.path()}),
              HasSubstr("has an empty first line, expected the secret there"));
}

TEST(ConfigTest, LimitsMustFitTogether) {
  EXPECT_EQ(flag_error({"--output-high-water", "2MiB", "--output-limit", "1MiB"}),
            "limits.output_high_water: found more than limits.output, expected less");
}

TEST(ConfigTest, ThePrintedConfigurationLoadsBack) {
  const TemporaryFile file(
      "[server]\nthreads = 3\ndata_dir = \"a\\\"b\\\\c\\u0001订\"\n[limits]\noutput = 1048577\n"
      "[orders]\ninitial = [\"new order\", \"b\"]\n[orders.transitions]\n\"new order\" = "
      "[\"b\"]\n");
  const Result<Invocation> printed = parse({"--config", file.path(), "--print-config"});
  ASSERT_TRUE(printed) << printed.error().message;
  EXPECT_EQ(printed->action, Invocation::Action::kShowText);
  Config reloaded;
  EXPECT_EQ(load(printed->text, &reloaded), "");
  EXPECT_EQ(to_toml(reloaded), printed->text);
  EXPECT_EQ(reloaded.server.data_dir, "a\"b\\c\x01订");
  EXPECT_EQ(reloaded.server.output_limit_bytes, 1048577U);
  EXPECT_EQ(reloaded.server.orders.table.names(), (std::vector<std::string>{"new order", "b"}));
}

TEST(ConfigTest, TransitionTablesSurviveThePrintedFile) {
  Config defaults;
  Config reloaded;
  ASSERT_EQ(load(to_toml(defaults), &reloaded), "");
  EXPECT_EQ(to_toml(reloaded), to_toml(defaults));
  const orders::TransitionTable& table = reloaded.server.orders.table;
  EXPECT_TRUE(table.allowed(*table.find("refunding"), *table.find("paid")));
  EXPECT_TRUE(table.terminal(*table.find("expired")));

  Config looping;
  ASSERT_EQ(load("[orders]\ninitial = [\"a\"]\n[orders.transitions]\na = [\"a\"]\n", &looping), "");
  ASSERT_EQ(load(to_toml(looping), &reloaded), "");
  EXPECT_FALSE(reloaded.server.orders.table.terminal(0));
}

TEST(ConfigTest, HelpShowsEverySettingAndExamples) {
  const Result<Invocation> help = parse({"--help"});
  ASSERT_TRUE(help);
  EXPECT_THAT(help->text, HasSubstr("Examples:"));
  for (const Setting& setting : settings()) {
    EXPECT_THAT(help->text, HasSubstr(std::string(setting.flag))) << setting.key;
    Config defaults;
    EXPECT_FALSE(setting.help.empty());
    // Every default is a value that the setting itself allows, apart from empty texts.
    const std::string literal = toml_literal(setting, defaults);
    if (literal == "\"\"") continue;
    const std::size_t dot = setting.key.find('.');
    const std::string toml = "[" + std::string(setting.key.substr(0, dot)) + "]\n" +
                             std::string(setting.key.substr(dot + 1)) + " = " + literal;
    EXPECT_EQ(error_of(toml), "") << setting.key;
  }
  EXPECT_THAT(parse({"--version"})->text, StartsWith("vigild "));
}

// docs/configuration.md describes what exists.
TEST(ConfigTest, TheManualListsEverySetting) {
  std::ifstream file(std::string(VIGIL_SOURCE_DIR) + "/docs/configuration.md");
  const std::string manual((std::istreambuf_iterator<char>(file)), {});
  for (const Setting& setting : settings()) {
    EXPECT_THAT(manual, HasSubstr("| `" + std::string(setting.key) + "` | `" +
                                  std::string(setting.flag) + "` |"));
  }
}

TEST(ConfigTest, AnEmptyFileIsValidAndALargeOneIsRefused) {
  const auto error_of_file = [](std::string_view text) {
    const TemporaryFile file(text);
    return flag_error({"--config", file.path()});
  };
  EXPECT_EQ(error_of_file(""), "");
  EXPECT_EQ(flag_error({"--config", "/dev/null"}), "");
  EXPECT_THAT(flag_error({"--config", "/dev/zero"}), HasSubstr("more than 1 MiB"));
  EXPECT_THAT(flag_error({"--config", "/"}), HasSubstr("cannot be read: Is a directory"));
  const std::string comment = "#" + std::string((std::size_t{1} << 20) - 2, 'x') + "\n";
  EXPECT_EQ(error_of_file(comment), "");
  EXPECT_THAT(error_of_file(comment + "#"), HasSubstr("more than 1 MiB"));
}

TEST(ConfigTest, AKeyOfManyPartsIsRefused) {
  std::string key = "a";
  for (int i = 0; i < 131'000; ++i) key += ".a";
  EXPECT_THAT(error_of("\n" + key + " = 1\n"), StartsWith("v.toml:2:258: "));
  EXPECT_THAT(error_of("[" + key + "]\n"), StartsWith("v.toml:1:257: "));
  EXPECT_THAT(error_of("[server]\na = {" + key + " = 1}\n"), StartsWith("v.toml:2:261: "));
}

}  // namespace
}  // namespace vigil::server
