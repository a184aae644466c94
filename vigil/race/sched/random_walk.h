// SPDX-License-Identifier: Apache-2.0
//
// Every candidate with the same probability at every point. Studies find it as good as schedule
// bounding on small programs (Thomson, Donaldson, Betts: "Concurrency testing using controlled
// schedulers", TOPC 2016), so it is the control for the others.
//
// Deviations: the clock is chosen once in 16 times, because an early deadline is rarer than a
// switch; a task that yields or spins lets one choice pass.
//
// Thread safety: none; the scheduler asks one strategy from one thread at a time.
#pragma once

#include "vigil/race/sched/strategy.h"

namespace vigil::race {

class RandomWalk final : public Strategy {
 public:
  explicit RandomWalk(const StrategySettings& settings) : Strategy(settings) {}
  void demote(TaskId task) override { passed_over_ = task; }
  TaskId next_task(const SchedulePoint& point) override;

 private:
  static constexpr std::uint32_t kClockOneIn = 16;

  TaskId passed_over_ = kNoTask;
};

}  // namespace vigil::race
