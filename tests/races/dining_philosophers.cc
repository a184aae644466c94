// SPDX-License-Identifier: Apache-2.0
//
// Five philosophers take the left fork, then the right one (Dijkstra 1965). All of them may hold a
// left fork; the fix takes forks in the order of their numbers.
//
// EXPECT: deadlock
// EXPECT-FRAME: dine
#include <algorithm>
#include <array>
#include <mutex>
#include <thread>
#include <vector>

namespace {

constexpr int kPhilosophers = 5;
std::array<std::mutex, kPhilosophers> forks;

void dine(int seat) {
  int left = seat;
  int right = (seat + 1) % kPhilosophers;
#ifdef FIXED
  if (left > right) std::swap(left, right);
#endif
  const std::lock_guard left_fork(forks[static_cast<std::size_t>(left)]);
  const std::lock_guard right_fork(forks[static_cast<std::size_t>(right)]);
}

}  // namespace

int main() {
  std::vector<std::jthread> philosophers;
  for (int seat = 0; seat < kPhilosophers; ++seat) philosophers.emplace_back(dine, seat);
}
