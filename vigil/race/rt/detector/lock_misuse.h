// SPDX-License-Identifier: Apache-2.0
//
// Wrong use of locks, and of condition variables and barriers, that is no deadlock yet: each is a
// finding of kind kLockMisuse. The interceptors see that a lock is not held, or destroyed while it
// is; the order of locks is seen here.
//
// Lock order: an edge leads from each lock that a thread holds to the one that it is about to wait
// for (a try waits for nothing), with both places. A new edge that closes a circle is reported,
// unless all of the circle's other edges were made while a lock was held that is held now, too:
// that one keeps the threads apart. Two readers of one lock do not wait for each other, so a circle
// does not go through a lock that is read on both sides. Locks are named by the numbers of their
// synchronisation objects, which are not used again, so a new lock at an old address has no edges.
//
// Limits: 65,536 edges, circles through 32 locks, four further locks held for each edge. The option
// `locks=0` turns all of it off, `lock_order` chooses about the order alone.
//
// Context: interceptor. Thread safety: all functions.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

// As FindingRecord::misuse.
enum class LockMisuse : std::uint8_t {
  kNone,
  kNotHeld,            // unlocked, and nobody holds it
  kHeldByAnother,      // unlocked by a thread that does not hold it
  kDestroyedHeld,      // destroyed while it is held
  kHeldByItself,       // locked again by its holder, which then waits for itself
  kOrder,              // taken in two orders
  kFreedHeld,          // its memory is freed by its holder
  kHeldAtEnd,          // its holder ends
  kDestroyedWaited,    // destroyed while a thread waits for it
  kInitialisedWaited,  // initialised while a thread waits for it
  kDestroyed,          // used after it was destroyed, or before it was initialised
  kTwoMutexes,         // a condition variable waited for with two mutexes at a time
};

// The calling thread, at `pc`, misuses the lock; the place where its holder took it is known if the
// runtime saw that.
void report_lock_misuse(LockMisuse misuse, const volatile void* lock, Address pc);
// The same with another thread that has its part in it at a place of its own.
void report_lock_misuse(LockMisuse misuse, const volatile void* lock, Address pc,
                        const LockHolder& other);

// Whether the calling thread holds the lock, or any, as far as lock_acquired() said.
bool holds_locks();
bool holds_lock(const volatile void* lock);

// The calling thread is about to wait for the lock.
void follow_lock_order(const volatile void* lock, LockKind kind, Address pc);

// The calling thread frees the memory: what it holds there is reported, and held no more.
void check_locks_in(const volatile void* memory, std::size_t size, Address pc);

// The calling thread ends: the locks that it still holds are reported, unless `may` says that this
// one may be left so.
void check_locks_at_end(bool (*may)(const volatile void* lock, LockKind kind));

}  // namespace vigil::race
