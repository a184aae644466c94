// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>

namespace vigil {
namespace {

namespace fs = std::filesystem;

using ::testing::EndsWith;
using ::testing::StartsWith;

class FilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "files_test.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] std::ptrdiff_t file_count() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }

  fs::path folder_;
};

TEST_F(FilesTest, WhatIsWrittenReadsBack) {
  const std::string content("a\0\xFF\n", 4);
  ASSERT_TRUE(write_file(path("f"), content));
  EXPECT_EQ(*read_file(path("f")), content);
  ASSERT_TRUE(append_file(path("f"), "more"));
  EXPECT_EQ(*read_file(path("f")), content + "more");
  ASSERT_TRUE(write_file(path("f"), ""));
  EXPECT_EQ(*read_file(path("f")), "");
  EXPECT_EQ(file_count(), 1);
}

TEST_F(FilesTest, ErrorsSayWhatIsWrongWithThePath) {
  EXPECT_EQ(read_file(path("none")).error().message,
            path("none") + ": cannot be read: No such file or directory");
  EXPECT_EQ(read_file(folder_).error().message,
            folder_.string() + ": cannot be read: Is a directory");
  EXPECT_EQ(write_file(path("none/f"), "x").error().message,
            path("none/f") + ": cannot be written: No such file or directory");
  EXPECT_THAT(write_file(folder_, "x").error().message, EndsWith(": Is a directory"));
  EXPECT_THAT(append_file(folder_, "x").error().message, EndsWith(": Is a directory"));
}

// A limit on the size of files stands for a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes_max) : action_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit = {bytes_max, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, action_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
  sighandler_t action_;
};

TEST_F(FilesTest, WhatDoesNotFitLeavesTheOldContent) {
  const std::string large(10'000, 'x');
  for (const auto write : {&write_file, &append_file}) {
    ASSERT_TRUE(write_file(path("f"), "old"));
    {
      const FullDisk disk(1000);
      EXPECT_THAT(write(path("f"), large).error().message, EndsWith(": File too large"));
    }
    EXPECT_EQ(*read_file(path("f")), "old");
    EXPECT_EQ(file_count(), 1);
  }
}

TEST_F(FilesTest, WhatIsNoFileAndTakesNothingIsAnError) {
  EXPECT_THAT(write_file("/dev/full", "x").error().message, EndsWith(": No space left on device"));
  EXPECT_THAT(append_file("/dev/full", "x").error().message, EndsWith(": No space left on device"));
}

TEST_F(FilesTest, ASignalThatCameMeanwhileCountsAfterwards) {
  sigset_t before{};
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
  ASSERT_TRUE(write_file(path("f"), "x"));
  ASSERT_TRUE(append_file(path("f"), "x"));
  sigset_t after{};
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &after), 0);
  EXPECT_EQ(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
  EXPECT_EQ(sigismember(&after, SIGINT), sigismember(&before, SIGINT));
}

TEST_F(FilesTest, TheLimitIsAllowedAndOneByteMoreIsNot) {
  ASSERT_TRUE(write_file(path("f"), std::string(1000, 'x')));
  EXPECT_EQ(read_file(path("f"), 1000)->size(), 1000U);
  EXPECT_EQ(read_file(path("f"), 999).error().message,
            path("f") + ": cannot be read: it holds more than 999 bytes");
}

TEST_F(FilesTest, TheLimitHoldsForFilesThatTellNoSize) {
  ASSERT_FALSE(read_file("/proc/self/maps")->empty());
  EXPECT_FALSE(read_file("/proc/self/maps", 1));
}

TEST_F(FilesTest, AWrittenFileKeepsItsPermissionsAndItsLinks) {
  ASSERT_TRUE(write_file(path("f"), "old"));
  ASSERT_EQ(chmod(path("f").c_str(), 0640), 0);
  fs::create_symlink("f", path("link"));
  ASSERT_TRUE(write_file(path("link"), "new"));
  EXPECT_TRUE(fs::is_symlink(path("link")));
  EXPECT_EQ(*read_file(path("f")), "new");
  EXPECT_EQ(fs::status(path("f")).permissions(), static_cast<fs::perms>(0640));
}

TEST_F(FilesTest, AReaderOfTheOldFileKeepsItWhole) {
  ASSERT_TRUE(write_file(path("f"), "old"));
  std::FILE* const reader = std::fopen(path("f").c_str(), "r");
  ASSERT_NE(reader, nullptr);
  ASSERT_TRUE(write_file(path("f"), "new and longer"));
  char text[32] = {};
  EXPECT_EQ(std::fread(text, 1, sizeof text, reader), 3U);
  EXPECT_STREQ(text, "old");
  std::fclose(reader);
}

// A new file in the place of a pipe would leave its reader waiting.
TEST_F(FilesTest, APipeIsWrittenAndReadInPlace) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const std::string content(1 << 20, 'x');
  std::thread writer([&] { EXPECT_TRUE(write_file(path("pipe"), content)); });
  EXPECT_EQ(read_file(path("pipe"))->size(), content.size());
  writer.join();
  EXPECT_TRUE(fs::is_fifo(path("pipe")));
}

TEST_F(FilesTest, AFullDeviceIsAnError) {
  EXPECT_THAT(write_file("/dev/full", "x").error().message,
              StartsWith("/dev/full: cannot be written: No space left"));
  EXPECT_TRUE(fs::is_character_file("/dev/full"));
}

}  // namespace
}  // namespace vigil
