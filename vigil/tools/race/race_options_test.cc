// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/race_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

namespace vigil::tools::race {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Result<RaceOptions> parse(Subcommand subcommand, std::initializer_list<const char*> arguments) {
  const std::vector<const char*> words(arguments);
  return parse_race_options(subcommand, words);
}

std::string error_of(Subcommand subcommand, std::initializer_list<const char*> arguments) {
  const Result<RaceOptions> options = parse(subcommand, arguments);
  return options ? "" : options.error().message;
}

TEST(RaceOptionsTest, WhatFollowsTwoDashesIsTheProgram) {
  const auto options = parse(Subcommand::kRun, {"--seed", "7", "--", "./a", "--seed", "--"});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->seed, 7U);
  EXPECT_THAT(options->program, ElementsAre("./a", "--seed", "--"));
}

TEST(RaceOptionsTest, TheFirstWordThatIsNoOptionStartsTheProgramToo) {
  const auto options = parse(Subcommand::kRun, {"--keep-going", "./a", "--json"});
  ASSERT_TRUE(options.has_value());
  EXPECT_TRUE(options->keep_going);
  EXPECT_THAT(options->program, ElementsAre("./a", "--json"));
}

TEST(RaceOptionsTest, AValueMayFollowAnEqualsSign) {
  const auto options = parse(Subcommand::kRun, {"--json=a=b", "--strategy=pct", "--", "x"});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->json, "a=b");
  EXPECT_EQ(options->strategy, "pct");
}

TEST(RaceOptionsTest, TheModeDecidesHowManySchedulesAreUsual) {
  EXPECT_EQ(parse(Subcommand::kRun, {"--", "x"})->schedules, 100U);
  EXPECT_EQ(parse(Subcommand::kRun, {"--mode", "free", "--", "x"})->schedules, 1U);
  EXPECT_EQ(parse(Subcommand::kRun, {"--mode=free", "--schedules=5", "--", "x"})->schedules, 5U);
}

TEST(RaceOptionsTest, AReplayNeedsASeedOrAFile) {
  EXPECT_THAT(error_of(Subcommand::kReplay, {"--", "x"}), HasSubstr("--seed"));
  EXPECT_TRUE(parse(Subcommand::kReplay, {"--seed", "0", "--", "x"}).has_value());
  const auto options = parse(Subcommand::kMinimize, {"a.replay", "--", "x"});
  ASSERT_TRUE(options.has_value());
  EXPECT_EQ(options->file, "a.replay");
}

TEST(RaceOptionsTest, AnErrorSaysWhatWouldBeRight) {
  EXPECT_EQ(error_of(Subcommand::kRun, {"--jobs", "0", "--", "x"}),
            "--jobs 0: expected a whole number from 1 to 1024");
  EXPECT_THAT(error_of(Subcommand::kRun, {"--points", "some", "--", "x"}),
              HasSubstr("one of sync, memory, conflicts"));
  EXPECT_THAT(error_of(Subcommand::kRun, {"--seed", "1x", "--", "x"}), HasSubstr("--seed 1x"));
  EXPECT_EQ(error_of(Subcommand::kRun, {"--seed"}), "--seed needs a value");
  EXPECT_EQ(error_of(Subcommand::kRun, {"--sede", "1"}),
            "unknown option --sede; did you mean --seed?");
  EXPECT_EQ(error_of(Subcommand::kRun, {"--keep-going=1"}), "--keep-going takes no value");
  EXPECT_THAT(error_of(Subcommand::kRun, {"--json", ""}), HasSubstr("path"));
  EXPECT_THAT(error_of(Subcommand::kRun, {}), HasSubstr("no program"));
  EXPECT_THAT(error_of(Subcommand::kRun, {"--"}), HasSubstr("no program"));
}

TEST(RaceOptionsTest, AnOptionOfAnotherSubcommandIsUnknown) {
  EXPECT_EQ(error_of(Subcommand::kReplay, {"--schedules", "2"}), "unknown option --schedules");
}

TEST(RaceOptionsTest, TheHelpNamesEveryOptionOfTheSubcommand) {
  const std::string help = race_options_help(Subcommand::kMinimize);
  EXPECT_THAT(help, HasSubstr("--output FILE"));
  EXPECT_EQ(help.find("--schedules"), std::string::npos);
  EXPECT_TRUE(parse(Subcommand::kRun, {"--help", "--nonsense"})->help);
}

}  // namespace
}  // namespace vigil::tools::race
