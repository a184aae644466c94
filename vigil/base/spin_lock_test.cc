// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/spin_lock.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace vigil {
namespace {

// A plain counter: two increments at once would lose one, and ThreadSanitizer would report them.
class GuardedCounter {
 public:
  void increment() {
    lock_.lock();
    ++value_;
    lock_.unlock();
  }
  [[nodiscard]] long value() {
    lock_.lock();
    const long value = value_;
    lock_.unlock();
    return value;
  }

 private:
  SpinLock lock_;
  long value_ VIGIL_GUARDED_BY(lock_) = 0;
};

bool can_enter(SpinLock& lock) {
  if (!lock.try_lock()) return false;
  lock.unlock();
  return true;
}

// More threads than cores, so that holders are descheduled and waiters must give way.
TEST(SpinLockTest, OneThreadAtATimeIsInside) {
  const unsigned threads_count = 2 * std::thread::hardware_concurrency() + 1;
  constexpr long kIncrements = 20'000;
  GuardedCounter counter;
  std::vector<std::thread> threads;
  threads.reserve(threads_count);
  for (unsigned i = 0; i < threads_count; ++i) {
    threads.emplace_back([&counter] {
      for (long n = 0; n < kIncrements; ++n) counter.increment();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), threads_count * kIncrements);
}

TEST(SpinLockTest, TryLockFailsWhileTheLockIsHeld) {
  SpinLock lock;
  lock.lock();
  bool entered = true;
  std::thread([&] { entered = can_enter(lock); }).join();
  EXPECT_FALSE(entered);
  lock.unlock();
  EXPECT_TRUE(can_enter(lock));
}

TEST(BackoffTest, CountsItsRoundsAcrossYields) {
  Backoff backoff;
  for (std::uint32_t i = 0; i < 2 * Backoff::kSpinsBeforeYield; ++i) backoff.pause();
  EXPECT_EQ(backoff.rounds(), 2 * Backoff::kSpinsBeforeYield);
}

}  // namespace
}  // namespace vigil
