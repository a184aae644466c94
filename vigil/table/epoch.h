// SPDX-License-Identifier: Apache-2.0
//
// Epochs: when may a node that was unlinked be destroyed, although readers take no lock?
// (Fraser, "Practical lock-freedom", 2004; with the asymmetric barrier of userspace RCU,
// Desnoyers et al., IEEE TPDS 2012.)
//
// A reader wraps its use of nodes in an EpochGuard; nobody has to announce quiescence. There is one
// epoch counter and one announcement per thread in the process; the retired nodes themselves wait
// in the shard that unlinked them (node.h).
//
// Protocol. A reader R announces the epoch, then loads pointers. A writer unlinks a node, then
// executes a full barrier, then reads the epoch r: the node is retired at r. The epoch moves from g
// to g + 1 when a scan finds no announcement but g. A node retired at r may be destroyed when the
// epoch is r + 2 or more:
//   R can hold the node only if it loaded it before the unlinking, so before the epoch left r; it
//   announced r or less before that. The move from r + 1 to r + 2 scans after the epoch left r.
//   Its barrier makes R's announcement visible, so it waits until R has left.
// "Its barrier": announcing and loading must not be reordered. Where the kernel has
// membarrier(PRIVATE_EXPEDITED) the advancing thread makes all others pass a barrier and a reader
// only keeps the compiler from reordering; elsewhere a reader announces by a locked instruction
// (x86: a full barrier). There is no atomic_thread_fence.
//
// Memory order: leaving is a release; it pairs with the acquire in the scan, which the release
// store of the epoch hands on to whoever reads it before destroying.
//
// Costs: a guard is two stores; an advance is a system call of 0.4 to some 20 microseconds, so
// callers make it rare. A guard that is held for long keeps every node retired meanwhile alive.
//
// Thread safety: everything here may be called from any thread. Guards nest.
#pragma once

#include <atomic>
#include <cstdint>

#include "vigil/base/spin_lock.h"

namespace vigil::table {

// One per thread that ever took a guard; reused after the thread's end, never freed.
struct alignas(64) EpochSlot {
  static constexpr std::uint64_t kOutside = 0;

  std::atomic<std::uint64_t> announced{kOutside};
  std::uint32_t guards = 0;             // nesting depth; the owner's
  std::uint32_t retired = 0;            // since the owner last tried to advance
  std::atomic<std::uint32_t> fence{0};  // target of the owner's locked instruction
  std::atomic<bool> owned{true};
  EpochSlot* next = nullptr;
};

class EpochDomain {
 public:
  static EpochDomain& process() noexcept { return process_; }

  EpochDomain(const EpochDomain&) = delete;
  EpochDomain& operator=(const EpochDomain&) = delete;

  [[nodiscard]] std::uint64_t epoch() const noexcept {
    return epoch_.load(std::memory_order_acquire);
  }

  // The epoch to retire nodes at that this thread has just unlinked.
  [[nodiscard]] std::uint64_t epoch_after_unlinking() noexcept {
    slot().fence.exchange(0, std::memory_order_seq_cst);  // a full barrier on x86
    return epoch();
  }

  // Moves the epoch on unless a reader is still in an older one or another thread is about it.
  bool try_advance() noexcept;

  void enter() noexcept {
    EpochSlot& mine = slot();
    if (mine.guards++ != 0) return;
    const std::uint64_t now = epoch_.load(std::memory_order_relaxed);
    if (asymmetric_) [[likely]] {
      mine.announced.store(now, std::memory_order_release);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      mine.announced.exchange(now, std::memory_order_seq_cst);
    }
  }
  void leave() noexcept {
    EpochSlot& mine = *current_;
    if (--mine.guards == 0) mine.announced.store(EpochSlot::kOutside, std::memory_order_release);
  }

  // Counts a retired node; true once per kRetiredPerAdvance: the caller should then try_advance(),
  // outside of its lock.
  static constexpr std::uint32_t kRetiredPerAdvance = 2048;
  [[nodiscard]] bool count_retired() noexcept {
    EpochSlot& mine = slot();
    if (++mine.retired < kRetiredPerAdvance) return false;
    mine.retired = 0;
    return true;
  }

 private:
  friend struct EpochSlotRelease;

  constexpr EpochDomain() = default;

  static EpochSlot& slot() noexcept {
    if (current_ == nullptr) [[unlikely]]
      process().adopt_slot();
    return *current_;
  }
  void adopt_slot() noexcept;

  static EpochDomain process_;
  static inline thread_local constinit EpochSlot* current_ = nullptr;

  alignas(64) std::atomic<std::uint64_t> epoch_{1};
  bool asymmetric_ = false;  // settled before the first slot is handed out
  alignas(64) std::atomic<EpochSlot*> slots_{nullptr};
  SpinLock advance_lock_;
};

// Keeps nodes that the thread finds from now on alive, if `needed`.
class EpochGuard {
 public:
  explicit EpochGuard(bool needed = true) noexcept : entered_(needed) {
    if (entered_) EpochDomain::process().enter();
  }
  ~EpochGuard() {
    if (entered_) EpochDomain::process().leave();
  }
  EpochGuard(const EpochGuard&) = delete;
  EpochGuard& operator=(const EpochGuard&) = delete;

 private:
  bool entered_;
};

}  // namespace vigil::table
