// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/replay.h"

namespace vigil::race {

TaskId plain_next_task(const SchedulePoint& point, TaskId demoted) {
  const bool stay = point.from_can_go_on && point.from != demoted;
  if (stay || point.count == 1) return stay ? point.from : point.runnable[0];
  // The oldest; after a demotion the next one in the order of creation, so that all get a turn.
  const std::uint32_t origin = demoted == kNoTask ? 0 : point.numbers[demoted] + 1;
  TaskId best = point.runnable[0];
  for (std::uint32_t i = 1; i < point.count; ++i) {
    const TaskId task = point.runnable[i];
    if (point.numbers[task] - origin < point.numbers[best] - origin) best = task;
  }
  return best;
}

Replay::Replay(const Decision* decisions, std::size_t count)
    : Strategy(StrategySettings{}), decisions_(decisions), count_(count) {}

const Decision* Replay::take(std::uint32_t* cursors, std::uint32_t from, std::uint32_t step,
                             bool choices) {
  if (from >= kNumberMax) return nullptr;
  for (std::uint32_t& i = cursors[from]; i < count_; ++i) {
    const Decision& decision = decisions_[i];
    if (decision.from != from || (decision.kind == Decision::Kind::kChoice) != choices) continue;
    if (decision.step > step) return nullptr;
    if (decision.step < step) {
      ++passed_over_;
      continue;
    }
    ++i;
    return &decision;
  }
  return nullptr;
}

TaskId Replay::next_task(const SchedulePoint& point) {
  const TaskId demoted = demoted_;
  const std::uint32_t from = point.numbers[point.from];
  while (const Decision* decision = take(run_cursors_, from, point.steps[point.from], false)) {
    if (decision->kind == Decision::Kind::kClock) {
      if (point.clock_offered) return kClockTask;
    } else {
      for (std::uint32_t i = 0; i < point.count; ++i) {
        if (point.numbers[point.runnable[i]] != decision->to) continue;
        demoted_ = kNoTask;
        return point.runnable[i];
      }
    }
    ++passed_over_;
  }
  demoted_ = kNoTask;
  return plain_next_task(point, demoted);
}

std::uint32_t Replay::next_choice(const SchedulePoint& point, std::uint32_t count) {
  const std::uint32_t from = point.numbers[point.from];
  if (from >= kNumberMax) return 0;
  const Decision* decision = take(choice_cursors_, from, choices_made_[from]++, true);
  if (decision == nullptr) return 0;
  if (decision->to < count) return decision->to;
  ++passed_over_;
  return 0;
}

}  // namespace vigil::race
