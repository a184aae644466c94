// SPDX-License-Identifier: Apache-2.0
// EXPECT: nothing
// A block handed over by the allocator carries no history of its former life.
#include <mutex>
#include <thread>
#include <vector>

int main() {
  std::vector<std::thread> threads;
  for (int count = 0; count < 4; ++count) {
    threads.emplace_back([] {
      for (int round = 0; round < 20'000; ++round) {
        auto* const mutex = new std::mutex;
        auto* const value = new int(round);
        {
          const std::lock_guard lock(*mutex);
          ++*value;
        }
        delete value;
        delete mutex;
        char* volatile bytes = new char[static_cast<std::size_t>(round % 2)];
        delete[] bytes;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}
