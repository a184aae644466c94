// SPDX-License-Identifier: Apache-2.0
//
// Accesses to the program's memory, as the compilers' entry points (abi/) and the interceptors
// report them: where the options ask for it a scheduling point, then the detector's record.
//
// They cost one test until the program creates its second thread, because nothing can race before.
//
// Thread safety: all functions. Context: interceptor, the program's own code.
#pragma once

#include <cstddef>

#include "vigil/race/detect/shadow_word.h"
#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/shadow_memory.h"
#include "vigil/race/rt/detector/threads.h"

namespace vigil::race {

void read_range(const volatile void* address, std::size_t size, Address pc);
void write_range(const volatile void* address, std::size_t size, Address pc);

// An access by an atomic operation of libc: conflicts with plain accesses only.
void atomic_read(const volatile void* address, std::size_t size, Address pc);
void atomic_write(const volatile void* address, std::size_t size, Address pc);

// An access to [address, address + size) with the kind in `flags`.
void access_range(Address address, std::size_t size, Cell flags, Address pc);

// An access within one word that is not recorded yet, or that must not be skipped.
void access_slow_path(ShadowWord* word, Cell access, Address address, Address pc);

// One access of kSize bytes. It may start at any byte; what lies beyond the eight aligned bytes is
// not seen (access_range sees all).
template <unsigned kSize, Cell kFlags>
[[gnu::always_inline]] inline void access(Address address, Address pc) {
  ShadowWord* const word = shadow_word(address);
  const Cell bytes = kSize == 8 ? kAllBytes : cell_bytes(address & 7, kSize);
  const Cell cell = thread_base | bytes | kFlags;
  if (is_recorded<kFlags>(*word, cell)) return;
  access_slow_path(word, bytes | kFlags, address, pc);
}

}  // namespace vigil::race
