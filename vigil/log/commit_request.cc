// SPDX-License-Identifier: Apache-2.0
#include "vigil/log/commit_request.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

namespace vigil::log {

void CommitRequest::wake() noexcept {
  ::syscall(SYS_futex, &word_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

bool CommitRequest::wait(std::int64_t wait_ms) noexcept {
  std::uint32_t expected = kNothing;
  if (word_.compare_exchange_strong(expected, kSleeping, std::memory_order_acq_rel)) {
    constexpr std::int64_t kSecond_ms = 1000;
    constexpr std::int64_t kMillisecond_ns = 1'000'000;
    const timespec timeout{wait_ms / kSecond_ms, wait_ms % kSecond_ms * kMillisecond_ns};
    // Returns as well when the word changed before, and for no reason: then nothing was asked.
    ::syscall(SYS_futex, &word_, FUTEX_WAIT_PRIVATE, kSleeping, &timeout, nullptr, 0);
  }
  return word_.exchange(kNothing, std::memory_order_acq_rel) == kAsked;
}

}  // namespace vigil::log
