// SPDX-License-Identifier: Apache-2.0
//
// Runs the programs of testdata/, built by each installed compiler, in free mode. The line
// "// EXPECT: ..." of a program's source says what must be reported: nothing, or one kind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

using testing::HasSubstr;
using testing::Not;

struct Outcome {
  int exit_code;
  std::string output;
};

Outcome run(const std::string& command) {
  std::FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return {-1, "popen failed"};
  std::string output;
  char buffer[4096];
  while (const std::size_t size = std::fread(buffer, 1, sizeof(buffer), pipe)) {
    output.append(buffer, size);
  }
  const int status = pclose(pipe);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), output};
}

std::string expectation_of(const std::string& program) {
  std::ifstream source(std::string(VIGIL_TESTDATA) + "/" + program + ".cc");
  std::string line;
  const std::string key = "// EXPECT: ";
  while (std::getline(source, line)) {
    if (line.starts_with(key)) return line.substr(key.size());
  }
  return "a line EXPECT in the source";
}

std::string program_path(const std::string& compiler, const std::string& program) {
  return std::string(VIGIL_PROGRAMS) + "/" + compiler + "/" + program;
}

// Parameters: compiler, program.
class RuntimeTest : public testing::TestWithParam<std::tuple<std::string, std::string>> {};

TEST_P(RuntimeTest, ReportsWhatItsSourceSays) {
  const auto& [compiler, program] = GetParam();
  const std::string path = program_path(compiler, program);
  if (!std::filesystem::exists(path)) GTEST_SKIP() << compiler << " is not installed";
  const Outcome outcome = run(path);
  const std::string expected = expectation_of(program);
  if (expected == "nothing") {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_THAT(outcome.output, Not(HasSubstr("vigil race:")));
  } else {
    EXPECT_EQ(outcome.exit_code, 66) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("vigil race: " + expected + "\n"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Programs, RuntimeTest,
    testing::Combine(testing::Values("default", "clang14", "clang19"),
                     testing::Values("atomic_operations", "copy_race", "double_free",
                                     "failed_exchange", "fences", "fiber_race", "fibers",
                                     "fork_while_busy", "free_race", "heap_contents", "heap_reuse",
                                     "library_user", "many_releases", "many_threads",
                                     "neighbouring_atomics", "plain_race", "use_after_free")),
    [](const auto& parameter) {
      return std::get<0>(parameter.param) + "_" + std::get<1>(parameter.param);
    });

TEST(RuntimeOptionsTest, RefusesUnknownKeysAndBadValues) {
  const std::string program = program_path("default", "plain_race");
  for (const char* options : {"colour=red", "seed=x", "mode=fast", "halt=2", "mode"}) {
    const Outcome outcome = run("VIGIL_RACE_OPTIONS='" + std::string(options) + "' " + program);
    EXPECT_EQ(outcome.exit_code, 2) << options;
    EXPECT_THAT(outcome.output, HasSubstr("VIGIL_RACE_OPTIONS")) << options;
  }
}

TEST(RuntimeOptionsTest, EndsWithTheChosenExitCode) {
  const std::string program = program_path("default", "plain_race");
  EXPECT_EQ(run("VIGIL_RACE_OPTIONS=exit_code=42 " + program).exit_code, 42);
  EXPECT_EQ(run("VIGIL_RACE_OPTIONS=exit_code=0 " + program).exit_code, 0);
  EXPECT_EQ(run("VIGIL_RACE_OPTIONS='halt=1 exit_code=43' " + program).exit_code, 43);
}

TEST(RuntimeReportTest, NamesBothThreadsAndWhereTheyWereCreated) {
  const Outcome outcome = run(program_path("default", "plain_race"));
  EXPECT_THAT(outcome.output, HasSubstr("by T2"));
  EXPECT_THAT(outcome.output, HasSubstr("earlier write of 4 bytes"));
  EXPECT_THAT(outcome.output, HasSubstr("T1 was created by T0 (main)"));
}

}  // namespace
