// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vigil::tools::gate {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(PolicyTest, TheBuiltInPolicyHasTheThreeStagesInOrder) {
  const Policy policy = Policy::defaults();
  ASSERT_EQ(policy.stages.size(), 3U);
  EXPECT_EQ(policy.stages[0].name, "unit");
  EXPECT_EQ(policy.stages[0].event_chains_to_block, 1U);
  EXPECT_EQ(policy.stages[1].name, "integration");
  EXPECT_EQ(policy.stages[1].event_chains_to_block, 3U);
  EXPECT_EQ(policy.stages[2].name, "predeploy");
  EXPECT_THAT(policy.stages[2].scan_levels_to_block, testing::ElementsAre("error"));
  EXPECT_TRUE(policy.stop_at_write_write);
}

TEST(PolicyTest, AnUnknownStageIsAnErrorThatNamesTheKnownOnes) {
  const Result<StagePolicy> stage = Policy::defaults().stage("nightly");
  ASSERT_FALSE(stage);
  EXPECT_THAT(stage.error().message, HasSubstr("unit, integration, predeploy"));
}

TEST(PolicyTest, AMisspeltKeyIsAnErrorWithItsLine) {
  const Result<Policy> policy =
      Policy::parse("[[stage]]\nname = \"unit\"\nevent_chain_to_block = 9\n", "p.toml");
  ASSERT_FALSE(policy);
  EXPECT_THAT(policy.error().message, StartsWith("p.toml:3:24: event_chain_to_block: unknown key"));
}

TEST(PolicyTest, WhatCannotBeAPolicyIsRefused) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"", "a policy needs a [[stage]]"},
      {"[[stage]]\n", "a stage needs a name"},
      {"[[stage]]\nname = 3\n", "expected a text in quotes"},
      {"[[stage]]\nname = \"a\"\n[[stage]]\nname = \"a\"\n", "two stages named \"a\""},
      {"[[stage]]\nname = \"a\"\nevent_chains_to_block = -1\n", "expected a number, 0 or more"},
      {"[[stage]]\nname = \"a\"\nscan_levels_to_block = [\"high\"]\n", "is no level of SARIF"},
      {"pipeline = 3\n", "expected a table"},
      {"stage = [1]\n", "expected tables, [[stage]]"},
      {"[pipeline]\nstop_at_write_write = \"no\"\n", "expected true or false"},
      {"[[stage]\n", "p.toml:1"},
  };
  for (const auto& each : cases) {
    const Result<Policy> policy = Policy::parse(each.text, "p.toml");
    ASSERT_FALSE(policy) << each.text;
    EXPECT_THAT(policy.error().message, HasSubstr(each.message)) << each.text;
  }
}

TEST(PolicyTest, ExplainSaysInWordsWhatBlocksEachStage) {
  const std::string text = explain(Policy::defaults(), "");
  EXPECT_THAT(text, HasSubstr("unit: unit tests under a race detector"));
  EXPECT_THAT(text, HasSubstr("races: any one blocks"));
  EXPECT_THAT(text, HasSubstr("races: 3 or more distinct event chains block"));
  EXPECT_THAT(text, HasSubstr("results of these levels block: error"));
  EXPECT_THAT(text, HasSubstr("stops the pipeline at once"));
  EXPECT_THAT(explain(Policy::defaults(), "unit"), testing::Not(HasSubstr("integration")));
}

}  // namespace
}  // namespace vigil::tools::gate
