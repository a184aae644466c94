// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/priorities.h"

namespace vigil::race {

TaskId Priorities::highest(const Situation& situation) const {
  TaskId best = situation.runnable[0];
  for (std::uint32_t i = 1; i < situation.count; ++i) {
    const TaskId task = situation.runnable[i];
    if (priorities_[task] > priorities_[best]) best = task;
  }
  return situation.clock_offered && clock_ > priorities_[best] ? kClockTask : best;
}

}  // namespace vigil::race
