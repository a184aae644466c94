// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/bench/bench_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "vigil/tools/command.h"

namespace vigil::tools {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;

class BenchCommandTest : public ::testing::Test {
 protected:
  BenchCommandTest()
      : root_(fs::path(::testing::TempDir()) / ("vigil-" + std::to_string(getpid()))) {
    fs::create_directories(root_ / "build" / "release");
  }
  ~BenchCommandTest() override { fs::remove_all(root_); }

  const fs::path root_;
};

TEST_F(BenchCommandTest, TheScriptIsFoundAboveTheBuildFolder) {
  const fs::path program = root_ / "build" / "release" / "vigil";
  EXPECT_EQ(find_bench_script(program), std::nullopt);
  fs::create_directory(root_ / "scripts");
  std::ofstream(root_ / "scripts" / "bench_server.py") << "\n";
  EXPECT_EQ(find_bench_script(program), root_ / "scripts" / "bench_server.py");
}

TEST_F(BenchCommandTest, TheVigildBesideTheProgramIsMeasured) {
  const std::array<const char*, 1> arguments = {"--quick"};
  EXPECT_THAT(bench_server_command("/s/bench_server.py", "/b/vigil", arguments),
              ElementsAre("python3", "/s/bench_server.py", "--vigild", "/b/vigild", "--quick"));
}

TEST_F(BenchCommandTest, TheUserMayNameAnotherVigild) {
  const std::array<const char*, 1> arguments = {"--vigild=/x"};
  EXPECT_THAT(bench_server_command("/s/bench_server.py", "/b/vigil", arguments),
              ElementsAre("python3", "/s/bench_server.py", "--vigild=/x"));
}

TEST_F(BenchCommandTest, AnUnknownSubjectIsAUsageError) {
  const std::array<const char*, 1> arguments = {"sets"};
  EXPECT_EQ(run_bench(arguments), kUsage);
  EXPECT_EQ(run_bench({}), kUsage);
}

}  // namespace
}  // namespace vigil::tools
