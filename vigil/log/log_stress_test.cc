// SPDX-License-Identifier: Apache-2.0
//
// Several producers append at once, each its own numbered records and groups, while others ask for
// commits, release segments and look at statistics: each producer's records are read back in its
// order, and all that was committed.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "vigil/log/log.h"
#include "vigil/log/testing/simulated_disk.h"
#include "vigil/log/testing/test_run.h"
#include "vigil/testing/seed.h"

namespace vigil::log {
namespace {

constexpr std::uint32_t kProducers = 4;
constexpr std::uint64_t kSteps = 3000;

// Version n of producer p, with a value whose bytes follow from both.
OwnedRecord numbered(std::uint32_t producer, std::uint64_t number, std::size_t size) {
  const char byte = static_cast<char>('a' + (producer * 7 + number) % 26);
  Record record = set_record("producer", {}, number);
  record.shard = producer;
  OwnedRecord owned(record);
  owned.value.assign(size, byte);
  return owned;
}

class LogStressTest : public ::testing::TestWithParam<SyncMode> {};

TEST_P(LogStressTest, EveryProducersRecordsAreReadBackInItsOrder) {
  SimulatedDisk disk;
  LogOptions options = small_log_options();
  options.sync = GetParam();
  options.sync_interval_ms = 1;
  options.idle_mark_ms = 1;
  options.segment_bytes = kHeaderBlockBytes + 100'000;
  options.record_bytes_max = 50'000;
  const std::uint64_t seed = vigil::testing::test_seed();
  TestRun run(disk, options);
  ASSERT_TRUE(run.is_open()) << run.error();
  Log& log = run.log();
  std::atomic<std::uint32_t> running{kProducers};
  std::vector<std::thread> threads;
  for (std::uint32_t producer = 0; producer < kProducers; ++producer) {
    threads.emplace_back([&, producer] {
      Random random(seed + producer);
      for (std::uint64_t number = 1; number <= kSteps; ++number) {
        const bool group = number % 16 == 0;
        if (group) log.group_began();
        const std::size_t size = random.below(64) == 0 ? 40'000 : random.below(200);
        log.append(numbered(producer, number, size).record());
        if (group) {
          log.append(numbered(producer, ++number, 3).record());
          log.group_ended();
        }
        if (number % 8 == 0) log.commit_soon();
        if (number % 100 == 0) run.wait_committed(log.tail());
      }
      running.fetch_sub(1);
    });
  }
  threads.emplace_back([&] {
    while (running.load() > 0) {
      const LogStats stats = log.stats();
      EXPECT_GE(stats.tail, stats.committed);
      (void)log.write_state();
      std::this_thread::yield();
    }
  });
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(run.wait_committed(log.tail()));

  const Result<ReadBack> back = recover(*disk.copy());
  ASSERT_TRUE(back) << back.error().message;
  std::vector<std::uint64_t> last(kProducers, 0);
  for (const OwnedRecord& record : back->records) {
    const std::uint32_t producer = record.head.shard;
    ASSERT_EQ(record.head.version, ++last[producer]);
    ASSERT_EQ(record, numbered(producer, record.head.version, record.value.size()));
  }
  for (const std::uint64_t count : last) EXPECT_GE(count, kSteps);
}

INSTANTIATE_TEST_SUITE_P(Modes, LogStressTest,
                         ::testing::Values(SyncMode::kAlways, SyncMode::kEverySecond));

}  // namespace
}  // namespace vigil::log
