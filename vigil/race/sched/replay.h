// SPDX-License-Identifier: Apache-2.0
//
// Follows a list of decisions. Where the list says nothing, the plain policy decides: the running
// task goes on as long as it can, then the oldest one that can; deadlines never fire early; the
// oldest waiter is woken. A schedule is therefore written down by its deviations from that policy,
// and fewer lines are simpler schedules.
//
// A decision is keyed by the task that stood at the point and that task's own count of points, not
// by the global count: what a thread does alone does not change when another line is left out.
//
// A decision that cannot be followed (its task cannot run) is passed over and counted.
//
// Context, thread safety: as Strategy.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/sched/strategy.h"

namespace vigil::race {

struct Decision {
  enum class Kind : std::uint8_t {
    kRun,     // `to` is the number of the task that goes on
    kClock,   // the next deadline fires early
    kChoice,  // `to` is the chosen index; `step` counts the choices of `from`
  };

  std::uint32_t from = 0;  // number of the task at the point
  std::uint32_t step = 0;  // how many points it had passed
  Kind kind = Kind::kRun;
  std::uint32_t to = 0;
};

// What goes on when nothing else is decided; `demoted` is the task that just yielded or spun.
TaskId plain_next_task(const SchedulePoint& point, TaskId demoted);

class Replay final : public Strategy {
 public:
  // `decisions` must outlive this; those of one task in the order of its steps.
  Replay(const Decision* decisions, std::size_t count);

  void demote(TaskId task) override { demoted_ = task; }
  TaskId next_task(const SchedulePoint& point) override;
  std::uint32_t next_choice(const SchedulePoint& point, std::uint32_t count) override;

  // Decisions that could not be followed so far.
  std::uint64_t passed_over() const { return passed_over_; }

 private:
  // Tasks that a list may name.
  static constexpr std::uint32_t kNumberMax = 16384;

  // The first decision of `from` at or after `cursor` of this kind and step; nullptr if none.
  const Decision* take(std::uint32_t* cursors, std::uint32_t from, std::uint32_t step,
                       bool choices);

  const Decision* decisions_;
  std::size_t count_;
  std::uint64_t passed_over_ = 0;
  TaskId demoted_ = kNoTask;
  std::uint32_t choices_made_[kNumberMax] = {};
  std::uint32_t run_cursors_[kNumberMax] = {};
  std::uint32_t choice_cursors_[kNumberMax] = {};
};

}  // namespace vigil::race
