// SPDX-License-Identifier: Apache-2.0
//
// Things done once: pthread_once, C11's call_once, and the guards of function-local statics. Done
// here completely, on the same words as the C and C++ libraries use: 0 before, kDone after (for a
// guard its first byte is 1). A thread that finds it in progress waits; a failed attempt (an
// exception, a cancellation, __cxa_guard_abort) puts it back to the beginning.
#include <pthread.h>
#include <threads.h>

#include <cstdint>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/call_with_cleanup.h"
#include "vigil/race/rt/raw/futex.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/real_function.h"

namespace vigil::race {
namespace {

constexpr std::uint32_t kBefore = 0;
constexpr std::uint32_t kOnceDone = 2;
constexpr std::uint32_t kGuardDone = 1;
constexpr std::uint32_t kRunning = 1U << 16;
constexpr std::uint32_t kRunningAndAwaited = kRunning | 1U << 17;

void wait_while_running(std::uint32_t* word, std::uint32_t seen) {
  if (controlled()) {
    block_on(word, kNever, "waiting for an initialisation");
    return;
  }
  if (seen == kRunning && !__atomic_compare_exchange_n(word, &seen, kRunningAndAwaited, false,
                                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    return;
  }
  futex_wait(word, kRunningAndAwaited, kNever);
}

// True: the caller does it, and says so by end(). False: it is done.
bool begin(std::uint32_t* word, std::uint32_t done) {
  scheduling_point(PointKind::kSync, word);
  for (;;) {
    std::uint32_t seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    if (seen == done) {
      acquire(word);
      return false;
    }
    if (seen == kBefore) {
      if (__atomic_compare_exchange_n(word, &seen, kRunning, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE)) {
        return true;
      }
      continue;
    }
    wait_while_running(word, seen);
  }
}

void end(std::uint32_t* word, std::uint32_t result) {
  scheduling_point(PointKind::kSync, word);
  release_store(word);
  const std::uint32_t before = __atomic_exchange_n(word, result, __ATOMIC_ACQ_REL);
  if (controlled()) {
    wake(word, kEveryone);
  } else if (before == kRunningAndAwaited) {
    futex_wake(word, 0x7fff'ffff);
  }
}

struct Once {
  std::uint32_t* word;
  void (*function)();
};

void run(void* argument) { static_cast<Once*>(argument)->function(); }

void end_run(void* argument, int completed) {
  end(static_cast<Once*>(argument)->word, completed != 0 ? kOnceDone : kBefore);
}

void do_once(std::uint32_t* word, void (*function)()) {
  if (!begin(word, kOnceDone)) return;
  Once once{word, function};
  vigil_race_call_with_cleanup(run, end_run, &once);
}

}  // namespace

VIGIL_INTERCEPTOR int pthread_once(pthread_once_t* once, void (*function)()) {
  const FrameScope frame(VIGIL_CALLER_PC);
  do_once(reinterpret_cast<std::uint32_t*>(once), function);
  return 0;
}

VIGIL_INTERCEPTOR void call_once(once_flag* once, void (*function)()) {
  const FrameScope frame(VIGIL_CALLER_PC);
  do_once(reinterpret_cast<std::uint32_t*>(once), function);
}

VIGIL_INTERCEPTOR int __cxa_guard_acquire(std::uint64_t* guard) {  // NOLINT: the ABI's name
  const FrameScope frame(VIGIL_CALLER_PC);
  return begin(reinterpret_cast<std::uint32_t*>(guard), kGuardDone) ? 1 : 0;
}

VIGIL_INTERCEPTOR void __cxa_guard_release(std::uint64_t* guard) {  // NOLINT: the ABI's name
  const FrameScope frame(VIGIL_CALLER_PC);
  end(reinterpret_cast<std::uint32_t*>(guard), kGuardDone);
}

VIGIL_INTERCEPTOR void __cxa_guard_abort(std::uint64_t* guard) {  // NOLINT: the ABI's name
  const FrameScope frame(VIGIL_CALLER_PC);
  end(reinterpret_cast<std::uint32_t*>(guard), kBefore);
}

}  // namespace vigil::race
