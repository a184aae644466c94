// SPDX-License-Identifier: Apache-2.0
// EXPECT: nothing
// Two atomics in the same eight bytes have clocks of their own.
#include <atomic>
#include <thread>

struct alignas(8) Pair {
  std::atomic<int> first;
  std::atomic<int> second;
};
Pair pair;
int first_data;
int second_data;

int main() {
  std::thread one([] {
    first_data = 1;
    pair.first.store(1, std::memory_order_release);
  });
  std::thread two([] {
    while (pair.first.load(std::memory_order_relaxed) == 0) std::this_thread::yield();
    second_data = 2;
    pair.second.store(1, std::memory_order_release);
  });
  while (pair.second.load(std::memory_order_acquire) == 0) std::this_thread::yield();
  while (pair.first.load(std::memory_order_acquire) == 0) std::this_thread::yield();
  const int sum = first_data + second_data;
  one.join();
  two.join();
  return sum == 3 ? 0 : 1;
}
