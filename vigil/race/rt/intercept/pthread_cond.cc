// SPDX-License-Identifier: Apache-2.0
//
// Condition variables.
//
// In controlled mode they are modelled in the scheduler and the real one is never waited on: giving
// up the mutex and waiting are one step, because no other thread runs in between. Those that are
// shared with other processes stay real.
//
// In free mode a cancelled wait leaves with the mutex locked: the edges of that lock are made
// before the program's cleanup handlers run.
#include <pthread.h>
#include <threads.h>

#include <cerrno>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/lock_misuse.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/call_with_cleanup.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/cancellation.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/mutexes.h"
#include "vigil/race/rt/world/process_shared.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/virtual_time.h"
#include "vigil/race/rt/world/waiting_threads.h"

namespace vigil::race {
namespace {

using Condition = pthread_cond_t;
using Mutex = pthread_mutex_t;

constinit Real<decltype(&::pthread_cond_init)> real_init("pthread_cond_init", "GLIBC_2.3.2");
constinit Real<decltype(&::pthread_cond_destroy)> real_destroy("pthread_cond_destroy",
                                                               "GLIBC_2.3.2");
constinit Real<decltype(&::pthread_cond_wait)> real_wait("pthread_cond_wait", "GLIBC_2.3.2");
constinit Real<decltype(&::pthread_cond_timedwait)> real_timedwait("pthread_cond_timedwait",
                                                                   "GLIBC_2.3.2");
constinit Real<decltype(&::pthread_cond_clockwait)> real_clockwait("pthread_cond_clockwait");
constinit Real<decltype(&::pthread_cond_signal)> real_signal("pthread_cond_signal", "GLIBC_2.3.2");
constinit Real<decltype(&::pthread_cond_broadcast)> real_broadcast("pthread_cond_broadcast",
                                                                   "GLIBC_2.3.2");

// Like a mutex, a condition variable is read by its users.
void use(const Condition* condition, Address pc) {
  constexpr unsigned kDestroyed = 4;  // as glibc marks it, in a bit of the waiters' counter
  atomic_read(condition, 1, pc);
  if ((condition->__data.__wrefs & kDestroyed) != 0)
    report_lock_misuse(LockMisuse::kDestroyed, condition, pc);
}

// Which clock pthread_cond_timedwait() means: an attribute, kept in a bit of the waiters' counter.
clockid_t clock_of(const Condition* condition) {
  constexpr unsigned kMonotonic = 2;
  return (condition->__data.__wrefs & kMonotonic) != 0 ? CLOCK_MONOTONIC : CLOCK_REALTIME;
}

// A thread that waits for the condition now keeps the program from some things.
void check_no_waiter(const Condition* condition, LockMisuse misuse, Address pc) {
  const LockHolder waiter = thread_waiting_for(condition);
  if (waiter.thread >= 0) report_lock_misuse(misuse, condition, pc, waiter);
}

void check_one_mutex(const Condition* condition, const Mutex* mutex, Address pc) {
  const LockHolder waiter = thread_waiting_for(condition, mutex);
  if (waiter.thread >= 0) report_lock_misuse(LockMisuse::kTwoMutexes, condition, pc, waiter);
}

struct FreeWait {
  Condition* condition;
  Mutex* mutex;
  clockid_t clock;
  const timespec* time;  // null: without end
  bool clock_named;
  Address pc;
  int result;
  WaitingThread waiting;
};

void wait_really(void* argument) {
  auto* wait = static_cast<FreeWait*>(argument);
  if (wait->time == nullptr) {
    wait->result = real_wait(wait->condition, wait->mutex);
  } else if (wait->clock_named) {
    wait->result = real_clockwait(wait->condition, wait->mutex, wait->clock, wait->time);
  } else {
    wait->result = real_timedwait(wait->condition, wait->mutex, wait->time);
  }
}

void lock_is_held_again(void* argument, int /*completed*/) {
  auto* wait = static_cast<FreeWait*>(argument);
  end_waiting(wait->waiting);
  after_lock(wait->mutex, 0, wait->pc);
}

int wait_free(FreeWait* wait) {
  const SignalsAtOnce signals;
  begin_waiting(wait->waiting);
  before_unlock(wait->mutex);
  vigil_race_call_with_cleanup(wait_really, lock_is_held_again, wait);
  return wait->result;
}

// Another process may be the one that signals.
int wait_shared(Condition* condition, Mutex* mutex, std::uint64_t deadline_ns) {
  return wait_outside(deadline_ns, "pthread_cond_wait", [&](const timespec* deadline) {
    return deadline == nullptr ? real_wait(condition, mutex)
                               : real_clockwait(condition, mutex, CLOCK_MONOTONIC, deadline);
  });
}

int wait_controlled(Condition* condition, Mutex* mutex, std::uint64_t deadline_ns, Address pc) {
  const FrameScope frame(pc);
  scheduling_point(PointKind::kSync, condition);
  test_cancellation();
  before_unlock(mutex);
  if (is_process_shared(condition)) {
    const int shared = wait_shared(condition, mutex, deadline_ns);
    after_lock(mutex, 0, pc);
    return shared;
  }
  const int refused = unlock_and_wake(mutex);
  if (refused != 0) return refused;
  WaitingThread waiting(condition, mutex, pc);
  begin_waiting(waiting);
  const WaitResult result = block_on(condition, deadline_ns, "pthread_cond_wait", true);
  end_waiting(waiting);
  lock_controlled(mutex, kNever, "pthread_cond_wait (mutex)");
  after_lock(mutex, 0, pc);
  if (result == WaitResult::kInterrupted) {
    test_cancellation();
    deliver_signals();
  }
  return result == WaitResult::kTimedOut ? ETIMEDOUT : 0;
}

int wait(Condition* condition, Mutex* mutex, clockid_t clock, const timespec* time,
         bool clock_named, Address pc) {
  if (!is_valid_time(time)) return EINVAL;
  use(condition, pc);
  check_unlock(mutex, pc);
  check_one_mutex(condition, mutex, pc);
  if (controlled()) return wait_controlled(condition, mutex, deadline_at(clock, time), pc);
  FreeWait free_wait{condition, mutex, clock, time, clock_named, pc, 0, {condition, mutex, pc}};
  return wait_free(&free_wait);
}

int signal(Condition* condition, Address pc) {
  use(condition, pc);
  scheduling_point(PointKind::kSync, condition);
  waiters_woken(condition, 1);
  if (!controlled() || is_process_shared(condition)) return real_signal(condition);
  notify(condition, 1);
  return 0;
}

int broadcast(Condition* condition, Address pc) {
  use(condition, pc);
  scheduling_point(PointKind::kSync, condition);
  waiters_woken(condition, kEveryone);
  if (!controlled() || is_process_shared(condition)) return real_broadcast(condition);
  notify(condition, kEveryone);
  return 0;
}

}  // namespace

VIGIL_INTERCEPTOR int pthread_cond_init(Condition* condition,
                                        const pthread_condattr_t* attributes) noexcept {
  write_range(condition, 1, VIGIL_CALLER_PC);
  check_no_waiter(condition, LockMisuse::kInitialisedWaited, VIGIL_CALLER_PC);
  return real_init(condition, attributes);
}

VIGIL_INTERCEPTOR int pthread_cond_destroy(Condition* condition) noexcept {
  write_range(condition, 1, VIGIL_CALLER_PC);
  check_no_waiter(condition, LockMisuse::kDestroyedWaited, VIGIL_CALLER_PC);
  return real_destroy(condition);
}

VIGIL_INTERCEPTOR int pthread_cond_wait(Condition* condition, Mutex* mutex) {
  return wait(condition, mutex, CLOCK_REALTIME, nullptr, false, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int pthread_cond_timedwait(Condition* condition, Mutex* mutex,
                                             const timespec* time) {
  return wait(condition, mutex, clock_of(condition), time, false, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int pthread_cond_clockwait(Condition* condition, Mutex* mutex, clockid_t clock,
                                             const timespec* time) {
  return wait(condition, mutex, clock, time, true, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int pthread_cond_signal(Condition* condition) noexcept {
  return signal(condition, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int pthread_cond_broadcast(Condition* condition) noexcept {
  return broadcast(condition, VIGIL_CALLER_PC);
}

// ---- C11: cnd_t is a pthread_cond_t

namespace {

Condition* condition_of(cnd_t* condition) { return reinterpret_cast<Condition*>(condition); }
Mutex* mutex_of(mtx_t* mutex) { return reinterpret_cast<Mutex*>(mutex); }

}  // namespace

VIGIL_INTERCEPTOR int cnd_wait(cnd_t* condition, mtx_t* mutex) {
  const int result = wait(condition_of(condition), mutex_of(mutex), CLOCK_REALTIME, nullptr, false,
                          VIGIL_CALLER_PC);
  return result == 0 ? thrd_success : thrd_error;
}

VIGIL_INTERCEPTOR int cnd_timedwait(cnd_t* condition, mtx_t* mutex, const timespec* time) {
  const int result =
      wait(condition_of(condition), mutex_of(mutex), CLOCK_REALTIME, time, false, VIGIL_CALLER_PC);
  if (result == ETIMEDOUT) return thrd_timedout;
  return result == 0 ? thrd_success : thrd_error;
}

VIGIL_INTERCEPTOR int cnd_signal(cnd_t* condition) {
  return signal(condition_of(condition), VIGIL_CALLER_PC) == 0 ? thrd_success : thrd_error;
}

VIGIL_INTERCEPTOR int cnd_broadcast(cnd_t* condition) {
  return broadcast(condition_of(condition), VIGIL_CALLER_PC) == 0 ? thrd_success : thrd_error;
}

}  // namespace vigil::race
