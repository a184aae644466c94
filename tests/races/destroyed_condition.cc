// SPDX-License-Identifier: Apache-2.0
//
// The waiter destroys the event as soon as it sees the flag; the notifier is still inside of it.
//
// EXPECT: race | use-after-free
// EXPECT-FRAME: signal
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace {

class Event {
 public:
  void signal() {
#ifdef FIXED
    const std::lock_guard lock(mutex_);
    set_ = true;
    changed_.notify_one();
#else
    {
      const std::lock_guard lock(mutex_);
      set_ = true;
    }
    changed_.notify_one();
#endif
  }

  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return set_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool set_ = false;
};

}  // namespace

int main() {
  auto event = std::make_unique<Event>();
  std::jthread notifier([raw = event.get()] { raw->signal(); });
  event->wait();
#ifdef FIXED
  notifier.join();
#endif
  event.reset();
}
