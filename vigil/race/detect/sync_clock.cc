// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/detect/sync_clock.h"

#include <algorithm>
#include <bit>

namespace vigil::race {

Epoch* ClockPool::take_free(Slot capacity) {
  const SpinGuard guard(lock_);
  Epoch*& head = free_[std::countr_zero(capacity)];
  Epoch* const block = head;
  if (block != nullptr) head = *reinterpret_cast<Epoch**>(block);
  return block;
}

Epoch* ClockPool::take(Slot capacity) {
  Epoch* const block = take_free(capacity);
  return block != nullptr ? block : static_cast<Epoch*>(allocate_(capacity * sizeof(Epoch)));
}

void ClockPool::give_back(Epoch* block, Slot capacity) {
  const SpinGuard guard(lock_);
  Epoch*& head = free_[std::countr_zero(capacity)];
  *reinterpret_cast<Epoch**>(block) = head;
  head = block;
}

void SyncClock::reserve(Slot size, ClockPool& pool) {
  if (capacity_ >= size) return;
  const Slot capacity = std::max(kCapacityMin, std::bit_ceil(size));
  Epoch* const epochs = pool.take(capacity);
  for (Slot slot = 0; slot < size_; ++slot) epochs[slot] = epochs_[slot];
  if (epochs_ != nullptr) pool.give_back(epochs_, capacity_);
  epochs_ = epochs;
  capacity_ = capacity;
}

void SyncClock::release_store(const VectorClock& clock, Moment now, ClockPool& pool) {
  reserve(clock.size(), pool);
  for (Slot slot = 0; slot < clock.size(); ++slot) epochs_[slot] = clock.epoch(slot);
  __atomic_store_n(&size_, clock.size(), __ATOMIC_RELAXED);
  __atomic_store_n(&last_release_, now, __ATOMIC_RELEASE);
}

void SyncClock::release_merge(const VectorClock& clock, Moment now, ClockPool& pool) {
  if (teaches_nothing(clock)) return release_store(clock, now, pool);
  reserve(clock.size(), pool);
  const Slot joint = std::min(size_, clock.size());
  for (Slot slot = 0; slot < joint; ++slot) {
    epochs_[slot] = std::max(epochs_[slot], clock.epoch(slot));
  }
  for (Slot slot = joint; slot < clock.size(); ++slot) epochs_[slot] = clock.epoch(slot);
  __atomic_store_n(&size_, std::max(size_, clock.size()), __ATOMIC_RELAXED);
  __atomic_store_n(&last_release_, Moment{0}, __ATOMIC_RELEASE);
}

void SyncClock::clear(ClockPool& pool) {
  if (epochs_ != nullptr) pool.give_back(epochs_, capacity_);
  epochs_ = nullptr;
  capacity_ = 0;
  __atomic_store_n(&size_, Slot{0}, __ATOMIC_RELAXED);
  __atomic_store_n(&last_release_, Moment{0}, __ATOMIC_RELEASE);
}

}  // namespace vigil::race
