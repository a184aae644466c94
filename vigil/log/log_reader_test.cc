// SPDX-License-Identifier: Apache-2.0
//
// read_log: torn tails, damage, limits, and that each refusal names file, offset, reason and what
// to do next.
#include "vigil/log/log_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vigil/log/crc32c.h"
#include "vigil/log/little_endian.h"
#include "vigil/log/log.h"
#include "vigil/log/testing/simulated_disk.h"
#include "vigil/log/testing/test_run.h"
#include "vigil/testing/seed.h"

namespace vigil::log {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// A killed server's disk, with 30 records in segments of 1,024 bytes; every commit is one record.
class LogReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SimulatedDisk disk;
    TestRun run(disk, options_);
    ASSERT_TRUE(run.is_open()) << run.error();
    for (int i = 0; i < 30; ++i) {
      records_.emplace_back(set_record("key:" + std::to_string(i), std::string(60, 'v')));
      ASSERT_TRUE(run.commit({records_.back()}));
    }
    run.wait_for_next_segment();
    disk_ = disk.copy();
    Result<ReadBack> back = recover(*disk_);
    ASSERT_TRUE(back) << back.error().message;
    ASSERT_EQ(back->records, records_);
    back_ = std::move(*back);
  }

  [[nodiscard]] std::string path(std::size_t segment) const {
    std::vector<std::string> paths;
    for (const std::string& path : disk_->paths()) {
      if (path.find("/log.") != std::string::npos) paths.push_back(path);
    }
    return paths.at(segment);
  }
  [[nodiscard]] std::string last_path() const { return kFolder + "/" + back_.end.last.name; }
  [[nodiscard]] std::size_t end_offset() const {
    return kHeaderBlockBytes + (back_.end.end - back_.end.last.begin);
  }
  // What a start says of the disk now.
  [[nodiscard]] std::string refusal() {
    const Result<ReadBack> back = recover(*disk_);
    return back ? "it was read" : back.error().message;
  }
  void expect_cut(std::uint64_t bytes_min, std::uint64_t bytes_max) {
    const Result<ReadBack> back = recover(*disk_);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->records, records_);
    ASSERT_TRUE(back->end.cut);
    EXPECT_GE(back->end.cut->bytes, bytes_min);
    EXPECT_LE(back->end.cut->bytes, bytes_max);
    EXPECT_EQ(back->end.cut->offset, end_offset());
    EXPECT_THAT(back->end.cut->sentence(), HasSubstr(last_path()));
    TestRun run(*disk_, options_);
    ASSERT_TRUE(run.is_open()) << run.error();
    EXPECT_FALSE(recover(*disk_->copy())->end.cut) << "once is enough";
  }

  LogOptions options_ = small_log_options();
  std::unique_ptr<SimulatedDisk> disk_;
  std::vector<OwnedRecord> records_;
  ReadBack back_;
};

// ---- Torn tails (redis 5177, valkey 1148) ----

TEST_F(LogReaderTest, ATailOfZeroesIsTheEnd) {
  disk_->bytes(last_path()).append(5000, '\0');
  const Result<ReadBack> back = recover(*disk_);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->records, records_);
  EXPECT_FALSE(back->end.cut);
}

TEST_F(LogReaderTest, ATailOfRandomBytesIsCut) {
  Random random(vigil::testing::test_seed());
  std::string& bytes = disk_->bytes(last_path());
  for (std::size_t i = end_offset(); i < bytes.size(); ++i) bytes[i] = static_cast<char>(random());
  bytes[end_offset()] = 'x';
  expect_cut(1, bytes.size() - end_offset());
}

TEST_F(LogReaderTest, ATailOfAnOlderSegmentsBytesIsCut) {
  const std::string older = disk_->bytes(path(0));
  std::string& bytes = disk_->bytes(last_path());
  bytes.replace(end_offset(), bytes.size() - end_offset(), older, end_offset(),
                bytes.size() - end_offset());
  expect_cut(1, bytes.size() - end_offset());
}

TEST_F(LogReaderTest, ARecordCutInTheMiddleIsCut) {
  std::string& bytes = disk_->bytes(last_path());
  const std::string record = bytes.substr(kHeaderBlockBytes, 40);
  bytes.replace(end_offset(), record.size(), record);
  expect_cut(30, 40);
}

// A segment's bytes once more, behind its end: they are bound to their positions.
TEST_F(LogReaderTest, ADoubledSegmentChangesNothing) {
  std::string& bytes = disk_->bytes(last_path());
  const std::string own = bytes.substr(kHeaderBlockBytes, 100);
  bytes.replace(end_offset(), own.size(), own);
  expect_cut(1, 200);
}

TEST_F(LogReaderTest, MoreThanTheLimitIsNotCut) {
  disk_->bytes(last_path()).replace(end_offset(), 100, std::string(100, 'x'));
  const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, *disk_);
  ASSERT_TRUE(directory) << directory.error().message;
  ReadOptions options;
  options.cut_bytes_max = 99;
  const Result<ReadBack> refused = read_back(**directory, options);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr(last_path()), HasSubstr("offset " + std::to_string(end_offset())),
                    HasSubstr("100 bytes"), HasSubstr("--log-cut-limit")));
  options.cut_bytes_max = 100;
  EXPECT_TRUE(read_back(**directory, options));
}

// ---- Damage ----

TEST_F(LogReaderTest, DamageInTheMiddleNamesFileOffsetReasonAndCommand) {
  const std::size_t offset = kHeaderBlockBytes + (back_.positions[3] - 0);
  disk_->bytes(path(0))[offset + 20] ^= 4;
  EXPECT_THAT(refusal(), AllOf(HasSubstr(path(0)), HasSubstr("offset " + std::to_string(offset)),
                               HasSubstr("checksum"), HasSubstr("synced"),
                               HasSubstr("vigil log check " + kFolder),
                               HasSubstr("vigil log repair " + kFolder)));
}

TEST_F(LogReaderTest, AZeroedSectorIsDamageNotTheEnd) {
  disk_->bytes(path(1)).replace(kHeaderBlockBytes + 512, 512, 512, '\0');
  EXPECT_THAT(refusal(), AllOf(HasSubstr(path(1)), HasSubstr("vigil log repair")));
}

TEST_F(LogReaderTest, ALostSegmentIsDamage) {
  ASSERT_EQ(disk_->remove(path(1)), 0);
  EXPECT_THAT(refusal(), HasSubstr("a segment is missing"));
}

TEST_F(LogReaderTest, ALostLogIsNoBeginning) {
  while (true) {
    bool removed = false;
    for (const std::string& file : disk_->paths()) {
      if (file.find("/log.") == std::string::npos) continue;
      ASSERT_EQ(disk_->remove(file), 0);
      removed = true;
      break;
    }
    if (!removed) break;
  }
  EXPECT_THAT(refusal(), HasSubstr("missing"));
}

TEST_F(LogReaderTest, ALostLastRunIsNoEnd) {
  {
    TestRun run(*disk_, options_);
    ASSERT_TRUE(run.is_open()) << run.error();
    ASSERT_TRUE(run.commit(records_));
  }
  const std::string run_path = kFolder + "/" + segment_name(back_.end.end);
  for (const std::string& file : disk_->paths()) {
    if (file >= run_path && file.find("/log.") != std::string::npos) {
      ASSERT_EQ(disk_->remove(file), 0);
    }
  }
  EXPECT_THAT(refusal(), AllOf(HasSubstr(run_path), HasSubstr("missing")));
}

TEST_F(LogReaderTest, ASegmentUnderAnotherNameIsRefused) {
  ASSERT_EQ(disk_->rename(path(1), kFolder + "/" + segment_name(1500)), 0);
  EXPECT_THAT(refusal(), HasSubstr("its name says otherwise"));
}

// Golden: a header of the format that is on the disks of users, and one of a later format.
TEST_F(LogReaderTest, ANewerFormatIsRefusedInASentence) {
  std::string& bytes = disk_->bytes(path(0));
  bytes[8] = 2;
  const std::uint32_t crc = crc32c({bytes.data(), kHeaderBlockBytes - 4});
  store_little(bytes.data() + kHeaderBlockBytes - 4, crc);
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr(path(0)), HasSubstr("it has format 2"), HasSubstr("up to 1")));
}

// ---- Positions ----

TEST_F(LogReaderTest, ReadsFromAPositionOn) {
  const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, *disk_);
  ASSERT_TRUE(directory) << directory.error().message;
  for (const std::size_t first : {0U, 7U, 20U, 29U}) {
    ReadOptions options;
    options.from = back_.positions[first];
    const Result<ReadBack> back = read_back(**directory, options);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->records,
              std::vector<OwnedRecord>(records_.begin() + static_cast<std::ptrdiff_t>(first),
                                       records_.end()));
  }
  ReadOptions options;
  options.from = back_.end.end + 100;
  const Result<ReadBack> beyond = read_back(**directory, options);
  ASSERT_FALSE(beyond);
  EXPECT_THAT(beyond.error().message, HasSubstr("where the snapshot begins"));
}

TEST_F(LogReaderTest, SaysHowFarItIs) {
  const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, *disk_);
  ASSERT_TRUE(directory) << directory.error().message;
  EXPECT_EQ(back_.end.identity, options_.identity);
  EXPECT_EQ(back_.end.records, records_.size());
  EXPECT_GT(back_.end.last_time_ms, 0);
  EXPECT_THAT(back_.end.unused, ::testing::SizeIs(1)) << "the segment that was ready";
}

// So a log of any size takes no more memory than one of 20 MiB.
TEST(LogReaderMemoryTest, ReadsThroughAWindow) {
  constexpr std::uint64_t kRecords = 20'000;
  SimulatedDisk disk;
  LogOptions options = small_log_options();
  options.record_bytes_max = 2000;
  options.segment_bytes = std::uint64_t{4} << 20;
  options.sync = SyncMode::kEverySecond;
  {
    TestRun run(disk, options);
    ASSERT_TRUE(run.is_open()) << run.error();
    const std::string value(1000, 'v');
    for (std::uint64_t i = 0; i < kRecords; ++i) run.log().append(set_record("key", value, i));
    ASSERT_TRUE(run.wait_committed(run.log().tail()));
  }
  const std::unique_ptr<SimulatedDisk> left = disk.copy();
  const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, *left);
  ASSERT_TRUE(directory) << directory.error().message;
  std::uint64_t count = 0;
  std::uint64_t told = 0;
  ReadOptions read;
  read.progress = [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_LE(done, total);
    ++told;
  };
  const Result<LogEnd> end = read_log(**directory, read, [&](const LoggedRecord& logged) {
    EXPECT_EQ(logged.record.version, count++);
  });
  ASSERT_TRUE(end) << end.error().message;
  EXPECT_EQ(count, kRecords);
  EXPECT_GT(told, 0U);
  EXPECT_LE(left->largest_read_bytes(), (std::uint64_t{1} << 20) + kRecordBytesMax);
}

}  // namespace
}  // namespace vigil::log
