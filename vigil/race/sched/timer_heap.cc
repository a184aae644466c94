// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/timer_heap.h"

namespace vigil::race {

void TimerHeap::put(std::uint32_t place, const Entry& entry) {
  heap_[place] = entry;
  place_[entry.timer] = place + 1;
}

void TimerHeap::sift_up(std::uint32_t place, const Entry& entry) {
  while (place > 0 && earlier(entry, heap_[(place - 1) / 2])) {
    put(place, heap_[(place - 1) / 2]);
    place = (place - 1) / 2;
  }
  put(place, entry);
}

void TimerHeap::sift_down(std::uint32_t place, const Entry& entry) {
  for (;;) {
    std::uint32_t child = 2 * place + 1;
    if (child >= size_) break;
    if (child + 1 < size_ && earlier(heap_[child + 1], heap_[child])) ++child;
    if (!earlier(heap_[child], entry)) break;
    put(place, heap_[child]);
    place = child;
  }
  put(place, entry);
}

void TimerHeap::set(TimerId timer, std::uint64_t deadline_ns) {
  cancel(timer);
  sift_up(size_++, Entry{deadline_ns, ++sequence_, timer});
}

void TimerHeap::cancel(TimerId timer) {
  if (place_[timer] == 0) return;
  const std::uint32_t place = place_[timer] - 1;
  place_[timer] = 0;
  const Entry last = heap_[--size_];
  if (place == size_) return;
  if (place > 0 && earlier(last, heap_[(place - 1) / 2])) {
    sift_up(place, last);
  } else {
    sift_down(place, last);
  }
}

bool TimerHeap::check_invariants() const {
  for (std::uint32_t i = 0; i < size_; ++i) {
    if (place_[heap_[i].timer] != i + 1) return false;
    if (i > 0 && earlier(heap_[i], heap_[(i - 1) / 2])) return false;
  }
  return true;
}

}  // namespace vigil::race
