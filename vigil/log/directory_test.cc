// SPDX-License-Identifier: Apache-2.0
//
// Directory: locks, formats, and what each refusal says; on the simulated disk and on a real one.
#include "vigil/log/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "vigil/log/crc32c.h"
#include "vigil/log/testing/simulated_disk.h"
#include "vigil/log/testing/test_run.h"
#include "vigil/text/hex.h"

namespace vigil::log {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string error_of(const Result<std::unique_ptr<Directory>>& directory) {
  return directory ? "it was opened" : directory.error().message;
}

class RealFolder {
 public:
  RealFolder() : path_(std::filesystem::temp_directory_path() / "vigil-log-XXXXXX") {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  ~RealFolder() { std::filesystem::remove_all(path_); }
  RealFolder(const RealFolder&) = delete;
  RealFolder& operator=(const RealFolder&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(DirectoryTest, KeepsItsSecretAndIdentity) {
  SimulatedDisk disk;
  std::string id;
  Secret secret{};
  {
    const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, disk);
    ASSERT_TRUE(directory) << directory.error().message;
    EXPECT_FALSE((*directory)->run());
    id = (*directory)->id();
    secret = (*directory)->secret();
    EXPECT_NE(secret, Secret{});
    ASSERT_TRUE((*directory)->note_run(77));
  }
  const Result<std::unique_ptr<Directory>> again = Directory::open(kFolder, disk);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ((*again)->id(), id);
  EXPECT_EQ((*again)->secret(), secret);
  EXPECT_EQ((*again)->run(), 77U);
}

TEST(DirectoryTest, OnARealDiskTheSecondServerIsRefusedWithTheFirstsProcess) {
  const RealFolder folder;
  const std::string path = folder.path() + "/a/b";
  const Result<std::unique_ptr<Directory>> first = Directory::open(path);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_THAT(error_of(Directory::open(path)),
              AllOf(HasSubstr(path), HasSubstr("in use by process " + std::to_string(::getpid()))));
  EXPECT_THAT(error_of(Directory::open_to_read(path)), HasSubstr("in use by process"));
}

TEST(DirectoryTest, ReadersShareADirectoryAndKeepServersOut) {
  SimulatedDisk disk;
  ASSERT_TRUE(Directory::open(kFolder, disk));
  const Result<std::unique_ptr<Directory>> first = Directory::open_to_read(kFolder, disk);
  const Result<std::unique_ptr<Directory>> second = Directory::open_to_read(kFolder, disk);
  EXPECT_TRUE(first && second);
  EXPECT_THAT(error_of(Directory::open(kFolder, disk)), HasSubstr("in use"));
}

TEST(DirectoryTest, ACopyWithoutALockCanBeRead) {
  SimulatedDisk disk;
  ASSERT_TRUE(Directory::open(kFolder, disk));
  ASSERT_EQ(disk.remove(kFolder + "/LOCK"), 0);
  EXPECT_EQ(error_of(Directory::open_to_read(kFolder, disk)), "it was opened");
}

TEST(DirectoryTest, WhatIsNoDataDirectoryIsNotRead) {
  SimulatedDisk disk;
  EXPECT_THAT(error_of(Directory::open_to_read("/nowhere", disk)), HasSubstr("no data directory"));
}

TEST(DirectoryTest, ANewerFormatIsRefusedInASentence) {
  SimulatedDisk disk;
  ASSERT_TRUE(Directory::open(kFolder, disk));
  std::string& text = disk.bytes(kFolder + "/FORMAT");
  const std::string lines = "vigil log 2\nsomething else\n";
  text = lines + "crc " + text::hex_digits(crc32c(lines)).substr(8) + "\n";
  EXPECT_THAT(error_of(Directory::open(kFolder, disk)),
              AllOf(HasSubstr("FORMAT"), HasSubstr("has format 2"), HasSubstr("up to 1")));
}

// Bytes that format 1 wrote: they are read for ever.
TEST(DirectoryTest, FormatOneIsRead) {
  SimulatedDisk disk;
  ASSERT_TRUE(Directory::open(kFolder, disk));
  disk.bytes(kFolder + "/FORMAT") =
      "vigil log 1\nid 0123456789abcdef0123456789abcdef\n"
      "secret 00112233445566778899aabbccddeeff\nrun 4711\ncrc 79faf768\n";
  const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, disk);
  ASSERT_TRUE(directory) << directory.error().message;
  EXPECT_EQ((*directory)->run(), 4711U);
  EXPECT_EQ((*directory)->secret()[1], '\x11');
}

TEST(DirectoryTest, SegmentsWithoutAFormatAreNoNewDirectory) {
  SimulatedDisk disk;
  { const TestRun run(disk); }
  ASSERT_EQ(disk.remove(kFolder + "/FORMAT"), 0);
  EXPECT_THAT(error_of(Directory::open(kFolder, disk)),
              AllOf(HasSubstr("FORMAT"), HasSubstr("missing"), HasSubstr("vigil log repair")));
}

TEST(DirectoryTest, WhatCannotBeWrittenIsRefused) {
  for (const DiskOperation operation :
       {DiskOperation::kName, DiskOperation::kWrite, DiskOperation::kSync, DiskOperation::kTruncate,
        DiskOperation::kSyncDirectory}) {
    SimulatedDisk disk;
    disk.fail(operation, 0, EROFS, true);
    EXPECT_THAT(error_of(Directory::open(kFolder, disk)), HasSubstr("Read-only file system"));
  }
}

TEST(DirectoryTest, WhatWasHalfMadeIsRemoved) {
  SimulatedDisk disk;
  ASSERT_TRUE(Directory::open(kFolder, disk));
  std::unique_ptr<File> file;
  ASSERT_EQ(disk.open(kFolder + "/segment.tmp", OpenMode::kCreate, &file), 0);
  const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, disk);
  ASSERT_TRUE(directory) << directory.error().message;
  EXPECT_EQ(disk.open(kFolder + "/segment.tmp", OpenMode::kRead, &file), ENOENT);
}

TEST(DirectoryTest, ListsSegmentsAndSnapshotsAndNothingElse) {
  SimulatedDisk disk;
  const Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, disk);
  ASSERT_TRUE(directory) << directory.error().message;
  for (const std::string& name :
       {segment_name(20), segment_name(3), snapshot_name(9), std::string("log.12"),
        std::string("saved.log"), segment_name(1) + "x", std::string("log.0000000000000000000x")}) {
    std::unique_ptr<File> file;
    ASSERT_EQ(disk.open((*directory)->path_of(name), OpenMode::kCreate, &file), 0);
  }
  const Result<DirectoryListing> listing = (*directory)->list();
  ASSERT_TRUE(listing);
  ASSERT_EQ(listing->segments.size(), 2U);
  EXPECT_EQ(listing->segments[0].begin, 3U);
  EXPECT_EQ(listing->segments[1].name, "log.00000000000000000020");
  ASSERT_EQ(listing->snapshots.size(), 1U);
  ASSERT_TRUE((*directory)->remove_snapshots_before(10));
  EXPECT_TRUE((*directory)->list()->snapshots.empty());
}

// A whole life on a real disk.
TEST(DirectoryTest, ALogOnARealDiskIsReadBack) {
  const RealFolder folder;
  NotingListener listener;
  for (int run = 0; run < 3; ++run) {
    const Result<std::unique_ptr<Directory>> directory = Directory::open(folder.path());
    ASSERT_TRUE(directory) << directory.error().message;
    const Result<ReadBack> back = read_back(**directory);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->records.size(), static_cast<std::size_t>(100 * run));
    LogOptions options = small_log_options();
    options.sync = run == 1 ? SyncMode::kEverySecond : SyncMode::kAlways;
    const Result<std::unique_ptr<Log>> log = Log::open(**directory, back->end, options, listener);
    ASSERT_TRUE(log) << log.error().message;
    for (int i = 0; i < 100; ++i) (*log)->append(set_record("key", "value"));
    ASSERT_TRUE((*log)->wait_durable((*log)->tail()));
    ASSERT_TRUE((*log)->close());
  }
}

}  // namespace
}  // namespace vigil::log
