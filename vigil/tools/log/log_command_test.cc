// SPDX-License-Identifier: Apache-2.0
//
// `vigil log`: what it prints and returns, on real directories.
#include "vigil/tools/log/log_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "vigil/base/files.h"
#include "vigil/log/log.h"
#include "vigil/log/log_reader.h"
#include "vigil/text/json.h"
#include "vigil/tools/command.h"

namespace vigil::tools {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

struct Output {
  int code = 0;
  std::string out;
  std::string err;
};

Output run(const std::vector<std::string>& arguments) {
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Output output;
  output.code = run_log(pointers);
  std::fflush(stdout);
  output.out = ::testing::internal::GetCapturedStdout();
  output.err = ::testing::internal::GetCapturedStderr();
  return output;
}

class IgnoringListener final : public log::CommitListener {
 public:
  void committed(log::Position /*position*/) noexcept override {}
  void failed(std::string_view /*reason*/) noexcept override {}
};

class LogCommandTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(path_.data()), nullptr);
    const Result<std::unique_ptr<log::Directory>> directory = log::Directory::open(path_);
    ASSERT_TRUE(directory) << directory.error().message;
    IgnoringListener listener;
    log::LogOptions options;
    options.identity = {64, "xxh3", 0};
    options.segment_bytes = 64 * 1024;
    options.record_bytes_max = 1000;
    const Result<std::unique_ptr<log::Log>> log =
        log::Log::open(**directory, log::LogEnd{}, options, listener);
    ASSERT_TRUE(log) << log.error().message;
    for (int i = 0; i < 10; ++i) {
      const std::string key = "key:" + std::to_string(i);
      log::Record record;
      record.shard = 3;
      record.version = 7;
      record.key = key;
      record.value = "a \"value\"\n";
      (*log)->append(record);
      ASSERT_TRUE((*log)->wait_durable((*log)->tail()));
    }
    ASSERT_TRUE((*log)->close());
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  // Turns a byte of the first segment, behind its header.
  void damage(std::size_t at) {
    const std::string path = path_ + "/" + log::segment_name(0);
    Result<std::string> bytes = read_file(path);
    ASSERT_TRUE(bytes);
    (*bytes)[log::kHeaderBlockBytes + at] ^= 1;
    ASSERT_TRUE(write_file(path, *bytes));
  }

  std::string path_ = ::testing::TempDir() + "vigil-log-command-XXXXXX";
};

TEST_F(LogCommandTest, DumpsRecordsAsLines) {
  const Output output = run({"dump", path_, "--limit", "2", "--values"});
  EXPECT_EQ(output.code, kClean) << output.err;
  EXPECT_THAT(output.out, HasSubstr(" stored string shard 3 version 7 key \"key:1\" value "
                                    "\"a \\\"value\\\"\\x0a\"\n"));
  EXPECT_EQ(std::count(output.out.begin(), output.out.end(), '\n'), 2);
  EXPECT_THAT(run({"dump", path_}).out, HasSubstr("value_bytes 10"));
  EXPECT_THAT(run({"dump", path_, "--marks"}).out,
              AllOf(HasSubstr("mark opened"), HasSubstr("mark durable"), HasSubstr("mark closed")));
}

TEST_F(LogCommandTest, DumpsRecordsAsJson) {
  const Output output = run({"dump", path_, "--json", "-", "--values", "--marks"});
  EXPECT_EQ(output.code, kClean) << output.err;
  std::size_t begin = 0;
  int lines = 0;
  for (std::size_t end = 0; (end = output.out.find('\n', begin)) != std::string::npos; ++lines) {
    EXPECT_TRUE(text::is_json(std::string_view(output.out).substr(begin, end - begin)));
    begin = end + 1;
  }
  EXPECT_GE(lines, 12);
  EXPECT_THAT(output.out, HasSubstr(R"("key":"key:9","value_bytes":10,"value":"a \"value\"\n")"));
}

TEST_F(LogCommandTest, ChecksASoundLog) {
  const Output output = run({"check", path_});
  EXPECT_EQ(output.code, kClean) << output.out << output.err;
  EXPECT_THAT(output.out, AllOf(HasSubstr("10 records"), HasSubstr("closed in order\nclean\n")));
}

TEST_F(LogCommandTest, ChecksAndRepairsADamagedLog) {
  damage(100);
  const Output check = run({"check", path_});
  EXPECT_EQ(check.code, kFindings);
  EXPECT_THAT(check.out, AllOf(HasSubstr("damage: " + path_ + "/log."), HasSubstr("offset 4"),
                               HasSubstr("vigil log repair")));
  const Output json = run({"check", path_, "--json", "-"});
  EXPECT_TRUE(text::is_json(json.out)) << json.out;
  EXPECT_THAT(json.out, HasSubstr("\"kind\": \"damage\""));
  EXPECT_EQ(run({"dump", path_}).code, kFindings);

  const Output repair = run({"repair", path_});
  EXPECT_EQ(repair.code, kFindings) << repair.err;
  EXPECT_THAT(repair.out, AllOf(HasSubstr("repaired: "), HasSubstr("9 records can be read")));
  EXPECT_EQ(run({"check", path_}).code, kClean);
  EXPECT_EQ(run({"repair", path_}).code, kClean) << "there is nothing left to do";
  EXPECT_TRUE(std::filesystem::exists(path_ + "/saved." + log::segment_name(0)));
}

TEST_F(LogCommandTest, RefusesWhatItCannotOpen) {
  const Output absent = run({"check", path_ + "/nothing"});
  EXPECT_EQ(absent.code, kUsage);
  EXPECT_THAT(absent.err, HasSubstr("no data directory"));
  const Result<std::unique_ptr<log::Directory>> server = log::Directory::open(path_);
  ASSERT_TRUE(server);
  for (const char* const action : {"dump", "check", "repair"}) {
    const Output output = run({action, path_});
    EXPECT_EQ(output.code, kUsage);
    EXPECT_THAT(output.err, HasSubstr("in use by process"));
  }
}

TEST_F(LogCommandTest, SaysHowItIsUsed) {
  EXPECT_EQ(run({}).code, kUsage);
  const Output help = run({"--help"});
  EXPECT_EQ(help.code, kClean);
  EXPECT_THAT(help.out, AllOf(HasSubstr("vigil log repair DIR"), HasSubstr("Examples:"),
                              HasSubstr("Exit codes:")));
  EXPECT_EQ(run({"polish", path_}).code, kUsage);
  EXPECT_EQ(run({"check"}).code, kUsage);
  EXPECT_EQ(run({"check", path_, "--values"}).code, kUsage);
}

}  // namespace
}  // namespace vigil::tools
