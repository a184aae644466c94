// SPDX-License-Identifier: Apache-2.0
//
// Accesses that no longer fit into the four cells of their shadow word: controlled mode keeps them
// here, so that it forgets nothing. Almost empty in practice; a loop over bytes that another thread
// loops over, too, fills it.
//
// Thread safety: none; controlled mode is serial. Memory: given by the owner at construction; when
// it is full, further cells are forgotten and counted. Complexity: add() and check() take time by
// the cells of the word, reset() by the words of the range.
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

  // Zeroed memory: `entries` has `capacity` elements, of which number 0 is not used, `heads` has
  // 2^heads_log2, about as many.
  void init(Entry* entries, std::uint32_t capacity, std::uint32_t* heads, unsigned heads_log2) {
    entries_ = entries;
    capacity_ = capacity;
    heads_ = heads;
    heads_log2_ = heads_log2;
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
  std::uint32_t head_of(std::uintptr_t word) const {
    return static_cast<std::uint32_t>((word >> 3) * 0x9E37'79B9'7F4A'7C15 >> (64 - heads_log2_));
  }
  void remove(std::uint32_t* link);
  // The cells of the list whose words are in [begin, end).
  void remove_from(std::uint32_t* link, std::uintptr_t begin, std::uintptr_t end);

  Entry* entries_ = nullptr;
  std::uint32_t capacity_ = 0;
  std::uint32_t used_ = 1;
  std::uint32_t free_ = 0;
  std::uint32_t size_ = 0;
  std::uint64_t forgotten_ = 0;
  std::uint32_t* heads_ = nullptr;
  unsigned heads_log2_ = 1;
};

}  // namespace vigil::race
