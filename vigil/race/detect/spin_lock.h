// SPDX-License-Identifier: Apache-2.0
//
// The one spin lock under race/: held for a few instructions, by the detector's structures and by
// the runtime around them.
//
// Use instead: outside of race/, base::SpinLock. It is kept apart from this one because the runtime
// may use nothing of base: that lock yields by libc's sched_yield(), which the runtime intercepts
// (it would be a scheduling point of the program), and leaves errno behind. This one asks the
// kernel itself.
//
// Zeroed memory is an open lock. Not fair, not recursive. Context: signal, interceptor, init.
#pragma once

namespace vigil::race {

class SpinLock {
 public:
  void lock() {
    while (__atomic_exchange_n(&state_, 1, __ATOMIC_ACQUIRE) != 0) wait_while_locked();
  }
  void unlock() { __atomic_store_n(&state_, 0, __ATOMIC_RELEASE); }
  bool is_locked() const { return __atomic_load_n(&state_, __ATOMIC_ACQUIRE) != 0; }

 private:
  // Pauses at first, then lets the holder have the processor.
  void wait_while_locked() const;

  int state_ = 0;
};

class SpinGuard {
 public:
  explicit SpinGuard(SpinLock& lock) : lock_(lock) { lock_.lock(); }
  ~SpinGuard() { lock_.unlock(); }
  SpinGuard(const SpinGuard&) = delete;
  SpinGuard& operator=(const SpinGuard&) = delete;

 private:
  SpinLock& lock_;
};

}  // namespace vigil::race
