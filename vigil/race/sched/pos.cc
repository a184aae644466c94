// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/pos.h"

namespace vigil::race {

void Pos::demote(TaskId task) {
  priorities_.demote(task);
  demoted_ = task;
}

TaskId Pos::next_task(const SchedulePoint& point) {
  if (ran_ != kNoTask && ran_ != demoted_) priorities_.draw(ran_, random_);
  demoted_ = kNoTask;
  const TaskId next = priorities_.highest(point);
  if (next == kClockTask) {
    priorities_.draw_clock(random_);
    ran_ = kNoTask;
    return next;
  }
  for (std::uint32_t i = 0; i < point.count; ++i) {
    const TaskId other = point.runnable[i];
    if (other != next && in_conflict(point.operations[other], point.operations[next])) {
      priorities_.draw(other, random_);
    }
  }
  ran_ = next;
  return next;
}

}  // namespace vigil::race
