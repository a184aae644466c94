// SPDX-License-Identifier: Apache-2.0
//
// Two transfers lock the same two accounts in opposite orders.
//
// EXPECT: deadlock
// EXPECT-FRAME: transfer
#include <mutex>
#include <thread>

namespace {

struct Account {
  std::mutex mutex;
  int balance = 100;
};

void transfer(Account& from, Account& to, int amount) {
#ifdef FIXED
  const std::scoped_lock both(from.mutex, to.mutex);
#else
  const std::lock_guard from_lock(from.mutex);
  const std::lock_guard to_lock(to.mutex);
#endif
  from.balance -= amount;
  to.balance += amount;
}

}  // namespace

int main() {
  Account alice;
  Account bob;
  const std::jthread first([&] { transfer(alice, bob, 10); });
  const std::jthread second([&] { transfer(bob, alice, 20); });
}
