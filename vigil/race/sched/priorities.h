// SPDX-License-Identifier: Apache-2.0
//
// A priority per task and one for the clock, as PCT and POS need them. The highest goes on.
//
// Drawn priorities are positive and practically distinct; demotions go below everything given so
// far, so that tasks that only wait for each other's progress take turns.
//
// Complexity: highest() looks at each runnable task once. Thread safety: none.
#pragma once

#include <cstdint>

#include "vigil/race/sched/operation.h"
#include "vigil/race/sched/random.h"
#include "vigil/race/sched/strategy.h"

namespace vigil::race {

class Priorities {
 public:
  using Priority = std::int64_t;
  // Below every drawn priority: room for PCT's change points.
  static constexpr Priority kLowestDrawn = 1 << 20;

  void draw(TaskId task, Random& random) { priorities_[task] = drawn(random); }
  void draw_clock(Random& random) { clock_ = drawn(random); }
  void set(TaskId task, Priority priority) { priorities_[task] = priority; }
  void demote(TaskId task) { priorities_[task] = --floor_; }
  Priority of(TaskId task) const { return priorities_[task]; }

  // The candidate with the highest priority.
  TaskId highest(const SchedulePoint& point) const;

 private:
  static Priority drawn(Random& random) {
    return kLowestDrawn + static_cast<Priority>(random.next() >> 2);
  }

  Priority priorities_[kTasksMax] = {};
  Priority clock_ = kLowestDrawn;
  Priority floor_ = 0;
};

}  // namespace vigil::race
