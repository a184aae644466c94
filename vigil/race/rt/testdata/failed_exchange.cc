// SPDX-License-Identifier: Apache-2.0
// EXPECT: data race
// An exchange that fails is a load: it publishes nothing.
#include <atomic>
#include <thread>

int data;
std::atomic<int> flag{1};
std::atomic<bool> done;

int main() {
  std::thread first([] {
    data = 1;
    int wrong = 7;
    flag.compare_exchange_strong(wrong, 8, std::memory_order_acq_rel);
    done.store(true, std::memory_order_relaxed);
  });
  std::thread second([] {
    while (!done.load(std::memory_order_relaxed)) std::this_thread::yield();
    (void)flag.load(std::memory_order_acquire);
    data = 2;
  });
  first.join();
  second.join();
}
