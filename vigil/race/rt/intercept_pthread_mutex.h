// SPDX-License-Identifier: Apache-2.0
//
// Mutexes from inside the runtime: condition variables give them up and take them back.
//
// Context: interceptor.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "vigil/race/rt/detector.h"

namespace vigil::race {

// Controlled: what pthread_mutex_timedlock() does, without a scheduling point before.
int lock_controlled(pthread_mutex_t* mutex, std::uint64_t deadline_ns, const char* operation);

// Controlled: a thread ended, perhaps as the owner of robust mutexes: who waits for one tries
// again.
void owner_ended();

// The edges and bookkeeping around the real operations.
void after_lock(pthread_mutex_t* mutex, int result, Address pc);
void before_unlock(pthread_mutex_t* mutex);

// Gives the mutex up completely for a wait on a condition variable, and tells who waits for it.
int unlock_for_wait(pthread_mutex_t* mutex);

}  // namespace vigil::race
