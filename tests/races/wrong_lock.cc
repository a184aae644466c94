// SPDX-License-Identifier: Apache-2.0
//
// Two locks for one table: each side is sure to be protected.
//
// EXPECT: race
// EXPECT-FRAME: deposit | audit
#include <mutex>
#include <thread>

namespace {

std::mutex deposit_mutex;
std::mutex audit_mutex;
long ledger = 0;

void deposit() {
  const std::lock_guard lock(deposit_mutex);
  ledger += 100;
}

long audit() {
#ifdef FIXED
  const std::lock_guard lock(deposit_mutex);
#else
  const std::lock_guard lock(audit_mutex);
#endif
  return ledger;
}

}  // namespace

int main() {
  const std::jthread writer(deposit);
  const std::jthread reader(audit);
}
