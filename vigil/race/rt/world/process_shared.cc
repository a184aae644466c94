// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/process_shared.h"

#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/virtual_time.h"

namespace vigil::race {
namespace {

// A word of an object whose fields the headers do not name: not 0 if it is shared.
template <class Object>
int word_of(const Object* object, std::size_t index) {
  return reinterpret_cast<const int*>(object)[index];
}

constexpr std::size_t kBarrierShared = 3;
constexpr std::size_t kSemaphoreShared = 2;

}  // namespace

bool is_process_shared(const pthread_mutex_t* mutex) {
  constexpr int kShared = 128;
  return (mutex->__data.__kind & kShared) != 0;
}

bool is_process_shared(const pthread_cond_t* condition) {
  constexpr unsigned kShared = 1;
  return (condition->__data.__wrefs & kShared) != 0;
}

bool is_process_shared(const pthread_rwlock_t* lock) { return lock->__data.__shared != 0; }

bool is_process_shared(const pthread_barrier_t* barrier) {
  return word_of(barrier, kBarrierShared) != 0;
}

bool is_process_shared(const sem_t* semaphore) { return word_of(semaphore, kSemaphoreShared) != 0; }

timespec real_deadline(std::uint64_t deadline_ns) {
  if (deadline_ns == kNever) return {};
  const std::uint64_t now = virtual_now();
  timespec real_now = {};
  raw_syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &real_now);
  const std::uint64_t left = deadline_ns > now ? deadline_ns - now : 0;
  return timespec_of(nanoseconds_of(real_now) + left);
}

}  // namespace vigil::race
