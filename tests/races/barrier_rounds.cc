// SPDX-License-Identifier: Apache-2.0
//
// Between two rounds of a barrier both threads write the same result. Each wait orders what came
// before it, not the writes between: a thread that leaves the first round late must not be taken
// for one that knows of the second.
//
// EXPECT: race
// EXPECT-FRAME: work
// RUN: --schedules 20
#include <pthread.h>

#include <array>
#include <thread>

#include "tests/races/require.h"

namespace {

pthread_barrier_t barrier;
std::array<int, 2> results = {};

void work(std::size_t number) {
  pthread_barrier_wait(&barrier);
#ifdef FIXED
  results[number] = 5;
#else
  results[number * 0] = 5;
#endif
  pthread_barrier_wait(&barrier);
}

}  // namespace

int main() {
  pthread_barrier_init(&barrier, nullptr, 2);
  std::thread first(work, 0);
  std::thread second(work, 1);
  first.join();
  second.join();
  pthread_barrier_destroy(&barrier);
  require(results[0] == 5, "a result is missing");
}
