// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/run_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vigil::tools::gate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

RunLog read(std::string_view text) {
  RunLog log;
  log.feed(text);
  log.finish();
  return log;
}

TEST(RunLogTest, CountsWhatEachRunnerSays) {
  EXPECT_EQ(read("hello\n").tests_run(), std::nullopt);
  EXPECT_EQ(read("[==========] 12 tests from 3 test suites ran. (5 ms total)\n").tests_run(), 12U);
  EXPECT_EQ(read("100% tests passed, 0 tests failed out of 7\n").tests_run(), 7U);
  EXPECT_EQ(read("ok  \tsvc/a\t0.2s\nok  \tsvc/b\t(cached)\n").tests_run(), 2U);
}

TEST(RunLogTest, NoTestIsZeroNotUnknown) {
  EXPECT_EQ(read("[==========] 0 tests from 0 test suites ran. (0 ms total)\n").tests_run(), 0U);
  EXPECT_EQ(read("No tests were found!!!\n").tests_run(), 0U);
  EXPECT_EQ(read("?   \tsvc\t[no test files]\n").tests_run(), 0U);
  EXPECT_EQ(read("ok  \tsvc\t0.01s [no tests to run]\n").tests_run(), 0U);
}

TEST(RunLogTest, ReadsTheSameFromPieces) {
  const std::string text = "--- FAIL: TestA (0.00s)\n    a_test.go:3: boom\nFAIL\tsvc\t0.1s\r\n";
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    RunLog log;
    log.feed(std::string_view(text).substr(0, cut));
    log.feed(std::string_view(text).substr(cut));
    log.finish();
    EXPECT_EQ(log.tests_run(), 1U) << cut;
    EXPECT_THAT(log.other_failures(), ElementsAre("TestA failed, and not only because of a race"));
  }
}

TEST(RunLogTest, AGoTestThatOnlyRacedIsExplained) {
  const RunLog log = read(
      "WARNING: DATA RACE\n"
      "--- FAIL: TestA (0.00s)\n    testing.go:1319: race detected during execution of test\n"
      "FAIL\nFAIL\tsvc\t0.1s\nFAIL\n");
  EXPECT_THAT(log.other_failures(), IsEmpty());
  EXPECT_EQ(log.failures_by_race(), 1U);
  EXPECT_TRUE(log.saw_race());
}

TEST(RunLogTest, AGoSubtestExplainsItsParents) {
  const RunLog log = read(
      "--- FAIL: TestA (0.00s)\n"
      "    --- FAIL: TestA/one (0.00s)\n"
      "        testing.go:1319: race detected during execution of test\n"
      "    --- PASS: TestA/two (0.00s)\n"
      "FAIL\nFAIL\tsvc\t0.1s\n");
  EXPECT_THAT(log.other_failures(), IsEmpty());
  EXPECT_EQ(log.failures_by_race(), 1U);
}

TEST(RunLogTest, AGoTestThatAlsoLoggedIsNotExplained) {
  const RunLog log = read(
      "--- FAIL: TestA (0.00s)\n"
      "    a_test.go:9: got 3, want 4\n"
      "    testing.go:1319: race detected during execution of test\n"
      "--- FAIL: TestB (0.00s)\n"
      "    testing.go:1319: race detected during execution of test\nFAIL\nFAIL\tsvc\t0.1s\n");
  EXPECT_THAT(log.other_failures(), ElementsAre("TestA failed, and not only because of a race"));
  EXPECT_EQ(log.failures_by_race(), 1U);
}

TEST(RunLogTest, AGoPackageThatFailedWithoutAFailedTestIsNotExplained) {
  EXPECT_THAT(read("FAIL\tsvc [build failed]\n").other_failures(),
              ElementsAre("FAIL\tsvc [build failed]"));
  EXPECT_THAT(read("panic: boom\nFAIL\tsvc\t0.1s\n").other_failures(),
              ElementsAre("FAIL\tsvc\t0.1s"));
  EXPECT_THAT(read("exit status 66\nFAIL\tsvc\t0.1s\n").other_failures(), IsEmpty());
}

TEST(RunLogTest, GoEventsSayTheSameAsGoText) {
  const RunLog log = read(
      R"({"Action":"output","Test":"TestA","Output":"--- FAIL: TestA (0.00s)\n"})"
      "\n"
      R"({"Action":"output","Output":"    testing.go:1: race detected during execution of test\n"})"
      "\n"
      R"({"Action":"output","Output":"FAIL\tsvc\t0.1s\n"})"
      "\n");
  EXPECT_THAT(log.other_failures(), IsEmpty());
  EXPECT_EQ(log.failures_by_race(), 1U);
  EXPECT_EQ(log.tests_run(), 1U);
}

TEST(RunLogTest, ADetectorThatCouldNotStartIsAFailure) {
  EXPECT_THAT(read("FATAL: ThreadSanitizer: unexpected memory mapping 0x1-0x2\n").other_failures(),
              ElementsAre("FATAL: ThreadSanitizer: unexpected memory mapping 0x1-0x2"));
}

TEST(RunLogTest, AnEchoedGoCommandCountsOnlyIfTestsThenRan) {
  EXPECT_EQ(read("+ go test -race ./...\nok  \tsvc\t0.2s\n").go_race_command(),
            "+ go test -race ./...");
  EXPECT_EQ(read("+ go test -race ./...\n").go_race_command(), "");
  EXPECT_EQ(read("+ go test ./...\nok  \tsvc\t0.2s\n").go_race_command(), "");
}

TEST(RunLogTest, KnowsWhereCtestWorks) {
  EXPECT_EQ(read("Test project /src/build/tsan\n").ctest_folder(), "/src/build/tsan");
}

}  // namespace
}  // namespace vigil::tools::gate
