// SPDX-License-Identifier: Apache-2.0
//
// Snapshot file: what was written is read back, by several threads, and nothing else is.
#include "vigil/log/snapshot_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "vigil/log/testing/simulated_disk.h"
#include "vigil/log/testing/test_run.h"

namespace vigil::log {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr std::uint64_t kRecords = 20'000;
const LogIdentity kIdentity{64, "xxh3", 0x99};

class SnapshotFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, disk_);
    ASSERT_TRUE(directory) << directory.error().message;
    directory_ = std::move(*directory);
  }

  void write(Position begin) {
    Result<SnapshotWriter> writer = SnapshotWriter::create(*directory_, begin, kIdentity);
    ASSERT_TRUE(writer) << writer.error().message;
    for (std::uint64_t i = 1; i <= kRecords; ++i) {
      const std::string key = "key:" + std::to_string(i);
      ASSERT_TRUE(writer->add(set_record(key, std::string(i % 100, 'v'), i)));
    }
    ASSERT_TRUE(writer->finish(begin + 1));
  }
  [[nodiscard]] std::string path(Position begin) const {
    return kFolder + "/" + snapshot_name(begin);
  }
  [[nodiscard]] Result<std::uint64_t> read(Position begin,
                                           std::vector<SnapshotBlock>* blocks = nullptr) const {
    Result<SnapshotReader> reader =
        SnapshotReader::open(*directory_, {begin, snapshot_name(begin)});
    if (!reader) return reader.error();
    SnapshotBlock block;
    for (;;) {
      const Result<bool> more = reader->next(&block);
      if (!more) return more.error();
      if (!*more) return reader->records();
      const Result<void> checked = check_block(reader->path(), block);
      if (!checked) return checked.error();
      if (blocks != nullptr) blocks->push_back(block);
    }
  }
  [[nodiscard]] std::string refusal(Position begin) const {
    const Result<std::uint64_t> records = read(begin);
    return records ? "it was read" : records.error().message;
  }

  SimulatedDisk disk_;
  std::unique_ptr<Directory> directory_;
};

TEST_F(SnapshotFileTest, BlocksLoadOnSeveralThreads) {
  ASSERT_NO_FATAL_FAILURE(write(100));
  std::vector<SnapshotBlock> blocks;
  ASSERT_TRUE(read(100, &blocks));
  ASSERT_GT(blocks.size(), 3U);
  std::mutex mutex;
  std::set<std::uint64_t> versions;
  std::vector<std::thread> threads;
  threads.reserve(blocks.size());
  for (const SnapshotBlock& block : blocks) {
    threads.emplace_back([&] {
      for_each_record(block, [&](const Record& record) {
        const std::lock_guard guard(mutex);
        EXPECT_EQ(record.value.size(), record.version % 100);
        versions.insert(record.version);
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(versions.size(), kRecords);
}

TEST_F(SnapshotFileTest, SaysWhatItIsOf) {
  ASSERT_NO_FATAL_FAILURE(write(100));
  const Result<SnapshotReader> reader =
      SnapshotReader::open(*directory_, {100, snapshot_name(100)});
  ASSERT_TRUE(reader) << reader.error().message;
  EXPECT_EQ(reader->header().begin, 100U);
  EXPECT_EQ(reader->header().identity, kIdentity);
  EXPECT_EQ(reader->end(), 101U);
  EXPECT_EQ(reader->records(), kRecords);
}

TEST_F(SnapshotFileTest, AnUnfinishedSnapshotIsNone) {
  {
    Result<SnapshotWriter> writer = SnapshotWriter::create(*directory_, 5, kIdentity);
    ASSERT_TRUE(writer) << writer.error().message;
    ASSERT_TRUE(writer->add(set_record("key", "value")));
  }
  EXPECT_TRUE(directory_->list()->snapshots.empty());
  Result<SnapshotWriter> again = SnapshotWriter::create(*directory_, 6, kIdentity);
  ASSERT_TRUE(again) << again.error().message;
  again->abandon();
  for (const std::string& file : disk_.paths()) EXPECT_FALSE(file.ends_with(".tmp")) << file;
}

TEST_F(SnapshotFileTest, WhatWasCutOffOrGrewIsRefused) {
  ASSERT_NO_FATAL_FAILURE(write(100));
  std::string& bytes = disk_.bytes(path(100));
  const std::string whole = bytes;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{100}, kHeaderBlockBytes, whole.size() / 2, whole.size() - 1}) {
    bytes = whole.substr(0, size);
    EXPECT_THAT(refusal(100),
                AllOf(HasSubstr(path(100)), HasSubstr("offset"), HasSubstr("vigil log repair")))
        << size;
  }
  bytes = whole + "x";
  EXPECT_THAT(refusal(100), HasSubstr("vigil log repair"));
}

TEST_F(SnapshotFileTest, ABlockOfAnotherSnapshotIsRefused) {
  ASSERT_NO_FATAL_FAILURE(write(100));
  ASSERT_NO_FATAL_FAILURE(write(200));
  std::vector<SnapshotBlock> blocks;
  ASSERT_TRUE(read(100, &blocks));
  const std::size_t size = kSnapshotBlockHeadBytes + blocks[1].content.size();
  // The same records at the same place, and yet not this snapshot's.
  disk_.bytes(path(100)).replace(blocks[1].offset, size, disk_.bytes(path(200)), blocks[1].offset,
                                 size);
  EXPECT_THAT(refusal(100), HasSubstr("the block's checksum"));
}

TEST_F(SnapshotFileTest, ADiskThatFailsIsSaid) {
  disk_.fail(DiskOperation::kWrite, 2, ENOSPC, true);
  Result<SnapshotWriter> writer = SnapshotWriter::create(*directory_, 5, kIdentity);
  ASSERT_TRUE(writer) << writer.error().message;
  Result<void> added;
  for (std::uint64_t i = 0; added && i < 10 * kRecords; ++i) {
    added = writer->add(set_record("key", std::string(100, 'v')));
  }
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message, HasSubstr("No space left on device"));
}

}  // namespace
}  // namespace vigil::log
