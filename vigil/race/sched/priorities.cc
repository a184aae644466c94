// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/priorities.h"

namespace vigil::race {

TaskId Priorities::highest(const SchedulePoint& point) const {
  TaskId best = point.runnable[0];
  for (std::uint32_t i = 1; i < point.count; ++i) {
    const TaskId task = point.runnable[i];
    if (priorities_[task] > priorities_[best]) best = task;
  }
  return point.clock_offered && clock_ > priorities_[best] ? kClockTask : best;
}

}  // namespace vigil::race
