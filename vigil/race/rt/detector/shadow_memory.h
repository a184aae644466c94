// SPDX-License-Identifier: Apache-2.0
//
// Where the shadow of the program's memory is.
//
//   0x0400'0000'0000  sync index: 4 bytes for 8 of the program (sync_objects.h)
//   0x0d00'0000'0000  the program's heap (heap.h), 2 TiB
//   0x1000'0000'0000  shadow words: 32 bytes for 8 of the program
//   0x5000'0000'0000  end
//
// Both shadows are found by arithmetic on the low 44 bits of an address. Executables (at 0, or from
// 0x5555... on), the heap above, libraries and stacks (up to 0x7fff...) differ in these bits; with
// address randomisation two of them could meet with a chance of about their size / 16 TiB.
//
// Thread safety: all functions.
#pragma once

#include <cstdint>

#include "vigil/race/detect/shadow_word.h"
#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

inline constexpr Address kLowBits = (Address{1} << 44) - 1;
inline constexpr Address kSyncShadow = 0x0400'0000'0000;
inline constexpr Address kSyncShadowSize = Address{1} << 43;
inline constexpr Address kHeapBegin = 0x0d00'0000'0000;
inline constexpr Address kHeapSize = Address{1} << 41;
inline constexpr Address kWordShadow = 0x1000'0000'0000;
inline constexpr Address kWordShadowSize = Address{1} << 46;

[[gnu::always_inline]] inline ShadowWord* shadow_word(Address address) {
  return reinterpret_cast<ShadowWord*>(kWordShadow + ((address & (kLowBits & ~Address{7})) << 2));
}

[[gnu::always_inline]] inline std::uint32_t* sync_index(Address address) {
  return reinterpret_cast<std::uint32_t*>(kSyncShadow +
                                          ((address & (kLowBits & ~Address{7})) >> 1));
}

// Context: init.
void map_shadow_memory();

// Forgets every access. REQUIRES: no other thread is inside the detector.
void forget_all_accesses();

}  // namespace vigil::race
