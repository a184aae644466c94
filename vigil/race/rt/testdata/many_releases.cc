// SPDX-License-Identifier: Apache-2.0
// EXPECT: nothing
// A thread that goes on to its next slot keeps what it knows, and others keep what they know of it.
#include <atomic>
#include <thread>

int main() {
  constexpr int kReleases = 1'200'000;  // more than one slot has epochs
  std::atomic<int> turn{0};
  int shared = 0;
  std::thread worker([&] {
    for (int count = 0; count < kReleases; ++count) turn.store(1, std::memory_order_release);
    ++shared;
    turn.store(2, std::memory_order_release);
  });
  while (turn.load(std::memory_order_acquire) != 2) std::this_thread::yield();
  ++shared;
  worker.join();
  return shared == 2 ? 0 : 1;
}
