// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/round_robin.h"

namespace vigil::race {

TaskId RoundRobin::next_task(const Moment& moment) {
  // The distance behind the last one, in the order of creation; wraps around by itself.
  const auto distance = [&](TaskId task) { return moment.numbers[task] - last_number_ - 1; };
  TaskId best = moment.runnable[0];
  for (std::uint32_t i = 1; i < moment.count; ++i) {
    if (distance(moment.runnable[i]) < distance(best)) best = moment.runnable[i];
  }
  last_number_ = moment.numbers[best];
  return best;
}

}  // namespace vigil::race
