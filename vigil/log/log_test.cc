// SPDX-License-Identifier: Apache-2.0
//
// Log: what committed means, groups, segments, faults, closing.
#include "vigil/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <string>
#include <vector>

#include "vigil/log/log_testing.h"
#include "vigil/log/simulated_disk.h"

namespace vigil::log {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

OwnedRecord owned(std::string_view key, std::string_view value, std::uint64_t version = 1) {
  return OwnedRecord(set_record(key, value, version));
}

std::vector<OwnedRecord> numbered(int count, int from = 0) {
  std::vector<OwnedRecord> records;
  for (int i = from; i < from + count; ++i) {
    records.push_back(owned("key:" + std::to_string(i), std::string(50, 'v')));
  }
  return records;
}

TEST(LogTest, ANewDirectoryIsAnEmptyLog) {
  SimulatedDisk disk;
  const TestRun run(disk);
  ASSERT_TRUE(run.is_open()) << run.error();
  EXPECT_THAT(run.recovered().records, IsEmpty());
  EXPECT_EQ(run.recovered().end.end, 0U);
}

TEST(LogTest, WhatWasCommittedIsReadBackInOrder) {
  SimulatedDisk disk;
  const std::vector<OwnedRecord> records = numbered(100);
  {
    TestRun run(disk);
    ASSERT_TRUE(run.is_open()) << run.error();
    ASSERT_TRUE(run.commit(records));
    const Result<void> closed = run.log().close();
    ASSERT_TRUE(closed) << closed.error().message;
  }
  const Result<ReadBack> back = recover(disk);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->records, records);
  EXPECT_TRUE(back->end.closed);
  EXPECT_FALSE(back->end.cut);
}

TEST(LogTest, WhatWasCommittedSurvivesAKilledProcess) {
  SimulatedDisk disk;
  const std::vector<OwnedRecord> records = numbered(100);
  TestRun run(disk);
  ASSERT_TRUE(run.is_open()) << run.error();
  ASSERT_TRUE(run.commit(records));
  const std::unique_ptr<SimulatedDisk> left = disk.copy();
  const Result<ReadBack> back = recover(*left);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->records, records);
  EXPECT_FALSE(back->end.closed);
  EXPECT_FALSE(back->end.cut) << back->end.cut->sentence();
}

TEST(LogTest, RunsContinueOneAnother) {
  SimulatedDisk disk;
  std::vector<OwnedRecord> all;
  for (int i = 0; i < 5; ++i) {
    TestRun run(disk);
    ASSERT_TRUE(run.is_open()) << run.error();
    EXPECT_EQ(run.recovered().records, all);
    const std::vector<OwnedRecord> more = numbered(20, 20 * i);
    ASSERT_TRUE(run.commit(more));
    all.insert(all.end(), more.begin(), more.end());
  }
  const Result<ReadBack> back = recover(disk);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->records, all);
}

}  // namespace
}  // namespace vigil::log
