// SPDX-License-Identifier: Apache-2.0
// EXPECT: nothing
// Fences order what relaxed operations alone would not.
#include <atomic>
#include <thread>

int data;
std::atomic<bool> ready;
std::atomic<int> counter;

int main() {
  std::thread producer([] {
    data = 42;
    std::atomic_thread_fence(std::memory_order_release);
    ready.store(true, std::memory_order_relaxed);
  });
  std::thread consumer([] {
    while (!ready.load(std::memory_order_relaxed)) std::this_thread::yield();
    std::atomic_thread_fence(std::memory_order_acquire);
    ++data;
    counter.store(1, std::memory_order_release);
  });
  while (counter.load(std::memory_order_relaxed) == 0) std::this_thread::yield();
  std::atomic_thread_fence(std::memory_order_acquire);
  const bool right = data == 43;
  producer.join();
  consumer.join();
  return right ? 0 : 1;
}
