// SPDX-License-Identifier: Apache-2.0
//
// Semaphores. The real object counts in both modes; in controlled mode waiting is the scheduler's.
#include <pthread.h>
#include <semaphore.h>

#include <cerrno>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/lock_misuse.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/cancellation.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/process_shared.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/virtual_time.h"
#include "vigil/race/rt/world/wait_for.h"

namespace vigil::race {
namespace {

constinit Real<decltype(&::sem_init)> real_init("sem_init");
constinit Real<decltype(&::sem_destroy)> real_destroy("sem_destroy");
constinit Real<decltype(&::sem_wait)> real_wait("sem_wait");
constinit Real<decltype(&::sem_trywait)> real_trywait("sem_trywait");
constinit Real<decltype(&::sem_timedwait)> real_timedwait("sem_timedwait");
constinit Real<decltype(&::sem_clockwait)> real_clockwait("sem_clockwait");
constinit Real<decltype(&::sem_post)> real_post("sem_post");

// Written into a word that glibc leaves alone when the semaphore is destroyed.
constexpr int kDestroyed = 0x6465'6164;

int& mark_of(sem_t* semaphore) {
  constexpr std::size_t kUnusedWord = 3;
  return reinterpret_cast<int*>(semaphore)[kUnusedWord];
}

void use(sem_t* semaphore, Address pc) {
  atomic_read(semaphore, 1, pc);
  if (mark_of(semaphore) == kDestroyed) report_lock_misuse(LockMisuse::kDestroyed, semaphore, pc);
}

// The error of a wait for what another process may post.
int wait_for_others(sem_t* semaphore, std::uint64_t deadline_ns, const char* operation) {
  if (real_trywait(semaphore) == 0) return 0;
  const int result = wait_outside(deadline_ns, operation, [&](const timespec* deadline) {
    const int waited = deadline == nullptr ? real_wait(semaphore)
                                           : real_clockwait(semaphore, CLOCK_MONOTONIC, deadline);
    return waited == 0 ? 0 : errno;
  });
  deliver_signals();
  return result;
}

int wait_controlled(sem_t* semaphore, std::uint64_t deadline_ns, const char* operation) {
  scheduling_point(PointKind::kSync, semaphore);
  test_cancellation();
  const int saved = errno;
  const auto attempt = [&] {
    if (real_trywait(semaphore) == 0) return 0;
    return errno == EAGAIN ? EBUSY : errno;
  };
  const auto interrupted = [] {
    test_cancellation();
    return deliver_signals() ? EINTR : 0;
  };
  const int error = is_process_shared(semaphore)
                        ? wait_for_others(semaphore, deadline_ns, operation)
                        : wait_for(semaphore, deadline_ns, operation, attempt, interrupted);
  errno = error == 0 ? saved : error;
  return error == 0 ? 0 : -1;
}

int refuse_time() {
  errno = EINVAL;
  return -1;
}

template <class RealWait>
int wait(sem_t* semaphore, std::uint64_t deadline_ns, const char* operation, Address pc,
         RealWait real) {
  use(semaphore, pc);
  const FrameScope frame(pc);
  int result = 0;
  if (controlled()) {
    result = wait_controlled(semaphore, deadline_ns, operation);
  } else {
    const SignalsAtOnce signals;
    result = real();
  }
  if (result == 0) acquire(semaphore);
  return result;
}

}  // namespace

VIGIL_INTERCEPTOR int sem_init(sem_t* semaphore, int shared, unsigned value) noexcept {
  write_range(semaphore, 1, VIGIL_CALLER_PC);
  sync_destroyed(semaphore, sizeof *semaphore);
  mark_of(semaphore) = 0;
  return real_init(semaphore, shared, value);
}

VIGIL_INTERCEPTOR int sem_destroy(sem_t* semaphore) noexcept {
  write_range(semaphore, 1, VIGIL_CALLER_PC);
  sync_destroyed(semaphore, sizeof *semaphore);
  mark_of(semaphore) = kDestroyed;
  return real_destroy(semaphore);
}

VIGIL_INTERCEPTOR int sem_wait(sem_t* semaphore) {
  return wait(semaphore, kNever, "sem_wait", VIGIL_CALLER_PC, [&] { return real_wait(semaphore); });
}

VIGIL_INTERCEPTOR int sem_timedwait(sem_t* semaphore, const timespec* time) {
  if (!is_valid_time(time)) return refuse_time();
  return wait(semaphore, deadline_at(CLOCK_REALTIME, time), "sem_timedwait", VIGIL_CALLER_PC,
              [&] { return real_timedwait(semaphore, time); });
}

VIGIL_INTERCEPTOR int sem_clockwait(sem_t* semaphore, clockid_t clock, const timespec* time) {
  if (!is_valid_time(time)) return refuse_time();
  return wait(semaphore, deadline_at(clock, time), "sem_clockwait", VIGIL_CALLER_PC,
              [&] { return real_clockwait(semaphore, clock, time); });
}

VIGIL_INTERCEPTOR int sem_trywait(sem_t* semaphore) noexcept {
  use(semaphore, VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, semaphore);
  const int result = real_trywait(semaphore);
  if (result == 0) acquire(semaphore);
  return result;
}

VIGIL_INTERCEPTOR int sem_post(sem_t* semaphore) noexcept {
  use(semaphore, VIGIL_CALLER_PC);
  scheduling_point(PointKind::kSync, semaphore);
  release_merge(semaphore);
  const int result = real_post(semaphore);
  if (controlled()) wake(semaphore, kEveryone);
  return result;
}

}  // namespace vigil::race
