// SPDX-License-Identifier: Apache-2.0
//
// Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi, Nagarakatti: "A randomized
// scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010). Tasks get random
// priorities and the highest runs; at d-1 random points of the k expected ones the running task
// falls below all others. A bug of depth d is found with probability >= 1 / (n * k^(d-1)).
//
// Deviations: k is not known in a first run: unless the settings say it, each schedule draws the
// order of magnitude. The clock is a task with a priority that is drawn again after some of its
// firings. Tasks that yield or spin fall below all others, or their loops would never end.
//
// Thread safety: none; the scheduler asks one strategy from one thread at a time.
#pragma once

#include "vigil/race/sched/priorities.h"
#include "vigil/race/sched/strategy.h"

namespace vigil::race {

class Pct final : public Strategy {
 public:
  explicit Pct(const StrategySettings& settings);
  void task_added(TaskId task) override { priorities_.draw(task, random_); }
  void demote(TaskId task) override { priorities_.demote(task); }
  TaskId next_task(const SchedulePoint& point) override;

 private:
  static constexpr std::uint32_t kDepthMax = 16;
  static constexpr std::uint32_t kSmallestHorizon = 16;
  static constexpr std::uint32_t kHorizons = 11;  // doubling from the smallest to 16,384
  static constexpr std::uint32_t kClockRedrawOneIn = 4;

  Priorities priorities_;
  std::uint32_t changes_ = 0;
  std::uint64_t change_at_[kDepthMax] = {};
};

}  // namespace vigil::race
