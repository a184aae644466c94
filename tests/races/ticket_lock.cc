// SPDX-License-Identifier: Apache-2.0
//
// A ticket lock that draws its ticket with a load and a store: two threads draw the same one.
//
// EXPECT: crash | livelock
// EXPECT-FRAME: work | lock
#include <atomic>
#include <thread>

#include "tests/races/require.h"

namespace {

class TicketLock {
 public:
  void lock() {
#ifdef FIXED
    const int ticket = next_++;
#else
    const int ticket = next_.load();
    next_.store(ticket + 1);
#endif
    while (serving_ != ticket) std::this_thread::yield();
  }

  void unlock() { ++serving_; }

 private:
  std::atomic<int> next_{0};
  std::atomic<int> serving_{0};
};

TicketLock ticket_lock;
std::atomic<int> inside{0};

void work() {
  ticket_lock.lock();
  require(inside++ == 0, "two threads hold the lock");
  --inside;
  ticket_lock.unlock();
}

}  // namespace

int main() {
  const std::jthread first(work);
  const std::jthread second(work);
}
