// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/detect/evicted_cells.h"

namespace vigil::race {

void EvictedCells::add(std::uintptr_t word, Cell cell) {
  std::uint32_t entry = free_;
  if (entry != 0) {
    free_ = entries_[entry].next;
  } else if (used_ < capacity_) {
    entry = used_++;
  } else {
    ++forgotten_;
    return;
  }
  std::uint32_t& head = heads_[head_of(word)];
  entries_[entry] = {word, cell, head};
  head = entry;
  ++size_;
}

void EvictedCells::remove(std::uint32_t* link) {
  const std::uint32_t entry = *link;
  *link = entries_[entry].next;
  entries_[entry].next = free_;
  free_ = entry;
  --size_;
}

void EvictedCells::reset(std::uintptr_t begin, std::uintptr_t end) {
  if (empty()) return;
  for (std::uint32_t& head : heads_) {
    std::uint32_t* link = &head;
    while (*link != 0) {
      Entry& entry = entries_[*link];
      if (entry.word >= begin && entry.word < end) {
        remove(link);
      } else {
        link = &entry.next;
      }
    }
  }
}

}  // namespace vigil::race
