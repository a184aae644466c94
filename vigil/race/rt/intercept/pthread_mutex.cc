// SPDX-License-Identifier: Apache-2.0
//
// Mutexes and spin locks. The real object is the truth in both modes; in controlled mode only its
// try-operations are used and waiting is the scheduler's business.
#include <pthread.h>
#include <threads.h>

#include <cerrno>

#include "vigil/race/rt/detector/lock_misuse.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/descriptors.h"
#include "vigil/race/rt/world/mutexes.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/virtual_time.h"
#include "vigil/race/rt/world/wait_for.h"

namespace vigil::race {
namespace {

constinit Real<decltype(&::pthread_mutex_init)> real_init("pthread_mutex_init");
constinit Real<decltype(&::pthread_mutex_destroy)> real_destroy("pthread_mutex_destroy");
constinit Real<decltype(&::pthread_mutex_lock)> real_lock("pthread_mutex_lock");
constinit Real<decltype(&::pthread_mutex_timedlock)> real_timedlock("pthread_mutex_timedlock");
constinit Real<decltype(&::pthread_mutex_clocklock)> real_clocklock("pthread_mutex_clocklock");
constinit Real<decltype(&::pthread_spin_init)> real_spin_init("pthread_spin_init");
constinit Real<decltype(&::pthread_spin_destroy)> real_spin_destroy("pthread_spin_destroy");
constinit Real<decltype(&::pthread_spin_lock)> real_spin_lock("pthread_spin_lock");
constinit Real<decltype(&::pthread_spin_trylock)> real_spin_trylock("pthread_spin_trylock");
constinit Real<decltype(&::pthread_spin_unlock)> real_spin_unlock("pthread_spin_unlock");

// The object as a thing in memory: its users read it atomically, initialising and destroying write.
void use(const volatile void* object, Address pc) { atomic_read(object, 1, pc); }

void use(const pthread_mutex_t* mutex, Address pc) {
  atomic_read(mutex, 1, pc);
  check_use(mutex, pc);
}

int lock_at(pthread_mutex_t* mutex, std::uint64_t deadline_ns, const char* operation, Address pc) {
  const FrameScope frame(pc);
  scheduling_point(PointKind::kSync, mutex);
  return lock_controlled(mutex, deadline_ns, operation);
}

int lock(pthread_mutex_t* mutex, Address pc) {
  use(mutex, pc);
  before_lock(mutex, pc);
  int result = 0;
  if (controlled()) {
    result = lock_at(mutex, kNever, "pthread_mutex_lock", pc);
  } else {
    const SignalsAtOnce signals;
    result = real_lock(mutex);
  }
  after_lock(mutex, result, pc);
  return result;
}

int trylock(pthread_mutex_t* mutex, Address pc) {
  use(mutex, pc);
  scheduling_point(PointKind::kSync, mutex);
  const int result = try_lock(mutex);
  after_lock(mutex, result, pc);
  return result;
}

template <class RealLock>
int timed_lock(pthread_mutex_t* mutex, clockid_t clock, const timespec* time, Address pc,
               RealLock real) {
  use(mutex, pc);
  const bool valid = is_valid_time(time);
  int result = 0;
  if (controlled()) {
    // A wrong time matters only to a thread that would wait.
    result = lock_at(mutex, valid ? deadline_at(clock, time) : 0, "pthread_mutex_timedlock", pc);
    if (result == ETIMEDOUT && !valid) result = EINVAL;
  } else {
    result = real();
  }
  after_lock(mutex, result, pc);
  return result;
}

int unlock(pthread_mutex_t* mutex, Address pc) {
  use(mutex, pc);
  check_unlock(mutex, pc);
  scheduling_point(PointKind::kSync, mutex);
  before_unlock(mutex);
  return unlock_and_wake(mutex);
}

}  // namespace

VIGIL_INTERCEPTOR int pthread_mutex_init(pthread_mutex_t* mutex,
                                         const pthread_mutexattr_t* attributes) noexcept {
  write_range(mutex, 1, VIGIL_CALLER_PC);
  sync_destroyed(mutex, sizeof *mutex);
  return real_init(mutex, attributes);
}

VIGIL_INTERCEPTOR int pthread_mutex_destroy(pthread_mutex_t* mutex) noexcept {
  write_range(mutex, 1, VIGIL_CALLER_PC);
  const int result = real_destroy(mutex);
  if (result == EBUSY) {
    report_lock_misuse(LockMisuse::kDestroyedHeld, mutex, VIGIL_CALLER_PC);
  } else if (result == 0) {
    sync_destroyed(mutex, sizeof *mutex);
  }
  return result;
}

VIGIL_INTERCEPTOR int pthread_mutex_lock(pthread_mutex_t* mutex) noexcept {
  return lock(mutex, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int pthread_mutex_trylock(pthread_mutex_t* mutex) noexcept {
  return trylock(mutex, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int pthread_mutex_timedlock(pthread_mutex_t* mutex,
                                              const timespec* time) noexcept {
  return timed_lock(mutex, CLOCK_REALTIME, time, VIGIL_CALLER_PC,
                    [&] { return real_timedlock(mutex, time); });
}

VIGIL_INTERCEPTOR int pthread_mutex_clocklock(pthread_mutex_t* mutex, clockid_t clock,
                                              const timespec* time) noexcept {
  return timed_lock(mutex, clock, time, VIGIL_CALLER_PC,
                    [&] { return real_clocklock(mutex, clock, time); });
}

VIGIL_INTERCEPTOR int pthread_mutex_unlock(pthread_mutex_t* mutex) noexcept {
  return unlock(mutex, VIGIL_CALLER_PC);
}

// ---- C11: mtx_t is a pthread_mutex_t of kind normal or recursive

namespace {

pthread_mutex_t* mutex_of(mtx_t* mutex) { return reinterpret_cast<pthread_mutex_t*>(mutex); }

int c11_result(int error) {
  if (error == 0) return thrd_success;
  if (error == EBUSY) return thrd_busy;
  return error == ETIMEDOUT ? thrd_timedout : thrd_error;
}

}  // namespace

VIGIL_INTERCEPTOR int mtx_init(mtx_t* mutex, int type) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  const bool recursive = (type & mtx_recursive) != 0;
  pthread_mutexattr_settype(&attributes,
                            recursive ? PTHREAD_MUTEX_RECURSIVE_NP : PTHREAD_MUTEX_NORMAL);
  return c11_result(pthread_mutex_init(mutex_of(mutex), &attributes));
}

VIGIL_INTERCEPTOR void mtx_destroy(mtx_t* mutex) { pthread_mutex_destroy(mutex_of(mutex)); }

VIGIL_INTERCEPTOR int mtx_lock(mtx_t* mutex) {
  return c11_result(lock(mutex_of(mutex), VIGIL_CALLER_PC));
}

VIGIL_INTERCEPTOR int mtx_trylock(mtx_t* mutex) {
  return c11_result(trylock(mutex_of(mutex), VIGIL_CALLER_PC));
}

VIGIL_INTERCEPTOR int mtx_timedlock(mtx_t* mutex, const timespec* time) {
  return c11_result(timed_lock(mutex_of(mutex), CLOCK_REALTIME, time, VIGIL_CALLER_PC,
                               [&] { return real_timedlock(mutex_of(mutex), time); }));
}

VIGIL_INTERCEPTOR int mtx_unlock(mtx_t* mutex) {
  return c11_result(unlock(mutex_of(mutex), VIGIL_CALLER_PC));
}

// ---- spin locks

namespace {

void after_spin_lock(pthread_spinlock_t* lock, int result, Address pc) {
  if (result != 0) return;
  acquire(lock);
  lock_acquired(lock, LockKind::kSpinLock, pc);
}

int spin_lock_controlled(pthread_spinlock_t* lock, Address pc) {
  const FrameScope frame(pc);
  scheduling_point(PointKind::kSync, lock);
  // It does not say whether it is shared with another process.
  if (other_processes()) {
    if (real_spin_trylock(lock) == 0) return 0;
    const ExternalWait outside("pthread_spin_lock");
    return real_spin_lock(lock);
  }
  return wait_for(lock, kNever, "pthread_spin_lock", [&] { return real_spin_trylock(lock); });
}

}  // namespace

VIGIL_INTERCEPTOR int pthread_spin_init(pthread_spinlock_t* lock, int shared) noexcept {
  write_range(lock, 1, VIGIL_CALLER_PC);
  return real_spin_init(lock, shared);
}

VIGIL_INTERCEPTOR int pthread_spin_destroy(pthread_spinlock_t* lock) noexcept {
  write_range(lock, 1, VIGIL_CALLER_PC);
  sync_destroyed(lock, sizeof *lock);
  return real_spin_destroy(lock);
}

VIGIL_INTERCEPTOR int pthread_spin_lock(pthread_spinlock_t* lock) noexcept {
  use(lock, VIGIL_CALLER_PC);
  follow_lock_order(lock, LockKind::kSpinLock, VIGIL_CALLER_PC);
  const int result =
      controlled() ? spin_lock_controlled(lock, VIGIL_CALLER_PC) : real_spin_lock(lock);
  after_spin_lock(lock, result, VIGIL_CALLER_PC);
  return result;
}

VIGIL_INTERCEPTOR int pthread_spin_trylock(pthread_spinlock_t* lock) noexcept {
  use(lock, VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, lock);
  const int result = real_spin_trylock(lock);
  after_spin_lock(lock, result, VIGIL_CALLER_PC);
  return result;
}

VIGIL_INTERCEPTOR int pthread_spin_unlock(pthread_spinlock_t* lock) noexcept {
  use(lock, VIGIL_CALLER_PC);
  // Glibc's spin lock is 1 while it is open.
  if (*lock == 1) report_lock_misuse(LockMisuse::kNotHeld, lock, VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, lock);
  release_store(lock);
  lock_released(lock);
  const int result = real_spin_unlock(lock);
  if (controlled()) wake(lock, kEveryone);
  return result;
}

}  // namespace vigil::race
