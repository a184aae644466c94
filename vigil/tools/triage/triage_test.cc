// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/triage/triage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidjson/document.h>

#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "vigil/text/utf8.h"
#include "vigil/tools/triage/triage_json.h"
#include "vigil/tools/triage/triage_text.h"
#include "vigil/tools/triage/verdict.h"

namespace vigil::tools::triage {
namespace {

using report::Operation;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

InputReport triage_fixture(const std::string& name, const std::string& source = {}) {
  SourceTree sources(source);
  std::vector<InputReport> reports =
      triage_input(VIGIL_FIXTURES "/" + name, {}, layers::Rules::defaults(), sources);
  EXPECT_THAT(reports, SizeIs(1));
  EXPECT_THAT(reports.front().damage, IsEmpty());
  return std::move(reports.front());
}

TEST(TriageTest, TheVerdictNamesLayersPlacesAndTheMap) {
  const InputReport input =
      triage_fixture("go/fatal_readwrite_GOTRACEBACK-crash.txt", VIGIL_FIXTURES "/go");
  EXPECT_EQ(input.kind, "concurrent map read and map write");
  ASSERT_THAT(input.collisions, SizeIs(1));
  EXPECT_EQ(verdict(input.collisions[0]),
            "timer/cron (`Put`, cache/users.go:8, called by `cronRefresh`) writes while HTTP "
            "handler (`Get`, cache/users.go:11, called by `ServeHTTP`) reads `u.m` (Go map at "
            "0xc000094c30)");
}

// Go hides its frames there; the line of source says that it was delete().
TEST(TriageTest, TheSourceTellsTheOperationThatTheRuntimeHides) {
  const char* file = "go/fatal_delete_GOTRACEBACK-all.txt";
  EXPECT_EQ(triage_fixture(file).collisions.at(0).sides.at(0).operation, Operation::kMapWrite);
  const InputReport input = triage_fixture(file, VIGIL_FIXTURES "/go");
  EXPECT_EQ(input.collisions.at(0).sides.at(0).operation, Operation::kMapErase);
  EXPECT_EQ(input.collisions.at(0).object, "u.m (Go map)");
}

TEST(TriageTest, EqualStacksAreOneGroup) {
  const InputReport input = triage_fixture("go/pprof_goroutine_debug2.txt");
  EXPECT_EQ(input.kind, "dump");
  EXPECT_EQ(input.threads, 255U);
  std::uint64_t largest = 0;
  std::uint64_t all = 0;
  for (const Group& group : input.groups) {
    largest = std::max(largest, group.count);
    all += group.count;
  }
  EXPECT_EQ(largest, 200U);
  EXPECT_EQ(all, 255U);
  EXPECT_FALSE(input.has_findings());
}

TEST(TriageTest, ThreadsInsideOfMapsComeFirst) {
  const InputReport input = triage_fixture("go/sigquit_dump.txt");
  EXPECT_EQ(input.groups.at(0).operation, Operation::kMapWrite);
}

TEST(TriageTest, ALogWithoutEvidenceIsClean) {
  const InputReport input = triage_fixture("go/README.md");
  EXPECT_EQ(input.kind, "clean");
  EXPECT_FALSE(input.has_findings());
}

TEST(TriageTest, AMissingInputIsAnError) {
  SourceTree sources("");
  const std::vector<InputReport> reports =
      triage_input("/nowhere/log", {}, layers::Rules::defaults(), sources);
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_THAT(reports[0].damage, ElementsAre(HasSubstr("/nowhere/log: No such file")));
  EXPECT_EQ(reports[0].kind, "unreadable");
  EXPECT_TRUE(reports[0].is_doubtful());
}

std::vector<InputReport> triage_text(const std::string& text) {
  const std::string path = testing::TempDir() + "vigil_triage_input";
  std::ofstream(path, std::ios::binary) << text;
  SourceTree sources("");
  std::vector<InputReport> reports = triage_input(path, {}, layers::Rules::defaults(), sources);
  std::remove(path.c_str());
  return reports;
}

TEST(TriageTest, AnInputThatEndsEarlyIsNotClean) {
  const InputReport report = triage_text("<valgrindoutput><state>").at(0);
  EXPECT_EQ(report.kind, "incomplete");
  EXPECT_TRUE(report.is_doubtful());
}

TEST(TriageTest, DamageStandsBesideWhatWasFound) {
  const InputReport report =
      triage_text(
          "WARNING: DATA RACE\nRead at 0x1 by goroutine 9:\n  main.f()\n      /a.go:3 +0x1\n"
          "==================\n{\"runs\": [}\n")
          .at(0);
  EXPECT_EQ(report.kind, "data race");
  EXPECT_THAT(report.damage, ElementsAre(HasSubstr("vigil_triage_input: line 6: not valid JSON")));
  EXPECT_TRUE(report.is_doubtful());
}

TEST(TriageTest, WithoutAFindingDamageIsUnreadable) {
  EXPECT_EQ(triage_text("").at(0).kind, "unreadable");
  EXPECT_EQ(triage_text("\x1f\x8b\x08").at(0).kind, "unreadable");
  EXPECT_EQ(triage_text(std::string("\x7f"
                                    "ELF\2\1\1\0\0\0\0\0\0\0\0\0\4\0\x3e\0",
                                    20))
                .at(0)
                .kind,
            "unreadable");
}

TEST(TriageJsonTest, HasTheAgreedShape) {
  std::vector<InputReport> inputs = {triage_fixture("cpp/tsan-gcc.txt"), InputReport()};
  inputs[1].path = "gone\xff.log";
  inputs[1].kind = "unreadable";
  inputs[1].damage = {"No such file"};
  const std::string json = to_json(inputs, layers::Rules::defaults());
  rapidjson::Document document;
  document.Parse<rapidjson::kParseValidateEncodingFlag>(json.c_str());
  ASSERT_FALSE(document.HasParseError());
  ASSERT_EQ(document["inputs"].Size(), 2U);
  const rapidjson::Value& first = document["inputs"][0];
  EXPECT_STREQ(first["format"].GetString(), "tsan");
  EXPECT_STREQ(first["kind"].GetString(), "data race");
  const rapidjson::Value& collision = first["collisions"][0];
  EXPECT_STREQ(collision["confidence"].GetString(), "certain");
  EXPECT_STREQ(collision["object"].GetString(), "svc::sessions");
  EXPECT_EQ(collision["occurrences"].GetInt(), 7);
  const rapidjson::Value& side = collision["sides"][0];
  EXPECT_STREQ(side["operation"].GetString(), "map erase");
  EXPECT_EQ(side["thread"].GetInt(), 2);
  EXPECT_STREQ(side["function"].GetString(), "svc::SessionCache::drop_all()");
  EXPECT_STREQ(side["file"].GetString(), "map_bug.cc");
  EXPECT_EQ(side["line"].GetInt(), 23);
  EXPECT_STREQ(side["layer"].GetString(), "timer/cron");
  EXPECT_TRUE(first["groups"].IsArray());
  EXPECT_STREQ(document["inputs"][1]["kind"].GetString(), "unreadable");
  EXPECT_STREQ(document["inputs"][1]["error"].GetString(), "No such file");
}

TEST(TriageTextTest, LinesFitTheTerminalAndControlCharactersDoNotReachIt) {
  InputReport input = triage_fixture("cpp/tsan-gcc.txt");
  input.path = "evil\x1b]0;title\x07.log";
  const TextStyle style{.columns = 80, .colour = false};
  const std::string text = to_text(input, layers::Rules::defaults(), style);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  std::size_t longest = 0;
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != text.npos; end = text.find('\n', begin)) {
    longest = std::max(longest, end - begin);
    begin = end + 1;
  }
  EXPECT_LE(longest, 80U);
}

TEST(TriageTextTest, WrappingCountsCharactersAndLosesNone) {
  InputReport input;
  report::Finding& finding = input.other_findings.emplace_back();
  const std::string long_word(300, 'w');
  finding.message = "größer \u4e16\u754c " + long_word;
  for (int i = 0; i < 100; ++i) finding.message += " größe" + std::to_string(i);
  const TextStyle style{.columns = 40, .colour = false};
  std::istringstream text(to_text(input, layers::Rules::defaults(), style));
  std::string joined;
  for (std::string line; std::getline(text, line);) {
    EXPECT_TRUE(text::is_utf8(line)) << line;
    EXPECT_LE(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }),
              40)
        << line;
    joined += line;
  }
  std::erase(joined, ' ');
  std::erase(finding.message, ' ');
  EXPECT_THAT(joined, HasSubstr(finding.message));
}

TEST(TriageTextTest, ALongMessageIsWrappedOnce) {
  InputReport input;
  report::Finding& finding = input.other_findings.emplace_back();
  constexpr std::size_t kWords = 500'000;
  for (std::size_t i = 0; i < kWords; ++i) finding.message += "word ";
  const TextStyle style{.columns = 80, .colour = false};
  const std::string text = to_text(input, layers::Rules::defaults(), style);
  EXPECT_GT(text.size(), finding.message.size());
}

TEST(SourceAccessTest, LinesOfGoAndCxxNameTheMap) {
  const auto describe = [](std::string_view line) {
    const std::optional<SourceAccess> access = access_in(line);
    return access ? access->object + ": " + std::string(to_string(access->operation)) : "nothing";
  };
  EXPECT_EQ(describe("return c.data[\"uid\"]"), "c.data: map read");
  EXPECT_EQ(describe("func (u *Users) Put(k string, v int) { u.m[k] = v }"), "u.m: map write");
  EXPECT_EQ(describe("global[r.URL.Path]++"), "global: map write");
  EXPECT_EQ(describe("if m[k] == v {"), "m: map read");
  EXPECT_EQ(describe("delete(u.m, k)"), "u.m: map erase");
  EXPECT_EQ(describe("for k, v := range c.data {"), "c.data: map iterate");
  EXPECT_EQ(describe("m := map[string]int{}"), "nothing");
  EXPECT_EQ(describe("cache->table.erase(id);"), "cache->table: map erase");
  EXPECT_EQ(describe("sessions[id] = value;"), "sessions: map write");
  EXPECT_EQ(describe("x[[["), "nothing");
}

TEST(SourceTreeTest, DoesNotLeaveItsFolder) {
  SourceTree sources(VIGIL_FIXTURES "/go");
  EXPECT_FALSE(sources.line("../cpp/map_bug.cc/../../nowhere", 1));
  EXPECT_EQ(sources.line("/home/dev/svc/crash/cache/users.go", 8),
            "func (u *Users) Put(k string, v int) { u.m[k] = v }");
}

TEST(VerdictTest, NamesAreShort) {
  EXPECT_EQ(sentence_name("example.com/svc/cron.CleanExpired"), "CleanExpired");
  EXPECT_EQ(sentence_name("example.com/svc/cache.(*UserCache).Get"), "Get");
  EXPECT_EQ(sentence_name("main.timerJob.func1"), "timerJob.func1");
  EXPECT_EQ(sentence_name("svc::SessionCache::drop(int)"), "SessionCache::drop");
  EXPECT_EQ(short_path("/home/dev/svc/cron/clean.go"), "cron/clean.go");
}

}  // namespace
}  // namespace vigil::tools::triage
