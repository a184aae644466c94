// SPDX-License-Identifier: Apache-2.0
//
// A consumer tests its predicate with `if`: between the notification and its turn at the lock
// another consumer takes the element.
//
// EXPECT: crash
// EXPECT-FRAME: pop
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "tests/races/require.h"

namespace {

std::mutex mutex;
std::condition_variable not_empty;
std::deque<int> queue;

void push(int value) {
  const std::lock_guard lock(mutex);
  queue.push_back(value);
  not_empty.notify_one();
}

int pop() {
  std::unique_lock lock(mutex);
#ifdef FIXED
  while (queue.empty()) not_empty.wait(lock);
#else
  if (queue.empty()) not_empty.wait(lock);
#endif
  require(!queue.empty(), "woken for an element that another thread took");
  const int value = queue.front();
  queue.pop_front();
  return value;
}

}  // namespace

int main() {
  const std::jthread first_consumer(pop);
  const std::jthread second_consumer(pop);
  const std::jthread producer([] {
    push(1);
    push(2);
  });
}
