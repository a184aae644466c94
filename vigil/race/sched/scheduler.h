// SPDX-License-Identifier: Apache-2.0
//
// The state of a schedule: which tasks can go on, which wait for what and until when, and what
// time it is. It decides with a Strategy which one goes on; it knows nothing of threads: `race/rt`
// makes them follow. Tests drive it with toy tasks.
//
// How the driver uses it, always in the name of the one task that runs:
//
//   at a point:    arrive(task, operation, value); next = next_task();
//   to wait:       block(task, object, deadline, what); next = next_task();
//   at its end:    finish(task); next = next_task();
//
// next_task() fires the deadlines that are due, lets time jump when no task can go on, and returns
// kNoTask if only a task outside (leave()) can change anything, or none at all: stuck().
//
// Fairness: strategies may prefer one task forever. A task that yields, loads unchanged values
// again and again, or runs at every kFairnessPoints-th point is demoted; when no task has done
// anything but such for a while, time jumps although tasks could go on; and when that changes
// nothing for long, the run is a livelock.
//
// Invariants (check_invariants):
//   1. A task is runnable, blocked, outside, or free; the list of the runnable ones is exact.
//   2. Only blocked tasks and armed timers have deadlines.
//   3. Equal settings and equal sequences of calls give equal results.
//
// Context: inside a program's threads: no allocation, no system calls.
// Thread safety: none; the token serialises. Memory: about 0.6 MB, fixed.
#pragma once

#include <cstdint>

#include "vigil/race/sched/operation.h"
#include "vigil/race/sched/replay.h"
#include "vigil/race/sched/strategy.h"
#include "vigil/race/sched/timer_heap.h"
#include "vigil/race/sched/virtual_clock.h"

namespace vigil::race {

enum class TimerKind : std::uint8_t {
  kOrdinary,
  kPunctual,  // never fires early: an alarm that would end the program, say
  kRunning,   // counts the time that the program runs, not that in which all of it waits
};

struct SchedulerStats {
  std::uint64_t points = 0;
  std::uint64_t switches = 0;
  std::uint64_t preemptions = 0;  // switches away from a task whose turn was not over
  std::uint64_t early_firings = 0;
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325;  // of all decisions
};

class Scheduler {
 public:
  enum class Wake : std::uint8_t { kWoken, kTimedOut, kInterrupted };

  struct Waiting {
    std::uintptr_t object = 0;
    const char* operation = "";
    bool interruptible = false;
  };

  // Told of everything that the plain policy would not have done, and of each switch.
  struct Listener {
    void (*decided)(const Decision& decision, const SchedulePoint& point,
                    bool preemption) = nullptr;
    void (*timer_fired)(TimerId timer) = nullptr;  // may call wake() and set_timer()
  };

  // `real_time`: deadlines are never jumped to, the driver waits for them (see advance_to()).
  void begin(Strategy* strategy, Listener listener, bool real_time);

  // ---- tasks

  // Runnable at once; kNoTask when all kTasksMax are in use.
  TaskId add_task();
  void finish(TaskId task);
  void abandon(TaskId task);  // it never ran
  // Only `survivor` is left, as after fork().
  void keep_only(TaskId survivor);

  void arrive(TaskId task, const Operation& operation, std::uint64_t value);
  TaskId next_task();

  // ---- waiting

  void block(TaskId task, std::uintptr_t object, std::uint64_t deadline_ns, const char* operation,
             bool interruptible);
  // How the task's last wait ended.
  Wake wake_reason(TaskId task) const { return tasks_[task].reason; }
  std::uint32_t wake(std::uintptr_t object, std::uint32_t count);
  // Ends the task's wait if it is interruptible; false if it does not wait so.
  bool interrupt(TaskId task);

  // The task runs outside the schedule until it enters again.
  void leave(TaskId task);
  void enter(TaskId task);
  std::uint32_t outside() const { return outside_; }

  // ---- time

  std::uint64_t now_ns() const { return clock_.now_ns(); }
  std::uint64_t look_at_clock() { return clock_.look(); }
  void advance_to(std::uint64_t time_ns) { clock_.jump_to(time_ns); }
  // kNever if there is none.
  std::uint64_t next_deadline_ns() const;

  void set_timer(std::uint32_t timer, std::uint64_t deadline_ns, TimerKind kind) {
    timer_kinds_[timer] = kind;
    timers_.set(kTasksMax + timer, deadline_ns);
  }
  void cancel_timer(std::uint32_t timer) { timers_.cancel(kTasksMax + timer); }

  // ---- for reports

  // After next_task() gave kNoTask: no task will ever go on.
  bool stuck() const { return outside_ == 0 && (only_timers_ || next_deadline_ns() == kNever); }
  bool livelocked() const { return idle_points_ > kLivelockPoints; }
  std::uint32_t live_tasks() const { return live_; }
  // Nothing can happen but what the one task does.
  bool alone() const { return live_ == 1 && timers_.empty(); }
  std::uint32_t number_of(TaskId task) const { return numbers_[task]; }
  // Calls visit(task, waiting) for each blocked task, the longest waiting first.
  template <typename Visit>
  void for_each_blocked(Visit visit) const {
    for (TaskId task = oldest_blocked_; task != kNoTask; task = tasks_[task].newer) {
      visit(task, tasks_[task].waiting);
    }
  }
  template <typename Visit>
  void for_each_runnable(Visit visit) const {
    for (std::uint32_t i = 0; i < runnable_count_; ++i)
      visit(runnable_[i], operations_[runnable_[i]]);
  }
  const SchedulerStats& stats() const { return stats_; }
  bool check_invariants() const;

 private:
  enum class Progress : std::uint8_t { kSome, kNone, kSpins };
  enum class State : std::uint8_t { kFree, kRunnable, kBlocked, kOutside };

  // Loads of a loop that waits for one of a few values to change.
  static constexpr std::uint32_t kWatched = 4;
  struct Watch {
    std::uintptr_t object[kWatched];
    std::uint64_t value[kWatched];
    std::uint32_t oldest;
    std::uint32_t repeats;
  };

  struct Task {
    State state = State::kFree;
    Wake reason = Wake::kWoken;
    std::uint32_t place = 0;  // in runnable_
    TaskId older = kNoTask;   // blocked tasks in the order of blocking
    TaskId newer = kNoTask;
    Waiting waiting;
  };

  static constexpr std::uint32_t kSpinRepeats = 8;
  static constexpr std::uint64_t kFairnessPoints = 16384;
  // Without anything but yields and unchanged loads.
  static constexpr std::uint64_t kStallPoints = 512;
  static constexpr std::uint64_t kLivelockPoints = 200'000;
  // Of time, to timers for which no task waits.
  static constexpr std::uint32_t kMostSilentJumps = 10'000;
  // Early deadlines: some at once, then in proportion to the points, so that a periodic timer does
  // not keep all others from running.
  static constexpr std::uint64_t kFreeEarlyFirings = 16;
  static constexpr std::uint64_t kPointsPerEarlyFiring = 32;

  SchedulePoint current_point(TaskId from) const;
  Progress progress_of(TaskId task, const Operation& operation, std::uint64_t value);
  bool may_fire_early() const;
  bool may_jump() const { return outside_ == 0 && !real_time_; }
  bool earliest_is(TimerKind kind) const;
  bool jump_when_idle();
  void fire_due();
  void fire_earliest();
  void make_runnable(TaskId task);
  void unlink_runnable(TaskId task);
  void unlink_blocked(TaskId task);
  void end_wait(TaskId task, Wake reason);
  void record(const SchedulePoint& at, TaskId next);
  void note(const Decision& decision, const SchedulePoint& at, bool preemption);

  Strategy* strategy_ = nullptr;
  Listener listener_;
  bool real_time_ = false;
  bool only_timers_ = false;  // periodic ones, and no task goes on
  VirtualClock clock_;
  TimerHeap timers_;
  SchedulerStats stats_;

  TaskId from_ = kNoTask;     // the task that runs, or was at the last point
  TaskId demoted_ = kNoTask;  // by that point
  std::uint32_t live_ = 0;
  std::uint32_t outside_ = 0;
  std::uint32_t created_ = 0;
  std::uint64_t idle_points_ = 0;
  TaskId never_used_ = 0;
  TaskId free_ = kNoTask;  // list through `newer`
  TaskId oldest_blocked_ = kNoTask;
  TaskId newest_blocked_ = kNoTask;

  std::uint32_t runnable_count_ = 0;
  TaskId runnable_[kTasksMax];
  Task tasks_[kTasksMax];
  Operation operations_[kTasksMax];
  std::uint32_t numbers_[kTasksMax] = {};
  std::uint32_t steps_[kTasksMax] = {};
  std::uint32_t choices_[kTasksMax] = {};
  Watch watches_[kTasksMax] = {};
  TimerKind timer_kinds_[kTimersMax] = {};
};

}  // namespace vigil::race
