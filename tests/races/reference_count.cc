// SPDX-License-Identifier: Apache-2.0
//
// A reference count that is decreased by load and store: both holders may see 2, and the object is
// never freed, or both may see 1, and it is freed twice.
//
// EXPECT: crash
// EXPECT-FRAME: release | main
#include <atomic>
#include <thread>

#include "tests/races/require.h"

namespace {

std::atomic<int> references{2};
std::atomic<int> destroyed{0};

void release() {
#ifdef FIXED
  if (--references == 0) ++destroyed;
#else
  const int left = references.load() - 1;
  references.store(left);
  if (left == 0) ++destroyed;
#endif
}

}  // namespace

int main() {
  {
    const std::jthread first(release);
    const std::jthread second(release);
  }
  require(destroyed == 1, "destroyed not exactly once");
}
