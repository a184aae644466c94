// SPDX-License-Identifier: Apache-2.0
//
// A pool with a thread for each processor that the program may use: a runtime that runs all threads
// on one must not make it a pool of one. (Two on a machine of one, where the bug is, too.)
//
// EXPECT: race
// EXPECT-FRAME: work
// RUN: --schedules 20
#include <sched.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/races/require.h"

namespace {

#ifdef FIXED
std::atomic<long> total = 0;
#else
long total = 0;
#endif

void work() { ++total; }

int usable_processors() {
  cpu_set_t set;
  require(sched_getaffinity(0, sizeof set, &set) == 0, "no processors");
  return CPU_COUNT(&set);
}

}  // namespace

int main() {
  std::vector<std::thread> pool;
  const unsigned machine = std::thread::hardware_concurrency();
  for (int left = machine > 1 ? usable_processors() : 2; left > 0; --left) pool.emplace_back(work);
  for (std::thread& thread : pool) thread.join();
}
