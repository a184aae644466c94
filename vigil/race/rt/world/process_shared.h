// SPDX-License-Identifier: Apache-2.0
//
// Synchronisation objects that a program shares with other processes: whoever changes them may be
// outside the schedule, so a thread that must wait for one does so outside, in the real function.
// What the objects say of themselves is glibc's layout.
//
// Thread safety: all. Context: interceptor.
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include <ctime>

#include "vigil/race/rt/world/controlled.h"

namespace vigil::race {

bool is_process_shared(const pthread_mutex_t* mutex);
bool is_process_shared(const pthread_cond_t* condition);
bool is_process_shared(const pthread_rwlock_t* lock);
bool is_process_shared(const pthread_barrier_t* barrier);
bool is_process_shared(const sem_t* semaphore);

// The deadline as CLOCK_MONOTONIC of the kernel will show it; while a thread is outside, virtual
// time goes on with real time.
timespec real_deadline(std::uint64_t deadline_ns);

// Calls wait(null), or wait(deadline) with a time of CLOCK_MONOTONIC, outside the schedule.
template <class Wait>
auto wait_outside(std::uint64_t deadline_ns, const char* operation, Wait wait) {
  const timespec deadline = real_deadline(deadline_ns);
  const ExternalWait outside(operation);
  return wait(deadline_ns == kNever ? nullptr : &deadline);
}

}  // namespace vigil::race
