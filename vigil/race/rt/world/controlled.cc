// SPDX-License-Identifier: Apache-2.0
//
//   token      the right to run; one thread has it, and only its holder touches the scheduler, so
//              nothing here is locked but the arrivals
//   seat       where a task's thread sleeps (on a futex) until something is handed to it
//   outside    in a real blocking call (ExternalWait), which takes the thread out of the schedule
//   arrivals   threads that are back from outside; the holder takes them in at each choice
//   idle duty  to hold the token and sleep in real time until the next deadline or an arrival
//   table      where the token lies (`on_table`) when no thread can have it: all are outside
//   stolen     taken from a holder that sleeps in the kernel without having said so, or that loops
//              where another one may cancel it
//
// If no task can go on when a thread goes outside, the token is put on the table, and the first
// thread that comes back takes it; if some task waits for a deadline, its thread gets the idle
// duty.
//
// A holder that blocks in the kernel without telling (a raw system call, a lock inside an
// uninstrumented library) keeps the others from running. Sleepers wake up every second; one that
// sees no progress and the holder asleep in the kernel steals the token and declares the holder to
// be outside. The holder finds out when it enters the runtime the next time: Seat::place says where
// it is, and both change it by compare-and-exchange.
#include "vigil/race/rt/world/controlled.h"

#include <fcntl.h>
#include <pthread.h>

#include <new>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/threads.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/futex.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/raw/options.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/controlled_records.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/sched/decision_text.h"
#include "vigil/race/sched/missed_wake_ups.h"
#include "vigil/race/sched/replay.h"
#include "vigil/race/sched/scheduler.h"
#include "vigil/race/sched/strategy_storage.h"
#include "vigil/report/report.h"

namespace vigil::race {

controlled_internal::Switches controlled_internal::switches = {};

namespace {

constinit Real<decltype(&::pthread_setcanceltype)> real_setcanceltype("pthread_setcanceltype");

constexpr std::uint64_t kSecond_ns = 1'000'000'000;

// What is put on a seat.
enum : std::uint32_t { kNothing, kToken, kIdleDuty };

// Where the thread is, as its thief and itself see it.
enum : std::uint32_t { kInProgram, kInRuntime, kStolen };

struct alignas(64) Seat {
  std::uint32_t given = kNothing;
  std::uint32_t place = kInProgram;
  std::uint32_t depth = 0;   // of Inside scopes
  std::uint32_t thread = 0;  // number in records
  std::int32_t kernel_id = 0;
  StackId stack = 0;  // where it waits
  bool cancellable_anywhere = false;
  TaskId next_arrival_plus_one = 0;
};

// The right to run. A forked child starts with a new one.
struct Token {
  TaskId holder = 0;
  std::uint32_t on_table = 0;
  std::uint32_t arrivals_count = 0;   // futex of the idling thread
  TaskId first_arrival_plus_one = 0;  // stack of arrivals; 0: none
  std::uint64_t progress = 0;         // choices made, for the watch over the holder
};

// The looks at descriptors since a task last made progress.
struct DescriptorLooks {
  std::uint64_t at_point = 0;
  std::uint32_t count = 0;
};

// Everything is zero before controlled_init(): scheduler and strategy are made there.
struct State {
  alignas(64) unsigned char scheduler[sizeof(Scheduler)];
  alignas(64) unsigned char replay[sizeof(Replay)];
  StrategyStorage strategy;
  ScheduleCallbacks callbacks;
  MissedWakeUps missed;
  Seat seats[kTasksMax];
  Random entropy{};
  Token token;
  DescriptorLooks looks;
  bool stopped;
  bool real_time;
  std::uint64_t max_points;
  std::uint64_t started_ns;
  std::uint32_t external_waits;
};
constinit State state = {};

// Of the calling thread.
struct Own {
  std::uint32_t task_plus_one = 0;  // 0: none
  std::uint32_t no_preemption = 0;  // depth of NoPreemption
};
thread_local constinit Own own [[gnu::tls_model("initial-exec")]];

Scheduler& scheduler() { return *std::launder(reinterpret_cast<Scheduler*>(state.scheduler)); }
TaskId self() { return own.task_plus_one - 1; }

std::uint64_t real_now() {
  std::uint64_t now[2] = {};
  raw_syscall(SYS_clock_gettime, 1 /* CLOCK_MONOTONIC */, now);
  return now[0] * kSecond_ns + now[1] - state.started_ns;
}

std::uintptr_t name_of_object(const volatile void* object) {
  return reinterpret_cast<std::uintptr_t>(object);
}

// ---- reports

[[noreturn]] void end_process() {
  controlled_stop();
  raw_syscall(SYS_exit_group, finish_process(0));
  __builtin_trap();
}

constexpr std::size_t kMostWaiters = 64;

std::size_t collect_waiters(Waiter* waiters, bool* lost_wake_up) {
  std::size_t count = 0;
  scheduler().for_each_blocked([&](TaskId task, const Scheduler::Waiting& waiting) {
    if (state.missed.contains(waiting.object)) *lost_wake_up = true;
    if (count == kMostWaiters) return;
    Waiter& waiter = waiters[count++];
    waiter.thread = state.seats[task].thread;
    waiter.object = reinterpret_cast<const volatile void*>(waiting.object);
    waiter.stack = state.seats[task].stack;
    waiter.operation = waiting.operation;
    const LockHolder lock = lock_holder(waiter.object);
    waiter.holder = lock.thread;
    waiter.holder_stack = lock.acquired_at;
  });
  return count;
}

[[noreturn]] void report_stuck() {
  Waiter waiters[kMostWaiters];
  bool lost_wake_up = false;
  const std::size_t count = collect_waiters(waiters, &lost_wake_up);
  const auto kind = lost_wake_up ? report::Kind::kLostWakeUp : report::Kind::kDeadlock;
  report_waiters(static_cast<std::uint8_t>(kind), waiters, count);
  end_process();
}

[[noreturn]] void report_livelock() {
  Waiter waiters[kMostWaiters];
  std::size_t count = 0;
  scheduler().for_each_runnable([&](TaskId task, const Operation& operation) {
    if (count == kMostWaiters) return;
    Waiter& waiter = waiters[count++];
    waiter.thread = state.seats[task].thread;
    waiter.object = reinterpret_cast<const volatile void*>(operation.object);
    waiter.stack = state.seats[task].stack;
    waiter.operation = "running without getting on";
  });
  report_waiters(static_cast<std::uint8_t>(report::Kind::kLivelock), waiters, count);
  end_process();
}

// The run is as long as the options allow: nothing is known of the rest.
[[noreturn]] void end_at_max_points() {
  report_note("ended by --max-points, no finding so far: the program may still get on");
  end_process();
}

// ---- the token

void give(TaskId task, std::uint32_t what) {
  if (what == kToken) state.token.holder = task;
  __atomic_store_n(&state.seats[task].given, what, __ATOMIC_RELEASE);
  futex_wake(&state.seats[task].given, 1);
}

void take_in_arrivals() {
  if (__atomic_load_n(&state.token.first_arrival_plus_one, __ATOMIC_RELAXED) == 0) return;
  TaskId arrived = __atomic_exchange_n(&state.token.first_arrival_plus_one, 0, __ATOMIC_ACQUIRE);
  while (arrived != 0) {
    const TaskId task = arrived - 1;
    arrived = state.seats[task].next_arrival_plus_one;
    scheduler().enter(task);
  }
}

// No task can go on now: sleeps until the next deadline in real time, or an arrival.
void idle() {
  const std::uint32_t seen = __atomic_load_n(&state.token.arrivals_count, __ATOMIC_ACQUIRE);
  if (__atomic_load_n(&state.token.first_arrival_plus_one, __ATOMIC_ACQUIRE) != 0) return;
  const std::uint64_t deadline = scheduler().next_deadline_ns();
  const std::uint64_t before = real_now();
  const std::uint64_t now = scheduler().now_ns();
  futex_wait(&state.token.arrivals_count, seen, deadline == kNever ? kNever : deadline - now);
  const std::uint64_t passed = real_now() - before;
  scheduler().advance_to(now + passed < deadline ? now + passed : deadline);
}

// No task can go on. Data may still be on their way to a descriptor, inside the kernel or from
// another process: false if no thread waits for one, or for too long for this process alone.
bool look_at_descriptors_again() {
  constexpr std::uint32_t kLooks = 20;
  constexpr std::uint64_t kShortPause_ns = 100'000;
  constexpr std::uint64_t kLongPause_ns = 10'000'000;
  DescriptorLooks& looks = state.looks;
  if (looks.at_point != scheduler().stats().points) looks.count = 0;
  if (++looks.count > kLooks && !state.callbacks.outside_may_write()) return false;
  const std::uint32_t seen = __atomic_load_n(&state.token.arrivals_count, __ATOMIC_ACQUIRE);
  if (looks.count > 1) {
    futex_wait(&state.token.arrivals_count, seen,
               looks.count < kLooks ? kShortPause_ns : kLongPause_ns);
  }
  const std::uint32_t woken =
      scheduler().wake(name_of_object(state.callbacks.descriptors_object()), kEveryone);
  looks.at_point = scheduler().stats().points + woken;  // if they find nothing
  return woken != 0;
}

// The task that goes on; the caller holds the token. Waits if it must.
TaskId choose() {
  ++state.token.progress;
  for (;;) {
    take_in_arrivals();
    state.callbacks.take_in_outside_signals();
    if (state.real_time) scheduler().advance_to(real_now());
    const TaskId next = scheduler().next_task();
    if (next != kNoTask) return next;
    if (!scheduler().stuck() || state.callbacks.waits_for_outside_signal()) {
      idle();
    } else if (!look_at_descriptors_again()) {
      report_stuck();
    }
  }
}

bool asleep_in_kernel(std::int32_t kernel_id) {
  char path[48] = "/proc/self/task/";
  std::size_t length = raw_length(path);
  char digits[12];
  std::size_t count = 0;
  for (auto rest = static_cast<std::uint32_t>(kernel_id); rest != 0; rest /= 10) {
    digits[count++] = static_cast<char>('0' + rest % 10);
  }
  while (count > 0) path[length++] = digits[--count];
  raw_move(path + length, "/stat", 6);
  const long file = raw_syscall(SYS_open, path, 0);
  if (file < 0) return false;
  char stat[128];
  const long size = raw_syscall(SYS_read, file, stat, sizeof stat);
  raw_syscall(SYS_close, file);
  for (long i = size - 2; i > 0; --i) {
    if (stat[i - 1] == ')') return stat[i + 1] == 'S' || stat[i + 1] == 'D';
  }
  return false;
}

// A sleeper's look at the holder after a second without progress. True: the holder was asleep
// outside the runtime, and the caller is the holder now.
bool steal_token(TaskId me) {
  if (__atomic_load_n(&state.token.on_table, __ATOMIC_ACQUIRE) != 0) return false;
  const TaskId suspect = __atomic_load_n(&state.token.holder, __ATOMIC_ACQUIRE);
  Seat& seat = state.seats[suspect];
  if (suspect == me || seat.kernel_id == 0) return false;
  if (!seat.cancellable_anywhere && !asleep_in_kernel(seat.kernel_id)) return false;
  std::uint32_t expected = kInProgram;
  if (!__atomic_compare_exchange_n(&seat.place, &expected, kStolen, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE)) {
    return false;
  }
  state.token.holder = me;
  ++state.external_waits;
  note_external_wait("a call that the runtime does not know");
  scheduler().leave(suspect);
  return true;
}

// Sleeps until the calling task holds the token.
void park(TaskId me) {
  Seat& seat = state.seats[me];
  for (;;) {
    std::uint32_t given = __atomic_exchange_n(&seat.given, kNothing, __ATOMIC_ACQUIRE);
    if (given == kToken) return;
    if (given == kNothing) {
      const std::uint64_t before = __atomic_load_n(&state.token.progress, __ATOMIC_RELAXED);
      futex_wait(&seat.given, kNothing, kSecond_ns);
      if (__atomic_load_n(&seat.given, __ATOMIC_ACQUIRE) != kNothing) continue;
      if (__atomic_load_n(&state.token.progress, __ATOMIC_RELAXED) != before || !steal_token(me))
        continue;
    } else {
      state.token.holder = me;
    }
    const TaskId next = choose();
    if (next == me) {
      state.token.holder = me;
      return;
    }
    give(next, kToken);
  }
}

// The calling task holds the token and stands at a point, waits or came back: a task goes on, and
// some time this one does again.
void pass_on(TaskId me) {
  const TaskId next = choose();
  if (next == me) return;
  give(next, kToken);
  park(me);
}

// The calling task comes from outside.
void arrive_from_outside(TaskId me) {
  Seat& seat = state.seats[me];
  TaskId first = __atomic_load_n(&state.token.first_arrival_plus_one, __ATOMIC_RELAXED);
  do {
    seat.next_arrival_plus_one = first;
  } while (!__atomic_compare_exchange_n(&state.token.first_arrival_plus_one, &first, me + 1, true,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED));
  __atomic_fetch_add(&state.token.arrivals_count, 1, __ATOMIC_ACQ_REL);
  futex_wake(&state.token.arrivals_count, 1);
  if (__atomic_exchange_n(&state.token.on_table, 0, __ATOMIC_ACQ_REL) == 1) {
    state.token.holder = me;
    return pass_on(me);
  }
  park(me);
}

// The calling task holds the token and goes outside: another one gets the token or the idle duty,
// or the token is put on the table.
void leave_to_outside(TaskId me) {
  scheduler().leave(me);
  ++state.token.progress;
  take_in_arrivals();
  const TaskId next = scheduler().next_task();
  if (next != kNoTask) return give(next, kToken);
  TaskId sleeper = kNoTask;
  scheduler().for_each_blocked([&](TaskId task, const Scheduler::Waiting&) {
    if (sleeper == kNoTask) sleeper = task;
  });
  if (sleeper != kNoTask) {
    __atomic_store_n(&state.token.holder, sleeper, __ATOMIC_RELEASE);
    return give(sleeper, kIdleDuty);
  }
  __atomic_store_n(&state.token.on_table, 1, __ATOMIC_SEQ_CST);
  // A thread that arrived before that saw no free token and sleeps.
  if (__atomic_load_n(&state.token.first_arrival_plus_one, __ATOMIC_SEQ_CST) == 0) return;
  if (__atomic_exchange_n(&state.token.on_table, 0, __ATOMIC_ACQ_REL) == 0) return;
  take_in_arrivals();
  give(scheduler().next_task(), kToken);
}

// The calling thread is in the runtime: no thread steals its token, none cancels it, and it may use
// the scheduler.
class Inside {
 public:
  Inside() : seat_(state.seats[self()]) {
    if (seat_.depth++ != 0) return;
    if (seat_.cancellable_anywhere) real_setcanceltype(PTHREAD_CANCEL_DEFERRED, nullptr);
    std::uint32_t expected = kInProgram;
    if (__atomic_compare_exchange_n(&seat_.place, &expected, kInRuntime, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
      return;
    }
    seat_.place = kInRuntime;
    arrive_from_outside(self());
  }
  ~Inside() {
    if (--seat_.depth != 0) return;
    __atomic_store_n(&seat_.place, kInProgram, __ATOMIC_RELEASE);
    if (seat_.cancellable_anywhere) real_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Seat& seat_;
};

bool takes_part() { return controlled() && own.task_plus_one != 0 && !state.stopped; }

// ---- start-up

void on_decision(const Decision& decision, const SchedulePoint& point, bool preemption) {
  if (!options().events) return;
  const StackId stack = point.from == self() ? current_stack(VIGIL_CALLER_PC) : 0;
  write_decision(decision, point, preemption, stack, scheduler().stats().hash);
}

[[noreturn]] void fail_options(const char* sentence) {
  raw_syscall(SYS_write, 2, sentence, raw_length(sentence));
  raw_syscall(SYS_exit_group, 2);
  __builtin_trap();
}

Strategy* replay_of_file(const char* path) {
  constexpr std::size_t kMostBytes = std::size_t{64} << 20;
  constexpr std::size_t kBytesPerDecision = 10;  // the shortest line, "run 0 0 1\n"
  const long file = raw_syscall(SYS_open, path, O_RDONLY | O_CLOEXEC);
  if (file < 0) fail_options("vigil: cannot open the file of option decisions\n");
  char* text = map_array<char>(kMostBytes);
  std::size_t size = 0;
  for (long got = 1; got > 0 && size < kMostBytes; size += static_cast<std::size_t>(got)) {
    got = raw_syscall(SYS_read, file, text + size, kMostBytes - size);
    if (got < 0) fail_options("vigil: cannot read the file of option decisions\n");
  }
  raw_syscall(SYS_close, file);
  const std::size_t room = size / kBytesPerDecision + 2;
  auto* decisions = map_array<Decision>(room);
  const DecisionText read = read_decisions(text, size, decisions, room);
  if (read.bad_line != 0) fail_options("vigil: the file of option decisions has a bad line\n");
  return new (state.replay) Replay(decisions, read.count);
}

Strategy* strategy_of_options() {
  const Options& chosen = options();
  if (chosen.decisions[0] != '\0') return replay_of_file(chosen.decisions);
  StrategyKind kind = StrategyKind::kPortfolio;
  if (!strategy_from_name(chosen.strategy, raw_length(chosen.strategy), &kind) ||
      kind == StrategyKind::kReplay) {
    fail_options("vigil: option strategy: portfolio, round-robin, random, pct, pos or surw\n");
  }
  StrategySettings settings;
  settings.seed = chosen.seed;
  settings.depth = chosen.depth;
  return state.strategy.begin(kind, settings);
}

void sit_down(TaskId task) {
  own.task_plus_one = task + 1;
  state.seats[task].kernel_id = static_cast<std::int32_t>(raw_syscall(SYS_gettid));
}

SchedulePosition schedule_position() { return {scheduler().stats().points, virtual_now()}; }

ScheduleSummary schedule_summary() {
  const SchedulerStats& stats = scheduler().stats();
  return {.points = stats.points,
          .switches = stats.switches,
          .preemptions = stats.preemptions,
          .virtual_ns = scheduler().now_ns(),
          .schedule_hash = stats.hash,
          .external_waits = state.external_waits};
}

}  // namespace

void controlled_init(const ScheduleCallbacks& callbacks) {
  state.callbacks = callbacks;
  if (options().mode != Mode::kControlled) return;
  state.started_ns = real_now();
  state.real_time = options().time == TimeMode::kReal;
  state.max_points = options().max_points;
  state.entropy = Random(options().seed ^ 0x656e'7472'6f70'7921);
  new (state.scheduler) Scheduler;
  scheduler().begin(strategy_of_options(),
                    {.decided = on_decision, .timer_fired = callbacks.timer_fired},
                    state.real_time);
  sit_down(scheduler().add_task());
  findings_under({.position = schedule_position, .summary = schedule_summary});
  const bool at_memory = options().points != Points::kSync;
  if (at_memory) disable_fast_path();
  controlled_internal::switches = {.enabled = true, .memory_enabled = at_memory, .attention = 1};
}

// ---- points and waits

void controlled_internal::point(PointKind kind, const volatile void* object, std::uint64_t value) {
  if (!controlled()) {
    state.callbacks.deliver_signals();
    return;
  }
  if (own.task_plus_one == 0 || state.stopped || own.no_preemption != 0) return;
  const TaskId me = self();
  {
    const Inside inside;
    if (!scheduler().alone()) {
      scheduler().arrive(me, {kind, name_of_object(object)}, value);
      state.seats[me].stack = current_stack(VIGIL_CALLER_PC);
      if (scheduler().livelocked()) report_livelock();
      if (scheduler().stats().points > state.max_points) end_at_max_points();
      pass_on(me);
    }
  }
  state.callbacks.deliver_signals();
}

namespace {

WaitResult wait_once(const volatile void* object, std::uint64_t deadline_ns,
                     const char* operation) {
  const TaskId me = self();
  const Inside inside;
  Seat& seat = state.seats[me];
  scheduler().block(me, name_of_object(object), deadline_ns, operation, true);
  if (scheduler().stats().points > state.max_points) end_at_max_points();
  write_event(report::EventKind::kBlock, seat.thread, name_of_object(object), scheduler());
  pass_on(me);
  write_event(report::EventKind::kRun, seat.thread, name_of_object(object), scheduler());
  switch (scheduler().wake_reason(me)) {
    case Scheduler::Wake::kTimedOut:
      return WaitResult::kTimedOut;
    case Scheduler::Wake::kInterrupted:
      return WaitResult::kInterrupted;
    case Scheduler::Wake::kWoken:
      break;
  }
  return WaitResult::kWoken;
}

}  // namespace

WaitResult block_on(const volatile void* object, std::uint64_t deadline_ns, const char* operation,
                    bool interruptible) {
  if (!takes_part()) end_process();
  state.seats[self()].stack = current_stack(VIGIL_CALLER_PC);
  WaitResult result = WaitResult::kInterrupted;
  if (!state.callbacks.signals_pending()) result = wait_once(object, deadline_ns, operation);
  if (interruptible || result != WaitResult::kInterrupted) return result;
  state.callbacks.deliver_signals();
  return WaitResult::kWoken;
}

std::uint32_t wake(const volatile void* object, std::uint32_t count) {
  if (!takes_part()) return 0;
  const Inside inside;
  const std::uint32_t woken = scheduler().wake(name_of_object(object), count);
  if (woken != 0) {
    write_event(report::EventKind::kWake, state.seats[self()].thread, name_of_object(object),
                scheduler());
  }
  return woken;
}

std::uint32_t notify(const volatile void* object, std::uint32_t count) {
  const std::uint32_t woken = wake(object, count);
  if (!takes_part()) return woken;
  if (woken == 0) {
    state.missed.remember(name_of_object(object));
  } else {
    state.missed.forget(name_of_object(object));
  }
  return woken;
}

bool interrupt(std::uint32_t task) {
  if (!takes_part()) return false;
  const Inside inside;
  return scheduler().interrupt(task);
}

bool interrupt_one(bool (*may)(std::uint32_t task)) {
  if (!takes_part()) return false;
  const Inside inside;
  TaskId chosen = kNoTask;
  scheduler().for_each_blocked([&](TaskId task, const Scheduler::Waiting& waiting) {
    if (chosen == kNoTask && waiting.interruptible && may(task)) chosen = task;
  });
  return chosen != kNoTask && scheduler().interrupt(chosen);
}

void signal_waits() {
  __atomic_fetch_add(&controlled_internal::switches.attention, 1, __ATOMIC_RELAXED);
}
void signal_handled() {
  __atomic_fetch_sub(&controlled_internal::switches.attention, 1, __ATOMIC_RELAXED);
}

void outside_signal_arrived() {
  __atomic_fetch_add(&state.token.arrivals_count, 1, __ATOMIC_ACQ_REL);
  futex_wake(&state.token.arrivals_count, 1);
}

// ---- time

std::uint64_t virtual_now() {
  if (!takes_part() || state.real_time) return real_now();
  const Inside inside;
  return scheduler().now_ns();
}

std::uint64_t read_virtual_clock() {
  if (!takes_part() || state.real_time) return real_now();
  const Inside inside;
  return scheduler().look_at_clock();
}

void set_virtual_timer(std::uint32_t timer, std::uint64_t deadline_ns, TimerKind kind) {
  const Inside inside;
  if (deadline_ns == kNever) {
    scheduler().cancel_timer(timer);
  } else {
    scheduler().set_timer(timer, deadline_ns, kind);
  }
}

std::uint64_t controlled_random() { return state.entropy.next(); }

void fill_with_random(void* bytes, std::size_t size) {
  auto* to = static_cast<unsigned char*>(bytes);
  for (std::size_t i = 0; i < size; ++i) to[i] = static_cast<unsigned char>(controlled_random());
}

// ---- life of the process and its threads

std::uint32_t controlled_task_created(std::uint32_t thread) {
  const Inside inside;
  const TaskId task = scheduler().add_task();
  if (task == kNoTask) return kNoTask;
  state.seats[task] = Seat{};
  state.seats[task].thread = thread;
  state.callbacks.task_created(task);
  return task;
}

void controlled_task_abandoned(std::uint32_t task) {
  const Inside inside;
  scheduler().abandon(task);
}

void controlled_task_started(std::uint32_t task) {
  sit_down(task);
  state.seats[task].depth = 1;
  state.seats[task].place = kInRuntime;
  park(task);
  state.seats[task].depth = 0;
  write_event(report::EventKind::kThreadStart, state.seats[task].thread, 0, scheduler());
  __atomic_store_n(&state.seats[task].place, kInProgram, __ATOMIC_RELEASE);
}

void controlled_task_finished() {
  if (!takes_part()) return;
  const TaskId me = self();
  TaskId next = kNoTask;
  {
    const Inside inside;
    write_event(report::EventKind::kThreadEnd, state.seats[me].thread, 0, scheduler());
    state.callbacks.task_finished(me);
    scheduler().finish(me);
    if (scheduler().live_tasks() == 0) {
      state.stopped = true;
    } else {
      next = choose();
    }
  }
  own.task_plus_one = 0;
  if (next != kNoTask) give(next, kToken);  // from now on the seat may be another task's
}

std::int32_t kernel_thread_of(std::uint32_t task) { return state.seats[task].kernel_id; }

std::uint32_t task_of_kernel_thread(std::int32_t kernel_id) {
  const Inside inside;
  std::uint32_t found = kNoTask;
  const auto look = [&](TaskId task) {
    if (state.seats[task].kernel_id == kernel_id) found = task;
  };
  scheduler().for_each_blocked([&](TaskId task, const Scheduler::Waiting&) { look(task); });
  scheduler().for_each_runnable([&](TaskId task, const Operation&) { look(task); });
  return found;
}

bool is_task_of(std::int32_t kernel_id) {
  return task_of_kernel_thread(kernel_id) != kNoTask || scheduler().outside() != 0;
}

std::uint32_t controlled_task() { return takes_part() ? self() : kNoTask; }

void controlled_after_fork() {
  if (!takes_part()) return;
  const TaskId me = self();
  state.token = Token{.holder = me};
  scheduler().keep_only(me);
  state.seats[me].kernel_id = static_cast<std::int32_t>(raw_syscall(SYS_gettid));
}

void controlled_cancellable_anywhere(bool anywhere) {
  if (takes_part()) state.seats[self()].cancellable_anywhere = anywhere;
}

void controlled_stop() { state.stopped = true; }

// ---- scopes

NoPreemption::NoPreemption() { ++own.no_preemption; }
NoPreemption::~NoPreemption() { --own.no_preemption; }

namespace {

// False if no other task could go on meanwhile.
bool about_to_leave(const char* operation, Address pc) {
  const Inside inside;
  if (scheduler().alone()) return false;
  ++state.external_waits;
  note_external_wait(operation);
  state.seats[self()].stack = current_stack(pc);
  return true;
}

}  // namespace

ExternalWait::ExternalWait(const char* operation)
    : active_(takes_part() && about_to_leave(operation, VIGIL_CALLER_PC)) {
  if (!active_) return;
  state.seats[self()].place = kInRuntime;
  leave_to_outside(self());
}

ExternalWait::~ExternalWait() {
  if (!active_) return;
  arrive_from_outside(self());
  __atomic_store_n(&state.seats[self()].place, kInProgram, __ATOMIC_RELEASE);
}

void controlled_step_outside(const char* operation) {
  if (!takes_part() || !about_to_leave(operation, VIGIL_CALLER_PC)) return;
  state.seats[self()].place = kStolen;
  leave_to_outside(self());
}

}  // namespace vigil::race
