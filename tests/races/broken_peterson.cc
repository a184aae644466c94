// SPDX-License-Identifier: Apache-2.0
//
// Peterson's lock (1981) with its two stores exchanged: each thread may give way before it has said
// that it is interested.
//
// EXPECT: crash
// EXPECT-FRAME: work
#include <array>
#include <atomic>
#include <thread>

#include "tests/races/require.h"

namespace {

std::array<std::atomic<bool>, 2> interested{};
std::atomic<std::size_t> turn{0};
std::atomic<int> inside{0};

void lock(std::size_t self) {
  const std::size_t other = 1 - self;
#ifdef FIXED
  interested[self] = true;
  turn = other;
#else
  turn = other;
  interested[self] = true;
#endif
  while (interested[other] && turn == other) std::this_thread::yield();
}

void unlock(std::size_t self) { interested[self] = false; }

void work(std::size_t self) {
  lock(self);
  require(inside++ == 0, "two threads hold the lock");
  --inside;
  unlock(self);
}

}  // namespace

int main() {
  const std::jthread first(work, 0);
  const std::jthread second(work, 1);
}
