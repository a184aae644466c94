// SPDX-License-Identifier: Apache-2.0
#include "vigil/table/epoch.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <new>
#include <utility>

#include "vigil/base/check.h"

namespace vigil::table {
namespace {

bool register_membarrier() noexcept {
  return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

}  // namespace

// Gives the thread's slot to the next thread that needs one.
struct EpochSlotRelease {
  ~EpochSlotRelease() {
    EpochSlot* slot = std::exchange(EpochDomain::current_, nullptr);
    if (slot != nullptr) slot->owned.store(false, std::memory_order_release);
  }
};

constinit EpochDomain EpochDomain::process_;

void EpochDomain::adopt_slot() noexcept {
  static const bool settled = (asymmetric_ = register_membarrier(), true);
  static thread_local EpochSlotRelease release;
  static_cast<void>(settled);
  static_cast<void>(release);
  for (EpochSlot* slot = slots_.load(std::memory_order_acquire); slot != nullptr;
       slot = slot->next) {
    bool owned = false;
    // acquire: pairs with the release of the previous owner; its fields are this thread's now.
    if (slot->owned.compare_exchange_strong(owned, true, std::memory_order_acquire)) {
      current_ = slot;
      return;
    }
  }
  auto* slot = new (std::nothrow) EpochSlot();
  VIGIL_CHECK(slot != nullptr, "no memory for the first read of this thread");
  slot->next = slots_.load(std::memory_order_relaxed);
  while (!slots_.compare_exchange_weak(slot->next, slot, std::memory_order_release,
                                       std::memory_order_relaxed)) {
  }
  current_ = slot;
}

bool EpochDomain::try_advance() noexcept {
  EpochSlot& mine = slot();
  if (!advance_lock_.try_lock()) return false;
  const std::uint64_t now = epoch();
  if (asymmetric_) {
    VIGIL_CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0,
                "membarrier failed although it was registered; is it filtered by seccomp?");
  } else {
    mine.fence.exchange(0, std::memory_order_seq_cst);
  }
  bool all_here = true;
  for (EpochSlot* slot = slots_.load(std::memory_order_acquire); slot != nullptr;
       slot = slot->next) {
    const std::uint64_t announced = slot->announced.load(std::memory_order_acquire);
    if (announced != EpochSlot::kOutside && announced != now) all_here = false;
  }
  if (all_here) epoch_.store(now + 1, std::memory_order_release);
  advance_lock_.unlock();
  return all_here;
}

}  // namespace vigil::table
