// SPDX-License-Identifier: Apache-2.0
//
// Log: what committed means, groups, segments, faults, closing.
#include "vigil/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

#include "vigil/log/segment_pool.h"
#include "vigil/log/testing/simulated_disk.h"
#include "vigil/log/testing/test_run.h"

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

TEST(LogTest, AGroupIsReadBackWholeOrNotAtAll) {
  SimulatedDisk disk;
  TestRun run(disk);
  ASSERT_TRUE(run.is_open()) << run.error();
  const std::vector<OwnedRecord> group = numbered(40);  // over several segments
  run.log().group_began();
  for (const OwnedRecord& record : group) run.log().append(record.record());
  EXPECT_EQ(run.log().tail(), run.listener().position() + run.log().tail()) << "kept back";
  run.log().group_ended();
  ASSERT_TRUE(run.wait_committed(run.log().tail()));
  const std::unique_ptr<SimulatedDisk> left = disk.copy();
  Result<ReadBack> back = recover(*left);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->records, group);
  // Without its last record there is nothing of it.
  const Position last = back->positions.back();
  std::string& bytes = left->bytes(kFolder + "/" + back->end.last.name);
  bytes[kHeaderBlockBytes + last - back->end.last.begin] ^= 1;
  back = recover(*left);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_THAT(back->records, IsEmpty());
  ASSERT_TRUE(back->end.cut);
}

TEST(LogTest, EventsOfACacheBecomeRecords) {
  SimulatedDisk disk;
  TestRun run(disk);
  ASSERT_TRUE(run.is_open()) << run.error();
  cache::EntryHeader header;
  header.version = 9;
  header.deadline_ms = 77;
  header.kind = cache::Kind::kOrder;
  Log& log = run.log();
  log.stored({5, 1, "k", "v", header, nullptr});
  log.deadline_set({5, 1, "k", header, 0});
  log.removed({5, 1, "k", "v", header, cache::RemovalCause::kDeleted, true});
  log.removed({5, 1, "k", "v", header, cache::RemovalCause::kDeleted, false});
  log.cleared(5, 0);
  ASSERT_TRUE(run.wait_committed(log.tail()));
  const Result<ReadBack> back = recover(*disk.copy());
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->records.size(), 4U) << "a removal that leaves a tombstone is not written";
  const Record stored = back->records[0].record();
  EXPECT_EQ(stored.kind, cache::Kind::kOrder);
  EXPECT_EQ(stored.shard, 5U);
  EXPECT_EQ(stored.version, 9U);
  EXPECT_EQ(stored.deadline_ms, 77);
  EXPECT_EQ(stored.value, "v");
  EXPECT_EQ(back->records[1].head.type, RecordType::kDeadline);
  EXPECT_EQ(back->records[1].head.deadline_ms, 77);
  EXPECT_EQ(back->records[2].head.type, RecordType::kRemoved);
  EXPECT_EQ(back->records[2].head.version, 9U);
  EXPECT_EQ(back->records[3].head.type, RecordType::kCleared);
}

TEST(LogTest, ARecordOfAnySizeGoesThrough) {
  SimulatedDisk disk;
  LogOptions options = small_log_options();
  options.record_bytes_max = kRecordBytesMax;
  options.segment_bytes = std::uint64_t{5} << 20;
  std::vector<OwnedRecord> records;
  for (const std::size_t size :
       {0U, 1U, 127U, 128U, 16'000U, 40'000U, 300'000U, cache::kValueBytesMax}) {
    records.push_back(owned("key", std::string(size, 'x')));
  }
  records.push_back(
      owned(std::string(cache::kKeyBytesMax, 'k'), std::string(cache::kValueBytesMax, 'v')));
  TestRun run(disk, options);
  ASSERT_TRUE(run.is_open()) << run.error();
  ASSERT_TRUE(run.commit(records));
  const Result<ReadBack> back = recover(*disk.copy());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->records, records);
}

TEST(LogTest, AnIdleLogNotesWhatIsDurable) {
  SimulatedDisk disk;
  LogOptions options = small_log_options();
  options.idle_mark_ms = 1;
  TestRun run(disk, options);
  ASSERT_TRUE(run.is_open()) << run.error();
  ASSERT_TRUE(run.commit(numbered(1)));
  const Position changes = run.log().durable();
  const std::uint64_t syncs = disk.count(DiskOperation::kSync);
  Backoff backoff;
  while (run.log().committed() == changes) backoff.pause();  // only the mark is not synced
  EXPECT_EQ(run.log().stats().syncs, 1U) << "the mark alone is no reason to sync";
  EXPECT_GE(disk.count(DiskOperation::kSync), syncs);
  std::vector<LoggedMark> marks;
  ReadOptions read;
  read.mark = [&](const LoggedMark& mark) { marks.push_back(mark); };
  const std::unique_ptr<SimulatedDisk> left = disk.copy();
  const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, *left);
  ASSERT_TRUE(directory) << directory.error().message;
  ASSERT_TRUE(read_back(**directory, read));
  ASSERT_FALSE(marks.empty());
  EXPECT_EQ(marks.back().mark.durable, changes);
}

TEST(LogTest, WaitDurableSyncsInEveryMode) {
  for (const SyncMode mode : {SyncMode::kAlways, SyncMode::kEverySecond}) {
    SimulatedDisk disk;
    LogOptions options = small_log_options();
    options.sync = mode;
    options.sync_interval_ms = 3'600'000;
    TestRun run(disk, options);
    ASSERT_TRUE(run.is_open()) << run.error();
    run.log().append(owned("key", "value").record());
    const Position tail = run.log().tail();
    const Result<void> durable = run.log().wait_durable(tail);
    ASSERT_TRUE(durable) << durable.error().message;
    EXPECT_GE(run.log().durable(), tail);
    const Result<ReadBack> back = recover(*disk.crash(disk.events(), [] { return false; }));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->records.size(), 1U);
  }
}

TEST(LogTest, ReleasedSegmentsAreReusedAndTheirBytesNeverReadAgain) {
  SimulatedDisk disk;
  Position from = 0;
  std::vector<OwnedRecord> last;
  TestRun run(disk);
  ASSERT_TRUE(run.is_open()) << run.error();
  for (int round = 0; round < 30; ++round) {
    from = run.log().tail();
    last = numbered(12, round * 100);
    ASSERT_TRUE(run.commit(last));
    run.log().release(from);
  }
  const LogStats stats = run.log().stats();
  EXPECT_GT(stats.segments_reused, 5U);
  EXPECT_LE(stats.segments, 5 + SegmentPool::kSparesMax) << "what is released goes";
  const std::unique_ptr<SimulatedDisk> left = disk.copy();
  const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, *left);
  ASSERT_TRUE(directory) << directory.error().message;
  ReadOptions read;
  read.from = from;
  const Result<ReadBack> back = read_back(**directory, read);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->records, last);
  EXPECT_FALSE(back->end.cut) << back->end.cut->sentence();
}

// ---- Every second ----

// A sync that takes as long as a test likes.
class Gate {
 public:
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }
  void set_open(bool open) {
    const std::lock_guard guard(mutex_);
    open_ = open;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
};

TEST(LogTest, ASlowSyncHoldsUpNoCommitOfEverySecond) {
  SimulatedDisk disk;
  Gate gate;
  LogOptions options = small_log_options();
  options.sync = SyncMode::kEverySecond;
  options.sync_interval_ms = 1;
  options.segment_bytes = kHeaderBlockBytes + 64 * 1024;  // no new segment: that is synced as well
  TestRun run(disk, options);
  ASSERT_TRUE(run.is_open()) << run.error();
  run.wait_for_next_segment();
  disk.on_sync([&] { gate.wait(); });
  gate.set_open(false);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(run.commit(numbered(1, i)));
  gate.set_open(true);
}

TEST(LogTest, EverySecondCommitsWhatAKilledProcessKeeps) {
  SimulatedDisk disk;
  LogOptions options = small_log_options();
  options.sync = SyncMode::kEverySecond;
  options.sync_interval_ms = 3'600'000;
  TestRun run(disk, options);
  ASSERT_TRUE(run.is_open()) << run.error();
  const std::vector<OwnedRecord> records = numbered(30);
  ASSERT_TRUE(run.commit(records));
  const Result<ReadBack> back = recover(*disk.copy());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->records, records);
}

// ---- Faults ----

// Commits one record after another until that fails; how many were committed.
int commit_until_failure(TestRun& run, int count) {
  int committed = 0;
  while (committed < count && run.commit(numbered(1, committed))) ++committed;
  return committed;
}

class FaultTest : public ::testing::TestWithParam<DiskOperation> {};

TEST_P(FaultTest, AfterAnyErrorNothingIsAcknowledgedAndWhatWasIsThere) {
  constexpr int kCount = 25;
  for (std::uint64_t nth = 0; nth < 40; ++nth) {
    SimulatedDisk disk;
    TestRun run(disk);
    ASSERT_TRUE(run.is_open()) << run.error();
    // The disk recovers at once: a second sync would succeed, and lie.
    disk.fail(GetParam(), nth, EIO, false);
    const int committed = commit_until_failure(run, kCount);
    if (run.log().write_state() == WriteState::kFailed) {
      EXPECT_EQ(run.listener().failures(), 1);
      EXPECT_THAT(run.listener().reason(), HasSubstr("Input/output error"));
      EXPECT_THAT(run.log().failure(), HasSubstr(kFolder + "/log."));
      const Position before = run.listener().position();
      run.log().append(owned("after", "the failure").record());
      run.log().commit_soon();
      EXPECT_FALSE(run.log().wait_durable(run.log().tail()));
      EXPECT_FALSE(run.log().close());
      EXPECT_EQ(run.listener().position(), before) << "nothing is acknowledged any more";
    } else {
      EXPECT_EQ(committed, kCount) << "it hit the making of a segment, which is tried again";
    }
    for (const bool all : {true, false}) {
      const Result<ReadBack> back = recover(*disk.crash(disk.events(), [&] { return all; }));
      ASSERT_TRUE(back) << back.error().message;
      ASSERT_GE(back->records.size(), static_cast<std::size_t>(committed)) << "nth " << nth;
      const std::vector<OwnedRecord> expected = numbered(static_cast<int>(back->records.size()));
      EXPECT_EQ(back->records, expected);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(WritesAndSyncs, FaultTest,
                         ::testing::Values(DiskOperation::kWrite, DiskOperation::kSync));

TEST(LogTest, AFullDiskIsSaidAndForgottenWhenThereIsRoom) {
  SimulatedDisk disk;
  TestRun run(disk);
  ASSERT_TRUE(run.is_open()) << run.error();
  disk.set_room(0);
  // What is ready still takes records; then they wait in memory.
  Backoff backoff;
  int appended = 0;
  while (run.log().write_state() != WriteState::kNoRoom) {
    run.log().append(numbered(1, appended++).front().record());
    run.log().commit_soon();
    backoff.pause();
  }
  EXPECT_THAT(run.log().stats().no_room, HasSubstr("No space left on device"));
  for (int i = 0; i < 40; ++i) run.log().append(numbered(1, appended++).front().record());
  run.log().commit_soon();
  EXPECT_LT(run.log().committed(), run.log().tail());
  disk.set_room(UINT64_MAX);
  ASSERT_TRUE(run.wait_committed(run.log().tail()));
  while (run.log().write_state() != WriteState::kReady) backoff.pause();
  const Result<ReadBack> back = recover(*disk.copy());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->records, numbered(appended));
}

// As on a file system that copies on write: the segment's own blocks are not enough.
TEST(LogTest, AWriteThatFindsNoRoomIsTriedAgain) {
  SimulatedDisk disk;
  TestRun run(disk);
  ASSERT_TRUE(run.is_open()) << run.error();
  ASSERT_TRUE(run.commit(numbered(3)));
  run.wait_for_next_segment();
  disk.fail(DiskOperation::kWrite, 0, ENOSPC, true);
  run.log().append(numbered(1, 3).front().record());
  run.log().commit_soon();
  Backoff backoff;
  while (run.log().write_state() != WriteState::kNoRoom) backoff.pause();
  EXPECT_LT(run.log().committed(), run.log().tail());
  EXPECT_EQ(run.listener().failures(), 0);
  disk.heal();
  ASSERT_TRUE(run.wait_committed(run.log().tail()));
  while (run.log().write_state() != WriteState::kReady) backoff.pause();
  const Result<ReadBack> back = recover(*disk.copy());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->records, numbered(4));
}

TEST(LogTest, ClosesOnAFullDiskAndKeepsWhatWasCommitted) {
  SimulatedDisk disk;
  TestRun run(disk);
  ASSERT_TRUE(run.is_open()) << run.error();
  ASSERT_TRUE(run.commit(numbered(5)));
  disk.set_room(0);
  for (int i = 5; i < 100; ++i) run.log().append(numbered(1, i).front().record());
  const Result<void> closed = run.log().close();
  ASSERT_FALSE(closed);
  EXPECT_THAT(closed.error().message, HasSubstr("No space left on device"));
  disk.set_room(UINT64_MAX);
  const Result<ReadBack> back = recover(*disk.copy());
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_GE(back->records.size(), 5U);
  EXPECT_EQ(back->records, numbered(static_cast<int>(back->records.size())));
}

TEST(LogTest, MoreThanTheBacklogIsRefused) {
  SimulatedDisk disk;
  Gate gate;
  LogOptions options = small_log_options();
  options.backlog_bytes_max = 1000;
  TestRun run(disk, options);
  ASSERT_TRUE(run.is_open()) << run.error();
  disk.on_sync([&] { gate.wait(); });
  gate.set_open(false);
  for (int i = 0; i < 100; ++i) run.log().append(numbered(1, i).front().record());
  run.log().commit_soon();
  EXPECT_EQ(run.log().write_state(), WriteState::kBacklog);
  gate.set_open(true);
  ASSERT_TRUE(run.wait_committed(run.log().tail()));
  EXPECT_NE(run.log().write_state(), WriteState::kBacklog);
}

TEST(LogTest, AFailedSyncAtTheEndLeavesEverySegment) {
  SimulatedDisk disk;
  TestRun run(disk);
  ASSERT_TRUE(run.is_open()) << run.error();
  ASSERT_TRUE(run.commit(numbered(40)));
  run.wait_for_next_segment();
  run.log().append(owned("last", "one").record());
  disk.fail(DiskOperation::kSync, 0, EIO, true);
  EXPECT_FALSE(run.log().close());
  const Result<ReadBack> back = recover(*disk.crash(disk.events(), [] { return false; }));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->records, numbered(40));
}

}  // namespace
}  // namespace vigil::log
