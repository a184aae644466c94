// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/block_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "vigil/log/testing/simulated_disk.h"
#include "vigil/testing/seed.h"

namespace vigil::log {
namespace {

constexpr std::uint64_t kFileBytes = 3'000'000;

class BlockWriterTest : public ::testing::Test {
 protected:
  BlockWriterTest() { file_ = create(disk_, "/file"); }

  static std::unique_ptr<File> create(FileSystem& files, const std::string& path) {
    std::unique_ptr<File> file;
    EXPECT_EQ(files.open(path, OpenMode::kCreate, &file), 0);
    const std::string old(kFileBytes, 'o');
    const std::string_view piece = old;
    EXPECT_EQ(file->write(0, {&piece, 1}), 0);
    return file;
  }
  static std::string content(File& file) {
    std::string bytes(kFileBytes + 1, '\0');
    std::size_t count = 0;
    EXPECT_EQ(file.read(0, bytes.data(), bytes.size(), &count), 0);
    bytes.resize(count);
    return bytes;
  }
  static std::vector<std::string> random_pieces(Random& random) {
    std::vector<std::string> pieces(random.below(6));
    for (std::string& piece : pieces) {
      const std::uint64_t size = random.below(8) == 0 ? random.below(900'000) : random.below(6000);
      piece.assign(size, static_cast<char>('a' + random.below(26)));
    }
    return pieces;
  }

  // Writes pieces one behind the other until the file is full, beside a model of the file.
  static void write_stream(File& file, Random& random) {
    BlockWriter writer;
    std::string model = content(file);
    std::uint64_t end = 4096 + random.below(9000);
    for (;;) {
      const std::vector<std::string> pieces = random_pieces(random);
      std::string data;
      for (const std::string& piece : pieces) data += piece;
      if (end + data.size() > kFileBytes) return;
      const std::size_t zeroes = random.below(3) * 8;
      const auto path =
          random.below(2) == 0 ? BlockWriter::Path::kCached : BlockWriter::Path::kDirect;
      const std::vector<std::string_view> views(pieces.begin(), pieces.end());
      ASSERT_EQ(writer.write({file, end, kFileBytes}, views, zeroes, path), 0);
      model.replace(end, data.size(), data);
      end += data.size();
      const std::uint64_t filled =
          std::min<std::uint64_t>((end + zeroes + 4095) / 4096 * 4096, kFileBytes);
      model.replace(end, filled - end, filled - end, '\0');
      ASSERT_EQ(content(file), model) << "stream ends at " << end;
      if (random.below(8) == 0) writer = BlockWriter();  // comes to the file anew
    }
  }

  SimulatedDisk disk_;
  std::unique_ptr<File> file_;
};

TEST_F(BlockWriterTest, TheFileHasTheStreamThenZeroesThenWhatWasThere) {
  Random random(testing::test_seed());
  for (int i = 0; i < 5; ++i) ASSERT_NO_FATAL_FAILURE(write_stream(*file_, random));
}

TEST_F(BlockWriterTest, TheSameHoldsPastThePageCacheOfTheSystem) {
  namespace fs = std::filesystem;
  const fs::path path = fs::path(::testing::TempDir()) / ("blocks-" + std::to_string(getpid()));
  Random random(testing::test_seed());
  const auto file = create(system_files(), path);
  for (int i = 0; i < 5; ++i) ASSERT_NO_FATAL_FAILURE(write_stream(*file, random));
  fs::remove(path);
}

TEST_F(BlockWriterTest, WhatCouldNotBeWrittenCanBeWrittenAgain) {
  BlockWriter writer;
  const std::string_view first = "first";
  const std::string large(1'200'000, 'x');
  const std::string_view second = large;
  const auto write = [&](std::uint64_t offset, std::string_view piece) {
    return writer.write({*file_, offset, kFileBytes}, {&piece, 1}, 0, BlockWriter::Path::kDirect);
  };
  ASSERT_EQ(write(5000, first), 0);
  for (std::uint64_t nth = 0; nth < 3; ++nth) {
    disk_.fail(DiskOperation::kWrite, nth, EIO, false);
    ASSERT_EQ(write(5005, second), EIO);
  }
  ASSERT_EQ(write(5005, second), 0);
  const std::string written = content(*file_);
  EXPECT_EQ(written.substr(4096, 904), std::string(904, 'o'));
  EXPECT_EQ(written.substr(5000, 5 + large.size()), "first" + large);
}

TEST_F(BlockWriterTest, NothingIsWrittenBehindTheEndOfTheFile) {
  BlockWriter writer;
  const std::string_view last = "last";
  ASSERT_EQ(
      writer.write({*file_, kFileBytes - 4, kFileBytes}, {&last, 1}, 8, BlockWriter::Path::kDirect),
      0);
  EXPECT_EQ(content(*file_).size(), kFileBytes);
  EXPECT_TRUE(content(*file_).ends_with("olast"));
}

}  // namespace
}  // namespace vigil::log
