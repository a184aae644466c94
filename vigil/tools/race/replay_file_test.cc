// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/replay_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vigil::tools::race {
namespace {

using ::testing::HasSubstr;

constexpr const char* kText = R"(vigil replay 1
# T1 runs to a.cc:5; data race
seed 18446744073709551615
strategy pct
depth 4
points conflicts
time real
schedule-hash 12
finding race|f a.cc:5|g b b.cc:7
conflicts 4198710,4198760
follow decisions
run 1 12 2
clock 2 3
choice 1 0 1
)";

std::string error_of(std::string_view text) {
  const Result<ReplayFile> replay = parse_replay_file(text, "x.replay");
  return replay ? "" : replay.error().message;
}

TEST(ReplayFileTest, APrintedFileIsTheSameText) {
  const Result<ReplayFile> replay = parse_replay_file(kText, "x.replay");
  ASSERT_TRUE(replay.has_value()) << replay.error().message;
  EXPECT_EQ(to_text(*replay), kText);
  EXPECT_EQ(replay->finding, "race|f a.cc:5|g b b.cc:7");
  EXPECT_EQ(replay->decisions, "run 1 12 2\nclock 2 3\nchoice 1 0 1\n");
  EXPECT_EQ(replay->conflicts, "4198710,4198760");
}

TEST(ReplayFileTest, ItDecidesTheSchedule) {
  RaceOptions options;
  options.mode = "free";
  parse_replay_file(kText, "x.replay")->apply_to(&options);
  EXPECT_EQ(options.mode, "controlled");
  EXPECT_EQ(options.seed, 18446744073709551615U);
  EXPECT_EQ(options.strategy, "pct");
  EXPECT_EQ(options.depth, 4U);
  EXPECT_EQ(options.points, "conflicts");
  EXPECT_EQ(options.time, "real");
}

TEST(ReplayFileTest, NoDecisionsAndAnEmptyListOfThemDiffer) {
  EXPECT_FALSE(parse_replay_file("vigil replay 1\n", "x")->decisions.has_value());
  const auto empty = parse_replay_file("vigil replay 1\nfollow decisions\n", "x");
  EXPECT_EQ(empty->decisions, "");
  EXPECT_THAT(to_text(*empty), HasSubstr("follow decisions"));
}

TEST(ReplayFileTest, ALineThatIsNotUnderstoodIsNamed) {
  EXPECT_THAT(error_of("{}"), HasSubstr("x.replay: not a replay file"));
  EXPECT_THAT(error_of("vigil replay 2\n"), HasSubstr("not a replay file"));
  EXPECT_EQ(error_of("vigil replay 1\n\nseed x\n"), "x.replay:3: not understood: \"seed x\"");
  EXPECT_THAT(error_of("vigil replay 1\nstrategy a b\n"), HasSubstr(":2:"));
  EXPECT_THAT(error_of("vigil replay 1\nrun 1 2 3\n"), HasSubstr(":2:"));
}

}  // namespace
}  // namespace vigil::tools::race
