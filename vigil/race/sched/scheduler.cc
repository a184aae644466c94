// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/scheduler.h"

namespace vigil::race {

void Scheduler::begin(Strategy* strategy, Listener listener, bool real_time) {
  strategy_ = strategy;
  listener_ = listener;
  real_time_ = real_time;
}

// ---- tasks

TaskId Scheduler::add_task() {
  TaskId task = free_;
  if (task != kNoTask) {
    free_ = tasks_[task].newer;
  } else if (never_used_ < kTasksMax) {
    task = never_used_++;
  } else {
    return kNoTask;
  }
  tasks_[task] = Task{};
  operations_[task] = Operation{};
  watches_[task] = Watch{};
  numbers_[task] = created_++;
  steps_[task] = 0;
  choices_[task] = 0;
  ++live_;
  idle_points_ = 0;
  make_runnable(task);
  strategy_->task_added(task);
  if (from_ == kNoTask) from_ = task;
  return task;
}

void Scheduler::finish(TaskId task) {
  unlink_runnable(task);
  tasks_[task].state = State::kFree;
  // Reused last, so that its number and steps can still be asked for at the next choice.
  tasks_[task].newer = free_;
  free_ = task;
  --live_;
  idle_points_ = 0;
  from_ = task;
}

void Scheduler::abandon(TaskId task) {
  const TaskId from = from_;
  finish(task);
  from_ = from;
}

void Scheduler::keep_only(TaskId survivor) {
  for (TaskId task = 0; task < never_used_; ++task) {
    if (task == survivor) continue;
    switch (tasks_[task].state) {
      case State::kFree:
        continue;
      case State::kBlocked:
        end_wait(task, Wake::kInterrupted);
        break;
      case State::kOutside:
        enter(task);
        break;
      case State::kRunnable:
        break;
    }
    finish(task);
  }
  if (tasks_[survivor].state == State::kOutside) enter(survivor);
  from_ = survivor;
}

// ---- points

// Whether the task does what a loop does that waits for others: yields, or atomic operations on the
// same few objects that find what they found before.
Scheduler::Progress Scheduler::progress_of(TaskId task, const Operation& operation,
                                           std::uint64_t value) {
  if (operation.kind == PointKind::kYield) return Progress::kSpins;
  Watch& watch = watches_[task];
  if (operation.kind != PointKind::kAtomicRead && operation.kind != PointKind::kAtomicWrite) {
    watch = Watch{};
    return Progress::kSome;
  }
  for (std::uint32_t i = 0; i < kWatched; ++i) {
    if (watch.object[i] != operation.object) continue;
    const bool unchanged = watch.value[i] == value;
    watch.value[i] = value;
    watch.repeats = unchanged ? watch.repeats + 1 : 0;
    if (!unchanged) return Progress::kSome;
    return watch.repeats >= kSpinRepeats ? Progress::kSpins : Progress::kNone;
  }
  watch.object[watch.oldest] = operation.object;
  watch.value[watch.oldest] = value;
  watch.oldest = (watch.oldest + 1) % kWatched;
  watch.repeats = 0;
  return Progress::kSome;
}

void Scheduler::arrive(TaskId task, const Operation& operation, std::uint64_t value) {
  operations_[task] = operation;
  from_ = task;
  ++stats_.points;
  clock_.point_passed();
  const Progress progress = progress_of(task, operation, value);
  idle_points_ = progress == Progress::kSome ? 0 : idle_points_ + 1;
  if (progress == Progress::kSpins || stats_.points % kFairnessPoints == 0) {
    watches_[task].repeats = 0;
    strategy_->demote(task);
    demoted_ = task;
  }
}

SchedulePoint Scheduler::current_point(TaskId from) const {
  SchedulePoint at;
  at.runnable = runnable_;
  at.count = runnable_count_;
  at.operations = operations_;
  at.numbers = numbers_;
  at.steps = steps_;
  at.from = from;
  at.from_can_go_on = tasks_[from].state == State::kRunnable;
  at.clock_offered = may_fire_early();
  at.index = stats_.points;
  return at;
}

TaskId Scheduler::next_task() {
  for (std::uint32_t silent_jumps = 0;;) {
    fire_due();
    if (runnable_count_ == 0) {
      if (!jump_when_idle()) return kNoTask;
      if (++silent_jumps <= kMostSilentJumps) continue;
      only_timers_ = true;
      return kNoTask;
    }
    if (idle_points_ > 0 && idle_points_ % kStallPoints == 0 && may_jump() && !timers_.empty()) {
      idle_points_ = 0;
      fire_earliest();
      continue;
    }
    const SchedulePoint at = current_point(from_);
    const TaskId next = strategy_->next_task(at);
    if (next == kClockTask) {
      ++stats_.early_firings;
      const Decision decision{numbers_[from_], steps_[from_], Decision::Kind::kClock, 0};
      note(decision, at, false);
      fire_earliest();
      continue;
    }
    record(at, next);
    return next;
  }
}

void Scheduler::record(const SchedulePoint& at, TaskId next) {
  const bool preemption = at.from_can_go_on && next != at.from && at.from != demoted_;
  stats_.preemptions += preemption ? 1 : 0;
  stats_.switches += next != at.from ? 1 : 0;
  stats_.hash = (stats_.hash ^ numbers_[next]) * 0x0000'0100'0000'01b3;
  stats_.hash =
      (stats_.hash ^ static_cast<std::uint64_t>(operations_[next].kind)) * 0x0000'0100'0000'01b3;
  if (next != plain_next_task(at, demoted_)) {
    note({numbers_[at.from], steps_[at.from], Decision::Kind::kRun, numbers_[next]}, at,
         preemption);
  }
  ++steps_[at.from];
  demoted_ = kNoTask;
  from_ = next;
}

void Scheduler::note(const Decision& decision, const SchedulePoint& at, bool preemption) {
  if (listener_.decided != nullptr) listener_.decided(decision, at, preemption);
}

// ---- waiting

void Scheduler::block(TaskId task, std::uintptr_t object, std::uint64_t deadline_ns,
                      const char* operation, bool interruptible) {
  ++stats_.points;
  clock_.point_passed();
  from_ = task;
  unlink_runnable(task);
  Task& blocked = tasks_[task];
  blocked.state = State::kBlocked;
  blocked.waiting = Waiting{object, operation, interruptible};
  blocked.older = newest_blocked_;
  blocked.newer = kNoTask;
  (newest_blocked_ == kNoTask ? oldest_blocked_ : tasks_[newest_blocked_].newer) = task;
  newest_blocked_ = task;
  watches_[task] = Watch{};
  if (deadline_ns != kNever) timers_.set(task, deadline_ns);
}

void Scheduler::unlink_blocked(TaskId task) {
  const Task& blocked = tasks_[task];
  (blocked.older == kNoTask ? oldest_blocked_ : tasks_[blocked.older].newer) = blocked.newer;
  (blocked.newer == kNoTask ? newest_blocked_ : tasks_[blocked.newer].older) = blocked.older;
}

void Scheduler::make_runnable(TaskId task) {
  tasks_[task].state = State::kRunnable;
  tasks_[task].place = runnable_count_;
  runnable_[runnable_count_++] = task;
}

void Scheduler::unlink_runnable(TaskId task) {
  const std::uint32_t place = tasks_[task].place;
  const TaskId moved = runnable_[--runnable_count_];
  runnable_[place] = moved;
  tasks_[moved].place = place;
}

void Scheduler::end_wait(TaskId task, Wake reason) {
  unlink_blocked(task);
  timers_.cancel(task);
  tasks_[task].reason = reason;
  make_runnable(task);
  idle_points_ = 0;
}

std::uint32_t Scheduler::wake(std::uintptr_t object, std::uint32_t count) {
  std::uint32_t waiters = 0;
  for (TaskId task = oldest_blocked_; task != kNoTask; task = tasks_[task].newer) {
    waiters += tasks_[task].waiting.object == object ? 1 : 0;
  }
  const std::uint32_t woken = count < waiters ? count : waiters;
  for (std::uint32_t i = 0; i < woken; ++i, --waiters) {
    std::uint32_t chosen = 0;
    if (woken - i < waiters) {  // not all of them: which one is a choice
      const SchedulePoint at = current_point(from_);
      chosen = strategy_->next_choice(at, waiters);
      const std::uint32_t step = choices_[from_]++;
      if (chosen != 0) note({numbers_[from_], step, Decision::Kind::kChoice, chosen}, at, false);
    }
    TaskId task = oldest_blocked_;
    for (;; task = tasks_[task].newer) {
      if (tasks_[task].waiting.object == object && chosen-- == 0) break;
    }
    end_wait(task, Wake::kWoken);
  }
  return woken;
}

bool Scheduler::interrupt(TaskId task) {
  if (tasks_[task].state != State::kBlocked || !tasks_[task].waiting.interruptible) return false;
  end_wait(task, Wake::kInterrupted);
  return true;
}

void Scheduler::leave(TaskId task) {
  from_ = task;
  unlink_runnable(task);
  tasks_[task].state = State::kOutside;
  ++outside_;
}

void Scheduler::enter(TaskId task) {
  --outside_;
  make_runnable(task);
  idle_points_ = 0;
}

// ---- time

std::uint64_t Scheduler::next_deadline_ns() const {
  return timers_.empty() ? kNever : timers_.earliest_deadline_ns();
}

bool Scheduler::may_fire_early() const {
  if (!may_jump() || timers_.empty()) return false;
  return !earliest_is(TimerKind::kPunctual) && !earliest_is(TimerKind::kRunning) &&
         stats_.early_firings < kFreeEarlyFirings + stats_.points / kPointsPerEarlyFiring;
}

bool Scheduler::earliest_is(TimerKind kind) const {
  const TimerId timer = timers_.earliest();
  return timer >= kTasksMax && timer_kinds_[timer - kTasksMax] == kind;
}

// No task can go on: time jumps to the next deadline, if there is one. Timers of running time that
// come before it stand still meanwhile: they are as far from their ends as before.
bool Scheduler::jump_when_idle() {
  constexpr std::uint32_t kMostStopped = 8;
  TimerId stopped[kMostStopped];
  std::uint64_t left_ns[kMostStopped];
  std::uint32_t count = 0;
  while (!timers_.empty() && earliest_is(TimerKind::kRunning) && count < kMostStopped) {
    stopped[count] = timers_.earliest();
    left_ns[count++] = timers_.earliest_deadline_ns() - clock_.now_ns();
    timers_.cancel(stopped[count - 1]);
  }
  const bool jumps = !timers_.empty() && may_jump();
  if (jumps) fire_earliest();
  only_timers_ = timers_.empty() && !jumps;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!timers_.is_set(stopped[i])) timers_.set(stopped[i], clock_.now_ns() + left_ns[i]);
  }
  return jumps;
}

void Scheduler::fire_due() {
  while (!timers_.empty() && timers_.earliest_deadline_ns() <= clock_.now_ns()) fire_earliest();
}

void Scheduler::fire_earliest() {
  clock_.jump_to(timers_.earliest_deadline_ns());
  const TimerId timer = timers_.earliest();
  timers_.cancel(timer);
  if (timer < kTasksMax) {
    end_wait(timer, Wake::kTimedOut);
  } else if (listener_.timer_fired != nullptr) {
    idle_points_ = 0;
    listener_.timer_fired(timer - kTasksMax);
  }
}

// ---- invariants

bool Scheduler::check_invariants() const {
  std::uint32_t runnable = 0;
  std::uint32_t blocked = 0;
  for (TaskId task = 0; task < never_used_; ++task) {
    const Task& each = tasks_[task];
    if (each.state == State::kRunnable) {
      ++runnable;
      if (runnable_[each.place] != task) return false;
    }
    blocked += each.state == State::kBlocked ? 1 : 0;
    if (each.state != State::kBlocked && timers_.is_set(task)) return false;
  }
  for_each_blocked([&](TaskId task, const Waiting&) {
    blocked -= tasks_[task].state == State::kBlocked ? 1U : 0U;
  });
  return blocked == 0 && runnable == runnable_count_ && timers_.check_invariants() &&
         live_ >= runnable + outside_;
}

}  // namespace vigil::race
