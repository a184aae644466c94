// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/random_walk.h"

namespace vigil::race {

TaskId RandomWalk::next_task(const Situation& situation) {
  const TaskId avoided = passed_over_;
  passed_over_ = kNoTask;
  if (situation.clock_offered && random_.one_in(kClockOneIn)) return kClockTask;
  if (situation.count == 1) return situation.runnable[0];
  const std::uint32_t chosen = random_.below(situation.count);
  if (situation.runnable[chosen] != avoided) return situation.runnable[chosen];
  const std::uint32_t step = 1 + random_.below(situation.count - 1);
  return situation.runnable[(chosen + step) % situation.count];
}

}  // namespace vigil::race
