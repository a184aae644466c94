// SPDX-License-Identifier: Apache-2.0
//
// Sleeping and waking without libc. Context: signal, interceptor, init.
#pragma once

#include <cstdint>

#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/sched/operation.h"

namespace vigil::race {

// Sleeps while *word is `expected`, at most `timeout_ns` (kNever: without end); may also return for
// no reason.
inline void futex_wait(std::uint32_t* word, std::uint32_t expected, std::uint64_t timeout_ns) {
  constexpr int kWaitPrivate = 128;
  const std::uint64_t timeout[2] = {timeout_ns / 1'000'000'000, timeout_ns % 1'000'000'000};
  raw_syscall(SYS_futex, word, kWaitPrivate, expected, timeout_ns == kNever ? nullptr : timeout);
}

inline void futex_wake(std::uint32_t* word, int count) {
  constexpr int kWakePrivate = 129;
  raw_syscall(SYS_futex, word, kWakePrivate, count);
}

}  // namespace vigil::race
