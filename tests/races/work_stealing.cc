// SPDX-License-Identifier: Apache-2.0
//
// A work-stealing deque (Chase and Lev, SPAA 2005) whose owner takes the last element without the
// compare-and-swap that decides between owner and thief: one task runs twice.
//
// EXPECT: crash
// EXPECT-FRAME: run
#include <array>
#include <atomic>
#include <thread>

#include "tests/races/require.h"

namespace {

class Deque {
 public:
  void push(int task) {
    const long bottom = bottom_;
    tasks_[static_cast<std::size_t>(bottom)] = task;
    bottom_ = bottom + 1;
  }

  int take() {
    const long bottom = --bottom_;
    long top = top_;
    if (top > bottom) {
      bottom_ = top;
      return kNone;
    }
    const int task = tasks_[static_cast<std::size_t>(bottom)];
#ifdef FIXED
    if (top < bottom) return task;
    const bool won = top_.compare_exchange_strong(top, top + 1);
    bottom_ = bottom + 1;
    return won ? task : kNone;
#else
    return task;
#endif
  }

  int steal() {
    long top = top_;
    if (top >= bottom_) return kNone;
    const int task = tasks_[static_cast<std::size_t>(top)];
    return top_.compare_exchange_strong(top, top + 1) ? task : kNone;
  }

  static constexpr int kNone = -1;

 private:
  std::atomic<long> top_{0};
  std::atomic<long> bottom_{0};
  std::array<std::atomic<int>, 4> tasks_{};
};

Deque deque;
std::array<std::atomic<int>, 2> runs{};

void run(int task) {
  if (task == Deque::kNone) return;
  require(runs[static_cast<std::size_t>(task)]++ == 0, "a task ran twice");
}

}  // namespace

int main() {
  deque.push(0);
  deque.push(1);
  const std::jthread owner([] {
    run(deque.take());
    run(deque.take());
  });
  const std::jthread thief([] { run(deque.steal()); });
}
