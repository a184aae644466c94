// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/round_robin.h"

namespace vigil::race {

TaskId RoundRobin::next_task(const Situation& situation) {
  // The distance behind the last one, in the order of creation; wraps around by itself.
  const auto distance = [&](TaskId task) { return situation.numbers[task] - last_number_ - 1; };
  TaskId best = situation.runnable[0];
  for (std::uint32_t i = 1; i < situation.count; ++i) {
    if (distance(situation.runnable[i]) < distance(best)) best = situation.runnable[i];
  }
  last_number_ = situation.numbers[best];
  return best;
}

}  // namespace vigil::race
