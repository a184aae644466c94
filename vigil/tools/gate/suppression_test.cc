// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/suppression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "vigil/tools/gate/testing_issues.h"
#include "vigil/tools/gate/verdict.h"

namespace vigil::tools::gate {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::chrono::year_month_day kToday = 2027y / 1 / 31;

Suppressions suppressions_of(const std::string& condition,
                             const std::string& expires = "2027-01-31") {
  Suppressions suppressions;
  const Result<void> added =
      suppressions.add("[[suppression]]\n" + condition +
                           "\nowner = \"alice\"\nreason = \"replaced soon\"\nexpires = " + expires,
                       "s.toml");
  EXPECT_TRUE(added) << (added ? "" : added.error().message);
  return suppressions;
}

bool suppresses(const std::string& condition, Issue issue) {
  Suppressions suppressions = suppressions_of(condition);
  std::vector<Issue> issues = {std::move(issue)};
  suppressions.apply(kToday, &issues);
  return issues[0].status == Issue::Status::kSuppressed;
}

TEST(SuppressionTest, FunctionsFitInAnyOrderAndWithWildcards) {
  const Issue issue = testing_issues::read_write("cache.(*Users).Get", "cron.Clean");
  EXPECT_TRUE(suppresses(R"(functions = ["cron.Clean", "cache.(*Users).Get"])", issue));
  EXPECT_TRUE(suppresses(R"(functions = ["cron.*", "cache.*"])", issue));
  EXPECT_TRUE(suppresses(R"(functions = ["cron.Clea?"])", issue));
  EXPECT_FALSE(suppresses(R"(functions = ["cron.*", "cron.*"])", issue));
  EXPECT_FALSE(suppresses(R"(functions = ["Clean"])", issue));
}

TEST(SuppressionTest, EverythingGivenMustFit) {
  const Issue issue = testing_issues::read_write("Get", "Set");
  EXPECT_TRUE(suppresses("rule = \"data-race\"\nfile = \"cache/*\"", issue));
  EXPECT_FALSE(suppresses("rule = \"data-race\"\nfile = \"cron/*\"", issue));
  EXPECT_TRUE(suppresses("fingerprint = \"" + issue.fingerprint + "\"", issue));
  EXPECT_FALSE(suppresses("fingerprint = \"00\"", issue));
}

TEST(SuppressionTest, CountsThroughItsLastDayAndNotAfter) {
  std::vector<Issue> issues = {testing_issues::read_write("Get", "Set")};
  Suppressions suppressions = suppressions_of("file = \"*\"", "2027-01-30");
  suppressions.apply(kToday, &issues);
  EXPECT_EQ(issues[0].status, Issue::Status::kNew);
  EXPECT_THAT(notes_about(suppressions, kToday),
              ElementsAre("s.toml:1: the suppression of alice expired on 2027-01-30: what it hid "
                          "counts again"));
  EXPECT_TRUE(suppresses("file = \"*\"", issues[0]));
}

TEST(SuppressionTest, OneThatFitsNothingIsReported) {
  Suppressions suppressions = suppressions_of("functions = [\"Gone\"]");
  std::vector<Issue> issues;
  suppressions.apply(kToday, &issues);
  EXPECT_THAT(notes_about(suppressions, kToday),
              ElementsAre("s.toml:1: the suppression of alice matches nothing: remove it"));
}

TEST(SuppressionTest, OneThatIsUsedIsNotReported) {
  Suppressions suppressions = suppressions_of("file = \"*\"");
  std::vector<Issue> issues = {testing_issues::read_write("Get", "Set")};
  suppressions.apply(kToday, &issues);
  EXPECT_THAT(notes_about(suppressions, kToday), IsEmpty());
  EXPECT_EQ(issues[0].status_reason, "alice until 2027-01-31: replaced soon");
}

TEST(SuppressionTest, OwnerReasonAndExpiryAreRequired) {
  const struct {
    const char* text;
    const char* message;
  } cases[] = {
      {"file = \"*\"\nreason = \"r\"\nexpires = 2027-01-01", "owner: "},
      {"file = \"*\"\nowner = \"o\"\nexpires = 2027-01-01", "reason: "},
      {"file = \"*\"\nowner = \"o\"\nreason = \"r\"", "expires: "},
      {"file = \"*\"\nowner = \"o\"\nreason = \"r\"\nexpires = \"2027-01-01\"",
       "expected a date without quotes"},
      {"owner = \"o\"\nreason = \"r\"\nexpires = 2027-01-01", "needs functions, rule, file"},
      {"functions = [\"a\", \"b\", \"c\"]\nowner = \"o\"\nreason = \"r\"\nexpires = 2027-01-01",
       "two sides, not more"},
      {"file = \"*\"\nfunction = \"a\"\nowner = \"o\"\nreason = \"r\"\nexpires = 2027-01-01",
       "unknown key"},
  };
  for (const auto& each : cases) {
    Suppressions suppressions;
    const Result<void> added =
        suppressions.add("[[suppression]]\n" + std::string(each.text), "s.toml");
    ASSERT_FALSE(added) << each.text;
    EXPECT_THAT(added.error().message, HasSubstr(each.message)) << each.text;
  }
}

TEST(DateTest, ReadsWhatItWrites) {
  EXPECT_EQ(date_from("2027-01-31").value(), kToday);
  EXPECT_EQ(to_text(kToday), "2027-01-31");
  for (const char* const text : {"2027-02-30", "27-01-31", "2027/01/31", "", "2027-1-031"}) {
    EXPECT_FALSE(date_from(text)) << text;
  }
}

TEST(SuppressionTest, ManyThatDifferLittleAreFoundByWhatIsTheirOwn) {
  const std::string common(200, 'x');
  std::string toml;
  constexpr int kCount = 1000;
  for (int i = 0; i < kCount; ++i) {
    toml += "[[suppression]]\nfunctions = [\"*" + common + std::to_string(i) +
            "_*\"]\nowner = \"o\"\nreason = \"r\"\nexpires = 2027-01-31\n";
  }
  toml +=
      "[[suppression]]\nfunctions = [\"*\"]\nowner = \"o\"\nreason = \"r\"\n"
      "expires = 2020-01-31\n";
  Suppressions suppressions;
  ASSERT_TRUE(suppressions.add(toml, "many.toml"));
  std::vector<Issue> issues;
  for (int i = 0; i < 40; ++i) {
    issues.push_back(
        testing_issues::read_write("f" + common + std::to_string(i * 7) + "_y", "Set"));
  }
  suppressions.apply(kToday, &issues);
  for (const Issue& issue : issues) EXPECT_EQ(issue.status, Issue::Status::kSuppressed);
  EXPECT_EQ(suppressions.all()[7].uses, 1U);
  EXPECT_EQ(suppressions.all()[8].uses, 0U);
  EXPECT_EQ(suppressions.all().back().uses, 40U);  // expired, and tried without a run
}

TEST(SuppressionTest, AnOwnerOrReasonThatNobodySeesIsNone) {
  for (const char* const blank : {"", " ", "\t ", "\u00A0", "\u2003", "\u200B", "\u3000\u2060"}) {
    for (const char* const key : {"owner", "reason"}) {
      const std::string other = std::string(key) == "owner" ? "reason" : "owner";
      Suppressions suppressions;
      const Result<void> added =
          suppressions.add("[[suppression]]\nrule = \"x\"\nexpires = 2027-01-31\n" + other +
                               " = \"o\"\n" + key + " = \"" + blank + "\"\n",
                           "s.toml");
      ASSERT_FALSE(added) << key << " \"" << blank << "\"";
      EXPECT_THAT(added.error().message, HasSubstr("a suppression needs"));
    }
  }
}

}  // namespace
}  // namespace vigil::tools::gate
