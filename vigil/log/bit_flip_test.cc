// SPDX-License-Identifier: Apache-2.0
//
// Every single bit of a small log and its snapshot, turned one at a time: check finds it, and a
// server either refuses to start or says what it cut; it never starts without what was there.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vigil/log/check.h"
#include "vigil/log/log.h"
#include "vigil/log/snapshot_file.h"
#include "vigil/log/testing/simulated_disk.h"
#include "vigil/log/testing/test_run.h"

namespace vigil::log {
namespace {

constexpr std::uint64_t kSeed = 11;

// Two runs, one closed in order and one killed, over several segments; perhaps a snapshot between.
class SmallLog {
 public:
  explicit SmallLog(bool with_snapshot) {
    LogOptions options = small_log_options();
    options.segment_bytes = kHeaderBlockBytes + 512;
    options.record_bytes_max = 300;
    Random random(kSeed);
    {
      TestRun run(disk_, options);
      EXPECT_TRUE(run.is_open()) << run.error();
      commit_some(run, random);
      if (with_snapshot) take_snapshot(run);
      EXPECT_TRUE(run.log().close());
    }
    TestRun run(disk_, options);
    EXPECT_TRUE(run.is_open()) << run.error();
    commit_some(run, random);
    run.wait_for_next_segment();
    killed_ = disk_.copy();
  }

  [[nodiscard]] SimulatedDisk& disk() { return *killed_; }

 private:
  static void commit_some(TestRun& run, Random& random) {
    for (int i = 0; i < 4; ++i) {
      EXPECT_TRUE(run.commit({random_record(random), random_record(random)}));
    }
  }
  void take_snapshot(TestRun& run) {
    const Position begin = run.log().tail();
    Result<SnapshotWriter> writer =
        SnapshotWriter::create(run.directory(), begin, small_log_options().identity);
    ASSERT_TRUE(writer) << writer.error().message;
    for (int i = 0; i < 5; ++i) {
      ASSERT_TRUE(writer->add(set_record("key " + std::to_string(i), "some value")));
    }
    ASSERT_TRUE(run.log().wait_durable(begin));
    ASSERT_TRUE(writer->finish(begin));
  }

  SimulatedDisk disk_;
  std::unique_ptr<SimulatedDisk> killed_;
};

// The files in which every bit counts: all but the lock and, beside a snapshot, segments before it.
std::vector<std::string> files_that_count(SimulatedDisk& disk, Position from) {
  std::vector<std::string> files;
  for (const std::string& path : disk.paths()) {
    if (path == kFolder + "/LOCK" || path.ends_with(".tmp")) continue;
    const std::size_t digits = path.find("/log.");
    if (digits != std::string::npos && std::stoull(path.substr(digits + 5)) < from) continue;
    files.push_back(path);
  }
  return files;
}

// Whether check says that something is wrong.
bool check_finds(SimulatedDisk& disk) {
  const Result<std::unique_ptr<Directory>> directory = Directory::open_to_read(kFolder, disk);
  if (!directory) return true;
  const Result<CheckReport> report = check_directory(**directory);
  return !report || !report->clean();
}

class BitFlipTest : public ::testing::TestWithParam<bool> {};

TEST_P(BitFlipTest, CheckFindsEveryBitOfASmallLog) {
  SmallLog small(GetParam());
  SimulatedDisk& disk = small.disk();
  ASSERT_FALSE(check_finds(disk)) << "before anything was changed";
  Position from = 0;
  {
    const Result<std::unique_ptr<Directory>> directory = Directory::open_to_read(kFolder, disk);
    ASSERT_TRUE(directory) << directory.error().message;
    const Result<CheckReport> report = check_directory(**directory);
    ASSERT_TRUE(report && report->log);
    from = report->log->begin;
  }
  std::uint64_t bits = 0;
  for (const std::string& path : files_that_count(disk, from)) {
    std::string& bytes = disk.bytes(path);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      ASSERT_TRUE(check_finds(disk)) << path << " bit " << bit;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      ++bits;
    }
  }
  std::printf("%llu bits\n", static_cast<unsigned long long>(bits));
}

TEST(BitFlipServerTest, AServerRefusesOrSaysWhatItCut) {
  SmallLog small(false);
  SimulatedDisk& disk = small.disk();
  Result<ReadBack> whole = recover(disk);
  ASSERT_TRUE(whole) << whole.error().message;
  for (const std::string& path : files_that_count(disk, 0)) {
    std::string& bytes = disk.bytes(path);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      const Result<ReadBack> back = recover(disk);
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
      if (!back) {
        ASSERT_NE(back.error().message.find("vigil log repair"), std::string::npos)
            << back.error().message;
        continue;
      }
      ASSERT_TRUE(back->end.cut) << path << " bit " << bit;
      // Only what no mark said to be durable may be cut: the last commit.
      ASSERT_GE(back->records.size() + 2, whole->records.size()) << path << " bit " << bit;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(WithAndWithoutSnapshot, BitFlipTest, ::testing::Bool());

}  // namespace
}  // namespace vigil::log
