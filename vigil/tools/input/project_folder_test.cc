// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/input/project_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace vigil::tools::input {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBytesMax = 1000;

class ProjectFolderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = ::testing::TempDir() + "project_folder_test.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    outside_ = fs::canonical(name);
    root_ = outside_ / "project";
    fs::create_directories(root_ / "src");
    std::ofstream(outside_ / "secret.cc") << "secret";
    std::ofstream(root_ / "src/a.cc") << "int a;";
  }
  void TearDown() override { fs::remove_all(outside_); }

  [[nodiscard]] std::optional<std::string> read(const std::string& name) const {
    const ProjectFolder project(root_);
    const std::optional<std::string> path = project.below(name);
    if (!path) return std::nullopt;
    EXPECT_EQ(project.holds(*path), project.read(*path, kBytesMax).has_value()) << name;
    return project.read(*path, kBytesMax);
  }

  fs::path outside_;
  fs::path root_;
};

TEST_F(ProjectFolderTest, ReadsWhatLiesBelow) {
  EXPECT_EQ(read("src/a.cc"), "int a;");
  EXPECT_EQ(read("./src/../src/a.cc"), "int a;");
  EXPECT_EQ(read(root_ / "src/a.cc"), "int a;");
  fs::create_symlink("a.cc", root_ / "src/link.cc");
  EXPECT_EQ(read("src/link.cc"), "int a;");
}

TEST_F(ProjectFolderTest, NoNameLeadsOut) {
  EXPECT_FALSE(read("../secret.cc"));
  EXPECT_FALSE(read("src/../../secret.cc"));
  EXPECT_FALSE(read(outside_ / "secret.cc"));
  EXPECT_FALSE(read("/etc/passwd"));
  EXPECT_FALSE(read(root_.string() + "2/secret.cc"));
  EXPECT_FALSE(read(""));
  EXPECT_FALSE(read("."));
  EXPECT_FALSE(read(root_));
}

TEST_F(ProjectFolderTest, NoLinkLeadsOut) {
  fs::create_symlink(outside_ / "secret.cc", root_ / "absolute.cc");
  fs::create_symlink("../secret.cc", root_ / "relative.cc");
  fs::create_directory_symlink(outside_, root_ / "folder");
  fs::create_directory_symlink("/proc/self/root", root_ / "magic");
  fs::create_symlink("/proc/self/environ", root_ / "environ");
  fs::create_symlink("loop", root_ / "loop");
  for (const char* const name :
       {"absolute.cc", "relative.cc", "folder/secret.cc", "magic/etc/passwd", "environ", "loop",
        "folder/project/src/a.cc"}) {
    EXPECT_FALSE(read(name)) << name;
  }
}

TEST_F(ProjectFolderTest, OnlyRegularFilesOfASizeAreRead) {
  ASSERT_EQ(mkfifo((root_ / "fifo").c_str(), 0600), 0);  // an open for reading would wait
  EXPECT_FALSE(read("fifo"));
  EXPECT_FALSE(read("src"));
  std::ofstream(root_ / "large.cc") << std::string(kBytesMax + 1, 'x');
  const ProjectFolder project(root_);
  EXPECT_FALSE(project.read("large.cc", kBytesMax));
  EXPECT_TRUE(project.read("large.cc", kBytesMax + 1));
}

// Files of /proc have no size; reading /proc/kmsg takes the kernel's messages and waits for more.
TEST_F(ProjectFolderTest, FilesOfTheKernelAreNotReadEvenIfAllIsTheProject) {
  const ProjectFolder everything("/");
  for (const char* const name : {"/proc/kmsg", "/proc/self/maps", "/dev/zero", "/dev/stdin"}) {
    const std::optional<std::string> path = everything.below(name);
    ASSERT_TRUE(path) << name;
    EXPECT_FALSE(everything.read(*path, kBytesMax)) << name;
  }
}

TEST(ProjectFolderMissingTest, AFolderThatIsNotThereHoldsNothing) {
  const ProjectFolder nowhere("/nowhere/at/all");
  EXPECT_FALSE(nowhere.holds("a.cc"));
  EXPECT_FALSE(nowhere.read("a.cc", kBytesMax));
}

}  // namespace
}  // namespace vigil::tools::input
