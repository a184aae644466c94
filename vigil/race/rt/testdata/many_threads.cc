// SPDX-License-Identifier: Apache-2.0
// EXPECT: nothing
// More threads one after the other than there are slots, and more at the same time, too.
#include <mutex>
#include <thread>
#include <vector>

int main() {
  std::mutex mutex;
  long shared = 0;
  const auto add = [&] {
    const std::lock_guard lock(mutex);
    ++shared;
  };
  for (int count = 0; count < 1200; ++count) std::thread(add).join();
  std::vector<std::thread> threads;
  for (int count = 0; count < 600; ++count) threads.emplace_back(add);
  for (std::thread& thread : threads) thread.join();
  return shared == 1800 ? 0 : 1;
}
