// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/baseline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vigil/tools/gate/testing_issues.h"

namespace vigil::tools::gate {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr std::chrono::year_month_day kMonday = 2026y / 11 / 23;
constexpr std::chrono::year_month_day kTuesday = 2026y / 11 / 24;

TEST(BaselineTest, ReadsWhatItWrites) {
  const Baseline written = Baseline().updated(
      {testing_issues::read_write("Get", "Set"), testing_issues::write_write("Set", "\xFF\"")},
      kMonday);
  const Result<Baseline> read = Baseline::parse(written.to_json(), "b.json");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, written);
  EXPECT_EQ(read->entries().size(), 2U);
}

TEST(BaselineTest, WhatItHoldsIsKnownAndTheRestIsNew) {
  const Baseline baseline = Baseline().updated({testing_issues::read_write("Get", "Set")}, kMonday);
  std::vector<Issue> issues = {testing_issues::read_write("Get", "Set"),
                               testing_issues::read_write("Get", "Clean")};
  baseline.apply(&issues);
  EXPECT_EQ(issues[0].status, Issue::Status::kKnown);
  EXPECT_EQ(issues[0].status_reason, "known since 2026-11-23");
  EXPECT_EQ(issues[1].status, Issue::Status::kNew);
}

TEST(BaselineTest, AnUpdateKeepsTheDatesAndDropsWhatIsGone) {
  const Baseline old = Baseline().updated(
      {testing_issues::read_write("Get", "Set"), testing_issues::read_write("Get", "Gone")},
      kMonday);
  const std::vector<Issue> now = {testing_issues::read_write("Get", "Set"),
                                  testing_issues::read_write("Get", "New")};
  const Baseline updated = old.updated(now, kTuesday);
  ASSERT_EQ(updated.entries().size(), 2U);
  EXPECT_EQ(updated.entries().at(now[0].fingerprint).since, "2026-11-23");
  EXPECT_EQ(updated.entries().at(now[1].fingerprint).since, "2026-11-24");
  ASSERT_EQ(old.not_met(now).size(), 1U);
  EXPECT_THAT(old.not_met(now)[0].title, HasSubstr("Gone"));
}

TEST(BaselineTest, ASuppressedIssueIsNotAccepted) {
  Issue suppressed = testing_issues::read_write("Get", "Set");
  suppressed.status = Issue::Status::kSuppressed;
  EXPECT_TRUE(Baseline().updated({suppressed}, kMonday).entries().empty());
}

TEST(BaselineTest, WhatIsNoBaselineIsRefusedWithAReason) {
  for (const char* const text :
       {"", "[]", "{}", "{\"vigil_baseline\":1}", "{\"vigil_baseline\":2,\"issues\":[]}",
        "{\"vigil_baseline\":1,\"issues\":[{\"fingerprint\":\"xyz\"}]}",
        "{\"vigil_baseline\":1,\"issues\":[7]}"}) {
    const Result<Baseline> read = Baseline::parse(text, "b.json");
    ASSERT_FALSE(read) << text;
    EXPECT_THAT(read.error().message, testing::StartsWith("b.json: ")) << text;
  }
}

}  // namespace
}  // namespace vigil::tools::gate
