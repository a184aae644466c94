// SPDX-License-Identifier: Apache-2.0
//
// Synchronisation objects: everything that ever carried a release, found by its address through the
// sync shadow. An object is dropped when its memory is freed, unmapped or destroyed, and its place
// and clock are used again.
//
// Thread safety: all functions. An object may be dropped while another thread looks it up (a bug of
// the program): the place stays valid, and the lookup notices that it belongs to another address.
#pragma once

#include <cstdint>

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/detect/sync_clock.h"
#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

struct SyncObject {
  SpinLock lock;
  std::int32_t holder;  // of a lock: number of the thread, -1 if none
  StackId held_since;
  std::uint32_t next;  // at the same eight bytes, or the next free place
  Address address;     // 0: not in use
  std::uint32_t id;    // of this object only, also when its place is another's
  SyncClock clock;

  // Whether acquiring it would change nothing. A thread that changes the object's value and its
  // clock holds the lock meanwhile: after a look at the value, an open lock means the clock is
  // there, too.
  bool teaches_nothing(const VectorClock& of_thread) const {
    return !lock.is_locked() && clock.teaches_nothing(of_thread);
  }
};

// Context: init.
void sync_init();

// The object of this address, or null if it has none.
SyncObject* find_sync(Address address);
SyncObject& find_or_make_sync(Address address);

// The same, locked; made if there is none.
class LockedSync {
 public:
  explicit LockedSync(Address address);
  ~LockedSync() { object_->lock.unlock(); }
  LockedSync(const LockedSync&) = delete;
  LockedSync& operator=(const LockedSync&) = delete;

  SyncObject* operator->() const { return object_; }
  SyncObject& operator*() const { return *object_; }

  void acquire(VectorClock& of_thread) const { object_->clock.acquire(of_thread); }
  // Of a thread at the moment `now`; 0 if it has no slot. The thread goes on to its next epoch
  // afterwards, when the object is unlocked.
  void release_store(const VectorClock& of_thread, Moment now) const;
  void release_merge(const VectorClock& of_thread, Moment now) const;

 private:
  SyncObject* object_;
};

// Joins the object's clock to `clock`; without an object there is nothing to learn.
void acquire_into(Address address, VectorClock& clock);

// REQUIRES: no other thread is inside the detector.
void forget_all_clocks();

}  // namespace vigil::race
