// SPDX-License-Identifier: Apache-2.0
//
// HeldMap: marks, for its lifetime, that this thread holds a lock of a map and may be running the
// user's code (callbacks, hash, equality, copies): an exclusive MapMark (vigil/stacks/map_mark.h).
// A second one for the same map on the same thread would wait for itself for ever; VIGIL_CHECK
// stops it instead.
//
// Locks of different maps may nest; two threads that nest two maps in opposite order deadlock as
// with any pair of locks, which this does not see.
//
// Thread safety: belongs to one thread; instances nest.
#pragma once

#include "vigil/base/check.h"
#include "vigil/stacks/map_mark.h"

namespace vigil::maps::internal {

class HeldMap {
 public:
  [[gnu::always_inline]] HeldMap(const MapLabel& map, MapOperation operation) noexcept
      : mark_(checked(map), operation, MapMark::Kind::kExclusive) {}

  // Whether this thread is between construction and destruction of a HeldMap of the map.
  [[nodiscard, gnu::always_inline]] static bool is_held(const MapLabel& map) noexcept {
    return MapMark::is_exclusive(map);
  }
  [[gnu::always_inline]] static const MapLabel& checked(const MapLabel& map) noexcept {
    VIGIL_CHECK(!is_held(map),
                "a callback of a map called back into the same map; collect the keys first and "
                "change the map after the callback has returned");
    return map;
  }

 private:
  MapMark mark_;
};

// For operations that run none of the user's code: only checks that no HeldMap is there.
class UnheldMap {
 public:
  [[gnu::always_inline]] UnheldMap(const MapLabel& map, MapOperation) noexcept {
    HeldMap::checked(map);
  }
};

}  // namespace vigil::maps::internal
