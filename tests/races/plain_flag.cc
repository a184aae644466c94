// SPDX-License-Identifier: Apache-2.0
//
// A flag of type bool tells a worker to stop.
//
// EXPECT: race
// EXPECT-FRAME: work | main
#include <atomic>
#include <thread>

namespace {

#ifdef FIXED
std::atomic<bool> stop{false};
#else
bool stop = false;
#endif

void work() {
  for (int i = 0; i < 3 && !stop; ++i) std::this_thread::yield();
}

}  // namespace

int main() {
  const std::jthread worker(work);
  stop = true;
}
