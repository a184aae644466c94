// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/random_walk.h"

namespace vigil::race {

TaskId RandomWalk::next_task(const Moment& moment) {
  const TaskId avoided = passed_over_;
  passed_over_ = kNoTask;
  if (moment.clock_offered && random_.one_in(kClockOneIn)) return kClockTask;
  if (moment.count == 1) return moment.runnable[0];
  const std::uint32_t chosen = random_.below(moment.count);
  if (moment.runnable[chosen] != avoided) return moment.runnable[chosen];
  const std::uint32_t step = 1 + random_.below(moment.count - 1);
  return moment.runnable[(chosen + step) % moment.count];
}

}  // namespace vigil::race
