// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/finding_table.h"

#include <gtest/gtest.h>

#include <utility>

namespace vigil::tools::race {
namespace {

using report::Finding;
using report::Frame;
using report::Kind;
using report::Stack;

Frame frame(std::string function, std::string file, int line) {
  Frame frame;
  frame.function = std::move(function);
  frame.file = std::move(file);
  frame.line = line;
  return frame;
}

const Stack kPut = {frame("std::_Hashtable::_M_insert", "/usr/include/c++/12/bits/hashtable.h", 9),
                    frame("Cache::put", "src/cache.cc", 45), frame("main", "src/main.cc", 3)};
const Stack kClean = {frame("Cleaner::run", "src/clean.cc", 33)};

Finding race_of(Stack first, Stack second) {
  Finding finding;
  finding.kind = Kind::kRace;
  finding.accesses.emplace_back().stack = std::move(first);
  finding.accesses.emplace_back().stack = std::move(second);
  return finding;
}

TEST(FindingTableTest, ThePlaceIsTheFirstFrameOfTheProgramsOwn) {
  EXPECT_EQ(place_of(kPut)->function, "Cache::put");
  EXPECT_EQ(place_of({}), nullptr);
  const Stack library = {kPut.front()};
  EXPECT_EQ(place_of(library), &library.front());
}

TEST(FindingTableTest, ThePairIsUnordered) {
  FindingTable table;
  EXPECT_TRUE(table.add(race_of(kPut, kClean)));
  EXPECT_FALSE(table.add(race_of(kClean, kPut)));
  ASSERT_EQ(table.findings().size(), 1U);
  EXPECT_EQ(table.findings()[0].occurrences, 2U);
}

TEST(FindingTableTest, OtherLinesAndOtherKindsAreOtherBugs) {
  FindingTable table;
  table.add(race_of(kPut, kClean));
  Stack other_line = kClean;
  other_line[0].line = 34;
  EXPECT_TRUE(table.add(race_of(kPut, other_line)));
  Finding use_after_free = race_of(kPut, kClean);
  use_after_free.kind = Kind::kUseAfterFree;
  EXPECT_TRUE(table.add(use_after_free));
}

TEST(FindingTableTest, WhatHappensInsideTheLibraryDoesNotMatter) {
  Stack other_word = kPut;
  other_word[0] = frame("std::_Hashtable::_M_begin", "/usr/include/c++/12/bits/hashtable.h", 77);
  EXPECT_EQ(finding_key(race_of(kPut, kClean)), finding_key(race_of(other_word, kClean)));
}

TEST(FindingTableTest, DeadlocksAreToldApartByWhereTheirThreadsWait) {
  Finding first;
  first.kind = Kind::kDeadlock;
  first.threads.emplace_back().stack = kPut;
  Finding second = first;
  second.threads.emplace_back().stack = kPut;  // one more in the same place
  EXPECT_EQ(finding_key(first), finding_key(second));
  second.threads.emplace_back().stack = kClean;
  EXPECT_NE(finding_key(first), finding_key(second));
}

}  // namespace
}  // namespace vigil::tools::race
