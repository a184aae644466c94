// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

namespace vigil::tools::gate {
namespace {

struct Seen {
  std::string out;
  std::string err;
};

Result<CommandResult> run(const std::string& script, Seen* seen) {
  return run_command(
      {"/bin/sh", "-c", script}, [seen](std::string_view bytes) { seen->out += bytes; },
      [seen](std::string_view bytes) { seen->err += bytes; });
}

TEST(CommandTest, BothStreamsAndTheExitCodeArrive) {
  Seen seen;
  const Result<CommandResult> result = run("echo out; echo err >&2; exit 7", &seen);
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->exit_code, 7);
  EXPECT_EQ(seen.out, "out\n");
  EXPECT_EQ(seen.err, "err\n");
}

TEST(CommandTest, ASignalIsToldApartFromAnExitCode) {
  Seen seen;
  const Result<CommandResult> result = run("kill -KILL $$", &seen);
  ASSERT_TRUE(result);
  EXPECT_EQ(result->signal, SIGKILL);
  EXPECT_EQ(result->exit_code, 128 + SIGKILL);
}

TEST(CommandTest, MoreThanAPipeHoldsArrivesWhole) {
  Seen seen;
  ASSERT_TRUE(run("head -c 70000 /dev/zero | tr '\\0' x", &seen));
  EXPECT_EQ(seen.out, std::string(70000, 'x'));
}

// The pipe stays open in a process that outlives the command; it is not waited for.
TEST(CommandTest, ADaemonDoesNotHoldTheGate) {
  Seen seen;
  const Result<CommandResult> result = run("sleep 1000 & echo $!", &seen);
  ASSERT_TRUE(result);
  const pid_t daemon = static_cast<pid_t>(std::stol(seen.out));
  EXPECT_EQ(kill(daemon, SIGKILL), 0);
}

TEST(CommandTest, AProgramThatDoesNotExistIsAnError) {
  const auto ignore = [](std::string_view) {};
  const Result<CommandResult> result = run_command({"/nonexistent/x"}, ignore, ignore);
  ASSERT_FALSE(result);
  EXPECT_THAT(result.error().message, testing::HasSubstr("cannot run /nonexistent/x"));
}

}  // namespace
}  // namespace vigil::tools::gate
