// SPDX-License-Identifier: Apache-2.0
//
// Lazy creation by test and set of an atomic pointer: no data race, but two threads may both see
// nothing and create twice.
//
// EXPECT: crash
// EXPECT-FRAME: pool
#include <atomic>
#include <memory>
#include <thread>

#include "tests/races/require.h"

namespace {

struct Pool {
  int connections = 8;
};

std::atomic<int> created{0};
std::atomic<Pool*> current{nullptr};

Pool* create() {
  require(created++ == 0, "created twice");
  static Pool the_pool;
  return &the_pool;
}

#ifdef FIXED
Pool* pool() {
  static Pool* const once = create();
  return once;
}
#else
Pool* pool() {
  if (current == nullptr) current = create();
  return current;
}
#endif

}  // namespace

int main() {
  const std::jthread first(pool);
  const std::jthread second(pool);
}
