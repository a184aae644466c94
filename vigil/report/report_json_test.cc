// SPDX-License-Identifier: Apache-2.0
#include "vigil/report/report_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>

namespace vigil::report {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

Frame frame(std::string function, int line) {
  Frame frame;
  frame.function = std::move(function);
  frame.file = "src/缓存.cc";
  frame.line = line;
  frame.column = 7;
  frame.module = "/opt/service";
  frame.address = 0x1139;
  frame.inlined = line % 2 == 0;
  return frame;
}

Thread full_thread() {
  Thread thread;
  thread.id = 2;
  thread.name = "cleaner";
  thread.state = "blocked in pthread_mutex_lock";
  thread.waiting_seconds = 3600.125;
  thread.created_by = 0;
  thread.stack = {frame("sweep", 45), frame("run", 46)};
  thread.created_at = {frame("main", 90)};
  thread.locks = {Lock{"mutex", "table_lock", 0x7fff'ffff'f000, {frame("lock", 11)}}};
  thread.waits_for = 0x4040;
  thread.waits_for_thread = 0;
  return thread;
}

Finding full_finding() {
  Finding finding;
  finding.kind = Kind::kLostWakeUp;
  finding.message = "said \"so\"\nand\tthen";
  Access access;
  access.thread = 1;
  access.operation = Operation::kAtomicWrite;
  access.address = 0xffff'ffff'ffff'fff8;
  access.size = 8;
  access.stack = {frame("put", 12)};
  access.locks = {Lock{"shared mutex (read)", "", 1, {}}};
  finding.accesses = {access, Access{}};
  finding.location =
      Location{Location::Kind::kHeap,     "cache.table", "std::map<int, int>", 4096, 64, 3,
               {frame("operator new", 0)}};
  finding.threads = {full_thread(), Thread{}};
  finding.seed = std::numeric_limits<std::uint64_t>::max();
  finding.strategy = "pct";
  finding.replay = "vigil race replay --seed 7 -- ./a.out";
  finding.scheduling_point = 1234;
  finding.occurrences = 3;
  return finding;
}

std::string error_of(std::string_view text) {
  const auto result = run_report_from_json(text);
  const auto* error = std::get_if<ParseError>(&result);
  return error == nullptr ? "" : error->message;
}

TEST(ReportJsonTest, ReadingWhatWasWrittenGivesAnEqualReport) {
  RunReport report;
  report.findings = {full_finding(), Finding{}};
  report.schedules = 1000;
  report.scheduling_points = 9'007'199'254'740'993;  // not a double
  report.virtual_seconds = 0.1;
  report.program = {"./a.out", "--x", ""};
  report.mode = "controlled";
  const auto read = run_report_from_json(to_json(report));
  ASSERT_TRUE(std::holds_alternative<RunReport>(read)) << std::get<ParseError>(read).message;
  EXPECT_EQ(std::get<RunReport>(read), report);
}

TEST(ReportJsonTest, ReadingWhatWasWrittenGivesEqualEvidence) {
  Evidence evidence;
  evidence.path = "core.17";
  evidence.format = "core";
  evidence.findings = {full_finding()};
  evidence.threads = {full_thread()};
  evidence.warnings = {"the stack of thread 4 is cut"};
  evidence.truncated = true;
  evidence.detector_proof = "";
  const auto read = evidence_from_json(to_json(evidence));
  ASSERT_TRUE(std::holds_alternative<Evidence>(read)) << std::get<ParseError>(read).message;
  EXPECT_EQ(std::get<Evidence>(read), evidence);
}

TEST(ReportJsonTest, TheFieldsOfTheContractAreWrittenEvenWhenTheyHoldNothing) {
  RunReport report;
  report.findings.emplace_back().accesses.emplace_back().stack.emplace_back();
  EXPECT_EQ(to_json(report),
            R"({"findings":[{"kind":"other","seed":0,"strategy":"","accesses":[{"thread":-1,)"
            R"("operation":"unknown","size":0,"address":0,"stack":[{"function":"","file":"",)"
            R"("line":0,"module":"","inlined":false}],"locks":[]}],"location":{"kind":"unknown"},)"
            R"("replay":"","occurrences":1}],"schedules":0,"scheduling_points":0,)"
            R"("virtual_seconds":0.0})");
}

TEST(ReportJsonTest, EveryNameOfAnEnumerationIsReadBack) {
  for (int kind = 0; kind <= static_cast<int>(Kind::kOther); ++kind) {
    RunReport report;
    report.findings.emplace_back().kind = static_cast<Kind>(kind);
    EXPECT_EQ(std::get<RunReport>(run_report_from_json(to_json(report))), report);
  }
}

TEST(ReportJsonTest, BytesThatAreNotUtf8BecomeReplacementCharacters) {
  RunReport report;
  report.mode = "a\xFFz\xE4\xBD";
  report.virtual_seconds = std::numeric_limits<double>::infinity();
  const auto read = run_report_from_json(to_json(report));
  EXPECT_EQ(std::get<RunReport>(read).mode, "a\uFFFDz\uFFFD\uFFFD");
  EXPECT_EQ(std::get<RunReport>(read).virtual_seconds, 0);
}

TEST(ReportJsonTest, UnknownFieldsAreIgnoredAndMissingOnesHoldNothing) {
  const auto read = run_report_from_json(R"({"schedules":3,"future":[{"x":1}]})");
  ASSERT_TRUE(std::holds_alternative<RunReport>(read));
  EXPECT_EQ(std::get<RunReport>(read).schedules, 3U);
}

TEST(ReportJsonTest, AnErrorNamesThePlaceAndWhatWasExpected) {
  EXPECT_THAT(error_of(R"({"findings":[{},{"accesses":[{"size":-1}]}]})"),
              StartsWith("findings[1].accesses[0].size: expected a whole number"));
  EXPECT_EQ(error_of(R"({"findings":{}})"), "findings: expected an array");
  EXPECT_EQ(error_of(R"({"findings":[{"kind":"rase"}]})"),
            "findings[0].kind: expected a known name, not \"rase\"");
  EXPECT_EQ(error_of("[]"), "the report: expected an object");
  EXPECT_EQ(error_of(R"({"virtual_seconds":"1"})"), "virtual_seconds: expected a number");
}

TEST(ReportJsonTest, ATextThatIsNotJsonIsRefusedWithThePlace) {
  EXPECT_THAT(error_of(""), StartsWith("not JSON at line 1, column "));
  EXPECT_THAT(error_of(R"({"findings":[)"), StartsWith("not JSON at line 1, column 14: "));
  EXPECT_THAT(error_of("{} {}"), StartsWith("not JSON at line 1, column "));
  EXPECT_THAT(error_of("{\"mode\":\"\xFF\"}"), StartsWith("not JSON at line 1, column "));
}

TEST(ReportJsonTest, DeepNestingDoesNotExhaustTheStack) {
  const std::string deep(1'000'000, '[');
  EXPECT_THAT(error_of(deep), StartsWith("not JSON at line 1, column "));
  EXPECT_THAT(error_of(deep + std::string(deep.size(), ']')), HasSubstr("nested deeper than"));
}

}  // namespace
}  // namespace vigil::report
