// SPDX-License-Identifier: Apache-2.0
//
// Repair: whatever single damage a log has, it can be read afterwards, and only what was damaged is
// lost.
#include "vigil/log/repair.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "vigil/log/check.h"
#include "vigil/log/crc32c.h"
#include "vigil/log/little_endian.h"
#include "vigil/log/log.h"
#include "vigil/log/snapshot_file.h"
#include "vigil/log/testing/simulated_disk.h"
#include "vigil/log/testing/test_run.h"
#include "vigil/testing/seed.h"
#include "vigil/text/hex.h"

namespace vigil::log {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RepairTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (int run = 0; run < 2; ++run) {
      TestRun life(disk_);
      ASSERT_TRUE(life.is_open()) << life.error();
      for (int i = 0; i < 25; ++i) {
        records_.emplace_back(
            set_record("key:" + std::to_string(records_.size()), std::string(60, 'v')));
        ASSERT_TRUE(life.commit({records_.back()}));
      }
      ASSERT_TRUE(life.log().close());
    }
  }

  [[nodiscard]] std::vector<std::string> segments(SimulatedDisk& disk) const {
    std::vector<std::string> paths;
    for (const std::string& path : disk.paths()) {
      if (path.starts_with(kFolder + "/log.")) paths.push_back(path);
    }
    return paths;
  }

  // Repairs the disk, reads it as a server would, and lets a server run on it.
  void repair_and_read(SimulatedDisk& disk, ReadBack* back, RepairReport* report) {
    bool renewed = false;
    {
      const Result<std::unique_ptr<Directory>> directory =
          Directory::open_to_repair(kFolder, &renewed, disk);
      ASSERT_TRUE(directory) << directory.error().message;
      Result<RepairReport> repaired = repair_directory(**directory);
      ASSERT_TRUE(repaired) << repaired.error().message;
      *report = std::move(*repaired);
    }
    {
      TestRun run(disk);
      ASSERT_TRUE(run.is_open()) << run.error();
      EXPECT_FALSE(run.recovered().end.cut);
      *back = run.recovered();
      ASSERT_TRUE(run.commit({records_.front()}));
    }
    const Result<std::unique_ptr<Directory>> directory = Directory::open_to_read(kFolder, disk);
    ASSERT_TRUE(directory) << directory.error().message;
    const Result<CheckReport> check = check_directory(**directory);
    ASSERT_TRUE(check);
    EXPECT_TRUE(check->clean()) << check->findings.front().sentence;
  }

  // Records of the log that are not in `back`, which holds the others in their order.
  [[nodiscard]] std::size_t lost(const ReadBack& back) const {
    std::size_t found = 0;
    for (const OwnedRecord& record : records_) {
      if (found < back.records.size() && back.records[found] == record) ++found;
    }
    EXPECT_EQ(found, back.records.size()) << "something was read that was never written";
    return records_.size() - found;
  }

  SimulatedDisk disk_;
  std::vector<OwnedRecord> records_;
};

TEST_F(RepairTest, ASoundLogIsLeftAlone) {
  ReadBack back;
  RepairReport report;
  ASSERT_NO_FATAL_FAILURE(repair_and_read(disk_, &back, &report));
  EXPECT_THAT(report.steps, IsEmpty());
  EXPECT_EQ(lost(back), 0U);
}

TEST_F(RepairTest, AnyFlippedByteCostsAtMostTwoRecords) {
  Random random(vigil::testing::test_seed());
  for (const std::string& path : segments(disk_)) {
    const std::size_t size = disk_.bytes(path).size();
    for (std::size_t at = random.below(97); at < size; at += 97) {
      SCOPED_TRACE(path + " byte " + std::to_string(at));
      const std::unique_ptr<SimulatedDisk> damaged = disk_.copy();
      damaged->bytes(path)[at] ^= static_cast<char>(1 + random.below(255));
      ReadBack back;
      RepairReport report;
      ASSERT_NO_FATAL_FAILURE(repair_and_read(*damaged, &back, &report));
      EXPECT_FALSE(report.steps.empty());
      EXPECT_LE(lost(back), at < kHeaderBlockBytes ? 0U : 2U);
      EXPECT_EQ(damaged->bytes(kFolder + "/saved." + path.substr(path.rfind('/') + 1)).size(),
                size);
    }
  }
}

TEST_F(RepairTest, ALostSegmentCostsWhatWasInIt) {
  for (const std::string& path : segments(disk_)) {
    SCOPED_TRACE(path);
    const std::unique_ptr<SimulatedDisk> damaged = disk_.copy();
    ASSERT_EQ(damaged->remove(path), 0);
    ReadBack back;
    RepairReport report;
    ASSERT_NO_FATAL_FAILURE(repair_and_read(*damaged, &back, &report));
    EXPECT_LE(lost(back), 13U);
  }
}

TEST_F(RepairTest, AZeroedSectorCostsWhatWasInIt) {
  const std::string path = segments(disk_)[1];
  disk_.bytes(path).replace(kHeaderBlockBytes + 512, 512, 512, '\0');
  ReadBack back;
  RepairReport report;
  ASSERT_NO_FATAL_FAILURE(repair_and_read(disk_, &back, &report));
  EXPECT_LE(lost(back), 8U);
}

TEST_F(RepairTest, ALostFormatIsMadeAnew) {
  disk_.bytes(kFolder + "/FORMAT")[3] ^= 1;
  ReadBack back;
  RepairReport report;
  ASSERT_NO_FATAL_FAILURE(repair_and_read(disk_, &back, &report));
  EXPECT_EQ(lost(back), 0U);
}

TEST_F(RepairTest, WhatIsOfANewerFormatIsNotTouched) {
  const std::string path = segments(disk_)[1];
  std::string& bytes = disk_.bytes(path);
  bytes[8] = 2;
  store_little(bytes.data() + kHeaderBlockBytes - 4, crc32c({bytes.data(), kHeaderBlockBytes - 4}));
  const std::string before = bytes;
  bool renewed = false;
  {
    const Result<std::unique_ptr<Directory>> directory =
        Directory::open_to_repair(kFolder, &renewed, disk_);
    ASSERT_TRUE(directory) << directory.error().message;
    const Result<RepairReport> repaired = repair_directory(**directory);
    ASSERT_FALSE(repaired);
    EXPECT_THAT(repaired.error().message, HasSubstr("it has format 2"));
  }
  EXPECT_EQ(disk_.bytes(path), before);
  const std::string lines = "vigil log 2\n";
  disk_.bytes(kFolder + "/FORMAT") =
      lines + "crc " + text::hex_digits(crc32c(lines)).substr(8) + "\n";
  const Result<std::unique_ptr<Directory>> newer =
      Directory::open_to_repair(kFolder, &renewed, disk_);
  ASSERT_FALSE(newer);
  EXPECT_THAT(newer.error().message, HasSubstr("has format 2"));
}

TEST_F(RepairTest, ADamagedSnapshotKeepsItsOtherBlocks) {
  constexpr int kRecords = 3000;
  {
    TestRun run(disk_);
    ASSERT_TRUE(run.is_open()) << run.error();
    Result<SnapshotWriter> writer =
        SnapshotWriter::create(run.directory(), run.log().tail(), small_log_options().identity);
    ASSERT_TRUE(writer) << writer.error().message;
    for (int i = 0; i < kRecords; ++i) {
      ASSERT_TRUE(writer->add(set_record("key:" + std::to_string(i), std::string(250, 'v'))));
    }
    ASSERT_TRUE(run.log().wait_durable(run.log().tail()));
    ASSERT_TRUE(writer->finish(run.log().tail()));
  }
  std::string path;
  for (const std::string& file : disk_.paths()) {
    if (file.find("/snapshot.") != std::string::npos) path = file;
  }
  const std::size_t size = disk_.bytes(path).size();
  for (const std::size_t at : {std::size_t{100}, kHeaderBlockBytes + 5, size / 2, size - 3}) {
    SCOPED_TRACE("byte " + std::to_string(at));
    const std::unique_ptr<SimulatedDisk> damaged = disk_.copy();
    damaged->bytes(path)[at] ^= 1;
    ReadBack back;
    RepairReport report;
    ASSERT_NO_FATAL_FAILURE(repair_and_read(*damaged, &back, &report));
    const Result<std::unique_ptr<Directory>> directory = Directory::open_to_read(kFolder, *damaged);
    ASSERT_TRUE(directory) << directory.error().message;
    const Result<std::uint64_t> kept =
        check_snapshot(**directory, (*directory)->list()->snapshots.back());
    ASSERT_TRUE(kept) << kept.error().message;
    EXPECT_GE(*kept, at > kHeaderBlockBytes ? kRecords * 2U / 3 : 0U);
    EXPECT_THAT(report.steps.front(), HasSubstr(path));
  }
}

}  // namespace
}  // namespace vigil::log
