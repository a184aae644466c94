// SPDX-License-Identifier: Apache-2.0
#include "vigil/apps/ready_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace vigil::apps {
namespace {

namespace fs = std::filesystem;

class ReadyFileTest : public ::testing::Test {
 protected:
  ReadyFileTest() : root_(fs::path(::testing::TempDir()) / ("ready-" + std::to_string(getpid()))) {}
  ~ReadyFileTest() override { fs::remove_all(root_); }

  const fs::path root_;
};

TEST_F(ReadyFileTest, ExistsWhileTheServerServes) {
  const fs::path file = root_ / "data" / "vigild.ready";
  {
    Result<std::unique_ptr<ReadyFile>> ready =
        ReadyFile::create(root_ / "data", "127.0.0.1:1", "127.0.0.1:2");
    ASSERT_TRUE(ready) << ready.error().message;
    std::ostringstream text;
    text << std::ifstream(file).rdbuf();
    EXPECT_EQ(text.str(),
              "pid=" + std::to_string(getpid()) + "\nresp=127.0.0.1:1\nhttp=127.0.0.1:2\n");
  }
  EXPECT_FALSE(fs::exists(file));
}

TEST_F(ReadyFileTest, AnUnusableDirectoryIsNamed) {
  fs::create_directories(root_);
  std::ofstream(root_ / "file") << "x";
  const auto ready = ReadyFile::create(root_ / "file", "a", "b");
  ASSERT_FALSE(ready);
  EXPECT_EQ(ready.error().message.find("server.data_dir: \"" + (root_ / "file").string()), 0U)
      << ready.error().message;
}

}  // namespace
}  // namespace vigil::apps
