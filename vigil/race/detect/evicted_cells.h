// SPDX-License-Identifier: Apache-2.0
//
// Accesses that no longer fit into the four cells of their shadow word: controlled mode keeps them
// here, so that it forgets nothing. Almost empty in practice.
//
// Thread safety: none; controlled mode is serial. Memory: given by the owner at construction; when
// it is full, further cells are forgotten and counted.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/detect/cell.h"
#include "vigil/race/detect/shadow_word.h"

namespace vigil::race {

class EvictedCells {
 public:
  struct Entry {
    std::uintptr_t word;
    Cell cell;
    std::uint32_t next;
  };
  static constexpr std::uint32_t kHeads = 1 << 12;

  // `entries` has `capacity` zeroed elements; number 0 is not used.
  void init(Entry* entries, std::uint32_t capacity) {
    entries_ = entries;
    capacity_ = capacity;
  }

  bool empty() const { return size_ == 0; }
  std::uint64_t forgotten() const { return forgotten_; }

  void add(std::uintptr_t word, Cell cell);

  // As record() for the cells of the word that are here: reports conflicts, drops what `access`
  // makes superfluous.
  template <class Found>
  void check(std::uintptr_t word, Cell access, const VectorClock& clock, Found&& found) {
    std::uint32_t* link = &heads_[head_of(word)];
    while (*link != 0) {
      Entry& entry = entries_[*link];
      const Cell old = entry.cell;
      bool superfluous = false;
      if (entry.word == word && overlap(old, access)) {
        const bool ordered = is_ordered(old, access, clock);
        if (!ordered && conflict(old, access)) found(old);
        superfluous = ordered && ((old & ~access) >> kBytesShift) == 0 && as_strong(access, old);
      }
      if (superfluous) {
        remove(link);
      } else {
        link = &entry.next;
      }
    }
  }

  // Forgets the words in [begin, end).
  void reset(std::uintptr_t begin, std::uintptr_t end);

 private:
  static std::uint32_t head_of(std::uintptr_t word) {
    return static_cast<std::uint32_t>((word >> 3) * 0x9E37'79B9'7F4A'7C15 >> 52);
  }
  void remove(std::uint32_t* link);

  Entry* entries_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t used_ = 1;
  std::uint32_t free_ = 0;
  std::uint32_t size_ = 0;
  std::uint64_t forgotten_ = 0;
  std::uint32_t heads_[kHeads] = {};
};

}  // namespace vigil::race
