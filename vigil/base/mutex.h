// SPDX-License-Identifier: Apache-2.0
//
// Mutex and MutexLock: std::mutex with clang's thread-safety annotations, so that a member marked
// VIGIL_GUARDED_BY(mutex_) cannot be touched without the lock when built by clang.
//
// Thread safety: by nature. Not recursive. Waiters sleep.
#pragma once

#include <mutex>

#include "vigil/base/thread_annotations.h"

namespace vigil {

class VIGIL_CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() VIGIL_ACQUIRE() { mutex_.lock(); }
  void unlock() VIGIL_RELEASE() { mutex_.unlock(); }
  [[nodiscard]] bool try_lock() VIGIL_TRY_ACQUIRE(true) { return mutex_.try_lock(); }

 private:
  std::mutex mutex_;
};

class VIGIL_SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) VIGIL_ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() VIGIL_RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

}  // namespace vigil
