// SPDX-License-Identifier: Apache-2.0
//
// Partial order sampling (Yuan, Yang, Gu: "Partial order aware concurrency sampling", CAV 2018).
// Every pending operation has a random priority and the highest runs; then those in conflict with
// it draw again. Orders of operations that do not matter to each other are not sampled, so that
// more of the different partial orders are.
//
// Deviations: an object is the eight bytes around an address. The clock is an operation whose
// priority is drawn again after each firing. Tasks that yield or spin fall below all others until
// their next operation.
//
// Thread safety: none; the scheduler asks one strategy from one thread at a time.
#pragma once

#include "vigil/race/sched/priorities.h"
#include "vigil/race/sched/strategy.h"

namespace vigil::race {

class Pos final : public Strategy {
 public:
  explicit Pos(const StrategySettings& settings) : Strategy(settings) {
    priorities_.draw_clock(random_);
  }
  void task_added(TaskId task) override { priorities_.draw(task, random_); }
  void demote(TaskId task) override;
  TaskId next_task(const SchedulePoint& point) override;

 private:
  Priorities priorities_;
  TaskId ran_ = kNoTask;      // its operation is a new one
  TaskId demoted_ = kNoTask;  // keeps its place for this one
};

}  // namespace vigil::race
