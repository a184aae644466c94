// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/priorities.h"

namespace vigil::race {

TaskId Priorities::highest(const Moment& moment) const {
  TaskId best = moment.runnable[0];
  for (std::uint32_t i = 1; i < moment.count; ++i) {
    const TaskId task = moment.runnable[i];
    if (priorities_[task] > priorities_[best]) best = task;
  }
  return moment.clock_offered && clock_ > priorities_[best] ? kClockTask : best;
}

}  // namespace vigil::race
