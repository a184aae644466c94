// SPDX-License-Identifier: Apache-2.0
//
// Hazards: when may an object that was unlinked be destroyed, although readers take no lock?
// (Hazard pointers, Michael, IEEE TPDS 2004; with the asymmetric barrier of userspace RCU,
// Desnoyers et al., IEEE TPDS 2012, so that a reader pays for no fence.)
//
// A reader says which objects it uses by storing their addresses where whoever destroys looks. So a
// reader that stands still keeps those objects alive and no others.
//
// Protocol. A reader R loads an address, stores it in a hazard, and then looks again whether the
// object is still linked; only then does it use it. A destroyer D unlinks an object, passes the
// barrier, then looks at every hazard, and destroys only what it did not find there.
//   If R's second look came before D's barrier, so did R's store, and D finds it.
//   If it came after, R sees the unlinking and does not use the object.
// "The barrier": R's store and second look must not be reordered. Where the kernel has
// membarrier(PRIVATE_EXPEDITED), D makes all threads pass a barrier and R only keeps the compiler
// from reordering; elsewhere R stores by a locked instruction (x86: a full barrier). There is no
// atomic_thread_fence.
//
// Memory order: clearing a hazard is a release; it pairs with the acquire of the look at it, so
// what R did with the object happens before its destruction.
//
// One process, several modules: a module that was linked with its own copy of this code (hidden
// visibility, dlopen with RTLD_LOCAL) has a domain of its own. What readers and destroyers must
// agree about is therefore reached through the map: it belongs to the domain of the module that
// made it, and a reader in another module enters itself there. Domains and hazards are never freed,
// so a module that is unloaded leaves no dangling address.
//
// Costs: a guard is some six stores to the thread's own memory; a barrier is a system call of 0.4
// to some 20 microseconds, so callers make it rare. 64 bytes per thread (at any one time) and level
// of nesting.
//
// Thread safety: everything here may be called from any thread; a guard belongs to one. Guards
// nest.
#pragma once

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

#include "vigil/base/check.h"
#include "vigil/base/spin_lock.h"
#include "vigil/base/thread_annotations.h"

namespace vigil::table {

class HazardDomain;

// The objects that one read uses: a key and a value.
struct alignas(64) Hazard {
  static constexpr std::size_t kObjects = 2;

  Hazard(const HazardDomain* d, bool f) noexcept : domain(d), fences(f) {}

  // Says that this thread is about to use the object; it may if that is linked afterwards.
  [[gnu::always_inline]] void publish(std::size_t place, const void* object) noexcept {
    if (fences) [[unlikely]] {
      objects[place].exchange(object, std::memory_order_seq_cst);
    } else {
      objects[place].store(object, std::memory_order_release);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    }
  }
  // release: pairs with the acquire of who looks.
  void clear(std::size_t place) noexcept {
    objects[place].store(nullptr, std::memory_order_release);
  }

  std::array<std::atomic<const void*>, kObjects> objects{};
  const HazardDomain* domain;
  Hazard* next_free = nullptr;  // of the owner's or of the domain's
  Hazard* next = nullptr;       // of all in the domain
  std::atomic<pid_t> thread{0};
  bool fences;        // there is no membarrier
  bool lent = false;  // goes back to the domain after use, not to the thread
};

class [[gnu::visibility("default")]] HazardDomain {
 public:
  // That of the module.
  [[nodiscard]] static HazardDomain& process() noexcept {
    HazardDomain* domain = process_.load(std::memory_order_acquire);
    return domain != nullptr ? *domain : make_process();
  }

  HazardDomain(const HazardDomain&) = delete;
  HazardDomain& operator=(const HazardDomain&) = delete;

  // A hazard of this thread, to be given back in reverse order.
  [[nodiscard, gnu::always_inline]] Hazard& take() noexcept {
    Hazard* const mine = thread_.free;
    if (mine == nullptr || mine->domain != this) [[unlikely]]
      return take_slow_path();
    thread_.free = mine->next_free;
    return *mine;
  }
  // REQUIRES: it is clear.
  [[gnu::always_inline]] static void give_back(Hazard & hazard) noexcept {
    if (hazard.lent) [[unlikely]] {
      const_cast<HazardDomain*>(hazard.domain)->keep(hazard);
      return;
    }
    hazard.next_free = thread_.free;
    thread_.free = &hazard;
  }
  // A hazard that belongs to no thread.
  [[nodiscard]] Hazard& lend() noexcept {
    Hazard& hazard = adopt();
    hazard.lent = true;
    return hazard;
  }

  // Every thread passes a full barrier.
  void barrier() noexcept {
    if (asymmetric_) {
      VIGIL_CHECK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0,
                  "membarrier failed although it was registered; is it filtered by seccomp?");
    } else {
      fence_.exchange(0, std::memory_order_seq_cst);
    }
  }

  // Calls use(const void* object, pid_t thread) for every object in use.
  template <class Use>
  void for_each_in_use(Use && use) const {
    for (const Hazard* hazard = all_.load(std::memory_order_acquire); hazard != nullptr;
         hazard = hazard->next) {
      for (const auto& object : hazard->objects) {
        const void* const used = object.load(std::memory_order_acquire);
        if (used != nullptr) use(used, hazard->thread.load(std::memory_order_relaxed));
      }
    }
  }

  // How many there are, in use or not.
  [[nodiscard]] std::size_t hazards() const noexcept {
    std::size_t count = 0;
    for (const Hazard* hazard = all_.load(std::memory_order_acquire); hazard != nullptr;
         hazard = hazard->next) {
      ++count;
    }
    return count;
  }

 private:
  struct Thread {
    Hazard* free;
    bool ended;  // its destructors run
  };
  // Gives the thread's hazards to the next threads that need some. What other destructors of the
  // thread use afterwards is lent.
  struct ThreadEnd {
    ~ThreadEnd() {
      thread_.ended = true;
      while (thread_.free != nullptr) {
        Hazard& hazard = *std::exchange(thread_.free, thread_.free->next_free);
        const_cast<HazardDomain*>(hazard.domain)->keep(hazard);
      }
    }
  };

  HazardDomain() noexcept
      : asymmetric_(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0) {
  }

  [[gnu::cold, gnu::noinline]] static HazardDomain& make_process() noexcept {
    static HazardDomain* const made = new (std::nothrow) HazardDomain();
    VIGIL_CHECK(made != nullptr, "no memory for the first map");
    process_.store(made, std::memory_order_release);
    return *made;
  }

  // The thread has none left, or the first one is of another domain.
  [[gnu::cold, gnu::noinline]] Hazard& take_slow_path() noexcept {
    static thread_local ThreadEnd end;
    static_cast<void>(end);
    for (Hazard** link = &thread_.free; *link != nullptr; link = &(*link)->next_free) {
      if ((*link)->domain == this) return *std::exchange(*link, (*link)->next_free);
    }
    Hazard& hazard = adopt();
    hazard.lent = thread_.ended;
    return hazard;
  }

  Hazard& adopt() noexcept {
    Hazard* hazard = unused();
    if (hazard == nullptr) {
      hazard = new (std::nothrow) Hazard(this, !asymmetric_);
      VIGIL_CHECK(hazard != nullptr, "no memory for the first read of this thread");
      hazard->next = all_.load(std::memory_order_relaxed);
      while (!all_.compare_exchange_weak(hazard->next, hazard, std::memory_order_release,
                                         std::memory_order_relaxed)) {
      }
    }
    hazard->thread.store(static_cast<pid_t>(syscall(SYS_gettid)), std::memory_order_relaxed);
    return *hazard;
  }
  Hazard* unused() noexcept {
    lock_.lock();
    Hazard* const hazard = unused_;
    if (hazard != nullptr) unused_ = hazard->next_free;
    lock_.unlock();
    return hazard;
  }
  [[gnu::cold, gnu::noinline]] void keep(Hazard & hazard) noexcept {
    lock_.lock();
    hazard.next_free = std::exchange(unused_, &hazard);
    lock_.unlock();
  }

  // initial-exec: reading it never allocates.
  [[gnu::tls_model("initial-exec")]] static inline constinit thread_local Thread thread_{nullptr,
                                                                                         false};
  static inline constinit std::atomic<HazardDomain*> process_{nullptr};

  const bool asymmetric_;
  std::atomic<std::uint32_t> fence_{0};  // target of the destroyer's locked instruction
  std::atomic<Hazard*> all_{nullptr};
  SpinLock lock_;
  Hazard* unused_ VIGIL_GUARDED_BY(lock_) = nullptr;
};

// One read's use of `kObjects` objects.
template <std::size_t kObjects = Hazard::kObjects>
class HazardGuard {
  static_assert(kObjects <= Hazard::kObjects);

 public:
  [[gnu::always_inline]] explicit HazardGuard(HazardDomain& domain) noexcept
      : hazard_(domain.take()) {}
  [[gnu::always_inline]] ~HazardGuard() {
    for (std::size_t place = 0; place < kObjects; ++place) hazard_.clear(place);
    HazardDomain::give_back(hazard_);
  }
  HazardGuard(const HazardGuard&) = delete;
  HazardGuard& operator=(const HazardGuard&) = delete;

  // Hazard::publish(). Replaces what the guard protected in this place before.
  template <std::size_t kPlace>
  [[gnu::always_inline]] void protect(const void* object) noexcept {
    static_assert(kPlace < kObjects);
    hazard_.publish(kPlace, object);
  }

 private:
  Hazard& hazard_;
};

}  // namespace vigil::table
