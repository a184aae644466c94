// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/mutexes.h"

#include "vigil/race/rt/detector/lock_misuse.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/process_shared.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/wait_for.h"

namespace vigil::race {
namespace {

constinit Real<decltype(&::pthread_mutex_trylock)> real_trylock("pthread_mutex_trylock");
constinit Real<decltype(&::pthread_mutex_lock)> real_lock("pthread_mutex_lock");
constinit Real<decltype(&::pthread_mutex_clocklock)> real_clocklock("pthread_mutex_clocklock");
constinit Real<decltype(&::pthread_mutex_unlock)> real_unlock("pthread_mutex_unlock");

struct State {
  // What a thread that waits for any robust mutex waits for: also the end of its owner.
  char robust_mutexes;
};
constinit State state = {};

int kind_of(const pthread_mutex_t* mutex) { return mutex->__data.__kind & 3; }

bool owned_by_caller(const pthread_mutex_t* mutex) {
  return mutex->__data.__owner == static_cast<int>(raw_syscall(SYS_gettid));
}

bool is_plain(const pthread_mutex_t* mutex) {
  return kind_of(mutex) == PTHREAD_MUTEX_TIMED_NP || kind_of(mutex) == PTHREAD_MUTEX_ADAPTIVE_NP;
}

// What glibc makes of the kind.
bool is_destroyed(const pthread_mutex_t* mutex) { return mutex->__data.__kind == -1; }

bool is_robust(const pthread_mutex_t* mutex) {
  constexpr int kRobust = 16;
  return (mutex->__data.__kind & kRobust) != 0;
}

const void* waited_for(const pthread_mutex_t* mutex) {
  return is_robust(mutex) ? static_cast<const void*>(&state.robust_mutexes) : mutex;
}

// The kernel unlocks the mutex of an owner that ended when its thread is really gone, which is
// soon.
bool owner_is_about_to_go(const pthread_mutex_t* mutex) {
  return is_robust(mutex) && !is_task_of(mutex->__data.__owner);
}

// Another process may be the owner.
int lock_shared(pthread_mutex_t* mutex, std::uint64_t deadline_ns, const char* operation) {
  const int result = real_trylock(mutex);
  if (result != EBUSY) return result;
  return wait_outside(deadline_ns, operation, [&](const timespec* deadline) {
    return deadline == nullptr ? real_lock(mutex)
                               : real_clocklock(mutex, CLOCK_MONOTONIC, deadline);
  });
}

}  // namespace

int lock_controlled(pthread_mutex_t* mutex, std::uint64_t deadline_ns, const char* operation) {
  if (is_process_shared(mutex)) return lock_shared(mutex, deadline_ns, operation);
  return wait_for(waited_for(mutex), deadline_ns, operation, [&] {
    for (;;) {
      const int result = real_trylock(mutex);
      if (result != EBUSY) return result;
      if (kind_of(mutex) == PTHREAD_MUTEX_ERRORCHECK_NP && owned_by_caller(mutex)) return EDEADLK;
      if (!owner_is_about_to_go(mutex)) return EBUSY;
      raw_syscall(SYS_sched_yield);
    }
  });
}

int try_lock(pthread_mutex_t* mutex) { return real_trylock(mutex); }

int unlock_and_wake(pthread_mutex_t* mutex) {
  const int result = real_unlock(mutex);
  if (result == 0 && controlled()) wake(waited_for(mutex), kEveryone);
  return result;
}

void owner_ended() { wake(&state.robust_mutexes, kEveryone); }

void after_lock(pthread_mutex_t* mutex, int result, Address pc) {
  if (result != 0 && result != EOWNERDEAD) return;
  acquire(mutex);
  lock_acquired(mutex, LockKind::kMutex, pc);
}

void check_use(const pthread_mutex_t* mutex, Address pc) {
  if (is_destroyed(mutex)) report_lock_misuse(LockMisuse::kDestroyed, mutex, pc);
}

bool may_be_left_locked(const pthread_mutex_t* mutex) { return is_robust(mutex); }

void before_lock(pthread_mutex_t* mutex, Address pc) {
  if (is_destroyed(mutex)) return;
  if (is_plain(mutex) && holds_lock(mutex) && owned_by_caller(mutex)) {
    report_lock_misuse(LockMisuse::kHeldByItself, mutex, pc);
  }
  follow_lock_order(mutex, LockKind::kMutex, pc);
}

void check_unlock(const pthread_mutex_t* mutex, Address pc) {
  if (is_destroyed(mutex)) return;
  if (mutex->__data.__lock == 0) {
    report_lock_misuse(LockMisuse::kNotHeld, mutex, pc);
  } else if (!holds_lock(mutex) && !owned_by_caller(mutex)) {
    report_lock_misuse(LockMisuse::kHeldByAnother, mutex, pc);
  }
}

void before_unlock(pthread_mutex_t* mutex) {
  release_store(mutex);
  lock_released(mutex);
}

}  // namespace vigil::race
