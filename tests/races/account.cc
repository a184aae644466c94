// SPDX-License-Identifier: Apache-2.0
//
// Withdrawals look at the balance under the lock, let go of it, and take the money under the lock
// again: two of them overdraw the account.
//
// EXPECT: crash
// EXPECT-FRAME: withdraw
#include <mutex>
#include <thread>

#include "tests/races/require.h"

namespace {

class Account {
 public:
  void withdraw(int amount) {
#ifdef FIXED
    const std::lock_guard lock(mutex_);
    if (balance_ >= amount) balance_ -= amount;
#else
    if (balance() < amount) return;
    const std::lock_guard lock(mutex_);
    balance_ -= amount;
#endif
    require(balance_ >= 0, "overdrawn");
  }

  int balance() {
    const std::lock_guard lock(mutex_);
    return balance_;
  }

 private:
  std::mutex mutex_;
  int balance_ = 100;
};

}  // namespace

int main() {
  Account account;
  const std::jthread first([&] { account.withdraw(70); });
  const std::jthread second([&] { account.withdraw(60); });
}
