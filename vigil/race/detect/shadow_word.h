// SPDX-License-Identifier: Apache-2.0
//
// The history of eight aligned bytes: the last four accesses that still matter.
//
// The naive model: remember every access, and report a new one that overlaps an old one of another
// thread, conflicts with it and does not know it (happens-before). What is forgotten here:
//   1. an access that the new one knows, covers and equals in strength: what races with the old
//      one races with the new one, too. Forgetting these never loses a race.
//   2. if four others remain, one of them at random. `evict` receives it: controlled mode keeps it
//      (evicted_cells.h), free mode may lose a race by it.
//
// Thread safety: several threads may record at the same time; cells are read and written whole.
// An access that is being written may be missed by another one, as in ThreadSanitizer's design
// (Serebryany, Iskhodzhanov: "ThreadSanitizer - data race detection in practice", 2009).
#pragma once

#include <cstdint>

#include "vigil/race/detect/cell.h"
#include "vigil/race/detect/vector_clock.h"

namespace vigil::race {

struct alignas(32) ShadowWord {
  static constexpr unsigned kCells = 4;
  Cell cells[kCells];

  Cell load(unsigned index) const { return __atomic_load_n(&cells[index], __ATOMIC_RELAXED); }
  void store(unsigned index, Cell cell) { __atomic_store_n(&cells[index], cell, __ATOMIC_RELAXED); }
  // Stores only into a cell that is still empty.
  bool claim(unsigned index, Cell cell) {
    Cell empty = 0;
    return __atomic_compare_exchange_n(&cells[index], &empty, cell, false, __ATOMIC_RELAXED,
                                       __ATOMIC_RELAXED);
  }

  // Two cells, read and written each whole.
  using Pair [[gnu::vector_size(16), gnu::may_alias]] = Cell;
  using Doubles [[gnu::vector_size(16)]] = double;
  const Pair* pairs() const { return reinterpret_cast<const Pair*>(cells); }
  Pair* pairs() { return reinterpret_cast<Pair*>(cells); }

  // Forgets everything, and remembers `cell` (0: nothing).
  void reset(Cell cell) {
    pairs()[0] = Pair{cell, 0};
    pairs()[1] = Pair{0, 0};
  }

  // Whether it remembers nothing but, perhaps, something in the first cell.
  bool has_one_at_most() const { return (load(1) | load(2) | load(3)) == 0; }
};
static_assert(sizeof(ShadowWord) == 32);

// Whether the word already holds the access, or a stronger one of the same thread and epoch:
// nothing new can be found or remembered then. The stack of `access` is ignored.
//
// Which of the four cells holds it differs from word to word, so all are compared at once: branches
// would be mispredicted. Each half of a vector is read whole.
template <Cell kFlags>
[[gnu::always_inline]] inline bool is_recorded(const ShadowWord& word, Cell access) {
  using Pair = ShadowWord::Pair;
  constexpr Cell kCompared = ~(kStackMask | kFlags);
  const Pair wanted = {access & kCompared, access & kCompared};
  const Pair compared = {kCompared, kCompared};
  const auto first = (word.pairs()[0] & compared) == wanted;
  const auto second = (word.pairs()[1] & compared) == wanted;
  const auto either = first | second;
  return __builtin_ia32_movmskpd(reinterpret_cast<ShadowWord::Doubles>(either)) != 0;
}

// Whether `old` happened before the present of the thread whose clock and access are given.
inline bool is_ordered(Cell old, Cell access, const VectorClock& clock) {
  return slot_of(old) == slot_of(access) || clock.knows(moment_of(old));
}

// Calls found(old) as record() does, and remembers nothing.
template <class Found>
inline void check_only(const ShadowWord& word, Cell access, const VectorClock& clock,
                       Found&& found) {
  for (unsigned index = 0; index < ShadowWord::kCells; ++index) {
    const Cell old = word.load(index);
    if (old == 0 || !overlap(old, access)) continue;
    if (is_freed(old) || (!clock.knows(moment_of(old)) && conflict(old, access))) found(old);
  }
}

// One try of record(); false if another thread wrote an empty cell first.
template <class Stack, class Found, class Evict>
[[gnu::always_inline]] inline bool try_record(ShadowWord& word, Cell access,
                                              const VectorClock& clock, unsigned lane,
                                              Stack&& stack, Found&& found, Evict&& evict) {
  constexpr unsigned kNone = ShadowWord::kCells;
  unsigned place = kNone;
  bool place_is_empty = false;
  for (unsigned index = 0; index < ShadowWord::kCells; ++index) {
    const Cell old = word.load(index);
    if (old == 0) {
      if (place == kNone) {
        place = index;
        place_is_empty = true;
      }
      continue;
    }
    if (!overlap(old, access)) continue;
    if (is_freed(old)) {
      found(old);
      continue;
    }
    const bool covered = ((old & ~access) >> kBytesShift) == 0;
    if (moment_of(old) == moment_of(access) && ((access & ~old) >> kBytesShift) == 0 &&
        as_strong(old, access)) {
      return true;
    }
    if (!is_ordered(old, access, clock)) {
      if (conflict(old, access)) found(old);
      continue;
    }
    if (!covered || !as_strong(access, old)) continue;
    if (place == kNone || place_is_empty) {
      place = index;
      place_is_empty = false;
    } else {
      word.store(index, 0);
    }
  }
  if (place == kNone) {
    place = lane % ShadowWord::kCells;
    evict(word.load(place));
  }
  const Cell cell = access | stack();
  if (place_is_empty) return word.claim(place, cell);
  word.store(place, cell);
  return true;
}

// Records `access`, made by a thread with `clock`. Calls found(old) for each remembered access that
// it conflicts with, and for a freed cell that it overlaps. `lane` picks the cell to evict.
// `stack()` is asked only if the access is remembered; `access` itself comes without one.
//
// Two threads that meet at memory untouched before both see it empty, and the page faults of
// the first stores keep them there for long: an empty cell is claimed, and the second one looks
// again.
template <class Stack, class Found, class Evict>
[[gnu::always_inline]] inline void record(ShadowWord& word, Cell access, const VectorClock& clock,
                                          unsigned lane, Stack&& stack, Found&& found,
                                          Evict&& evict) {
  while (!try_record(word, access, clock, lane, stack, found, evict)) {
  }
}

}  // namespace vigil::race
