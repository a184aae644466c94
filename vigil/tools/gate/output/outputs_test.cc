// SPDX-License-Identifier: Apache-2.0
//
// What each output says. That other programs can read them is tested in tests/gate.
#include "vigil/tools/gate/output/outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vigil/text/visible.h"
#include "vigil/tools/gate/testing_issues.h"

namespace vigil::tools::gate {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

Verdict blocked() {
  Case judged;
  judged.stage = Policy::defaults().stage("unit").value();
  judged.issues = {testing_issues::read_write("Get", "Set")};
  Input input;
  input.name = "race.log";
  input.proofs = {"WARNING: DATA RACE"};
  judged.inputs = {input};
  Verdict verdict = judge(std::move(judged));
  verdict.run_id = "42";
  return verdict;
}

Verdict of_issue(Issue issue) {
  Verdict verdict = blocked();
  issue.blocks = true;
  verdict.issues = {std::move(issue)};
  return verdict;
}

TEST(VerdictTextTest, TheLastLineIsTheVerdict) {
  const std::string text = to_text(blocked(), {});
  EXPECT_THAT(text, HasSubstr("vigil gate: unit: blocked (1 new); the next stage may run\n"));
  EXPECT_TRUE(text.ends_with("may run\n"));
  EXPECT_THAT(text, HasSubstr("vigil gate: proof: WARNING: DATA RACE\n"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(to_text(blocked(), {.colour = true}), HasSubstr("\x1b"));
}

TEST(VerdictTextTest, ANameCannotForgeALine) {
  Issue issue = testing_issues::read_write("Get", "Set");
  issue.title = "x\n::error::forged\nvigil gate: unit: passed";
  EXPECT_THAT(to_text(of_issue(issue), {}),
              HasSubstr("vigil gate: [blocks] x?::error::forged?vigil gate: unit: passed\n"));
}

TEST(VerdictJsonTest, ReadsBackWhatTheNextStageNeeds) {
  const Result<PastVerdict> past = past_verdict_from_json(to_json(blocked()), "unit.json");
  ASSERT_TRUE(past) << past.error().message;
  EXPECT_EQ(*past, (PastVerdict{"unit", false, true}));
  Verdict stopped = of_issue(testing_issues::write_write("Set", "Set"));
  stopped.next_stage_may_run = false;
  EXPECT_FALSE(past_verdict_from_json(to_json(stopped), "unit.json").value().next_stage_may_run);
}

TEST(VerdictJsonTest, AnotherDocumentIsNoVerdict) {
  for (const char* const text :
       {"", "{}", "[]", "{\"vigil_gate\":1}",
        R"({"vigil_gate":1,"stage":1,"outcome":2,"next_stage_may_run":3})"}) {
    EXPECT_FALSE(past_verdict_from_json(text, "x.json")) << text;
  }
}

TEST(SarifTest, BothAccessesAndBothStacksAreThere) {
  const std::string sarif = to_sarif(blocked());
  EXPECT_THAT(sarif, HasSubstr("\"relatedLocations\":[{\"id\":1,\"physicalLocation\":"));
  EXPECT_THAT(sarif, HasSubstr("\"codeFlows\":[{\"threadFlows\":[{\"message\":"));
  EXPECT_THAT(sarif, HasSubstr("\"automationDetails\":{\"id\":\"vigil-gate/unit/42\"}"));
  EXPECT_THAT(sarif, HasSubstr("\"primaryLocationLineHash\":\"" +
                               testing_issues::read_write("Get", "Set").fingerprint + ":1\""));
}

TEST(SarifTest, StaysWithinTheLimitsAndSaysWhatItLeftOut) {
  Verdict verdict = blocked();
  const Issue issue = verdict.issues[0];
  verdict.issues.assign(kSarifResultsMax + 5, issue);
  const std::string sarif = to_sarif(verdict);
  EXPECT_LE(sarif.size(), kSarifBytesMax);
  EXPECT_THAT(sarif, HasSubstr("results were left out"));
}

TEST(SarifTest, NamesOfFilesAreUris) {
  EXPECT_THAT(to_sarif(of_issue(testing_issues::read_write("a", "b", "a b/\xC3\xA4.cc"))),
              HasSubstr("\"uri\":\"a%20b/%C3%A4.cc\""));
  EXPECT_THAT(to_sarif(of_issue(testing_issues::read_write("a", "b", "/abs/a.cc"))),
              HasSubstr("\"uri\":\"file:///abs/a.cc\""));
}

TEST(JunitTest, WhatBlocksIsAFailureTheRestIsSkipped) {
  EXPECT_THAT(to_junit(blocked()), HasSubstr("tests=\"2\" failures=\"2\""));
  Verdict passed = blocked();
  passed.outcome = Outcome::kPassed;
  passed.reasons.clear();
  passed.issues[0].blocks = false;
  EXPECT_THAT(to_junit(passed), HasSubstr("tests=\"2\" failures=\"0\""));
  EXPECT_THAT(to_junit(passed), HasSubstr("<skipped message=\"does not block this stage\"/>"));
}

TEST(JunitTest, NamesCannotBreakTheDocument) {
  Issue issue = testing_issues::read_write("Get", "Set");
  issue.title = "a<b>&\"\x01\xFF";
  EXPECT_THAT(to_junit(of_issue(issue)), HasSubstr("a&lt;b&gt;&amp;&quot;?\xEF\xBF\xBD"));
}

TEST(AnnotationsTest, NameFileAndLineAndEscape) {
  Issue issue = testing_issues::read_write("Get", "Set", "a,b:c.cc");
  issue.title = "100%\nsure";
  EXPECT_THAT(to_annotations(of_issue(issue)),
              HasSubstr("::error file=a%2Cb%3Ac.cc,line=7,title=vigil gate::100%25%0Asure\n"));
}

TEST(AnnotationsTest, AreAtMostWhatGitHubShows) {
  Verdict verdict = blocked();
  const Issue issue = verdict.issues[0];
  verdict.issues.assign(50, issue);
  const std::string text = to_annotations(verdict);
  EXPECT_EQ(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), kAnnotationsMax);
}

TEST(MarkdownTest, NamesCannotBreakTheTable) {
  Issue issue = testing_issues::read_write("a|b<c>", "Set");
  const std::string markdown = to_markdown(of_issue(issue));
  EXPECT_THAT(markdown, StartsWith("## vigil gate: unit blocked\n"));
  EXPECT_THAT(markdown, HasSubstr("a\\|b&lt;c>"));
}

// Whatever names hold, in every form that people or services read.
TEST(OutputsTest, NothingIsHiddenInAnyForm) {
  std::vector<std::string> marks = {"\xFF", "\xED\xA0\x80", "\xC0\xAF", "\xF4\x90\x80\x80"};
  for (char32_t c = 1; c < 0x110000; ++c) {
    const bool is_surrogate = c >= 0xD800 && c < 0xE000;
    if (!text::is_hidden(c) || is_surrogate || (c >= 0xE0010 && c < 0xE0FF0)) continue;
    std::string mark;
    if (c < 0x80) {
      mark = {static_cast<char>(c)};
    } else if (c < 0x800) {
      mark = {static_cast<char>(0xC0 | c >> 6U), static_cast<char>(0x80 | (c & 0x3FU))};
    } else {
      if (c >= 0x10000) mark = {static_cast<char>(0xF0 | c >> 18U)};
      mark += static_cast<char>(c < 0x10000 ? 0xE0 | c >> 12U : 0x80 | (c >> 12U & 0x3FU));
      mark += {static_cast<char>(0x80 | (c >> 6U & 0x3FU)), static_cast<char>(0x80 | (c & 0x3FU))};
    }
    marks.push_back(std::move(mark));
  }
  for (const std::string& mark : marks) {
    const std::string name = "a" + mark + "b";
    Issue issue = testing_issues::read_write(name, name, name + ".cc");
    issue.title = issue.rule = issue.object = issue.status_reason = name;
    for (evidence::Side& side : issue.sides) side.thread_name = name;
    Verdict verdict = of_issue(issue);
    verdict.stage.name = verdict.run_id = name;
    verdict.notes = verdict.reasons = {name};
    verdict.inputs[0].name = name;
    verdict.inputs[0].proofs = {name};
    for (const std::string& form :
         {to_text(verdict, {}), to_annotations(verdict), to_markdown(verdict), to_junit(verdict),
          to_sarif(verdict), to_json(verdict), explain({.stages = {verdict.stage}}, "")}) {
      ASSERT_EQ(text::visible_lines(form), form) << testing::PrintToString(mark);
    }
    EXPECT_EQ(to_sarif(verdict).find("\\u20"), std::string::npos) << "SARIF is shown by others";
  }
}

}  // namespace
}  // namespace vigil::tools::gate
