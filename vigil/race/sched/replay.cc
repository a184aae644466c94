// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/replay.h"

namespace vigil::race {

TaskId plain_next_task(const Situation& situation, TaskId demoted) {
  const bool stay = situation.from_can_go_on && situation.from != demoted;
  if (stay || situation.count == 1) return stay ? situation.from : situation.runnable[0];
  // The oldest; after a demotion the next one in the order of creation, so that all get a turn.
  const std::uint32_t origin = demoted == kNoTask ? 0 : situation.numbers[demoted] + 1;
  TaskId best = situation.runnable[0];
  for (std::uint32_t i = 1; i < situation.count; ++i) {
    const TaskId task = situation.runnable[i];
    if (situation.numbers[task] - origin < situation.numbers[best] - origin) best = task;
  }
  return best;
}

Replay::Replay(const Decision* decisions, std::size_t count)
    : Strategy(StrategySettings{}), decisions_(decisions), count_(count) {}

const Decision* Replay::take(std::uint32_t* cursors, std::uint32_t from, std::uint32_t step,
                             bool choices) {
  if (from >= kMaxNumber) return nullptr;
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

TaskId Replay::next_task(const Situation& situation) {
  const TaskId demoted = demoted_;
  const std::uint32_t from = situation.numbers[situation.from];
  while (const Decision* decision =
             take(run_cursors_, from, situation.steps[situation.from], false)) {
    if (decision->kind == Decision::Kind::kClock) {
      if (situation.clock_offered) return kClockTask;
    } else {
      for (std::uint32_t i = 0; i < situation.count; ++i) {
        if (situation.numbers[situation.runnable[i]] != decision->to) continue;
        demoted_ = kNoTask;
        return situation.runnable[i];
      }
    }
    ++passed_over_;
  }
  demoted_ = kNoTask;
  return plain_next_task(situation, demoted);
}

std::uint32_t Replay::next_choice(const Situation& situation, std::uint32_t count) {
  const std::uint32_t from = situation.numbers[situation.from];
  if (from >= kMaxNumber) return 0;
  const Decision* decision = take(choice_cursors_, from, choices_made_[from]++, true);
  if (decision == nullptr) return 0;
  if (decision->to < count) return decision->to;
  ++passed_over_;
  return 0;
}

}  // namespace vigil::race
