// SPDX-License-Identifier: Apache-2.0
//
// Which threads wait for a condition variable or at a barrier: what the program must not do with
// the object meanwhile is told by lock_misuse.h.
//
// A wait is described on the waiter's own stack:
//
//   WaitingThread waiting(condition, mutex, pc);
//   begin_waiting(waiting);  ... real_wait() ...  end_waiting(waiting);
//
// Whoever wakes says how many. Which threads those are is not known, so a thread that still waits
// may pass for one that was woken: that hides a misuse and invents none.
//
// Thread safety: all functions. Context: interceptor.
#pragma once

#include <cstdint>

#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

struct WaitingThread {
  WaitingThread(const volatile void* for_object, const volatile void* with_mutex, Address pc);

  const volatile void* object;
  const volatile void* mutex;  // null of a barrier
  LockHolder place;
  bool woken = false;
  WaitingThread* next = nullptr;
};

void begin_waiting(WaitingThread& waiting);
void end_waiting(const WaitingThread& waiting);

// Up to `count` of the threads that wait for the object do not any more.
void waiters_woken(const volatile void* object, std::uint32_t count);

// Where a thread waits for the object, with another mutex than `mutex` if that is given; thread -1
// if none does.
LockHolder thread_waiting_for(const volatile void* object, const volatile void* mutex = nullptr);

// In the child of fork(): no other thread waits.
void waiting_threads_after_fork();

}  // namespace vigil::race
