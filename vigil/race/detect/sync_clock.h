// SPDX-License-Identifier: Apache-2.0
//
// The clock of a synchronisation object (mutex, atomic, semaphore, ...): what a thread that
// acquires it learns.
//
// Most acquisitions teach nothing new: the thread was the last owner itself, or learned of that
// release before. The object therefore remembers the moment of its last release as long as its
// clock *is* the releaser's clock of that moment. Releases end an epoch, so a thread that knows
// that moment knows all of the clock, and acquiring is one comparison.
//
// REQUIRES: after a release the thread goes on to its next epoch.
//
// Thread safety: none, except teaches_nothing(), which may be called at any time.
// Memory: 4 bytes for each slot up to the highest one known, from a ClockPool.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/detect/cell.h"
#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/detect/vector_clock.h"

namespace vigil::race {

// Blocks of epochs in sizes of powers of two. `allocate` gives zeroed memory that is never taken
// back. Thread safety: all functions.
class ClockPool {
 public:
  using Allocate = void* (*)(std::size_t size);

  void init(Allocate allocate) { allocate_ = allocate; }
  Epoch* take(Slot capacity);
  void give_back(Epoch* block, Slot capacity);

 private:
  static constexpr unsigned kSizes = kSlotBits + 1;

  // Null if there is none of that size.
  Epoch* take_free(Slot capacity);

  SpinLock lock_;
  Allocate allocate_ = nullptr;
  Epoch* free_[kSizes] = {};
};

class SyncClock {
 public:
  // Whether acquire() would change nothing.
  bool teaches_nothing(const VectorClock& clock) const {
    const Moment last = __atomic_load_n(&last_release_, __ATOMIC_ACQUIRE);
    if (last != 0) return clock.knows(last);
    return __atomic_load_n(&size_, __ATOMIC_RELAXED) == 0;
  }

  void acquire(VectorClock& clock) const {
    if (!teaches_nothing(clock)) clock.join(epochs_, size_);
  }

  // The clock becomes that of a thread at the moment `now`; 0 if the thread has no slot.
  void release_store(const VectorClock& clock, Moment now, ClockPool& pool);

  // The thread's clock is joined to it.
  void release_merge(const VectorClock& clock, Moment now, ClockPool& pool);

  void clear(ClockPool& pool);

  const Epoch* epochs() const { return epochs_; }
  Slot size() const { return size_; }

 private:
  static constexpr Slot kCapacityMin = 8;
  void reserve(Slot size, ClockPool& pool);

  Moment last_release_ = 0;
  Slot size_ = 0;
  Slot capacity_ = 0;
  Epoch* epochs_ = nullptr;
};

}  // namespace vigil::race
