// SPDX-License-Identifier: Apache-2.0
//
// Two readers want to become the writer, and each waits for the other to stop reading. A mutex and
// a count of readers, as a shared mutex without upgrade forces people to write it.
//
// EXPECT: deadlock | lost wake-up
// EXPECT-FRAME: upgrade
#include <condition_variable>
#include <mutex>
#include <thread>

namespace {

class UpgradableLock {
 public:
  void lock_shared() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !writing_; });
    ++readers_;
  }

  // From reader to writer; false if another reader is waiting to become the writer.
  bool upgrade() {
    std::unique_lock lock(mutex_);
#ifdef FIXED
    if (upgrading_) return false;
#endif
    upgrading_ = true;
    changed_.wait(lock, [&] { return readers_ == 1; });
    upgrading_ = false;
    readers_ = 0;
    writing_ = true;
    return true;
  }

  void unlock_shared() {
    const std::lock_guard lock(mutex_);
    --readers_;
    changed_.notify_all();
  }

  void unlock() {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int readers_ = 0;
  bool writing_ = false;
  bool upgrading_ = false;
};

UpgradableLock table_lock;

void read_then_write() {
  table_lock.lock_shared();
  if (table_lock.upgrade()) {
    table_lock.unlock();
  } else {
    table_lock.unlock_shared();
  }
}

}  // namespace

int main() {
  const std::jthread first(read_then_write);
  const std::jthread second(read_then_write);
}
