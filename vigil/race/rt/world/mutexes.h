// SPDX-License-Identifier: Apache-2.0
//
// Mutexes as more than one family of interceptors needs them: condition variables give them up and
// take them back. The real object is the truth in both modes; in controlled mode only its
// try-operations are used and waiting is the scheduler's business.
//
// Thread safety: all. Context: interceptor.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

// Controlled: what pthread_mutex_timedlock() does, without a scheduling point before.
int lock_controlled(pthread_mutex_t* mutex, std::uint64_t deadline_ns, const char* operation);

int try_lock(pthread_mutex_t* mutex);

// Unlocks, and tells the threads that wait for it.
int unlock_and_wake(pthread_mutex_t* mutex);

// Controlled: a thread ended, perhaps as the owner of robust mutexes: the threads that wait for one
// try again.
void owner_ended();

// Misuse: what is wrong with using the mutex, waiting for it or unlocking it is reported.
void check_use(const pthread_mutex_t* mutex, Address pc);
void before_lock(pthread_mutex_t* mutex, Address pc);
void check_unlock(const pthread_mutex_t* mutex, Address pc);
// A thread may end as its owner.
bool may_be_left_locked(const pthread_mutex_t* mutex);

// The edges and bookkeeping around the real operations.
void after_lock(pthread_mutex_t* mutex, int result, Address pc);
void before_unlock(pthread_mutex_t* mutex);

}  // namespace vigil::race
