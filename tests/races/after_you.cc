// SPDX-License-Identifier: Apache-2.0
//
// Two polite threads: each says that it wants in, and waits as long as the other one wants in too.
// Both run for ever and neither gets on.
//
// EXPECT: livelock
// EXPECT-FRAME: enter
#include <array>
#include <atomic>
#include <thread>

namespace {

std::array<std::atomic<bool>, 2> wants{};
std::atomic<std::size_t> goes_first{0};

void enter(std::size_t self) {
  const std::size_t other = 1 - self;
  wants[self] = true;
  while (wants[other]) {
#ifdef FIXED
    if (goes_first != self) {
      wants[self] = false;
      while (goes_first != self) std::this_thread::yield();
      wants[self] = true;
    }
#endif
    std::this_thread::yield();
  }
}

void leave(std::size_t self) {
  goes_first = 1 - self;
  wants[self] = false;
}

void work(std::size_t self) {
  enter(self);
  leave(self);
}

}  // namespace

int main() {
  const std::jthread first(work, 0);
  const std::jthread second(work, 1);
}
