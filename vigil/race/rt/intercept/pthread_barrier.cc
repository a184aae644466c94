// SPDX-License-Identifier: Apache-2.0
//
// Barriers, done here completely in both modes, because only who counts the arrivals knows which
// round a thread belongs to: it learns what was done before that round's arrivals and nothing of
// the next round's. All operations on a barrier come here, so its memory is used by its own layout.
// Barriers that are shared with other processes stay real.
//
// The releases of a round go to one of two clocks by turns: when a round begins, every thread of
// the last but one has left.
#include <pthread.h>

#include <cstring>

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/lock_misuse.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/futex.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/process_shared.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/wait_for.h"
#include "vigil/race/rt/world/waiting_threads.h"

namespace vigil::race {
namespace {

using Barrier = pthread_barrier_t;

constinit Real<decltype(&::pthread_barrier_init)> real_init("pthread_barrier_init");
constinit Real<decltype(&::pthread_barrier_destroy)> real_destroy("pthread_barrier_destroy");
constinit Real<decltype(&::pthread_barrier_wait)> real_wait("pthread_barrier_wait");

// Lies over glibc's fields, of which the real pthread_barrier_init() sets the count and whether the
// barrier is shared.
struct Model {
  std::uint32_t entered;  // into the round
  std::uint32_t round;
  std::uint32_t count;  // threads of a round; 0 before it is initialised and when it is destroyed
  int shared;
  std::uint32_t inside;  // threads that are in pthread_barrier_wait()
  SpinLock lock;         // free mode: over `entered` and `round`
};
static_assert(sizeof(Model) <= sizeof(Barrier));

Model& model_of(Barrier* barrier) { return *reinterpret_cast<Model*>(barrier); }

void use(const volatile void* object, Address pc) { atomic_read(object, 1, pc); }

bool check_usable(Barrier* barrier, Address pc) {
  if (is_process_shared(barrier) || model_of(barrier).count != 0) return true;
  report_lock_misuse(LockMisuse::kDestroyed, barrier, pc);
  return false;
}

const char* clock_of_round(const Barrier* barrier, std::uint32_t round) {
  constexpr std::size_t kClockBytes = 8;
  return reinterpret_cast<const char*>(barrier) + round % 2 * kClockBytes;
}

struct Arrival {
  std::uint32_t round;
  bool last;
};

Arrival arrive(Barrier* barrier) {
  Model& model = model_of(barrier);
  const SpinGuard guard(model.lock);
  const Arrival arrival = {model.round, ++model.entered == model.count};
  release_merge(clock_of_round(barrier, arrival.round));
  if (arrival.last) {
    waiters_woken(barrier, kEveryone);
    model.entered = 0;
    __atomic_store_n(&model.round, model.round + 1, __ATOMIC_RELEASE);
  }
  return arrival;
}

bool is_over(const Model& model, std::uint32_t round) {
  return __atomic_load_n(&model.round, __ATOMIC_ACQUIRE) != round;
}

Arrival wait_free(Barrier* barrier) {
  Model& model = model_of(barrier);
  const Arrival arrival = arrive(barrier);
  if (arrival.last) {
    futex_wake(&model.round, 0x7fff'ffff);
    return arrival;
  }
  while (!is_over(model, arrival.round)) {
    const SignalsAtOnce signals;
    futex_wait(&model.round, arrival.round, kNever);
  }
  return arrival;
}

Arrival wait_controlled(Barrier* barrier, Address pc) {
  const FrameScope frame(pc);
  scheduling_point(PointKind::kSync, barrier);
  const Arrival arrival = arrive(barrier);
  if (arrival.last) {
    wake(barrier, kEveryone);
    // Any thread of the round may be the first to leave.
    scheduling_point(PointKind::kSync, barrier);
  } else {
    wait_for(barrier, kNever, "pthread_barrier_wait",
             [&] { return is_over(model_of(barrier), arrival.round) ? 0 : EBUSY; });
  }
  return arrival;
}

// One clock for all rounds: who belongs to which is not seen.
int wait_shared(Barrier* barrier) {
  release_merge(barrier);
  const int result = wait_outside(kNever, "pthread_barrier_wait",
                                  [&](const timespec*) { return real_wait(barrier); });
  acquire(barrier);
  return result;
}

int wait(Barrier* barrier, Address pc) {
  if (is_process_shared(barrier)) return wait_shared(barrier);
  Model& model = model_of(barrier);
  __atomic_fetch_add(&model.inside, 1, __ATOMIC_RELAXED);
  WaitingThread waiting(barrier, nullptr, pc);
  begin_waiting(waiting);
  const Arrival arrival = controlled() ? wait_controlled(barrier, pc) : wait_free(barrier);
  end_waiting(waiting);
  acquire(clock_of_round(barrier, arrival.round));
  __atomic_fetch_sub(&model.inside, 1, __ATOMIC_RELEASE);
  return arrival.last ? PTHREAD_BARRIER_SERIAL_THREAD : 0;
}

}  // namespace

VIGIL_INTERCEPTOR int pthread_barrier_init(Barrier* barrier,
                                           const pthread_barrierattr_t* attributes,
                                           unsigned count) noexcept {
  write_range(barrier, 1, VIGIL_CALLER_PC);
  const LockHolder waiter = thread_waiting_for(barrier);
  if (waiter.thread >= 0) {
    report_lock_misuse(LockMisuse::kInitialisedWaited, barrier, VIGIL_CALLER_PC, waiter);
  }
  const int result = real_init(barrier, attributes, count);
  if (result != 0 || is_process_shared(barrier)) return result;
  Model& model = model_of(barrier);
  model = Model{0, 0, count, 0, 0, {}};
  return 0;
}

VIGIL_INTERCEPTOR int pthread_barrier_destroy(Barrier* barrier) noexcept {
  write_range(barrier, 1, VIGIL_CALLER_PC);
  sync_destroyed(barrier, sizeof *barrier);
  if (is_process_shared(barrier)) return real_destroy(barrier);
  if (!check_usable(barrier, VIGIL_CALLER_PC)) return 0;
  const LockHolder waiter = thread_waiting_for(barrier);
  if (waiter.thread >= 0) {
    report_lock_misuse(LockMisuse::kDestroyedWaited, barrier, VIGIL_CALLER_PC, waiter);
  }
  // As glibc: threads that a round let go may still be on their way out.
  while (__atomic_load_n(&model_of(barrier).inside, __ATOMIC_ACQUIRE) != 0) {
    if (model_of(barrier).entered != 0) return EBUSY;
    if (controlled()) scheduling_point(PointKind::kYield, barrier);
    raw_syscall(SYS_sched_yield);
  }
  model_of(barrier).count = 0;
  return 0;
}

VIGIL_INTERCEPTOR int pthread_barrier_wait(Barrier* barrier) noexcept {
  use(barrier, VIGIL_CALLER_PC);
  check_usable(barrier, VIGIL_CALLER_PC);
  const int result = wait(barrier, VIGIL_CALLER_PC);
  use(barrier, VIGIL_CALLER_PC);
  return result;
}

}  // namespace vigil::race
