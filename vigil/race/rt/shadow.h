// SPDX-License-Identifier: Apache-2.0
//
// Where the shadow of the program's memory is, and what is done to whole ranges of it.
//
//   0x0400'0000'0000  sync index: 4 bytes for 8 of the program (sync.h)
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

#include <cstddef>
#include <cstdint>

#include "vigil/race/detect/shadow_word.h"
#include "vigil/race/rt/detector.h"
#include "vigil/race/rt/threads.h"

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

// Maps the shadows. Context: init.
void shadow_init();

// Records one access within one word. `access` has the bytes and the kind.
void record_access(ShadowWord* word, Cell access, Address address, Address pc);

// Records an access to [address, address + size) with the kind in `flags`.
void record_range(Address address, std::size_t size, Cell flags, Address pc);

// The range is fresh memory that the thread at `stack` just wrote (an allocation): earlier accesses
// are forgotten.
void imitate_write(Thread& thread, Address address, std::size_t size, StackId stack);

// The range is given back by `thread`: recorded as a write, and any later access is a finding.
void record_free(Thread& thread, Address address, std::size_t size, Address pc);

// Forgets the accesses to the range.
void forget_accesses(Address address, std::size_t size);

// Forgets everything. REQUIRES: nobody else is inside the detector.
void forget_all_accesses();

// Whether accesses of this thread are recorded at the moment.
[[gnu::always_inline]] inline bool is_recording(const Thread* thread) {
  return __builtin_expect(thread != nullptr && detection_on, 1) && thread->ignoring == 0;
}

// One access of kSize bytes. It may start at any byte; what lies beyond the eight aligned bytes is
// not seen (record_range sees all).
template <unsigned kSize, Cell kFlags>
[[gnu::always_inline]] inline void access(Address address, Address pc) {
  ShadowWord* const word = shadow_word(address);
  const Cell bytes = kSize == 8 ? kAllBytes : cell_bytes(address & 7, kSize);
  const Cell cell = thread_base | bytes | kFlags;
  if (is_recorded<kFlags>(*word, cell)) return;
  record_access(word, bytes | kFlags, address, pc);
}

}  // namespace vigil::race
