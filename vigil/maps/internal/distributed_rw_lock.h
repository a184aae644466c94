// SPDX-License-Identifier: Apache-2.0
//
// DistributedRwLock: a reader-writer lock whose readers count themselves in one cache line per
// processor, so that readers on different processors write no line in common. (Big-reader locks,
// Hsieh and Weihl, IPPS 1992; compare BRAVO, Dice and Kogan, USENIX ATC 2019, which does without
// counters per lock but revokes its fast path for a while after each write.)
//
// Protocol. A reader adds itself to the slot of its processor, then looks for a writer: if there is
// one it takes itself back and waits. A writer takes the writers' mutex, announces itself, then
// waits until every slot is empty. Both sides store and then load, all sequentially consistent, so
// of a reader and a writer that meet at least one sees the other.
//
// Costs: a read is two locked instructions on a line of its own processor; a write looks at every
// slot. Waiting readers spin, then sleep; a writer that waits for readers spins and yields.
//
// Fairness: an announced writer goes before new readers. Not recursive in any combination.
// Memory: 64 bytes per processor. Thread safety: by nature.
#pragma once

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

#include "vigil/base/mutex.h"
#include "vigil/base/spin_lock.h"

namespace vigil::maps::internal {

class DistributedRwLock {
 public:
  // Proof of a shared lock, to be given back to unlock_shared().
  using Slot = std::uint32_t;

  DistributedRwLock() : DistributedRwLock(slots_for_this_machine()) {}
  // REQUIRES: a power of two.
  explicit DistributedRwLock(std::uint32_t slot_count)
      : slots_(std::make_unique<Counter[]>(slot_count)), slot_mask_(slot_count - 1) {}
  DistributedRwLock(const DistributedRwLock&) = delete;
  DistributedRwLock& operator=(const DistributedRwLock&) = delete;

  [[nodiscard]] Slot lock_shared() noexcept {
    for (;;) {
      const Slot slot = slot_of_this_processor();
      // Sequentially consistent with lock(): see the protocol.
      slots_[slot].readers.fetch_add(1, std::memory_order_seq_cst);
      if (writer_.load(std::memory_order_seq_cst) == kNone) [[likely]]
        return slot;
      unlock_shared(slot);
      wait_for_writer();
    }
  }
  void unlock_shared(Slot slot) noexcept {
    // release: pairs with the load in lock(), so the writer sees the readers' loads as done.
    slots_[slot].readers.fetch_sub(1, std::memory_order_release);
  }

  void lock() VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    writers_.lock();
    writer_.store(kWriting, std::memory_order_seq_cst);
    for (Slot slot = 0; slot <= slot_mask_; ++slot) {
      Backoff backoff;
      while (slots_[slot].readers.load(std::memory_order_seq_cst) != 0) backoff.pause();
    }
  }
  void unlock() noexcept VIGIL_NO_THREAD_SAFETY_ANALYSIS {
    // Not only a release, which readers' loads need: notify_all() first looks whether anybody
    // sleeps, and that load must not overtake the store.
    writer_.store(kNone, std::memory_order_seq_cst);
    writer_.notify_all();
    writers_.unlock();
  }

  [[nodiscard]] std::uint32_t slot_count() const noexcept { return slot_mask_ + 1; }

 private:
  static constexpr std::uint32_t kNone = 0;
  static constexpr std::uint32_t kWriting = 1;
  static constexpr std::uint32_t kSpinsBeforeSleep = 4 * Backoff::kSpinsBeforeYield;

  struct alignas(64) Counter {
    std::atomic<std::uint32_t> readers{0};
  };

  // One per processor that the machine may have; more than 256 processors share slots.
  static std::uint32_t slots_for_this_machine() noexcept {
    const long processors = sysconf(_SC_NPROCESSORS_CONF);
    return std::bit_ceil(static_cast<std::uint32_t>(std::clamp(processors, 1L, 256L)));
  }
  // Exact at the moment of asking; a thread that is moved afterwards still counts in the slot.
  [[nodiscard]] Slot slot_of_this_processor() const noexcept {
    return static_cast<std::uint32_t>(sched_getcpu()) & slot_mask_;
  }

  void wait_for_writer() noexcept {
    Backoff backoff;
    while (writer_.load(std::memory_order_relaxed) != kNone) {
      if (backoff.rounds() < kSpinsBeforeSleep) {
        backoff.pause();
      } else {
        writer_.wait(kWriting, std::memory_order_relaxed);
      }
    }
  }

  std::unique_ptr<Counter[]> slots_;
  std::uint32_t slot_mask_;
  // Only writers change this line; readers share it.
  alignas(64) std::atomic<std::uint32_t> writer_{kNone};
  alignas(64) Mutex writers_;
};

}  // namespace vigil::maps::internal
