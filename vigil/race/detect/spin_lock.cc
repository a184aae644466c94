// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/detect/spin_lock.h"

#include <sys/syscall.h>

namespace vigil::race {
namespace {

constexpr int kSpinsBeforeYield = 200;

void yield_processor() {
  long number = SYS_sched_yield;
  asm volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
}

}  // namespace

[[gnu::noinline]] void SpinLock::wait_while_locked() const {
  for (int spins = 0; __atomic_load_n(&state_, __ATOMIC_RELAXED) != 0; ++spins) {
    if (spins < kSpinsBeforeYield) {
      __builtin_ia32_pause();
    } else {
      yield_processor();
    }
  }
}

}  // namespace vigil::race
