// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/suppressions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace vigil::tools::race {
namespace {

using report::Finding;
using report::Frame;
using report::Kind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

Frame frame(std::string function, std::string file, std::string module) {
  Frame frame;
  frame.function = std::move(function);
  frame.file = std::move(file);
  frame.module = std::move(module);
  return frame;
}

Finding race() {
  Finding finding;
  finding.kind = Kind::kRace;
  report::Access access;
  access.stack = {frame("Cache::get", "src/cache.cc", "/opt/app"),
                  frame("main", "src/main.cc", "/opt/app")};
  finding.accesses.push_back(access);
  access.stack = {frame("sweep", "src/clean.cc", "/opt/libclean.so"),
                  frame("run_all", "src/jobs.cc", "/opt/libjobs.so"),
                  frame("loop", "src/loop.cc", "/opt/libloop.so")};
  finding.accesses.push_back(access);
  finding.location.object = "user_cache";
  return finding;
}

bool suppresses(std::string_view line, const Finding& finding) {
  Suppressions suppressions;
  EXPECT_TRUE(suppressions.add(line, "test").has_value());
  return suppressions.suppress(finding);
}

bool matches(std::string_view pattern, std::string_view name) {
  return suppression_matches(suppression_wildcard(pattern), name);
}

TEST(SuppressionsTest, APatternMatchesAnywhereUnlessItIsTied) {
  EXPECT_TRUE(matches("che::g", "Cache::get"));
  EXPECT_TRUE(matches("^Cache", "Cache::get"));
  EXPECT_FALSE(matches("^ache", "Cache::get"));
  EXPECT_TRUE(matches("get$", "Cache::get"));
  EXPECT_FALSE(matches("^get$", "Cache::get"));
  EXPECT_TRUE(matches("^Cache::get$", "Cache::get"));
  EXPECT_FALSE(matches("*", ""));
}

TEST(SuppressionsTest, AnAsteriskIsAnyText) {
  EXPECT_TRUE(matches("C*e::g*t", "Cache::get"));
  EXPECT_TRUE(matches("^C*t$", "Cache::get"));
  EXPECT_TRUE(matches("^a*ab$", "aab"));
  EXPECT_FALSE(matches("^ab*ab$", "ab"));
  EXPECT_TRUE(matches("*", "x"));
  EXPECT_TRUE(matches("^**$", "x"));
  EXPECT_FALSE(matches("b*a", "ab"));
  EXPECT_FALSE(matches("a?c", "abc"));  // nothing else is special
}

TEST(SuppressionsTest, RaceLooksAtAllFramesOfBothStacksAndAtTheVariable) {
  EXPECT_TRUE(suppresses("race:Cache::get", race()));
  EXPECT_TRUE(suppresses("race:loop.cc", race()));
  EXPECT_TRUE(suppresses("race:libjobs.so", race()));
  EXPECT_TRUE(suppresses("race:user_cache", race()));
  EXPECT_FALSE(suppresses("race:absent", race()));
}

TEST(SuppressionsTest, RaceTopLooksAtTheInnermostFramesOnly) {
  EXPECT_TRUE(suppresses("race_top:sweep", race()));
  EXPECT_FALSE(suppresses("race_top:main", race()));
}

TEST(SuppressionsTest, CalledFromLibIsAboutTheAccessAndItsCaller) {
  EXPECT_TRUE(suppresses("called_from_lib:libclean.so", race()));
  EXPECT_TRUE(suppresses("called_from_lib:libjobs.so", race()));
  EXPECT_FALSE(suppresses("called_from_lib:libloop.so", race()));
}

TEST(SuppressionsTest, ATypeSuppressesItsOwnKindOfFinding) {
  Finding stuck;
  stuck.kind = Kind::kDeadlock;
  stuck.threads.emplace_back().stack = {frame("lock_both", "bank.cc", "app")};
  EXPECT_TRUE(suppresses("deadlock:lock_both", stuck));
  EXPECT_FALSE(suppresses("race:lock_both", stuck));
  EXPECT_FALSE(suppresses("deadlock:Cache::get", race()));
  Finding crash = race();
  crash.kind = Kind::kCrash;
  EXPECT_TRUE(suppresses("crash:Cache::get", crash));
  EXPECT_FALSE(suppresses("race:Cache::get", crash));
  EXPECT_FALSE(suppresses("thread:Cache::get", race()));
}

TEST(SuppressionsTest, CommentsEmptyLinesAndSpaceAreNoLines) {
  Suppressions suppressions;
  ASSERT_TRUE(suppressions.add("# why\n\n  race:sweep \r\n\t# more", "file").has_value());
  EXPECT_TRUE(suppressions.suppress(race()));
  EXPECT_TRUE(suppressions.unused().empty());
  EXPECT_EQ(suppressions.uses(), 1U);
}

TEST(SuppressionsTest, LinesWithoutAUseAreTold) {
  Suppressions suppressions;
  ASSERT_TRUE(suppressions.add("race:sweep\n# x\nrace:absent", "file").has_value());
  EXPECT_TRUE(suppressions.suppress(race()));
  EXPECT_THAT(suppressions.unused(), ElementsAre("race:absent (file:3)"));
}

TEST(SuppressionsTest, ALineThatIsNoneIsRefusedWithItsNumber) {
  for (const char* text : {"race:x\nrase:y", "race:x\nsweep", "race:x\nrace:"}) {
    Suppressions suppressions;
    const Result<void> added = suppressions.add(text, "file");
    ASSERT_FALSE(added.has_value()) << text;
    EXPECT_THAT(added.error().message, HasSubstr("file:2: "));
  }
  EXPECT_FALSE(Suppressions().add_file("/no/such/file").has_value());
}

}  // namespace
}  // namespace vigil::tools::race
