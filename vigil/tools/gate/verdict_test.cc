// SPDX-License-Identifier: Apache-2.0
//
// The lines of the default policy's table, one by one, and what may not pass whatever was found.
#include "vigil/tools/gate/verdict.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vigil/tools/gate/testing_issues.h"

namespace vigil::tools::gate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing_issues::read_write;
using testing_issues::scanned;
using testing_issues::write_write;

Input proven(std::string name = "race.log") {
  Input input;
  input.name = std::move(name);
  input.proofs = {"the go command runs with -race"};
  input.tests_run = 4;
  return input;
}

Case case_at(std::string_view stage, std::vector<Issue> issues) {
  const Policy policy = Policy::defaults();
  Case judged;
  judged.stage = policy.stage(stage).value();
  judged.stop_at_write_write = policy.stop_at_write_write;
  judged.issues = std::move(issues);
  judged.inputs = {proven()};
  return judged;
}

CommandOutcome command(int exit_code) {
  CommandOutcome outcome;
  outcome.arguments = {"x_test"};
  outcome.result.exit_code = exit_code;
  return outcome;
}

// ---- The table ----

TEST(PolicyTableTest, UnitTestsWithoutARacePass) {
  const Verdict verdict = judge(case_at("unit", {}));
  EXPECT_EQ(verdict.outcome, Outcome::kPassed);
  EXPECT_TRUE(verdict.next_stage_may_run);
  EXPECT_THAT(verdict.reasons, IsEmpty());
}

TEST(PolicyTableTest, AnyRaceBlocksUnitTests) {
  const Verdict verdict = judge(case_at("unit", {read_write("Get", "Set")}));
  EXPECT_EQ(verdict.outcome, Outcome::kBlocked);
  EXPECT_THAT(verdict.reasons, ElementsAre("1 distinct event chain; any one blocks this stage"));
  EXPECT_TRUE(verdict.issues[0].blocks);
}

TEST(PolicyTableTest, TwoEventChainsPassIntegrationTests) {
  const Verdict verdict =
      judge(case_at("integration", {read_write("Get", "Set"), read_write("Get", "Clean")}));
  EXPECT_EQ(verdict.outcome, Outcome::kPassed);
  EXPECT_EQ(verdict.event_chains, 2U);
  EXPECT_THAT(verdict.notes, ElementsAre("2 distinct event chains; 3 block this stage"));
}

TEST(PolicyTableTest, ThreeEventChainsBlockIntegrationTests) {
  const Verdict verdict =
      judge(case_at("integration", {read_write("Get", "Set"), read_write("Get", "Clean"),
                                    read_write("List", "Clean")}));
  EXPECT_EQ(verdict.outcome, Outcome::kBlocked);
  EXPECT_THAT(verdict.reasons, ElementsAre("3 distinct event chains; 3 or more block this stage"));
}

TEST(PolicyTableTest, AHighRiskPatternBlocksBeforeDeployment) {
  const Verdict verdict = judge(case_at("predeploy", {scanned("unlocked-map", "error")}));
  EXPECT_EQ(verdict.outcome, Outcome::kBlocked);
  EXPECT_THAT(verdict.reasons, ElementsAre("1 high-risk static pattern"));
}

TEST(PolicyTableTest, ALowRiskPatternPassesBeforeDeployment) {
  EXPECT_EQ(judge(case_at("predeploy", {scanned("unlocked-map", "warning")})).outcome,
            Outcome::kPassed);
}

TEST(PolicyTableTest, AWriteWriteConflictStopsThePipelineAtOnceInEveryStage) {
  for (const char* const stage : {"unit", "integration", "predeploy"}) {
    const Verdict verdict = judge(case_at(stage, {write_write("Set", "Clean")}));
    EXPECT_EQ(verdict.outcome, Outcome::kBlocked) << stage;
    EXPECT_FALSE(verdict.next_stage_may_run) << stage;
    EXPECT_THAT(verdict.reasons.back(), HasSubstr("write-write conflict stops the pipeline"));
  }
}

TEST(PolicyTableTest, AfterAReadWriteConflictTheNextStageRuns) {
  const Verdict verdict = judge(case_at("unit", {read_write("Get", "Set")}));
  EXPECT_EQ(verdict.outcome, Outcome::kBlocked);
  EXPECT_TRUE(verdict.next_stage_may_run);
}

TEST(PolicyTableTest, AMapsOwnReportOfTwoWritesIsAWriteWriteConflictWithOneStack) {
  report::Finding finding;
  finding.kind = report::Kind::kMapWrites;
  finding.accesses = {testing_issues::access(report::Operation::kMapWrite, "Set", "cache.go")};
  EXPECT_FALSE(judge(case_at("integration", {testing_issues::issue(finding)})).next_stage_may_run);
}

// ---- What a policy may change ----

TEST(VerdictTest, WhatWasNotUnderstoodBlocksWhateverIsTrusted) {
  Case judged = case_at("unit", {});
  judged.trust_log = true;
  judged.inputs[0].damage = {"race.log: line 3: not valid JSON"};
  const Verdict verdict = judge(std::move(judged));
  EXPECT_EQ(verdict.outcome, Outcome::kBlocked);
  EXPECT_TRUE(verdict.has_damaged_input);
  EXPECT_FALSE(verdict.next_stage_may_run);
  EXPECT_THAT(verdict.reasons, ElementsAre("race.log: line 3: not valid JSON"));
}

TEST(VerdictTest, ARuleNamedHighRiskBlocksAtAnyLevel) {
  Case judged = case_at("predeploy", {scanned("vigil-unlocked-map", "note")});
  judged.stage.scan_rules_to_block = {"vigil-*"};
  EXPECT_EQ(judge(std::move(judged)).outcome, Outcome::kBlocked);
}

TEST(VerdictTest, ScannerResultsAreNoEventChains) {
  EXPECT_EQ(judge(case_at("unit", {scanned("unlocked-map", "error")})).outcome, Outcome::kPassed);
}

TEST(VerdictTest, KnownAndSuppressedIssuesDoNotBlock) {
  Issue known = write_write("Set", "Clean");
  known.status = Issue::Status::kKnown;
  Issue suppressed = read_write("Get", "Set");
  suppressed.status = Issue::Status::kSuppressed;
  const Verdict verdict = judge(case_at("unit", {known, suppressed}));
  EXPECT_EQ(verdict.outcome, Outcome::kPassed);
  EXPECT_TRUE(verdict.next_stage_may_run);
}

// ---- The run itself ----

TEST(VerdictTest, ALogWithoutProofIsRefused) {
  Case judged = case_at("unit", {});
  judged.inputs[0].proofs.clear();
  const Verdict verdict = judge(std::move(judged));
  EXPECT_EQ(verdict.outcome, Outcome::kBlocked);
  EXPECT_THAT(verdict.reasons,
              ElementsAre(HasSubstr("race.log: nothing in it proves that a race detector ran")));
  EXPECT_FALSE(verdict.next_stage_may_run);
}

TEST(VerdictTest, ATrustedLogPassesWithANote) {
  Case judged = case_at("unit", {});
  judged.inputs[0].proofs.clear();
  judged.trust_log = true;
  const Verdict verdict = judge(std::move(judged));
  EXPECT_EQ(verdict.outcome, Outcome::kPassed);
  EXPECT_THAT(verdict.notes, ElementsAre(HasSubstr("trusted as told")));
}

TEST(VerdictTest, EveryLogNeedsAProofOfItsOwn) {
  Case judged = case_at("unit", {});
  judged.inputs.push_back(proven("other.log"));
  judged.inputs[1].proofs.clear();
  EXPECT_THAT(judge(std::move(judged)).reasons, ElementsAre(HasSubstr("other.log: nothing in it")));
}

TEST(VerdictTest, ARunWithoutTestsDoesNotPass) {
  Case judged = case_at("unit", {});
  judged.inputs[0].tests_run = 0;
  EXPECT_THAT(judge(std::move(judged)).reasons, ElementsAre("race.log: no test ran"));
}

TEST(VerdictTest, ALogThatEndsInAReportDoesNotPass) {
  Case judged = case_at("unit", {});
  judged.inputs[0].is_cut_short = true;
  EXPECT_EQ(judge(std::move(judged)).outcome, Outcome::kBlocked);
}

TEST(VerdictTest, ACommandThatFailsWithoutARaceBlocks) {
  Case judged = case_at("unit", {});
  judged.command = command(3);
  EXPECT_THAT(judge(std::move(judged)).reasons,
              ElementsAre("the command failed with exit code 3 without a race"));
}

TEST(VerdictTest, AReportThatWasSwallowedIsNamedByItsExitCode) {
  Case judged = case_at("unit", {});
  judged.command = command(66);
  EXPECT_THAT(judge(std::move(judged)).reasons,
              ElementsAre(HasSubstr("66 is ThreadSanitizer's code, so its report was lost")));
}

TEST(VerdictTest, AFailureThatKnownRacesExplainPasses) {
  Issue known = read_write("Get", "Set");
  known.status = Issue::Status::kKnown;
  Case judged = case_at("unit", {known});
  judged.command = command(66);
  judged.command->is_explained_by_races = true;
  EXPECT_EQ(judge(judged).outcome, Outcome::kPassed);
  judged.command->is_explained_by_races = false;
  EXPECT_EQ(judge(judged).outcome, Outcome::kBlocked);
}

TEST(VerdictTest, BlockingIssuesComeFirst) {
  const Verdict verdict =
      judge(case_at("integration", {read_write("Get", "Set"), write_write("Set", "Clean")}));
  EXPECT_TRUE(verdict.issues[0].write_write);
  EXPECT_TRUE(verdict.issues[0].blocks);
  EXPECT_FALSE(verdict.issues[1].blocks);
}

}  // namespace
}  // namespace vigil::tools::gate
