// SPDX-License-Identifier: Apache-2.0
//
// A worker leaves when it is told to stop, although its queue is not empty: what was accepted is
// never done.
//
// EXPECT: crash
// EXPECT-FRAME: main
#include <condition_variable>
#include <mutex>
#include <thread>

#include "tests/races/require.h"

namespace {

std::mutex mutex;
std::condition_variable changed;
int accepted = 0;
int done = 0;
bool stopping = false;

void work() {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [] { return stopping || done < accepted; });
#ifdef FIXED
    if (done == accepted) return;
#else
    if (stopping) return;
#endif
    ++done;
  }
}

void accept_one() {
  const std::lock_guard lock(mutex);
  ++accepted;
  changed.notify_one();
}

}  // namespace

int main() {
  {
    const std::jthread worker(work);
    for (int i = 0; i < 3; ++i) accept_one();
    const std::lock_guard lock(mutex);
    stopping = true;
    changed.notify_one();
  }
  require(done == accepted, "accepted work was dropped");
}
