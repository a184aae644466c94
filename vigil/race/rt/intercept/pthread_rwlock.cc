// SPDX-License-Identifier: Apache-2.0
//
// Read-write locks. What writers did is known to every thread that locks after them; what readers
// did only to later writers. So a lock has two clocks: the writers' at its address, the readers' at
// kReaders behind it.
#include <pthread.h>

#include <cerrno>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/lock_misuse.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/process_shared.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/virtual_time.h"
#include "vigil/race/rt/world/wait_for.h"

namespace vigil::race {
namespace {

using Lock = pthread_rwlock_t;

constinit Real<decltype(&::pthread_rwlock_init)> real_init("pthread_rwlock_init");
constinit Real<decltype(&::pthread_rwlock_destroy)> real_destroy("pthread_rwlock_destroy");
constinit Real<decltype(&::pthread_rwlock_rdlock)> real_rdlock("pthread_rwlock_rdlock");
constinit Real<decltype(&::pthread_rwlock_tryrdlock)> real_tryrdlock("pthread_rwlock_tryrdlock");
constinit Real<decltype(&::pthread_rwlock_timedrdlock)> real_timedrdlock(
    "pthread_rwlock_timedrdlock");
constinit Real<decltype(&::pthread_rwlock_clockrdlock)> real_clockrdlock(
    "pthread_rwlock_clockrdlock");
constinit Real<decltype(&::pthread_rwlock_wrlock)> real_wrlock("pthread_rwlock_wrlock");
constinit Real<decltype(&::pthread_rwlock_trywrlock)> real_trywrlock("pthread_rwlock_trywrlock");
constinit Real<decltype(&::pthread_rwlock_timedwrlock)> real_timedwrlock(
    "pthread_rwlock_timedwrlock");
constinit Real<decltype(&::pthread_rwlock_clockwrlock)> real_clockwrlock(
    "pthread_rwlock_clockwrlock");
constinit Real<decltype(&::pthread_rwlock_unlock)> real_unlock("pthread_rwlock_unlock");

constexpr std::size_t kReaders = 8;

const char* readers_clock(const Lock* lock) {
  return reinterpret_cast<const char*>(lock) + kReaders;
}

// In place of the kind of a lock that was destroyed: glibc leaves it as it was.
constexpr unsigned kDestroyedKind = 0x6465'6164;

bool is_destroyed(const Lock* lock) { return lock->__data.__flags == kDestroyedKind; }

void use(const Lock* lock, Address pc) {
  atomic_read(lock, 1, pc);
  if (is_destroyed(lock)) report_lock_misuse(LockMisuse::kDestroyed, lock, pc);
}

// As glibc keeps it: readers are counted from the fourth bit on.
bool is_held(const Lock* lock) {
  constexpr unsigned kReaderShift = 3;
  return lock->__data.__cur_writer != 0 || lock->__data.__readers >> kReaderShift != 0;
}

bool is_written_by_caller(const Lock* lock) {
  return lock->__data.__cur_writer == static_cast<int>(raw_syscall(SYS_gettid));
}

// A thread that reads may read again; whoever writes, or wants to, waits for itself.
void before_lock(const Lock* lock, LockKind kind, Address pc) {
  if (is_written_by_caller(lock) || (kind == LockKind::kWriteLock && holds_lock(lock))) {
    report_lock_misuse(LockMisuse::kHeldByItself, lock, pc);
  }
  follow_lock_order(lock, kind, pc);
}

void check_unlock(const Lock* lock, Address pc) {
  if (!is_held(lock)) return report_lock_misuse(LockMisuse::kNotHeld, lock, pc);
  if (holds_lock(lock) || is_written_by_caller(lock)) return;
  report_lock_misuse(LockMisuse::kHeldByAnother, lock, pc);
}

void after_read_lock(Lock* lock, int result, Address pc) {
  if (result != 0) return;
  acquire(lock);
  lock_acquired(lock, LockKind::kReadLock, pc);
}

void after_write_lock(Lock* lock, int result, Address pc) {
  if (result != 0) return;
  acquire(lock);
  acquire(readers_clock(lock));
  lock_acquired(lock, LockKind::kWriteLock, pc);
}

// Waits for what `try_lock` tries; the others' unlocking wakes it.
template <class Try, class RealLock, class RealClockLock>
int lock_controlled(Lock* lock, std::uint64_t deadline_ns, const char* operation, Address pc,
                    Try& try_lock, RealLock& real_lock, RealClockLock& real_clock_lock) {
  const FrameScope frame(pc);
  scheduling_point(PointKind::kSync, lock);
  if (is_process_shared(lock)) {
    const int result = try_lock(lock);
    if (result != EBUSY) return result;
    return wait_outside(deadline_ns, operation, [&](const timespec* deadline) {
      return deadline == nullptr ? real_lock(lock)
                                 : real_clock_lock(lock, CLOCK_MONOTONIC, deadline);
    });
  }
  return wait_for(lock, deadline_ns, operation, [&] {
    const int result = try_lock(lock);
    if (result != EBUSY) return result;
    return is_written_by_caller(lock) ? EDEADLK : EBUSY;
  });
}

template <class RealLock>
int read_lock(Lock* lock, std::uint64_t deadline_ns, Address pc, RealLock real) {
  use(lock, pc);
  const int result = controlled() ? lock_controlled(lock, deadline_ns, "pthread_rwlock_rdlock", pc,
                                                    real_tryrdlock, real_rdlock, real_clockrdlock)
                                  : real();
  after_read_lock(lock, result, pc);
  return result;
}

template <class RealLock>
int write_lock(Lock* lock, std::uint64_t deadline_ns, Address pc, RealLock real) {
  use(lock, pc);
  const int result = controlled() ? lock_controlled(lock, deadline_ns, "pthread_rwlock_wrlock", pc,
                                                    real_trywrlock, real_wrlock, real_clockwrlock)
                                  : real();
  after_write_lock(lock, result, pc);
  return result;
}

}  // namespace

VIGIL_INTERCEPTOR int pthread_rwlock_init(Lock* lock,
                                          const pthread_rwlockattr_t* attributes) noexcept {
  write_range(lock, 1, VIGIL_CALLER_PC);
  sync_destroyed(lock, sizeof *lock);
  return real_init(lock, attributes);
}

VIGIL_INTERCEPTOR int pthread_rwlock_destroy(Lock* lock) noexcept {
  write_range(lock, 1, VIGIL_CALLER_PC);
  if (is_held(lock)) report_lock_misuse(LockMisuse::kDestroyedHeld, lock, VIGIL_CALLER_PC);
  sync_destroyed(lock, sizeof *lock);
  const int result = real_destroy(lock);
  if (result == 0) lock->__data.__flags = kDestroyedKind;
  return result;
}

VIGIL_INTERCEPTOR int pthread_rwlock_rdlock(Lock* lock) noexcept {
  before_lock(lock, LockKind::kReadLock, VIGIL_CALLER_PC);
  return read_lock(lock, kNever, VIGIL_CALLER_PC, [&] { return real_rdlock(lock); });
}

VIGIL_INTERCEPTOR int pthread_rwlock_timedrdlock(Lock* lock, const timespec* time) noexcept {
  if (!is_valid_time(time)) return EINVAL;
  return read_lock(lock, deadline_at(CLOCK_REALTIME, time), VIGIL_CALLER_PC,
                   [&] { return real_timedrdlock(lock, time); });
}

VIGIL_INTERCEPTOR int pthread_rwlock_clockrdlock(Lock* lock, clockid_t clock,
                                                 const timespec* time) noexcept {
  if (!is_valid_time(time)) return EINVAL;
  return read_lock(lock, deadline_at(clock, time), VIGIL_CALLER_PC,
                   [&] { return real_clockrdlock(lock, clock, time); });
}

VIGIL_INTERCEPTOR int pthread_rwlock_tryrdlock(Lock* lock) noexcept {
  use(lock, VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, lock);
  const int result = real_tryrdlock(lock);
  after_read_lock(lock, result, VIGIL_CALLER_PC);
  return result;
}

VIGIL_INTERCEPTOR int pthread_rwlock_wrlock(Lock* lock) noexcept {
  before_lock(lock, LockKind::kWriteLock, VIGIL_CALLER_PC);
  return write_lock(lock, kNever, VIGIL_CALLER_PC, [&] { return real_wrlock(lock); });
}

VIGIL_INTERCEPTOR int pthread_rwlock_timedwrlock(Lock* lock, const timespec* time) noexcept {
  if (!is_valid_time(time)) return EINVAL;
  return write_lock(lock, deadline_at(CLOCK_REALTIME, time), VIGIL_CALLER_PC,
                    [&] { return real_timedwrlock(lock, time); });
}

VIGIL_INTERCEPTOR int pthread_rwlock_clockwrlock(Lock* lock, clockid_t clock,
                                                 const timespec* time) noexcept {
  if (!is_valid_time(time)) return EINVAL;
  return write_lock(lock, deadline_at(clock, time), VIGIL_CALLER_PC,
                    [&] { return real_clockwrlock(lock, clock, time); });
}

VIGIL_INTERCEPTOR int pthread_rwlock_trywrlock(Lock* lock) noexcept {
  use(lock, VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, lock);
  const int result = real_trywrlock(lock);
  after_write_lock(lock, result, VIGIL_CALLER_PC);
  return result;
}

VIGIL_INTERCEPTOR int pthread_rwlock_unlock(Lock* lock) noexcept {
  use(lock, VIGIL_CALLER_PC);
  check_unlock(lock, VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, lock);
  if (lock->__data.__cur_writer != 0) {
    release_store(lock);
  } else {
    release_merge(readers_clock(lock));
  }
  lock_released(lock);
  const int result = real_unlock(lock);
  if (controlled()) wake(lock, kEveryone);
  return result;
}

}  // namespace vigil::race
