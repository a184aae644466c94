// SPDX-License-Identifier: Apache-2.0
//
// A barrier that counts arrivals and is used twice: a quick thread arrives for the second round
// before a slow one has left the first, and the slow one waits for a count that never comes.
//
// EXPECT: lost wake-up | deadlock
// EXPECT-FRAME: arrive_and_wait
#include <condition_variable>
#include <mutex>
#include <thread>

namespace {

constexpr int kThreads = 2;

class Barrier {
 public:
  void arrive_and_wait() {
    std::unique_lock lock(mutex_);
#ifdef FIXED
    const int round = round_;
    if (++arrived_ == kThreads) {
      arrived_ = 0;
      ++round_;
      changed_.notify_all();
    }
    changed_.wait(lock, [&] { return round != round_; });
#else
    if (++arrived_ == kThreads) changed_.notify_all();
    changed_.wait(lock, [&] { return arrived_ == kThreads; });
    if (++left_ == kThreads) arrived_ = left_ = 0;
#endif
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int arrived_ = 0;
#ifdef FIXED
  int round_ = 0;
#else
  int left_ = 0;
#endif
};

Barrier barrier;

void two_rounds() {
  barrier.arrive_and_wait();
  barrier.arrive_and_wait();
}

}  // namespace

int main() {
  const std::jthread first(two_rounds);
  const std::jthread second(two_rounds);
}
