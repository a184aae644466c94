// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/round_robin.h"

namespace vigil::race {

TaskId RoundRobin::next_task(const SchedulePoint& point) {
  // The distance behind the last one, in the order of creation; wraps around by itself.
  const auto distance = [&](TaskId task) { return point.numbers[task] - last_number_ - 1; };
  TaskId best = point.runnable[0];
  for (std::uint32_t i = 1; i < point.count; ++i) {
    if (distance(point.runnable[i]) < distance(best)) best = point.runnable[i];
  }
  last_number_ = point.numbers[best];
  return best;
}

}  // namespace vigil::race
