// SPDX-License-Identifier: Apache-2.0
//
// Wrong use of locks that is no deadlock yet: each is a finding of kind kLockMisuse. The
// interceptors see that a lock is not held, or destroyed while it is; the order of locks is seen
// here.
//
// Lock order: an edge leads from each lock that a thread holds to the one that it is about to wait
// for (a try waits for nothing), with both places. A new edge that closes a circle is reported,
// unless all of the circle's other edges were made while a lock was held that is held now, too:
// that one keeps the threads apart. Locks are named by the numbers of their synchronisation
// objects, which are not used again, so a new lock at an old address has no edges.
//
// Limits: 65,536 edges, circles through 32 locks, four further locks held for each edge; read locks
// have no edges. The option `locks=0` turns all of it off,
// `lock_order` chooses about the order alone.
//
// Context: interceptor. Thread safety: all functions.
#pragma once

#include <cstdint>

#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

// As FindingRecord::misuse.
enum class LockMisuse : std::uint8_t {
  kNone,
  kNotHeld,        // unlocked, and nobody holds it
  kHeldByAnother,  // unlocked by a thread that does not hold it
  kDestroyedHeld,  // destroyed while it is held
  kHeldByItself,   // locked again by its holder, which then waits for itself
  kOrder,          // taken in two orders
};

// The calling thread, at `pc`, misuses the lock; the place where its holder took it is known if the
// runtime saw that.
void report_lock_misuse(LockMisuse misuse, const volatile void* lock, Address pc);

// Whether the calling thread holds it, as far as lock_acquired() said.
bool holds_lock(const volatile void* lock);

// The calling thread is about to wait for the lock.
void follow_lock_order(const volatile void* lock, Address pc);

}  // namespace vigil::race
