// SPDX-License-Identifier: Apache-2.0
//
// Log against a list of records: random appends, groups, commits, idle marks, kills and orderly
// ends, over many runs in one directory.
#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vigil/log/log.h"
#include "vigil/log/testing/simulated_disk.h"
#include "vigil/log/testing/test_run.h"
#include "vigil/testing/seed.h"

namespace vigil::log {
namespace {

class LogModelTest : public ::testing::Test {
 protected:
  void live() {
    LogOptions options = small_log_options();
    options.sync = random_.below(2) == 0 ? SyncMode::kAlways : SyncMode::kEverySecond;
    options.sync_interval_ms = 1;
    options.idle_mark_ms = random_.below(2) == 0 ? 1 : 3'600'000;
    options.segment_bytes = kHeaderBlockBytes + 512 + random_.below(4096);
    TestRun run(*disk_, options);
    ASSERT_TRUE(run.is_open()) << run.error();
    ASSERT_NO_FATAL_FAILURE(compare(run.recovered()));
    const std::uint64_t steps = random_.below(30);
    for (std::uint64_t i = 0; i < steps; ++i) {
      append(run.log());
      if (random_.below(3) != 0) continue;
      ASSERT_TRUE(run.wait_committed(run.log().tail()));
      committed_ = model_.size();
    }
    if (random_.below(2) == 0) {
      const Result<void> closed = run.log().close();
      ASSERT_TRUE(closed) << closed.error().message;
      committed_ = model_.size();
    }
    killed_ = disk_->copy();
  }

  // The process is gone; its disk is what it had written.
  void die() { disk_ = std::move(killed_); }

  void compare(const ReadBack& back) {
    ASSERT_GE(back.records.size(), committed_);
    ASSERT_LE(back.records.size(), model_.size());
    // What was not committed may be missing, from the end on.
    model_.erase(model_.begin() + static_cast<std::ptrdiff_t>(back.records.size()), model_.end());
    ASSERT_EQ(back.records, model_);
    committed_ = model_.size();
  }

 private:
  void append(Log& log) {
    const std::uint64_t count = 1 + random_.below(4);
    const bool group = random_.below(4) == 0;
    if (group) log.group_began();
    for (std::uint64_t i = 0; i < count; ++i) {
      model_.push_back(random_record(random_));
      log.append(model_.back().record());
    }
    if (group) log.group_ended();
  }

  Random random_{vigil::testing::test_seed()};
  std::unique_ptr<SimulatedDisk> disk_ = std::make_unique<SimulatedDisk>();
  std::unique_ptr<SimulatedDisk> killed_;
  std::vector<OwnedRecord> model_;
  std::size_t committed_ = 0;
};

TEST_F(LogModelTest, EveryRunFindsWhatTheOnesBeforeCommitted) {
  for (int run = 0; run < 60; ++run) {
    SCOPED_TRACE("run " + std::to_string(run));
    ASSERT_NO_FATAL_FAILURE(live());
    die();
  }
}

}  // namespace
}  // namespace vigil::log
