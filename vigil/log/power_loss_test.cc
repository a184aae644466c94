// SPDX-License-Identifier: Apache-2.0
//
// What a power cut may leave: a run is recorded on a simulated disk, then the disk is cut behind
// every event, and what was not synced is lost in every combination, or in many where there are too
// many. Whatever is left must be read without a refusal, and hold what was acknowledged.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vigil/log/log.h"
#include "vigil/log/snapshot_file.h"
#include "vigil/log/testing/simulated_disk.h"
#include "vigil/log/testing/test_run.h"
#include "vigil/testing/seed.h"

namespace vigil::log {
namespace {

// What was appended, in the order of the log.
struct Appended {
  OwnedRecord record;
  Position tail = 0;       // when it was appended: committed up to there, it counts
  bool continues = false;  // it is nothing without the next one
};

struct Snapshot {
  Position begin = 0;
  std::size_t first = 0;  // of Appended, from there on
};

// A server's life on a disk that records it.
class Recording {
 public:
  Recording(std::uint64_t seed, SyncMode mode) : random_(seed), options_(small_log_options()) {
    options_.sync = mode;
    options_.sync_interval_ms = 1;
  }

  void live_through_runs() {
    for (int run = 0; run < 3; ++run) live(run == 1);
  }

  [[nodiscard]] const SimulatedDisk& disk() const { return disk_; }
  [[nodiscard]] SimulatedDisk& disk() { return disk_; }

  // Checks what a server would recover from the disk.
  void check(SimulatedDisk& disk, Position acknowledged) const {
    Result<std::unique_ptr<Directory>> directory = Directory::open(kFolder, disk);
    ASSERT_TRUE(directory) << directory.error().message;
    const Result<DirectoryListing> listing = (*directory)->list();
    ASSERT_TRUE(listing) << listing.error().message;
    std::size_t first = 0;
    ReadOptions read;
    if (!listing->snapshots.empty()) {
      const StreamFile newest = listing->snapshots.back();
      ASSERT_NO_FATAL_FAILURE(check_snapshot(**directory, newest));
      read.from = newest.begin;
      first = first_behind(newest.begin);
    }
    const Result<ReadBack> back = read_back(**directory, read);
    ASSERT_TRUE(back) << back.error().message;
    const std::size_t end = first + back->records.size();
    ASSERT_LE(end, appended_.size()) << "there is more than was appended";
    for (std::size_t i = first; i < end; ++i) {
      ASSERT_EQ(back->records[i - first], appended_[i].record) << "record " << i;
    }
    ASSERT_TRUE(end == 0 || !appended_[end - 1].continues) << "a part of a group";
    for (std::size_t i = end; i < appended_.size(); ++i) {
      ASSERT_GT(appended_[i].tail, acknowledged) << "record " << i << " was acknowledged";
    }
  }

 private:
  void live(bool closes) {
    TestRun run(disk_, options_);
    ASSERT_TRUE(run.is_open()) << run.error();
    for (int commit = 0; commit < 12; ++commit) {
      append(run.log());
      ASSERT_TRUE(run.wait_committed(run.log().tail()));
      if (random_.below(6) != 0) continue;
      ASSERT_NO_FATAL_FAILURE(take_snapshot(run));
    }
    append(run.log());  // and never waited for
    if (closes) {
      const Result<void> closed = run.log().close();
      ASSERT_TRUE(closed) << closed.error().message;
    }
  }

  void append(Log& log) {
    const std::uint64_t count = 1 + random_.below(6);
    const bool group = random_.below(3) == 0;
    if (group) log.group_began();
    const std::size_t begin = appended_.size();
    for (std::uint64_t i = 0; i < count; ++i) {
      appended_.push_back({random_record(random_), 0, group && i + 1 < count});
      log.append(appended_.back().record.record());
      if (!group) appended_.back().tail = log.tail();
    }
    if (!group) return;
    log.group_ended();
    for (std::size_t i = begin; i < appended_.size(); ++i) appended_[i].tail = log.tail();
  }

  // Of all that was appended: as a snapshot file it need not be a state.
  void take_snapshot(TestRun& run) {
    const Position begin = run.log().tail();
    snapshots_.push_back({begin, appended_.size()});
    Result<SnapshotWriter> writer =
        SnapshotWriter::create(run.directory(), begin, options_.identity, 512);
    ASSERT_TRUE(writer) << writer.error().message;
    for (const Appended& appended : appended_) {
      Record record = appended.record.record();
      record.continues = false;
      const Result<void> added = writer->add(record);
      ASSERT_TRUE(added) << added.error().message;
    }
    const Result<void> durable = run.log().wait_durable(run.log().tail());
    ASSERT_TRUE(durable) << durable.error().message;
    const Result<void> finished = writer->finish(run.log().tail());
    ASSERT_TRUE(finished) << finished.error().message;
    run.log().release(begin);
    const Result<void> removed = run.directory().remove_snapshots_before(begin);
    ASSERT_TRUE(removed) << removed.error().message;
  }

  [[nodiscard]] std::size_t first_behind(Position begin) const {
    for (const Snapshot& snapshot : snapshots_) {
      if (snapshot.begin == begin) return snapshot.first;
    }
    ADD_FAILURE() << "a snapshot that was never taken";
    return 0;
  }

  void check_snapshot(const Directory& directory, const StreamFile& file) const {
    Result<SnapshotReader> reader = SnapshotReader::open(directory, file);
    ASSERT_TRUE(reader) << reader.error().message;
    SnapshotBlock block;
    std::size_t index = 0;
    for (;;) {
      const Result<bool> more = reader->next(&block);
      ASSERT_TRUE(more) << more.error().message;
      if (!*more) break;
      const Result<void> checked = check_block(reader->path(), block);
      ASSERT_TRUE(checked) << checked.error().message;
      for_each_record(block, [&](const Record& record) {
        ASSERT_LT(index, appended_.size());
        EXPECT_EQ(OwnedRecord(record), appended_[index].record);
        ++index;
      });
    }
    EXPECT_EQ(index, first_behind(file.begin));
  }

  Random random_;
  LogOptions options_;
  SimulatedDisk disk_;
  std::vector<Appended> appended_;
  std::vector<Snapshot> snapshots_;
};

// Every combination of keeping and losing the pieces, or random ones.
class Cuts {
 public:
  Cuts(const Recording& recording, std::uint64_t seed) : recording_(recording), random_(seed) {}

  void check_all(bool all_acknowledged) {
    constexpr std::size_t kExhaustivePiecesMax = 5;
    const SimulatedDisk& disk = recording_.disk();
    const std::size_t events = disk.events();
    for (std::size_t event = 0; event <= events; ++event) {
      SCOPED_TRACE("cut behind event " + std::to_string(event));
      acknowledged_ = all_acknowledged ? disk.noted(event) : 0;
      const std::size_t pieces = disk.unsynced_pieces(event);
      if (pieces <= kExhaustivePiecesMax) {
        for (std::uint64_t kept = 0; kept < (1ULL << pieces); ++kept) {
          check_one(event, [kept]() mutable {
            const bool keep = (kept & 1) != 0;
            kept >>= 1;
            return keep;
          });
        }
      } else {
        check_samples(event);
      }
      if (::testing::Test::HasFatalFailure()) return;
    }
    std::printf("%zu events, %zu cuts\n", events, cuts_);
  }

 private:
  void check_samples(std::size_t event) {
    check_one(event, [] { return false; });
    check_one(event, [] { return true; });
    for (const std::uint64_t kept_of_8 : {1U, 4U, 7U}) {
      check_one(event, [&] { return random_.below(8) < kept_of_8; });
    }
  }

  void check_one(std::size_t event, const SimulatedDisk::Keep& keep) {
    if (::testing::Test::HasFatalFailure()) return;
    const std::unique_ptr<SimulatedDisk> left = recording_.disk().crash(event, keep);
    recording_.check(*left, acknowledged_);
    ++cuts_;
    // A server starts on what is left, and its log is one again.
    if (cuts_ % 16 != 0 || ::testing::Test::HasFatalFailure()) return;
    {
      const TestRun run(*left);
      ASSERT_TRUE(run.is_open()) << run.error();
    }
    recording_.check(*left, acknowledged_);
  }

  const Recording& recording_;
  Random random_;
  Position acknowledged_ = 0;
  std::size_t cuts_ = 0;
};

class PowerLossTest : public ::testing::TestWithParam<int> {};

TEST_P(PowerLossTest, NothingAcknowledgedIsLostWithAlways) {
  const std::uint64_t seed = vigil::testing::test_seed() + static_cast<std::uint64_t>(GetParam());
  Recording recording(seed, SyncMode::kAlways);
  ASSERT_NO_FATAL_FAILURE(recording.live_through_runs());
  Cuts(recording, seed).check_all(true);
}

TEST_P(PowerLossTest, APrefixIsLeftWithEverySecond) {
  const std::uint64_t seed = vigil::testing::test_seed() + static_cast<std::uint64_t>(GetParam());
  Recording recording(seed, SyncMode::kEverySecond);
  ASSERT_NO_FATAL_FAILURE(recording.live_through_runs());
  Cuts(recording, seed).check_all(false);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PowerLossTest, ::testing::Range(0, 3));

}  // namespace
}  // namespace vigil::log
