// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/surw.h"

#include <algorithm>

namespace vigil::race {

Surw::Surw(const StrategySettings& settings) : Strategy(settings) {
  one_in_ = 1U << random_.below(4);
}

void Surw::task_added(TaskId task) {
  left_[task] = 1U << random_.below(kLargestCountBits + 1);
  resting_[task] = next_rest_[task] = 0;
}

void Surw::demote(TaskId task) {
  if (intended_ == task) intended_ = kNoTask;
  passed_over_ = task;
  next_rest_[task] = std::min(2 * next_rest_[task] + 1, kLongestRest);
  resting_[task] = next_rest_[task];
}

bool Surw::interesting(const Operation& operation) {
  if (operation.object == 0 || operation.kind == PointKind::kYield) return false;
  const std::uint64_t object = operation.object >> 3;
  constexpr std::uint32_t kMask = (1U << kObjectsLog2) - 1;
  auto place = static_cast<std::uint32_t>((object * 0x9E37'79B9'7F4A'7C15) >> (64 - kObjectsLog2));
  while (objects_[place] != 0 && objects_[place] >> 1 != object) place = (place + 1) & kMask;
  if (objects_[place] == 0) {
    if (objects_seen_ == kMostObjects) return true;
    ++objects_seen_;
    objects_[place] = object << 1 | (random_.one_in(one_in_) ? 1 : 0);
  }
  return (objects_[place] & 1) != 0;
}

TaskId Surw::draw_intended(const SchedulePoint& point) {
  std::uint32_t total = 0;
  for (std::uint32_t i = 0; i < point.count; ++i) total += weight(point.runnable[i]);
  if (total == 0) {  // all of them spin
    for (std::uint32_t i = 0; i < point.count; ++i) {
      resting_[point.runnable[i]] = 0;
      total += left_[point.runnable[i]];
    }
  }
  TaskId drawn = kNoTask;
  std::uint32_t ticket = random_.below(total);
  for (std::uint32_t i = 0; i < point.count; ++i) {
    const TaskId task = point.runnable[i];
    if (drawn == kNoTask && ticket < weight(task)) drawn = task;
    ticket -= weight(task);
    if (resting_[task] != 0) --resting_[task];
  }
  return drawn;
}

TaskId Surw::next_task(const SchedulePoint& point) {
  const TaskId avoided = passed_over_;
  passed_over_ = kNoTask;
  if (point.clock_offered && random_.one_in(kClockOneIn)) return kClockTask;
  bool intended_can_run = false;
  for (std::uint32_t i = 0; i < point.count; ++i) {
    intended_can_run |= point.runnable[i] == intended_;
  }
  if (!intended_can_run) intended_ = draw_intended(point);
  // Among the intended task and those whose next operation is not interesting: uniformly, by
  // keeping the i-th one seen with probability 1/i.
  TaskId next = intended_;
  std::uint32_t seen = 1;
  for (std::uint32_t i = 0; i < point.count; ++i) {
    const TaskId task = point.runnable[i];
    if (task == intended_ || task == avoided || interesting(point.operations[task])) continue;
    if (random_.one_in(++seen)) next = task;
  }
  if (next == intended_ && interesting(point.operations[next])) {
    if (left_[next] > 1) --left_[next];
    next_rest_[next] = 0;
    intended_ = kNoTask;
  }
  return next;
}

}  // namespace vigil::race
