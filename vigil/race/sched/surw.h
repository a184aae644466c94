// SPDX-License-Identifier: Apache-2.0
//
// Selectively uniform random walk (Zhao, Wolff, Mathur, Roychoudhury: "Selectively uniform
// concurrency testing", ASPLOS 2025). A random walk favours interleavings in which long threads run
// late; weighting each task by the interesting operations it has left makes all interleavings of
// those equally likely. A task whose turn it is not waits before its next interesting operation;
// others run freely in between.
//
// Deviations: the paper counts operations in a profiling run. Here every schedule is a process of
// its own, so each task draws its count, spread evenly over orders of magnitude; and the
// interesting operations are those on a random half, quarter, ... or all of the objects. A task
// that spins has no interesting operation left until others have gone on, whatever its count says:
// it is left out of the next draws, of twice as many each time it spins again. The clock is chosen
// once in 16 times.
//
// Thread safety: none; the scheduler asks one strategy from one thread at a time.
#pragma once

#include "vigil/race/sched/strategy.h"

namespace vigil::race {

class Surw final : public Strategy {
 public:
  explicit Surw(const StrategySettings& settings);
  void task_added(TaskId task) override;
  void demote(TaskId task) override;
  TaskId next_task(const SchedulePoint& point) override;

 private:
  static constexpr std::uint32_t kClockOneIn = 16;
  static constexpr std::uint32_t kLargestCountBits = 10;
  static constexpr std::uint32_t kLongestRest = 1023;  // draws

  // Drawn when the object is first seen: addresses differ between runs with equal seeds (those on
  // the stack depend on the environment), the order of first use does not.
  bool interesting(const Operation& operation);
  // The task whose interesting operation comes next.
  TaskId draw_intended(const SchedulePoint& point);
  // Its weight in that draw.
  std::uint32_t weight(TaskId task) const { return resting_[task] == 0 ? left_[task] : 0; }

  static constexpr std::uint32_t kObjectsLog2 = 13;
  static constexpr std::uint32_t kMostObjects = 3U << (kObjectsLog2 - 2);

  std::uint32_t one_in_;  // objects are interesting
  TaskId intended_ = kNoTask;
  TaskId passed_over_ = kNoTask;
  std::uint32_t objects_seen_ = 0;
  std::uint64_t objects_[1U << kObjectsLog2] = {};  // address, shifted by 1, and the verdict below
  std::uint32_t left_[kTasksMax] = {};     // interesting operations that the task has left, a guess
  std::uint32_t resting_[kTasksMax] = {};  // draws that are left until it takes part again
  std::uint32_t next_rest_[kTasksMax] = {};  // if it spins again before an interesting operation
};

}  // namespace vigil::race
