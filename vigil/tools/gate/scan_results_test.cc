// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/scan_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vigil::tools::gate {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Optional;

Result<ScanResults> read(std::string_view json) { return read_sarif(json, SourcePaths("/src")); }

std::string with_run(const std::string& members) {
  return R"({"version":"2.1.0","runs":[{"tool":{"driver":{"name":"scan","rules":[
            {"id":"risky","defaultConfiguration":{"level":"error"}}]}},)" +
         members + "}]}";
}

TEST(ScanResultsTest, AResultKeepsItsRuleLevelPlaceAndFunction) {
  const Result<ScanResults> read_back = read(with_run(R"("results":[{"ruleId":"unlocked-map",
    "level":"note","message":{"text":"written without a lock in line 7"},"locations":[
    {"physicalLocation":{"artifactLocation":{"uri":"file:///src/cache/cache.cc"},
     "region":{"startLine":7}},"logicalLocations":[{"fullyQualifiedName":"Cache::put"}]}]}])"));
  ASSERT_TRUE(read_back) << read_back.error().message;
  ASSERT_EQ(read_back->issues.size(), 1U);
  const Issue& issue = read_back->issues[0];
  EXPECT_TRUE(issue.from_scanner);
  EXPECT_EQ(issue.detector, "scan");
  EXPECT_EQ(issue.rule, "unlocked-map");
  EXPECT_EQ(issue.level, "note");
  EXPECT_EQ(place_of(issue.sides[0]), "Cache::put (cache/cache.cc:7)");
  EXPECT_THAT(read_back->proof, Optional<std::string>("scan reported its results"));
}

TEST(ScanResultsTest, ALevelThatIsNotGivenIsTheRulesElseWarning) {
  const Result<ScanResults> results =
      read(with_run(R"("results":[{"ruleId":"risky"},{"ruleId":"other"}])"));
  ASSERT_TRUE(results);
  EXPECT_EQ(results->issues[0].level, "error");
  EXPECT_EQ(results->issues[1].level, "warning");
}

TEST(ScanResultsTest, LinesInMessagesDoNotChangeTheFingerprint) {
  const auto fingerprint = [](const std::string& message) {
    return read(with_run(R"("results":[{"ruleId":"a","message":{"text":")" + message + R"("}}])"))
        .value()
        .issues[0]
        .fingerprint;
  };
  EXPECT_EQ(fingerprint("lock of line 7 is missing"), fingerprint("lock of line 12 is missing"));
  EXPECT_NE(fingerprint("lock of line 7 is missing"), fingerprint("lock of line 7 is held"));
}

TEST(ScanResultsTest, PassedAndSuppressedResultsAreNoIssues) {
  const Result<ScanResults> results = read(with_run(
      R"("results":[{"ruleId":"a","kind":"pass"},
         {"ruleId":"b","suppressions":[{"kind":"inSource"}]}])"));
  ASSERT_TRUE(results);
  EXPECT_TRUE(results->issues.empty());
}

TEST(ScanResultsTest, NothingFoundProvesNothingWithoutASuccessfulInvocation) {
  EXPECT_EQ(read(with_run(R"("results":[])")).value().proof, std::nullopt);
  EXPECT_TRUE(
      read(with_run(R"("results":[],"invocations":[{"executionSuccessful":true}])")).value().proof);
  const ScanResults failed =
      read(with_run(R"("results":[],"invocations":[{"executionSuccessful":false}])")).value();
  EXPECT_EQ(failed.proof, std::nullopt);
  EXPECT_EQ(failed.failures.size(), 1U);
}

TEST(ScanResultsTest, WhatIsNoSarifIsRefused) {
  for (const char* const text : {"", "{", "[]", "{\"runs\":3}", "7"}) {
    const Result<ScanResults> results = read(text);
    ASSERT_FALSE(results) << text;
    EXPECT_THAT(results.error().message,
                AnyOf(HasSubstr("no SARIF"), HasSubstr("not JSON at line")))
        << text;
  }
}

TEST(ScanResultsTest, ResultsThatCannotBeUnderstoodAreRefused) {
  for (const char* const runs : {"7", R"({"results":3})", R"({"results":[3]})",
                                 R"({"externalPropertyFileReferences":{"results":[]}})"}) {
    EXPECT_FALSE(read(R"({"runs":[)" + std::string(runs) + "]}")) << runs;
  }
}

TEST(ScanResultsTest, MembersOfTheWrongTypeAreIgnored) {
  EXPECT_TRUE(read(R"({"runs":[{"results":[{"ruleId":4,"message":[],"locations":{}}],
                      "tool":[],"invocations":[0]}]})"));
}

}  // namespace
}  // namespace vigil::tools::gate
