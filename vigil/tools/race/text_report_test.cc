// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/text_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace vigil::tools::race {
namespace {

using report::Finding;
using report::Frame;
using report::Kind;
using report::Location;
using report::Operation;
using ::testing::HasSubstr;
using ::testing::Not;

Frame frame(std::string function, std::string file, int line) {
  Frame frame;
  frame.function = std::move(function);
  frame.file = std::move(file);
  frame.line = line;
  return frame;
}

Finding race() {
  Finding finding;
  finding.kind = Kind::kRace;
  report::Access write;
  write.thread = 2;
  write.operation = Operation::kWrite;
  write.size = 4;
  write.address = 0x4040;
  write.stack = {frame("std::vector<int>::push_back", "/usr/include/c++/12/vector.h", 9),
                 frame("std::a", "/usr/include/c++/12/a.h", 1),
                 frame("std::b", "/usr/include/c++/12/b.h", 1),
                 frame("std::c<int>", "/usr/include/c++/12/c.h", 1),
                 frame("Cleaner::run", "/home/me/src/clean.cc", 33),
                 frame("std::thread::_M_run", "/usr/include/c++/12/thread.h", 1)};
  report::Access read = write;
  read.thread = 0;
  read.operation = Operation::kRead;
  read.stack = {frame("main", "/home/me/src/main.cc", 5)};
  read.locks = {{"mutex", "table_lock", 0x4080, {frame("main", "/home/me/src/main.cc", 4)}}};
  finding.accesses = {write, read};
  finding.location.kind = Location::Kind::kGlobal;
  finding.location.object = "(anonymous namespace)::hits";
  finding.location.type = "int";
  finding.location.size = 4;
  finding.location.address = 0x4040;
  report::Thread cleaner;
  cleaner.id = 2;
  cleaner.name = "cleaner";
  cleaner.created_by = 0;
  cleaner.created_at = {frame("main", "/home/me/src/main.cc", 3)};
  finding.threads = {cleaner};
  finding.seed = 7;
  finding.strategy = "pct";
  finding.scheduling_point = 12;
  finding.replay = "vigil race replay --seed 7 -- ./a";
  return finding;
}

TEST(TextReportTest, BothSidesTheMemoryTheThreadsAndTheReplayAreTold) {
  TextStyle style;
  style.folder = "/home/me";
  EXPECT_EQ(text_report(race(), style), R"(vigil: data race on 'hits'

  T2 'cleaner' writes 4 bytes at 0x4040:
    #0  std::vector::push_back  /usr/include/c++/12/vector.h:9
    ... 2 library frames
    #3  std::c                  /usr/include/c++/12/c.h:1
    #4  Cleaner::run            src/clean.cc:33
    ... 1 library frame
    holding no lock

  T0 'main' reads 4 bytes at 0x4040 (earlier):
    #0  main  src/main.cc:5
    holding mutex 'table_lock' at 0x4080, taken at main.cc:4

  The memory is the global 'hits' of type int, 4 bytes at 0x4040.

  T2 'cleaner' was created by T0 'main':
    #0  main  src/main.cc:3

  Seed 7, strategy pct, scheduling point 12. To see it again:
    vigil race replay --seed 7 -- ./a
)");
}

TEST(TextReportTest, ADeadlockShowsWhoWaitsForWhom) {
  Finding finding;
  finding.kind = Kind::kDeadlock;
  for (const std::int64_t id : {1, 2}) {
    report::Thread& thread = finding.threads.emplace_back();
    thread.id = id;
    thread.state = "blocked in pthread_mutex_lock";
    thread.waits_for = 0x100U + static_cast<std::uint64_t>(id);
    thread.waits_for_thread = 3 - id;
    thread.stack = {frame("transfer", "bank.cc", 22)};
    thread.locks = {{"lock",
                     id == 2 ? "from" : "",
                     0x100U + static_cast<std::uint64_t>(3 - id),
                     {frame("transfer", "bank.cc", 21)}}};
  }
  const std::string text = text_report(finding, TextStyle{});
  EXPECT_THAT(text, HasSubstr("T1 is blocked in pthread_mutex_lock on 'from', held by T2:"));
  EXPECT_THAT(text, HasSubstr("T2 is blocked in pthread_mutex_lock on 0x102, held by T1:"));
  EXPECT_THAT(text, HasSubstr("T1 holds lock at 0x102, taken at:\n    #0  transfer  bank.cc:21"));
  EXPECT_THAT(text, HasSubstr("Cycle: T1 waits for T2, which waits for T1."));
}

TEST(TextReportTest, ColourIsForTerminalsOnly) {
  EXPECT_THAT(text_report(race(), TextStyle{}), Not(HasSubstr("\033")));
  TextStyle colourful;
  colourful.colour = true;
  EXPECT_THAT(text_report(race(), colourful), HasSubstr("\033[1;31mvigil: data race"));
}

TEST(TextReportTest, ANameOfTheProgramCannotMoveTheCursor) {
  Finding finding = race();
  finding.threads[0].name = "\033[2Jevil\n";
  finding.accesses[0].stack[4].function = "f\033";
  const std::string text = text_report(finding, TextStyle{});
  EXPECT_THAT(text, Not(HasSubstr("\033")));
  EXPECT_THAT(text, HasSubstr("T2 '?[2Jevil?'"));
}

TEST(TextReportTest, WhatIsNotKnownIsSaid) {
  Finding finding;
  finding.accesses.emplace_back();
  const std::string text = text_report(finding, TextStyle{});
  EXPECT_THAT(text, HasSubstr("an unknown thread is here:\n    (the stack is not known)"));
  EXPECT_EQ(short_place({}), "an unknown place");
}

}  // namespace
}  // namespace vigil::tools::race
