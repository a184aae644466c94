// SPDX-License-Identifier: Apache-2.0
//
// A program of toy tasks for tests of schedules: each task is a list of operations, a schedule is
// the order in which the scheduler lets them happen.
//
// Thread safety: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "vigil/race/sched/scheduler.h"

namespace vigil::race {

using ToyTask = std::vector<Operation>;

// Operations on one shared object, one after the other.
inline ToyTask toy_writes(std::size_t count, std::uintptr_t object = 64) {
  return ToyTask(count, Operation{PointKind::kAtomicWrite, object});
}

class ToyRun {
 public:
  explicit ToyRun(Strategy* strategy) : scheduler_(std::make_unique<Scheduler>()) {
    recorded().clear();
    scheduler_->begin(strategy, {.decided = &record, .timer_fired = nullptr}, false);
  }

  // Runs the tasks to their ends. A letter for each operation done: 'A' for the first task.
  std::string run(const std::vector<ToyTask>& tasks) {
    std::vector<std::size_t> done(tasks.size(), 0);
    for (std::size_t i = 0; i < tasks.size(); ++i) scheduler_->add_task();
    // Each stands before its first operation.
    for (TaskId task = 0; task < tasks.size(); ++task) {
      scheduler_->arrive(task, tasks[task][0], 0);
    }
    std::string trace;
    TaskId running = scheduler_->next_task();
    while (running != kNoTask) {
      trace += static_cast<char>('A' + running);
      if (++done[running] < tasks[running].size()) {
        scheduler_->arrive(running, tasks[running][done[running]], trace.size());
      } else {
        scheduler_->finish(running);
      }
      running = scheduler_->live_tasks() == 0 ? kNoTask : scheduler_->next_task();
    }
    return trace;
  }

  const Scheduler& scheduler() const { return *scheduler_; }
  // What the last run decided.
  static std::vector<Decision>& recorded() {
    static std::vector<Decision> decisions;
    return decisions;
  }

 private:
  static void record(const Decision& decision, const SchedulePoint& /*at*/, bool /*preemption*/) {
    recorded().push_back(decision);
  }

  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace vigil::race
