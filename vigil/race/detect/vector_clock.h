// SPDX-License-Identifier: Apache-2.0
//
// A vector clock: for each slot, up to which of its epochs everything happened before the owner's
// present. A thread's clock is fixed in size; a synchronisation object's clock (sync_clock.h)
// grows with what it learns.
//
// Slots are not threads: a thread whose epochs are used up goes on in another slot, and a thread
// created later may go on in the slot of one that ended.
//
// Thread safety: none. Memory: 2 KiB. Complexity: join and copy take time by the highest slot that
// the clock ever held.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vigil/race/detect/cell.h"

namespace vigil::race {

class VectorClock {
 public:
  Epoch epoch(Slot slot) const { return epochs_[slot]; }
  bool knows(Moment at) const { return epochs_[slot_of_moment(at)] >= epoch_of_moment(at); }

  // Slots from here on hold 0.
  Slot size() const { return size_; }
  const Epoch* epochs() const { return epochs_; }

  void set(Slot slot, Epoch epoch) {
    epochs_[slot] = epoch;
    size_ = std::max(size_, slot + 1);
  }

  void join(const Epoch* epochs, Slot size) {
    for (Slot slot = 0; slot < size; ++slot) epochs_[slot] = std::max(epochs_[slot], epochs[slot]);
    size_ = std::max(size_, size);
  }
  void join(const VectorClock& other) { join(other.epochs_, other.size_); }

  void assign(const VectorClock& other) {
    clear();
    join(other);
  }

  void clear() {
    for (Slot slot = 0; slot < size_; ++slot) epochs_[slot] = 0;
    size_ = 0;
  }

 private:
  Slot size_ = 0;
  Epoch epochs_[kSlots] = {};
};

}  // namespace vigil::race
