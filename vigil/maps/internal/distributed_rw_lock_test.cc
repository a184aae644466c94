// SPDX-License-Identifier: Apache-2.0
#include "vigil/maps/internal/distributed_rw_lock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <semaphore>
#include <thread>
#include <vector>

namespace vigil::maps::internal {
namespace {

TEST(DistributedRwLockTest, EveryProcessorHasASlotOfItsOwn) {
  DistributedRwLock lock;
  EXPECT_GE(lock.slot_count(), static_cast<std::uint32_t>(sysconf(_SC_NPROCESSORS_CONF)));
}

TEST(DistributedRwLockTest, ReadersShare) {
  DistributedRwLock lock;
  const DistributedRwLock::Slot mine = lock.lock_shared();
  std::thread([&] { lock.unlock_shared(lock.lock_shared()); }).join();
  lock.unlock_shared(mine);
}

// Two plain counters that differ only inside a write: ThreadSanitizer watches them as well.
class Pair {
 public:
  explicit Pair(std::uint32_t slots) : lock_(slots) {}
  // `slowly`: others run in the middle.
  void change(bool slowly) {
    lock_.lock();
    ++first_;
    if (slowly) std::this_thread::yield();
    ++second_;
    lock_.unlock();
  }
  [[nodiscard]] bool consistent(bool slowly) {
    const DistributedRwLock::Slot slot = lock_.lock_shared();
    const std::uint64_t first = first_;
    if (slowly) std::this_thread::yield();
    const bool equal = first == second_;
    lock_.unlock_shared(slot);
    return equal;
  }
  [[nodiscard]] std::uint64_t changes() const { return first_; }

 private:
  DistributedRwLock lock_;
  std::uint64_t first_ = 0;
  std::uint64_t second_ = 0;
};

class DistributedRwLockStressTest : public ::testing::TestWithParam<std::uint32_t> {};

TEST_P(DistributedRwLockStressTest, AReaderNeverSeesAWriteHalfDone) {
  constexpr std::uint64_t kSteps = 20'000;
  Pair pair(GetParam());
  std::vector<std::thread> threads;
  for (int n = 0; n < 2; ++n) {
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kSteps; ++i) pair.change(i % 16 == 0);
    });
    threads.emplace_back([&] {
      for (std::uint64_t i = 0; i < kSteps; ++i) ASSERT_TRUE(pair.consistent(i % 16 == 0));
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pair.changes(), 2 * kSteps);
}
INSTANTIATE_TEST_SUITE_P(Slots, DistributedRwLockStressTest, ::testing::Values(1U, 2U, 64U));

// Readers that went to sleep behind a writer are woken: the test would not end otherwise.
TEST(DistributedRwLockTest, SleepingReadersAreWoken) {
  for (int round = 0; round < 20; ++round) {
    DistributedRwLock lock;
    lock.lock();
    std::counting_semaphore<4> started(0);
    std::vector<std::thread> readers;
    for (int n = 0; n < 4; ++n) {
      readers.emplace_back([&] {
        started.release();
        lock.unlock_shared(lock.lock_shared());
      });
    }
    for (int n = 0; n < 4; ++n) started.acquire();
    lock.unlock();
    for (std::thread& reader : readers) reader.join();
  }
}

}  // namespace
}  // namespace vigil::maps::internal
