// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/advise/advise_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vigil::tools {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Result<Question> parse(std::vector<const char*> arguments) {
  std::string help;
  return parse_question(arguments, help);
}

TEST(AdviseCommandTest, NumbersMayBeWrittenWithAnExponent) {
  const Result<Question> question =
      parse({"--reads", "0.95", "--keys", "1e6", "--threads", "8", "--key-bytes", "16"});
  ASSERT_TRUE(question);
  EXPECT_EQ(question->keys, 1'000'000U);
  const MixPlan plan = plan_for(question.value());
  EXPECT_EQ(plan.cells(), 1U);
  EXPECT_THAT(plan.read_percents, ElementsAre(95));
  EXPECT_THAT(plan.key_bytes, ElementsAre(16));
}

TEST(AdviseCommandTest, NonsenseIsRefusedWithTheBounds) {
  for (const char* keys : {"0", "-1", "1.5", "1e99", "nan"}) {
    const Result<Question> question = parse({"--keys", keys});
    ASSERT_FALSE(question) << keys;
    EXPECT_THAT(question.error().message, HasSubstr("--keys")) << keys;
  }
  EXPECT_FALSE(parse({"--reads", "90"}));
}

TEST(AdviseCommandTest, TheMeasuredWinnerIsRecommendedWithItsReason) {
  Registry maps(2);
  maps[0].name = "One";
  maps[0].reason = "because of one";
  maps[1].name = "Two";
  maps[1].reason = "because of two";
  MapsResults results;
  results.cells = {{"One", "u64", 10, 90, 1, "uniform", 5, false},
                   {"Two", "u64", 10, 90, 1, "uniform", 9, false},
                   {"Peer", "u64", 10, 90, 1, "uniform", 7, true}};
  const std::string text = advice(results, maps);
  EXPECT_THAT(text, StartsWith("Two"));
  EXPECT_THAT(text, HasSubstr("Take Two: because of two."));
  EXPECT_THAT(text, Not(HasSubstr("was faster")));
}

TEST(AdviseCommandTest, APeerThatWasFasterIsNamed) {
  Registry maps(1);
  maps[0].name = "One";
  MapsResults results;
  results.cells = {{"One", "u64", 10, 90, 1, "uniform", 5, false},
                   {"Peer", "u64", 10, 90, 1, "uniform", 7, true}};
  EXPECT_THAT(advice(results, maps), HasSubstr("Peer was faster"));
}

}  // namespace
}  // namespace vigil::tools
