// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/issue.h"

#include <gtest/gtest.h>

#include <set>

#include "vigil/tools/gate/intake.h"
#include "vigil/tools/gate/testing_issues.h"

namespace vigil::tools::gate {
namespace {

using report::Operation;
using testing_issues::access;
using testing_issues::issue;
using testing_issues::race;
using testing_issues::read_write;

TEST(IssueTest, TheFingerprintDoesNotDependOnTheOrderOfTheSides) {
  EXPECT_EQ(
      issue(race(access(Operation::kRead, "Get", "a.cc"), access(Operation::kWrite, "Set", "b.cc")))
          .fingerprint,
      issue(race(access(Operation::kWrite, "Set", "b.cc"), access(Operation::kRead, "Get", "a.cc")))
          .fingerprint);
}

TEST(IssueTest, LinesThreadsFoldersAndParametersDoNotChangeTheFingerprint) {
  const Issue here =
      issue(race(access(Operation::kRead, "Cache::get(int)", "/ci/1/cache.cc", 10),
                 access(Operation::kWrite, "Cache::put(int, int)", "/ci/1/cache.cc", 20)));
  const Issue there = issue(race(access(Operation::kRead, "Cache::get", "src/cache.cc", 110),
                                 access(Operation::kWrite, "Cache::put", "src/cache.cc", 220)));
  EXPECT_EQ(here.fingerprint, there.fingerprint);
}

// Programs full of functions called `worker` have different bugs.
TEST(IssueTest, EqualNamesInDifferentFilesAreDifferentIssues) {
  EXPECT_NE(read_write("worker", "worker", "a_test.cc").fingerprint,
            read_write("worker", "worker", "b_test.cc").fingerprint);
}

TEST(IssueTest, FingerprintsOfManyPairsDoNotCollide) {
  std::set<std::string> fingerprints;
  for (int i = 0; i < 200; ++i) {
    for (int j = i; j < 200; ++j) {
      fingerprints.insert(
          fingerprint_of({"conflict", "f" + std::to_string(i), "f" + std::to_string(j)}));
    }
  }
  EXPECT_EQ(fingerprints.size(), 200U * 201U / 2U);
  EXPECT_NE(fingerprint_of({"a", "bc"}), fingerprint_of({"ab", "c"}));
}

// Baselines on disk depend on it.
TEST(IssueTest, TheFingerprintIsTheSameInEveryRelease) {
  EXPECT_EQ(read_write("Cache::get", "Cache::put").fingerprint, "78cd364c4b82cbce154ac1f8442e252b");
}

TEST(IssueTest, TheTitleNamesBothSides) {
  EXPECT_EQ(read_write("Get", "Set").title,
            "data race: Get (cache/cache.cc:7) reads while Set (cache/cache.cc:7) writes");
}

TEST(IssueTableTest, AReadWriteAndAWriteReadConflictAreNoWriteWriteConflict) {
  IssueTable table;
  table.add(read_write("Get", "Set"));
  table.add(read_write("Set", "Get"));
  ASSERT_EQ(table.issues().size(), 1U);
  EXPECT_EQ(table.issues()[0].occurrences, 2U);
  EXPECT_FALSE(table.issues()[0].write_write);
}

TEST(IssueTableTest, AWriteWriteConflictSpeaksForItsPair) {
  IssueTable table;
  table.add(read_write("Get", "Set"));
  table.add(testing_issues::write_write("Get", "Set"));
  ASSERT_EQ(table.issues().size(), 1U);
  EXPECT_EQ(table.issues()[0].occurrences, 2U);
  EXPECT_TRUE(table.issues()[0].write_write);
}

}  // namespace
}  // namespace vigil::tools::gate
