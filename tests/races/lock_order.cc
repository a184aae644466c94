// SPDX-License-Identifier: Apache-2.0
//
// Two threads, one after the other, take two locks in opposite orders. No schedule of this program
// is a deadlock; a program in which both ran at once would have one. Under a third lock the orders
// do not matter, and a lock that is only tried is waited for by nobody.
//
// EXPECT: lock misuse
// EXPECT-FRAME: transfer
// RUN: --lock-order --schedules 3
#include <mutex>
#include <thread>

namespace {

std::mutex checking;
std::mutex savings;
std::mutex both;

void transfer(std::mutex& from, std::mutex& to) {
#ifdef FIXED
  const std::lock_guard apart(both);
#endif
  const std::lock_guard first(from);
  const std::lock_guard second(to);
}

#ifdef FIXED
void try_the_other_way() {
  const std::lock_guard first(savings);
  if (checking.try_lock()) checking.unlock();
}
#endif

}  // namespace

int main() {
  std::thread([] { transfer(checking, savings); }).join();
  std::thread([] { transfer(savings, checking); }).join();
#ifdef FIXED
  std::thread(try_the_other_way).join();
#endif
}
