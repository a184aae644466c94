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

void EvictedCells::remove_from(std::uint32_t* link, std::uintptr_t begin, std::uintptr_t end) {
  while (*link != 0) {
    Entry& entry = entries_[*link];
    if (entry.word >= begin && entry.word < end) {
      remove(link);
    } else {
      link = &entry.next;
    }
  }
}

void EvictedCells::reset(std::uintptr_t begin, std::uintptr_t end) {
  if (empty()) return;
  const std::uint32_t heads = std::uint32_t{1} << heads_log2_;
  if ((end - begin) / 8 >= heads) {
    for (std::uint32_t head = 0; head < heads; ++head) remove_from(&heads_[head], begin, end);
    return;
  }
  for (std::uintptr_t word = begin; word < end && !empty(); word += 8) {
    remove_from(&heads_[head_of(word)], begin, end);
  }
}

}  // namespace vigil::race
