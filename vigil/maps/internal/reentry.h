// SPDX-License-Identifier: Apache-2.0
//
// HeldMap: marks, for its lifetime, that this thread holds a lock of `map` and may be running the
// user's code (callbacks, hash, equality, copies). A second one for the same map on the same thread
// would wait for itself for ever; VIGIL_CHECK stops it instead.
//
// Locks of different maps may nest; two threads that nest two maps in opposite order deadlock as
// with any pair of locks, which this does not see.
//
// Thread safety: belongs to one thread; instances nest.
#pragma once

#include "vigil/base/check.h"

namespace vigil::maps::internal {

class HeldMap {
 public:
  explicit HeldMap(const void* map) noexcept : map_(map), outer_(innermost_) {
    check_unheld(map);
    innermost_ = this;
  }
  ~HeldMap() { innermost_ = outer_; }
  // Whether this thread is between construction and destruction of a mark of the map.
  [[nodiscard]] static bool is_held(const void* map) noexcept {
    for (const HeldMap* held = innermost_; held != nullptr; held = held->outer_) {
      if (held->map_ == map) return true;
    }
    return false;
  }
  static void check_unheld(const void* map) noexcept {
    VIGIL_CHECK(!is_held(map),
                "a callback of a map called back into the same map; collect the keys first and "
                "change the map after the callback has returned");
  }
  HeldMap(const HeldMap&) = delete;
  HeldMap& operator=(const HeldMap&) = delete;

 private:
  static inline thread_local constinit const HeldMap* innermost_ = nullptr;

  const void* map_;
  const HeldMap* outer_;
};

// For operations that run none of the user's code: only checks that no HeldMap is there.
class UnheldMap {
 public:
  explicit UnheldMap(const void* map) noexcept { HeldMap::check_unheld(map); }
};

}  // namespace vigil::maps::internal
