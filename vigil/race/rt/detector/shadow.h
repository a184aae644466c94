// SPDX-License-Identifier: Apache-2.0
//
// Accesses to the program's memory, recorded in its shadow (shadow_memory.h) and compared with the
// earlier ones there; and what is done to whole ranges of it.
//
// Thread safety: all functions.
#pragma once

#include <cstddef>

#include "vigil/race/detect/shadow_word.h"
#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/shadow_memory.h"
#include "vigil/race/rt/detector/threads.h"

namespace vigil::race {

struct Access {
  std::uint32_t thread;
  Cell cell;        // the kind of the access and its bytes
  Address address;  // of the word
  StackId stack;
};

// Called with an access that met `old`: a race, or (`ordered`) a use after free.
using ReportConflict = void(const Thread& thread, const Access& current, Cell old, bool ordered);

// Maps the shadows. Context: init.
void shadow_init(ReportConflict* report);

// Records one access within one word. `access` has the bytes and the kind.
void record_access(ShadowWord* word, Cell access, Address address, Address pc);

// Records an access to [address, address + size) with the kind in `flags`.
void record_range(Address address, std::size_t size, Cell flags, Address pc);

// The range is fresh memory that the thread at `stack` just wrote (an allocation): earlier accesses
// are forgotten.
void mark_written(Thread& thread, Address address, std::size_t size, StackId stack);

// The range is given back by `thread`: recorded as a write, and any later access is a finding.
void record_free(Thread& thread, Address address, std::size_t size, Address pc);

// Forgets the accesses to the range.
void forget_accesses(Address address, std::size_t size);

// Whether accesses of this thread are recorded at the moment.
[[gnu::always_inline]] inline bool is_recording(const Thread* thread) {
  return __builtin_expect(thread != nullptr, 1) && thread->ignoring == 0;
}

}  // namespace vigil::race
