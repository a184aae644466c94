// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/mutex.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace vigil {
namespace {

// A plain counter: two increments at once would lose one, and ThreadSanitizer would report them.
class GuardedCounter {
 public:
  void increment() {
    const MutexLock lock(mutex_);
    ++value_;
  }
  [[nodiscard]] long value() {
    const MutexLock lock(mutex_);
    return value_;
  }

 private:
  Mutex mutex_;
  long value_ VIGIL_GUARDED_BY(mutex_) = 0;
};

bool can_enter(Mutex& mutex) {
  if (!mutex.try_lock()) return false;
  mutex.unlock();
  return true;
}

TEST(MutexTest, OneThreadAtATimeIsInside) {
  constexpr int kThreads = 4;
  constexpr long kIncrements = 20'000;
  GuardedCounter counter;
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&counter] {
      for (long n = 0; n < kIncrements; ++n) counter.increment();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter.value(), kThreads * kIncrements);
}

TEST(MutexTest, TryLockFailsWhileAnotherThreadHoldsTheLock) {
  Mutex mutex;
  const MutexLock lock(mutex);
  bool entered = true;
  std::thread([&] { entered = can_enter(mutex); }).join();
  EXPECT_FALSE(entered);
}

TEST(MutexTest, ScopedLockLetsGoAtTheEndOfItsScope) {
  Mutex mutex;
  { const MutexLock lock(mutex); }
  EXPECT_TRUE(can_enter(mutex));
}

}  // namespace
}  // namespace vigil
