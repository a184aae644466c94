// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/recipe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace vigil::tools::race {
namespace {

using report::Finding;
using report::Kind;
using report::Stack;
using ::testing::ElementsAre;
using DecisionKind = RecipeDecision::Kind;

Stack at(std::string file, int line) {
  report::Frame frame;
  frame.function = "f";
  frame.file = "/src/" + std::move(file);
  frame.line = line;
  return {frame};
}

Finding race() {
  Finding finding;
  finding.kind = Kind::kRace;
  finding.accesses.resize(2);
  finding.accesses[0].thread = 2;
  finding.accesses[0].stack = at("clean.cc", 33);
  finding.accesses[1].thread = 1;
  finding.accesses[1].stack = at("cache.cc", 45);
  return finding;
}

TEST(RecipeTest, WithoutDecisionsTheAccessesAreTheRecipe) {
  EXPECT_THAT(recipe_steps({}, race()),
              ElementsAre("T1 runs to cache.cc:45", "T2 runs to clean.cc:33", "data race"));
}

TEST(RecipeTest, ThePlaceOfAPreemptionIsNotToldTwice) {
  EXPECT_THAT(recipe_steps({{DecisionKind::kRun, 1, at("cache.cc", 45), 2}}, race()),
              ElementsAre("T1 runs to cache.cc:45", "T2 runs as far as it can",
                          "T1 runs to cache.cc:45", "T2 runs to clean.cc:33", "data race"));
}

TEST(RecipeTest, AThreadThatIsChosenRunsToItsNextStep) {
  const std::vector<RecipeDecision> decisions = {
      {DecisionKind::kRun, 2, at("clean.cc", 30), 1},
      {DecisionKind::kRun, 1, at("cache.cc", 40), 2},
  };
  EXPECT_THAT(
      recipe_steps(decisions, race()),
      ElementsAre("T2 runs to clean.cc:30", "T1 runs to cache.cc:40", "T2 runs as far as it can",
                  "T1 runs to cache.cc:45", "T2 runs to clean.cc:33", "data race"));
}

TEST(RecipeTest, DeadlinesAndChoicesAreSteps) {
  const std::vector<RecipeDecision> decisions = {{DecisionKind::kClock, 0, at("main.cc", 5), 0},
                                                 {DecisionKind::kChoice, 1, {}, 1}};
  Finding finding;
  finding.kind = Kind::kDeadlock;
  report::Thread& thread = finding.threads.emplace_back();
  thread.id = 1;
  thread.stack = at("wait.cc", 7);
  EXPECT_THAT(
      recipe_steps(decisions, finding),
      ElementsAre("T0 'main' runs to main.cc:5", "the next deadline fires",
                  "of those that wait, number 2 is woken", "T1 waits at wait.cc:7", "deadlock"));
}

}  // namespace
}  // namespace vigil::tools::race
