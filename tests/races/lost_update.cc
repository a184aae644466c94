// SPDX-License-Identifier: Apache-2.0
//
// A counter of type std::atomic that is read, increased and stored in two operations.
//
// EXPECT: crash
// EXPECT-FRAME: main
#include <atomic>
#include <thread>

#include "tests/races/require.h"

namespace {

std::atomic<int> counter{0};

void count() {
#ifdef FIXED
  counter += 1;
#else
  const int seen = counter;
  counter = seen + 1;
#endif
}

}  // namespace

int main() {
  {
    const std::jthread first(count);
    const std::jthread second(count);
  }
  require(counter == 2, "an update was lost");
}
