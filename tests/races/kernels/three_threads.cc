// SPDX-License-Identifier: Apache-2.0
//
// Program of the speed measurement in controlled mode: three threads, each with ten operations, or
// as many as the first argument says: they lock, unlock, load, store and add in turn.
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>

namespace {

std::mutex mutex;
int guarded = 0;
std::atomic<int> counter{0};

void work(int operations) {
  for (int i = 0; i < operations; i += 5) {
    mutex.lock();
    ++guarded;
    mutex.unlock();
    counter.fetch_add(1);
    counter.store(counter.load() + 1);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const int operations = count > 1 ? std::atoi(arguments[1]) : 10;
  const std::jthread first(work, operations);
  const std::jthread second(work, operations);
  const std::jthread third(work, operations);
}
