// SPDX-License-Identifier: Apache-2.0
//
// SpinLock: a one-word lock for critical sections of well under a microsecond.
//
// Use when: the section is short, never blocks and is usually uncontended (a map shard). Use
// instead: Mutex (vigil/base/mutex.h) for anything that may sleep, allocate much or run user code
// of unknown length.
//
// Waiters spin on a read-only load (test-and-test-and-set, Rudolph and Segall, ISCA 1984) and give
// their time slice away after kSpinsBeforeYield rounds, so that a descheduled holder can run even
// when every core is taken by waiters. Not fair, not recursive.
//
// Memory order: lock() is an acquire that pairs with the release in unlock().
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "vigil/base/thread_annotations.h"

namespace vigil {

// One round of waiting: pauses, and yields the time slice now and then.
class Backoff {
 public:
  static constexpr std::uint32_t kSpinsBeforeYield = 128;

  void pause() noexcept {
    if (++rounds_ % kSpinsBeforeYield == 0) {
      sched_yield();
    } else {
      __builtin_ia32_pause();
    }
  }
  [[nodiscard]] std::uint32_t rounds() const noexcept { return rounds_; }

 private:
  std::uint32_t rounds_ = 0;
};

class VIGIL_CAPABILITY("mutex") SpinLock {
 public:
  SpinLock() = default;
  SpinLock(const SpinLock&) = delete;
  SpinLock& operator=(const SpinLock&) = delete;

  void lock() noexcept VIGIL_ACQUIRE() {
    if (try_lock()) return;
    Backoff backoff;
    do {
      while (word_.load(std::memory_order_relaxed) != 0) backoff.pause();
    } while (!try_lock());
  }

  [[nodiscard]] bool try_lock() noexcept VIGIL_TRY_ACQUIRE(true) {
    return word_.load(std::memory_order_relaxed) == 0 &&
           word_.exchange(1, std::memory_order_acquire) == 0;
  }

  void unlock() noexcept VIGIL_RELEASE() { word_.store(0, std::memory_order_release); }

 private:
  std::atomic<std::uint32_t> word_{0};
};

// Holds a SpinLock for a scope.
class VIGIL_SCOPED_CAPABILITY SpinGuard {
 public:
  explicit SpinGuard(SpinLock& lock) noexcept VIGIL_ACQUIRE(lock) : lock_(lock) { lock_.lock(); }
  ~SpinGuard() VIGIL_RELEASE() { lock_.unlock(); }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace vigil
