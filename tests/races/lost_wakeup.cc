// SPDX-License-Identifier: Apache-2.0
//
// The waiter looks at the flag, then waits without looking again under the lock: a notification
// between the two wakes nobody, ever.
//
// EXPECT: lost wake-up
// EXPECT-FRAME: wait_until_ready
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace {

std::mutex mutex;
std::condition_variable changed;
std::atomic<bool> ready{false};

void wait_until_ready() {
#ifdef FIXED
  std::unique_lock lock(mutex);
  changed.wait(lock, [] { return ready.load(); });
#else
  if (ready) return;
  std::unique_lock lock(mutex);
  changed.wait(lock);
#endif
}

void announce() {
#ifdef FIXED
  const std::lock_guard lock(mutex);
#endif
  ready = true;
  changed.notify_one();
}

}  // namespace

int main() {
  const std::jthread waiter(wait_until_ready);
  const std::jthread announcer(announce);
}
