// SPDX-License-Identifier: Apache-2.0
//
// Remembers objects whose last notification found no task waiting. A task that waits for such an
// object forever is a lost wake-up rather than a plain deadlock.
//
// A small direct-mapped table: a newer object may push out an older one, which then counts as never
// notified. Thread safety: none; the token serialises.
#pragma once

#include <cstdint>

namespace vigil::race {

class MissedWakeUps {
 public:
  void remember(std::uintptr_t object) { place_of(object) = object; }
  void forget(std::uintptr_t object) {
    if (contains(object)) place_of(object) = 0;
  }
  bool contains(std::uintptr_t object) const {
    return const_cast<MissedWakeUps*>(this)->place_of(object) == object;
  }

 private:
  static constexpr unsigned kPlacesLog2 = 12;

  std::uintptr_t& place_of(std::uintptr_t object) {
    return objects_[(object * 0x9E37'79B9'7F4A'7C15) >> (64 - kPlacesLog2)];
  }

  std::uintptr_t objects_[1U << kPlacesLog2] = {};
};

}  // namespace vigil::race
