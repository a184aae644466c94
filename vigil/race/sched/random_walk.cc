// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/random_walk.h"

namespace vigil::race {

TaskId RandomWalk::next_task(const SchedulePoint& point) {
  const TaskId avoided = passed_over_;
  passed_over_ = kNoTask;
  if (point.clock_offered && random_.one_in(kClockOneIn)) return kClockTask;
  if (point.count == 1) return point.runnable[0];
  const std::uint32_t chosen = random_.below(point.count);
  if (point.runnable[chosen] != avoided) return point.runnable[chosen];
  const std::uint32_t step = 1 + random_.below(point.count - 1);
  return point.runnable[(chosen + step) % point.count];
}

}  // namespace vigil::race
