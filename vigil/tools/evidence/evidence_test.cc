// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/evidence/evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "vigil/tools/evidence/collector.h"
#include "vigil/tools/evidence/collision.h"
#include "vigil/tools/evidence/log_reader.h"

namespace vigil::tools::evidence {
namespace {

using layers::Layer;
using report::Kind;
using report::Operation;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

report::Evidence read_fixture(const std::string& name) {
  Result<report::Evidence> evidence = read_evidence(VIGIL_FIXTURES "/" + name, {});
  EXPECT_TRUE(evidence) << (evidence ? "" : evidence.error().message);
  return evidence ? *evidence : report::Evidence();
}

report::Evidence read_text(const std::string& text) {
  std::istringstream stream(text);
  Result<report::Evidence> evidence = read_evidence(stream, "text", {});
  EXPECT_TRUE(evidence) << (evidence ? "" : evidence.error().message);
  return evidence ? *evidence : report::Evidence();
}

std::vector<Collision> collisions_in(const report::Evidence& evidence) {
  return collisions_of(evidence, layers::Rules::defaults());
}

// "map write Put HTTP handler": what a test wants to know about a side.
std::string summary(const Side& side) {
  const std::string key = function_key(side.function);
  const std::size_t dot = key.find_last_of(".:");
  return std::string(report::to_string(side.operation)) + " " + key.substr(dot + 1) + " " +
         std::string(to_string(side.layer));
}

// "certain: map read Get HTTP handler | map write Put timer/cron"
std::string summary(const Collision& collision) {
  std::string text(to_string(collision.confidence));
  for (const Side& side : collision.sides) {
    text += (&side == &collision.sides.front() ? ": " : " | ") + summary(side);
  }
  return text;
}

struct CrashFixture {
  const char* file;
  Kind kind;
  std::size_t threads;
  std::vector<std::string> collisions;
};

class GoCrashFixtureTest : public testing::TestWithParam<CrashFixture> {};

TEST_P(GoCrashFixtureTest, GivesKindSidesLayersAndConfidence) {
  const report::Evidence evidence = read_fixture(GetParam().file);
  ASSERT_THAT(evidence.findings, SizeIs(1));
  EXPECT_EQ(evidence.format, "go-dump");
  EXPECT_EQ(evidence.findings.front().kind, GetParam().kind);
  EXPECT_EQ(evidence.threads.size(), GetParam().threads);
  EXPECT_FALSE(evidence.truncated);
  std::vector<std::string> found;
  for (const Collision& collision : collisions_in(evidence)) found.push_back(summary(collision));
  EXPECT_EQ(found, GetParam().collisions);
}

INSTANTIATE_TEST_SUITE_P(
    Go119, GoCrashFixtureTest,
    testing::Values(
        CrashFixture{"go/fatal_default_GOTRACEBACK-all.txt",
                     Kind::kMapWrites,
                     12,
                     {"one side: map write Put HTTP handler"}},
        CrashFixture{"go/fatal_default_GOTRACEBACK-crash.txt",
                     Kind::kMapWrites,
                     16,
                     {"one side: map write Put HTTP handler"}},
        CrashFixture{"go/fatal_default_GOTRACEBACK-system.txt",
                     Kind::kMapWrites,
                     18,
                     {"certain: map write Put HTTP handler | map write Put timer/cron"}},
        CrashFixture{"go/fatal_delete_GOTRACEBACK-all.txt",
                     Kind::kMapWrites,
                     12,
                     {"likely: map write Drop HTTP handler | map write Put timer/cron"}},
        CrashFixture{"go/fatal_delete_GOTRACEBACK-crash.txt",
                     Kind::kMapWrites,
                     16,
                     {"one side: map write Put HTTP handler"}},
        CrashFixture{"go/fatal_delete_GOTRACEBACK-system.txt",
                     Kind::kMapWrites,
                     18,
                     {"one side: map write Put HTTP handler"}},
        CrashFixture{"go/fatal_iterate_GOTRACEBACK-all.txt",
                     Kind::kMapWrites,
                     12,
                     {"likely: map write Put third-party SDK | map write Put timer/cron"}},
        CrashFixture{"go/fatal_iterate_GOTRACEBACK-crash.txt",
                     Kind::kMapWrites,
                     18,
                     {"certain: map write Put third-party SDK | map write Put timer/cron"}},
        CrashFixture{"go/fatal_iterate_GOTRACEBACK-system.txt",
                     Kind::kMapIterationAndWrite,
                     18,
                     {"likely: map iterate Sum HTTP handler | map write Put timer/cron"}},
        CrashFixture{"go/fatal_readwrite_GOTRACEBACK-all.txt",
                     Kind::kMapWrites,
                     12,
                     {"likely: map write Put third-party SDK | map write Put timer/cron"}},
        CrashFixture{"go/fatal_readwrite_GOTRACEBACK-crash.txt",
                     Kind::kMapReadAndWrite,
                     18,
                     {"certain: map read Get HTTP handler | map write Put timer/cron"}},
        CrashFixture{"go/fatal_readwrite_GOTRACEBACK-system.txt",
                     Kind::kMapReadAndWrite,
                     18,
                     {"certain: map read Get HTTP handler | map write Put timer/cron"}}));

INSTANTIATE_TEST_SUITE_P(
    OtherVersions, GoCrashFixtureTest,
    testing::Values(
        CrashFixture{"go_versions/go1.17_fatal.txt",
                     Kind::kMapWrites,
                     3,
                     {"certain: map write Set timer/cron | map write Set HTTP handler"}},
        CrashFixture{"go_versions/go1.24_fatal.txt",
                     Kind::kMapReadAndWrite,
                     3,
                     {"certain: map read Get HTTP handler | map write RefreshUsers timer/cron"}},
        CrashFixture{"go_versions/go1.24_iteration.txt",
                     Kind::kMapIterationAndWrite,
                     2,
                     {"one side: map iterate CleanExpired timer/cron"}}));

TEST(GoDumpTest, ADumpOfThreadsIsNoFinding) {
  for (const char* file : {"go/pprof_goroutine_debug2.txt", "go/runtime_stack_all.txt"}) {
    const report::Evidence evidence = read_fixture(file);
    EXPECT_EQ(evidence.format, "go-dump") << file;
    EXPECT_THAT(evidence.findings, IsEmpty()) << file;
    EXPECT_THAT(evidence.threads, SizeIs(255)) << file;
  }
}

// Four goroutines are in mapassign, each in a map of its own: the pointers prove it.
TEST(GoDumpTest, GoroutinesInDifferentMapsDoNotCollide) {
  const report::Evidence evidence = read_fixture("go/sigquit_dump.txt");
  EXPECT_THAT(evidence.findings, IsEmpty());
  EXPECT_THAT(evidence.threads, SizeIs(261));
}

TEST(GoDumpTest, GoroutinesInTheSameMapCollideWithoutAnyMessage) {
  const report::Evidence evidence = read_text(
      "goroutine 7 [runnable]:\n"
      "runtime.mapassign_fast64(0x1, 0xc0001, 0x2)\n\t/go/src/runtime/map.go:1 +0x1\n"
      "main.refresh()\n\t/srv/main.go:9 +0x1\n\n"
      "goroutine 8 [running]:\n"
      "runtime.mapaccess1_fast64(0x1, 0xc0001, 0x2)\n\t/go/src/runtime/map.go:1 +0x1\n"
      "main.lookup()\n\t/srv/main.go:12 +0x1\n");
  ASSERT_THAT(evidence.findings, SizeIs(1));
  EXPECT_EQ(evidence.findings[0].kind, Kind::kMapReadAndWrite);
  EXPECT_THAT(collisions_in(evidence)[0].confidence, Confidence::kCertain);
}

TEST(GoDumpTest, AStalePointerProvesNothing) {
  const report::Evidence evidence = read_text(
      "goroutine 7 [runnable]:\nruntime.mapassign_fast64(0x1, 0xc0001?, 0x2)\n\t/m.go:1 +0x1\n"
      "main.a()\n\t/srv/main.go:9 +0x1\n\n"
      "goroutine 8 [running]:\nruntime.mapassign_fast64(0x1, 0xc0001?, 0x2)\n\t/m.go:1 +0x1\n"
      "main.b()\n\t/srv/main.go:12 +0x1\n");
  EXPECT_THAT(evidence.findings, IsEmpty());
}

TEST(GoDumpTest, ACrashWithoutGoroutinesIsStillAFinding) {
  const report::Evidence evidence =
      read_text("fatal error: concurrent map writes\nexit status 2\n");
  ASSERT_THAT(evidence.findings, SizeIs(1));
  EXPECT_EQ(evidence.findings[0].kind, Kind::kMapWrites);
  EXPECT_THAT(evidence.findings[0].accesses, IsEmpty());
}

TEST(GoPprofTest, EqualStacksAreCounted) {
  const report::Evidence evidence = read_fixture("go/pprof_goroutine_debug1.txt");
  EXPECT_EQ(evidence.format, "go-pprof");
  EXPECT_THAT(evidence.threads, SizeIs(255));
  EXPECT_THAT(evidence.findings, IsEmpty());
}

class GoRaceFixtureTest : public testing::TestWithParam<const char*> {};

// The same test run as text, JSON and GORACE=log_path; the last one left out a repeated report.
TEST_P(GoRaceFixtureTest, ReportsBecomeEightPairs) {
  const report::Evidence evidence = read_fixture(GetParam());
  std::vector<std::string> keys;
  for (const Collision& collision : collisions_in(evidence)) {
    keys.push_back(collision.key);
    EXPECT_EQ(collision.confidence, Confidence::kCertain);
  }
  std::sort(keys.begin(), keys.end());
  const std::string package = "example.com/racetest.";
  const auto pair = [&](const std::string& a, const std::string& b) {
    return package + a + " | " + package + b;
  };
  EXPECT_THAT(keys, ElementsAre(pair("(*halfLocked).Get", "(*halfLocked).Put"),
                                pair("(*lazy).Get", "(*lazy).Get"),
                                pair("(*rlockWrite).Hit", "(*rlockWrite).Hit"),
                                pair("TestCtxBag.func1", "TestCtxBag.func1"),
                                pair("TestDeleteIterate.func1", "TestDeleteIterate.func1"),
                                pair("cfg.Set", "cfg.Set"), pair("handler", "handler"),
                                pair("handler", "timerJob.func1")));
  EXPECT_TRUE(evidence.detector_proof);
}

INSTANTIATE_TEST_SUITE_P(Files, GoRaceFixtureTest,
                         testing::Values("go/gotest_race.txt", "go/gotest_race.json",
                                         "go/gorace_log.txt"));

TEST(GoRaceTest, AllThirteenReportsAreRead) {
  std::uint64_t reports = 0;
  for (const report::Finding& finding : read_fixture("go/gotest_race.txt").findings) {
    reports += finding.occurrences;
  }
  EXPECT_EQ(reports, 13);
}

struct MapBugFixture {
  const char* file;
  std::uint64_t reports;
  const char* collision;
  const char* object;
};

class MapBugTest : public testing::TestWithParam<MapBugFixture> {};

TEST_P(MapBugTest, ManyReportsAreOneCollision) {
  const std::vector<Collision> found = collisions_in(read_fixture(GetParam().file));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(summary(found[0]), GetParam().collision);
  EXPECT_EQ(found[0].occurrences, GetParam().reports);
  EXPECT_EQ(found[0].object, GetParam().object);
  EXPECT_EQ(found[0].key, "svc::SessionCache::drop_all | svc::SessionCache::put");
}

constexpr const char* kMapBug =
    "certain: map erase drop_all timer/cron | map write put HTTP handler";

// Drd knows where the other thread's segment began, not what it did there.
INSTANTIATE_TEST_SUITE_P(
    Tools, MapBugTest,
    testing::Values(MapBugFixture{"cpp/tsan-gcc.txt", 7, kMapBug, "svc::sessions"},
                    MapBugFixture{"cpp/tsan-clang14.txt", 6, kMapBug, "svc::sessions"},
                    MapBugFixture{"cpp/tsan-clang19.txt", 6, kMapBug, "svc::sessions"},
                    MapBugFixture{"cpp/helgrind.xml", 9, kMapBug, "svc::sessions"},
                    MapBugFixture{"cpp/drd.xml", 9,
                                  "likely: map erase drop_all timer/cron | write put HTTP handler",
                                  "std::unordered_map"}));

TEST(TsanTest, WithoutSymbolsAPlaceIsAnOffsetInTheProgram) {
  for (const auto& [file, reports] : {std::pair("cpp/tsan-gcc-unsymbolised.txt", 7),
                                      std::pair("cpp/tsan-clang14-unsymbolised.txt", 6)}) {
    const std::vector<Collision> found = collisions_in(read_fixture(file));
    EXPECT_EQ(found.size(), reports) << file;
    for (const Collision& collision : found) {
      ASSERT_THAT(collision.sides, SizeIs(2));
      EXPECT_THAT(collision.sides[0].function, HasSubstr("map_bug+0x"));
    }
  }
}

TEST(TsanTest, MutexesOfAnAccessAreNamed) {
  const report::Evidence evidence = read_fixture("cpp/tsan-gcc.txt");
  const report::Access& previous = evidence.findings.at(0).accesses.at(1);
  ASSERT_THAT(previous.locks, SizeIs(1));
  EXPECT_EQ(previous.locks[0].kind, "mutex");
  EXPECT_NE(previous.locks[0].address, 0U);
}

TEST(GdbTest, ThisOfTheContainerProvesTheSameMap) {
  const std::vector<Collision> found = collisions_in(read_fixture("cpp/gdb.txt"));
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(summary(found[0]),
            "certain: map write hourly_refresh timer/cron | map write handle_request HTTP handler");
  EXPECT_EQ(found[0].object, "svc::orders");
}

TEST(EuStackTest, ThreadsAreReadAndNothingIsClaimed) {
  const report::Evidence evidence = read_fixture("cpp/eu-stack.txt");
  EXPECT_EQ(evidence.format, "eu-stack");
  EXPECT_THAT(evidence.threads, SizeIs(3));
  EXPECT_THAT(evidence.findings, IsEmpty());
}

TEST(VigilDumpTest, AFatalMapReportNamesBothThreads) {
  const report::Evidence evidence = read_text(
      "fatal error: concurrent map writes at 0x10 in thread 5\n"
      "  map write: \"orders\" (CheckedMap<int, Order>) at 0x10 in thread 5, also inside: thread "
      "6\n"
      "\n=== vigil thread dump of process 5: 2 threads, concurrent map writes ===\n\n"
      "thread 5 \"handler\": running, fatal\n"
      "  map write: \"orders\" (CheckedMap<int, Order>) at 0x10\n"
      "  #0 0x5501 _ZN3svc14handle_requestEv+0x1 in /opt/app+0x501\n\n"
      "thread 6 \"cleaner\": blocked in futex\n"
      "  map erase: \"orders\" (CheckedMap<int, Order>) at 0x10\n"
      "  #0 0x5601 _ZN3svc7Cleaner3runEv+0x1 in /opt/app+0x601\n\n"
      "=== end of thread dump: 2 of 2 threads answered ===\n");
  const std::vector<Collision> found = collisions_in(evidence);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(summary(found[0]),
            "certain: map write handle_request HTTP handler | map erase run timer/cron");
  EXPECT_EQ(found[0].object, "orders");
}

TEST(LogTest, ReportsAreFoundBehindTimeStampsTestNumbersAndColours) {
  const std::string report =
      "WARNING: ThreadSanitizer: data race (pid=1)\n  Write of size 8 at 0x10 by thread T1:\n"
      "    #0 put() a.cc:3 (app+0x1)\n";
  for (const std::string& prefix :
       {std::string("2024-05-01T03:00:00.1234567Z "), std::string("12: "),
        std::string("\x1b[1m\x1b[31m"), std::string("2024-05-01T03:00:00.1Z stderr F ")}) {
    std::string log;
    std::istringstream lines(report);
    for (std::string line; std::getline(lines, line);) log += prefix + line + "\r\n";
    const report::Evidence evidence = read_text(log);
    ASSERT_THAT(evidence.findings, SizeIs(1)) << prefix;
    EXPECT_EQ(evidence.findings[0].accesses.at(0).stack.at(0).function, "put()") << prefix;
  }
}

TEST(LogTest, ALogThatEndsInAReportIsTruncated) {
  const report::Evidence evidence =
      read_text("WARNING: DATA RACE\nRead at 0x1 by goroutine 9:\n  main.f()\n");
  EXPECT_TRUE(evidence.truncated);
  EXPECT_THAT(evidence.findings, SizeIs(1));
}

TEST(LogTest, CuttingTheTextAnywhereDoesNotMatter) {
  const std::string text =
      "noise\nWARNING: DATA RACE\nRead at 0x1 by goroutine 9:\n  main.f()\n      /a.go:3 +0x1\n"
      "==================\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Collector collector("text");
    LogReader reader(collector);
    reader.feed(std::string_view(text).substr(0, cut));
    reader.feed(std::string_view(text).substr(cut));
    reader.finish();
    const report::Evidence evidence = collector.take();
    ASSERT_THAT(evidence.findings, SizeIs(1)) << cut;
    EXPECT_EQ(evidence.findings[0].accesses.at(0).stack.at(0).line, 3) << cut;
  }
}

TEST(ReadEvidenceTest, WhatIsNoEvidenceGivesAnError) {
  const auto error_of = [](const std::string& text) {
    std::istringstream stream(text);
    const Result<report::Evidence> evidence = read_evidence(stream, "in", {});
    return evidence ? std::string() : evidence.error().message;
  };
  EXPECT_THAT(error_of(std::string("\0\1\2", 3)), HasSubstr("binary"));
  EXPECT_THAT(error_of("{\"runs\": [}"), HasSubstr("not JSON at line 1, column "));
  EXPECT_THAT(error_of("<?xml version=\"1.0\"?><a></b>"), HasSubstr("line 1: mismatched tag"));
  EXPECT_THAT(error_of("{\"schedules\": 1, "), HasSubstr("in: "));
}

TEST(ReadEvidenceTest, XmlThatEndsEarlyIsTruncated) {
  const report::Evidence evidence = read_text("<?xml version=\"1.0\"?><valgrindoutput><error>");
  EXPECT_TRUE(evidence.truncated);
}

TEST(ReadEvidenceTest, AnUnknownFormatIsNamed) {
  std::istringstream stream("text");
  const Result<report::Evidence> evidence =
      read_evidence(stream, "in", {.format = "gcd", .progress = {}});
  ASSERT_FALSE(evidence);
  EXPECT_THAT(evidence.error().message, HasSubstr("unknown format \"gcd\"; known: vigil-race, "));
}

TEST(CollisionTest, KeysDoNotDependOnCompilerDetails) {
  EXPECT_EQ(function_key("Cache::put(int, int) [clone .isra.0]"), "Cache::put");
  EXPECT_EQ(function_key("void ns::Cache<int, std::less<int> >::put<long>(int) const"),
            "ns::Cache::put");
  EXPECT_EQ(function_key("main::{lambda(int)#1}::operator()(int) const"),
            "main::{lambda#1}::operator()");
  EXPECT_EQ(function_key("(anonymous namespace)::run(int)"), "(anonymous namespace)::run");
  EXPECT_EQ(function_key("bool operator< <int>(A<int> const&, A<int> const&)"), "operator<");
  EXPECT_EQ(function_key("example.com/svc/cache.(*Map[go.shape.int]).Put"),
            "example.com/svc/cache.(*Map).Put");
}

}  // namespace
}  // namespace vigil::tools::evidence
