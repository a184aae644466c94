// SPDX-License-Identifier: Apache-2.0
//
// WriteQueue: writes that found their shard taken and wait to be applied by the thread that holds
// it. A bounded queue of many producers and one consumer at a time (after Vyukov's bounded MPMC
// queue), to which withdrawal is added: a producer that waited too long takes its write back.
//
// Thread safety: push() and withdraw() from any thread; pop() only by the holder of the shard.
// Order: writes are popped in the order in which push() claimed their cells.
// Memory order: the release of a cell's sequence in push() pairs with the acquire in pop(), so the
// consumer sees the write complete.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>

#include "vigil/base/check.h"

namespace vigil::cache {

// One waiting write; lives on the stack of the thread that waits.
class PendingWrite {
 public:
  virtual void apply() noexcept = 0;

  [[nodiscard]] bool done() const { return done_.load(std::memory_order_acquire); }
  void set_done() { done_.store(true, std::memory_order_release); }

 protected:
  ~PendingWrite() = default;

 private:
  std::atomic<bool> done_{false};
};

class WriteQueue {
 public:
  // REQUIRES: capacity is a power of two, at least 2: with a single cell the sequence numbers of a
  // full and of an empty cell would be the same.
  explicit WriteQueue(std::uint32_t capacity) : mask_(capacity - 1), cells_(new Cell[capacity]) {
    VIGIL_CHECK(std::has_single_bit(capacity) && capacity >= 2,
                "the write queue's capacity must be a power of two, at least 2");
    for (std::uint32_t i = 0; i < capacity; ++i) {
      cells_[i].sequence.store(i, std::memory_order_relaxed);
    }
  }

  // The ticket for withdraw(); kFull if there is no room.
  static constexpr std::uint64_t kFull = ~std::uint64_t{0};
  [[nodiscard]] std::uint64_t push(PendingWrite* write) {
    std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[tail & mask_];
      const std::uint64_t sequence = cell.sequence.load(std::memory_order_acquire);
      if (sequence == tail) {
        if (tail_.compare_exchange_weak(tail, tail + 1, std::memory_order_relaxed)) {
          cell.write.store(write, std::memory_order_relaxed);
          cell.sequence.store(tail + 1, std::memory_order_release);
          return tail;
        }
      } else if (sequence < tail) {
        return kFull;
      } else {
        tail = tail_.load(std::memory_order_relaxed);
      }
    }
  }

  // Takes a write back; false if the consumer has it already. REQUIRES: `ticket` came from push()
  // of the same write, which is not done yet as far as the caller knows.
  [[nodiscard]] bool withdraw(std::uint64_t ticket, PendingWrite* write) {
    PendingWrite* expected = write;
    return cells_[ticket & mask_].write.compare_exchange_strong(expected, nullptr,
                                                                std::memory_order_acq_rel);
  }

  // The next write that was not withdrawn, nullptr if there is none.
  [[nodiscard]] PendingWrite* pop() {
    for (;;) {
      const std::uint64_t head = head_.load(std::memory_order_relaxed);
      Cell& cell = cells_[head & mask_];
      if (cell.sequence.load(std::memory_order_acquire) != head + 1) return nullptr;
      PendingWrite* write = cell.write.exchange(nullptr, std::memory_order_acq_rel);
      head_.store(head + 1, std::memory_order_relaxed);
      cell.sequence.store(head + mask_ + 1, std::memory_order_release);
      if (write != nullptr) return write;
    }
  }

  [[nodiscard]] bool empty() const { return depth() == 0; }
  // Approximate while producers are active.
  [[nodiscard]] std::uint32_t depth() const {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    return tail > head ? static_cast<std::uint32_t>(tail - head) : 0;
  }

 private:
  struct Cell {
    std::atomic<std::uint64_t> sequence{0};
    std::atomic<PendingWrite*> write{nullptr};
  };

  std::uint64_t mask_;
  std::unique_ptr<Cell[]> cells_;
  alignas(64) std::atomic<std::uint64_t> tail_{0};
  alignas(64) std::atomic<std::uint64_t> head_{0};
};

}  // namespace vigil::cache
