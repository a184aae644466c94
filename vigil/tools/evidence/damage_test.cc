// SPDX-License-Identifier: Apache-2.0
//
// What stands in the way of a reader never hides what it would have found: each format with a race
// in it, damaged or wrapped in each way, is found all the same, or the damage is said.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "vigil/tools/evidence/collector.h"
#include "vigil/tools/evidence/evidence.h"

namespace vigil::tools::evidence {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

std::string fixture(const std::string& name) {
  std::ifstream file(VIGIL_FIXTURES "/" + name, std::ios::binary);
  std::stringstream content;
  content << file.rdbuf();
  EXPECT_FALSE(content.str().empty()) << name;
  return content.str();
}

// What a reader says about a text.
struct Outcome {
  report::Evidence evidence;
  std::vector<std::string> damage;

  [[nodiscard]] bool has_found() const {
    return !evidence.findings.empty() || !evidence.threads.empty();
  }
  // Neither "clean" nor "passed" can come of it.
  [[nodiscard]] bool is_safe() const {
    return has_found() || evidence.truncated || !damage.empty();
  }
};

Outcome read(const std::string& text, const std::string& format = {}) {
  Collector collector("in");
  std::istringstream stream(text);
  input::StreamSource source(stream);
  const ReadOptions options{.format = format, .on_text = {}, .on_sarif = {}};
  const Result<void> done = input::for_each_part(
      source, "in", [&](input::Part& part) { return read_part(part, options, collector); });
  Outcome outcome{collector.take(), collector.damage()};
  if (!done) outcome.damage.push_back(done.error().message);
  return outcome;
}

constexpr const char* kGoTestEvents =
    R"({"Action":"output","Package":"p","Output":"WARNING: DATA RACE\n"}
{"Action":"output","Package":"p","Output":"Write at 0x1 by goroutine 7:\n"}
{"Action":"output","Package":"p","Output":"  main.a()\n"}
{"Action":"output","Package":"p","Output":"      /x/a.go:5 +0x1\n"}
{"Action":"output","Package":"p","Output":"==================\n"}
)";

constexpr const char* kRunReport =
    R"({"findings":[{"kind":"race","seed":7,"strategy":"pct","accesses":[],
  "location":{"kind":"global"},"replay":"r","occurrences":1}],
 "schedules":12,"scheduling_points":3,"virtual_seconds":0}
)";

constexpr const char* kSarif =
    R"({"version":"2.1.0","runs":[{"tool":{"driver":{"name":"scan"}},"results":[
  {"ruleId":"race","message":{"text":"data race"}}]}]}
)";

constexpr const char* kGdb =
    "Thread 1 (Thread 0x7f (LWP 1)):\n#0  0x01 in main () at a.cc:3\n"
    "Thread 2 (Thread 0x7e (LWP 2)):\n#0  0x02 in run () at a.cc:9\n";

constexpr const char* kVigilDump =
    "=== vigil thread dump of process 5: 1 threads, SIGQUIT ===\n\n"
    "thread 5 \"main\": running\n  #0 0x55 main+0x1 in /opt/app+0x5\n\n"
    "=== end of thread dump: 1 of 1 threads answered ===\n";

struct Evidences {
  const char* format;
  std::string text;
};

std::vector<Evidences> all_formats() {
  return {{"tsan", fixture("cpp/tsan-gcc.txt")},
          {"go-race", fixture("go/gorace_log.txt")},
          {"go-dump", fixture("go/fatal_default_GOTRACEBACK-all.txt")},
          {"go-pprof", fixture("go/pprof_goroutine_debug1.txt")},
          {"go-test-json", kGoTestEvents},
          {"gdb", kGdb},
          {"eu-stack", fixture("cpp/eu-stack.txt")},
          {"vigil-dump", kVigilDump},
          {"valgrind-xml", fixture("cpp/helgrind.xml")},
          {"vigil-race", kRunReport},
          {"sarif", kSarif}};
}

std::string utf16(const std::string& text, bool little, bool has_mark) {
  std::string wide;
  const auto add = [&](unsigned unit) {
    const char low = static_cast<char>(unit & 0xff);
    const char high = static_cast<char>(unit >> 8);
    wide += little ? low : high;
    wide += little ? high : low;
  };
  if (has_mark) add(0xfeff);
  for (const char byte : text) add(static_cast<unsigned char>(byte) & 0x7fU);
  return wide;
}

TEST(DamageTest, TheEvidenceOfEveryFormatIsFound) {
  for (const Evidences& one : all_formats()) {
    const Outcome outcome = read(one.text);
    EXPECT_TRUE(outcome.has_found()) << one.format;
    EXPECT_EQ(outcome.evidence.format, one.format);
    EXPECT_THAT(outcome.damage, IsEmpty()) << one.format;
  }
  EXPECT_THAT(all_formats(), SizeIs(formats().size()));
}

TEST(DamageTest, ZeroBytesAnywhereHideNothing) {
  for (const Evidences& one : all_formats()) {
    const std::size_t step = one.text.size() / 40 + 1;
    for (std::size_t at = 0; at <= one.text.size(); at += step) {
      std::string text = one.text;
      text.insert(at, 3, '\0');
      const Outcome outcome = read(text);
      EXPECT_TRUE(outcome.has_found()) << one.format << " at " << at;
      EXPECT_THAT(outcome.evidence.warnings, Contains(HasSubstr("zero bytes"))) << one.format;
    }
    // The hole that is left where a log was rotated away.
    EXPECT_TRUE(read(std::string(1 << 20, '\0') + one.text).has_found()) << one.format;
  }
}

TEST(DamageTest, AForeignFirstLineHidesNothing) {
  for (const char* line : {"noise", "{", "[", "<", "{\"status\":\"up\"}", "[1, 2]", "{\"a\": [",
                           "<?xml version=\"1.0\"?>", "<html>", "<!DOCTYPE html>", "[ RUN ] x",
                           "{\"a\": 1} and more", "\x1b[31m", "\xef\xbb\xbf{", "<testsuites>"}) {
    for (const Evidences& one : all_formats()) {
      const Outcome outcome = read(line + std::string("\n") + one.text);
      EXPECT_TRUE(outcome.has_found() || !outcome.damage.empty()) << one.format << " " << line;
      const bool is_open = std::string_view(line) == "{\"a\": [" || std::string_view(line) == "[";
      const bool goes_on = is_open && one.text.starts_with('{');
      EXPECT_TRUE(goes_on || outcome.has_found()) << one.format << " after " << line;
    }
  }
}

TEST(DamageTest, WhatIsCutAnywhereIsNeverClean) {
  for (const Evidences& one : all_formats()) {
    const std::string_view begin = one.text;
    const std::size_t step = one.text.size() / 60 + 1;
    bool has_begun = one.format == std::string_view("valgrind-xml") || begin.starts_with('{');
    for (std::size_t size = 1; size < one.text.size(); size += step) {
      const Outcome outcome = read(one.text.substr(0, size));
      // Before the headline nothing can be known.
      has_begun = has_begun || outcome.has_found();
      const bool is_known = has_begun && size > 60;
      EXPECT_TRUE(!is_known || outcome.is_safe()) << one.format << " cut at " << size;
    }
  }
}

TEST(DamageTest, BothOfTwoDocumentsAreRead) {
  for (const Evidences& first : all_formats()) {
    for (const Evidences& second : all_formats()) {
      for (const char* between : {"", "\n", "\nsome text\n"}) {
        const bool has_both = first.text.ends_with('\n') || *between != '\0';
        if (!has_both) continue;
        const Outcome one = read(first.text);
        const Outcome other = read(second.text);
        const Outcome both = read(first.text + between + second.text);
        const std::string where = first.format + std::string(between) + second.format;
        EXPECT_THAT(both.damage, IsEmpty()) << where;
        if (first.format == std::string_view(second.format)) continue;
        EXPECT_GE(both.evidence.findings.size(),
                  one.evidence.findings.size() + other.evidence.findings.size())
            << where;
        EXPECT_GE(both.evidence.threads.size(), other.evidence.threads.size()) << where;
      }
    }
  }
}

TEST(DamageTest, EveryEncodingIsRead) {
  for (const Evidences& one : all_formats()) {
    const std::size_t findings = read(one.text).evidence.findings.size();
    for (const bool little : {true, false}) {
      for (const bool has_mark : {true, false}) {
        const Outcome outcome = read(utf16(one.text, little, has_mark));
        EXPECT_TRUE(outcome.has_found()) << one.format;
        EXPECT_EQ(outcome.evidence.findings.size(), findings) << one.format;
        EXPECT_THAT(outcome.damage, IsEmpty()) << one.format;
      }
    }
    EXPECT_TRUE(read("\xef\xbb\xbf" + one.text).has_found()) << one.format;
    EXPECT_FALSE(read(utf16("some text\n", true, true) + one.text).damage.empty()) << one.format;
  }
}

TEST(DamageTest, DamageInsideADocumentIsSaidWithItsLine) {
  for (const char* format : {"vigil-race", "sarif", "valgrind-xml", "go-test-json"}) {
    for (const Evidences& one : all_formats()) {
      if (std::string_view(one.format) != format) continue;
      std::string text = one.text;
      const std::size_t at =
          text.find(format == std::string_view("valgrind-xml") ? "</error>" : ":[", 1);
      text.insert(at == std::string::npos ? 10 : at + 2, "#<&");
      const Outcome outcome = read(text);
      ASSERT_FALSE(outcome.damage.empty()) << format;
      EXPECT_THAT(outcome.damage, Each(StartsWith("line "))) << format;
    }
  }
}

TEST(DamageTest, AFormatThatIsToldIsAllThatIsRead) {
  for (const char* format : {"vigil-race", "sarif", "valgrind-xml"}) {
    for (const Evidences& one : all_formats()) {
      const Outcome outcome = read(one.text, format);
      const bool is_same = std::string_view(one.format) == format;
      EXPECT_EQ(outcome.damage.empty(), is_same) << format << " " << one.format;
      EXPECT_FALSE(read(one.text + "text\n", format).damage.empty()) << format;
    }
    EXPECT_FALSE(read("", format).damage.empty());
  }
}

TEST(DamageTest, ADocumentInsideOfOtherJsonIsDamage) {
  EXPECT_THAT(read("[" + std::string(kSarif) + "," + kSarif + "]").damage, SizeIs(1));
  EXPECT_THAT(read("{\"a\": [" + std::string(kRunReport) + "text\n").damage, SizeIs(1));
}

TEST(DamageTest, SarifWhoseResultsAreElsewhereIsDamage) {
  EXPECT_THAT(read(R"({"runs":[{"results":[3]}]})").damage, SizeIs(1));
  EXPECT_THAT(read(R"({"runs":[3]})").damage, SizeIs(1));
  EXPECT_THAT(
      read(R"({"runs":[{"externalPropertyFileReferences":{"results":[{"location":{}}]}}]})").damage,
      SizeIs(1));
}

TEST(DamageTest, WhatIsNoTextIsDamage) {
  std::string program;
  for (int i = 0; i < 20'000; ++i) program += static_cast<char>(i * i / 7);
  EXPECT_THAT(read("\x7f"
                   "ELF" +
                   program)
                  .damage,
              Contains(HasSubstr("is binary")));
  const std::string report = fixture("go/gorace_log.txt");
  const Outcome outcome = read(report + program);
  EXPECT_TRUE(outcome.has_found());
  EXPECT_THAT(outcome.damage, Contains(AnyOf(HasSubstr("is binary"))));
}

TEST(DamageTest, XmlThatHasNoElementIsDamage) {
  const std::string comment = "text\n<?xml version=\"1.0\"?>\n<!-- ";
  EXPECT_TRUE(read(comment).evidence.truncated);
  EXPECT_THAT(read(comment + std::string(1 << 20, 'x') + "\n" + kSarif).damage,
              Contains(HasSubstr("line 2: XML that begins without an end")));
}

// Every line begins like a document: none is looked at twice.
TEST(DamageTest, BeginningsOfDocumentsTakeLinearTime) {
  for (const char* line : {"<?xml version=\"1.0\"?><!-- x\n", "{\"a\": [\n", "[{\n", "<html>\n"}) {
    std::string text;
    while (text.size() < 1 << 19) text += line;
    const Outcome outcome = read(text);
    EXPECT_TRUE(outcome.is_safe()) << line;
  }
}

TEST(DamageTest, RecordsOfALogAreNoDocuments) {
  const Outcome outcome = read("{\"level\":\"info\"}\n{\"level\":\"info\",\"runs\":5}\ntext\n");
  EXPECT_THAT(outcome.damage, IsEmpty());
  EXPECT_FALSE(outcome.evidence.truncated);
  EXPECT_EQ(outcome.evidence.format, "log");
}

TEST(DamageTest, LongLinesAreSaidToBeCut) {
  const Outcome outcome = read("a\n" + std::string(kLineBytesMax + 1, 'x') + "\n");
  EXPECT_THAT(outcome.evidence.warnings, Contains(HasSubstr("line 2: longer than 64 KiB")));
}

}  // namespace
}  // namespace vigil::tools::evidence
