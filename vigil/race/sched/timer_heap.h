// SPDX-License-Identifier: Apache-2.0
//
// Deadlines in order of time: a binary heap with the place of each timer remembered, so that a
// timer can be cancelled. Timers with equal deadlines fire in the order in which they were set.
//
// Complexity: set, cancel, pop O(log n); earliest O(1). Memory: 24 bytes per possible timer.
// Invariants (check_invariants): every parent is due no later than its children; place_ inverts
// heap_. Thread safety: none.
#pragma once

#include <cstdint>

#include "vigil/race/sched/operation.h"

namespace vigil::race {

// Deadlines of waiting tasks have the task's number as name, others come after them.
using TimerId = std::uint32_t;

inline constexpr std::uint32_t kTimersMax = 1024;  // apart from the tasks' own

class TimerHeap {
 public:
  static constexpr std::uint32_t kCapacity = kTasksMax + kTimersMax;

  bool empty() const { return size_ == 0; }
  // REQUIRES: !empty(), for both.
  TimerId earliest() const { return heap_[0].timer; }
  std::uint64_t earliest_deadline_ns() const { return heap_[0].deadline_ns; }

  // Sets or moves the timer.
  void set(TimerId timer, std::uint64_t deadline_ns);
  // Nothing happens if it is not set.
  void cancel(TimerId timer);
  bool is_set(TimerId timer) const { return place_[timer] != 0; }

  bool check_invariants() const;

 private:
  struct Entry {
    std::uint64_t deadline_ns;
    std::uint64_t sequence;
    TimerId timer;
  };

  static bool earlier(const Entry& a, const Entry& b) {
    return a.deadline_ns != b.deadline_ns ? a.deadline_ns < b.deadline_ns : a.sequence < b.sequence;
  }
  void put(std::uint32_t place, const Entry& entry);
  void sift_up(std::uint32_t place, const Entry& entry);
  void sift_down(std::uint32_t place, const Entry& entry);

  std::uint32_t size_ = 0;
  std::uint64_t sequence_ = 0;
  Entry heap_[kCapacity];
  std::uint32_t place_[kCapacity] = {};  // by timer: index in heap_ + 1, 0 if not set
};

}  // namespace vigil::race
