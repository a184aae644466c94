// SPDX-License-Identifier: Apache-2.0
//
// Each task in turn, in the order of creation, one scheduling point each; deadlines never early.
// The seed plays no part but in next_choice(): the baseline that shows what seeds are good for.
//
// Thread safety: none; the scheduler asks one strategy from one thread at a time.
#pragma once

#include "vigil/race/sched/strategy.h"

namespace vigil::race {

class RoundRobin final : public Strategy {
 public:
  explicit RoundRobin(const StrategySettings& settings) : Strategy(settings) {}
  TaskId next_task(const SchedulePoint& point) override;

 private:
  std::uint32_t last_number_ = 0;
};

}  // namespace vigil::race
