// SPDX-License-Identifier: Apache-2.0
//
// A one-place buffer with one condition variable for both directions and notify_one: the wake-up
// may go to a thread of the same direction, which goes back to sleep, and everyone sleeps.
//
// EXPECT: lost wake-up | deadlock
// EXPECT-FRAME: Buffer::put | Buffer::take
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace {

class Buffer {
 public:
  void put() {
    std::unique_lock lock(mutex_);
    while (full_) changed_.wait(lock);
    full_ = true;
    notify();
  }

  void take() {
    std::unique_lock lock(mutex_);
    while (!full_) changed_.wait(lock);
    full_ = false;
    notify();
  }

 private:
  void notify() {
#ifdef FIXED
    changed_.notify_all();
#else
    changed_.notify_one();
#endif
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  bool full_ = false;
};

}  // namespace

int main() {
  Buffer buffer;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([&] { buffer.take(); });
  for (int i = 0; i < 3; ++i) threads.emplace_back([&] { buffer.put(); });
}
