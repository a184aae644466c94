// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/pct.h"

namespace vigil::race {

Pct::Pct(const StrategySettings& settings) : Strategy(settings) {
  const std::uint32_t depth = settings.depth < kDepthMax ? settings.depth : kDepthMax;
  changes_ = depth == 0 ? 0 : depth - 1;
  const std::uint32_t horizon =
      settings.horizon != 0 ? settings.horizon : kSmallestHorizon << random_.below(kHorizons);
  for (std::uint32_t i = 0; i < changes_; ++i) change_at_[i] = 1 + random_.below(horizon);
  priorities_.draw_clock(random_);
}

TaskId Pct::next_task(const SchedulePoint& point) {
  for (std::uint32_t i = 0; i < changes_; ++i) {
    if (point.index < change_at_[i] || !point.from_can_go_on) continue;
    priorities_.set(point.from, changes_ - i);  // the later in the list, the lower
    change_at_[i] = kNever;
  }
  const TaskId next = priorities_.highest(point);
  if (next == kClockTask && random_.one_in(kClockRedrawOneIn)) priorities_.draw_clock(random_);
  return next;
}

}  // namespace vigil::race
