// SPDX-License-Identifier: Apache-2.0
//
// The token. A task's thread sleeps on its own futex, its Seat, until somebody hands it the token
// (or the duty to idle, see below). The holder alone touches the scheduler, so nothing here is
// locked but the arrivals.
//
// Outside: a thread in a real blocking call left the schedule. When it comes back it puts itself on
// the list of arrivals, which the holder empties at each choice. If nobody could go on when it
// left, the token lies on the table (`token_free`) and whoever comes back first takes it; if some
// task waits for a deadline, that task's thread was woken with the duty to idle: it holds the token
// and sleeps in real time until the deadline or an arrival.
//
// Stolen: a holder that blocks in the kernel without telling (a raw system call, a lock inside an
// uninstrumented library) keeps the others from running. Sleepers wake up every second; one that
// sees no progress and the holder asleep in the kernel declares it to be outside. It finds out when
// it enters the runtime the next time: Seat::place says where the holder is, and changing it is
// what thief and holder compete for.
#include "vigil/race/rt/controlled.h"

#include <fcntl.h>

#include <new>

#include "vigil/race/rt/controlled_records.h"
#include "vigil/race/rt/detector.h"
#include "vigil/race/rt/intercept_io.h"
#include "vigil/race/rt/intercept_signal.h"
#include "vigil/race/rt/memory.h"
#include "vigil/race/rt/options.h"
#include "vigil/race/rt/raw_futex.h"
#include "vigil/race/rt/raw_memory.h"
#include "vigil/race/rt/raw_syscall.h"
#include "vigil/race/sched/decision_text.h"
#include "vigil/race/sched/missed_wake_ups.h"
#include "vigil/race/sched/scheduler.h"
#include "vigil/report/report.h"

namespace vigil::race {

namespace controlled_internal {
bool enabled = false;
std::uint32_t attention = 0;
bool memory_enabled = false;
}  // namespace controlled_internal

namespace {

constexpr std::uint64_t kSecond_ns = 1'000'000'000;

// What is put on a seat.
enum : std::uint32_t { kNothing, kToken, kIdleDuty };

// Where the thread is, as thief and holder see it.
enum : std::uint32_t { kInProgram, kInRuntime, kStolen };

struct alignas(64) Seat {
  std::uint32_t given = kNothing;
  std::uint32_t place = kInProgram;
  std::uint32_t depth = 0;   // of Inside scopes
  std::uint32_t thread = 0;  // number in records
  std::int32_t kernel_id = 0;
  StackId stack = 0;  // where it waits
  TaskId next_arrival_plus_one = 0;
};

// Everything is zero before controlled_init(): the objects are made there.
alignas(64) unsigned char scheduler_room[sizeof(Scheduler)];
alignas(64) unsigned char replay_room[sizeof(Replay)];
StrategyRoom strategy_room;
constinit MissedWakeUps missed;
constinit Seat seats[kMaxTasks] = {};
constinit Random entropy;

bool stopped = false;
bool real_time = false;
std::uint64_t max_points = 0;
std::uint64_t started_ns = 0;
std::uint32_t external_waits = 0;
TaskId holder = 0;
std::uint32_t token_free = 0;
std::uint32_t arrivals_count = 0;   // futex of the idling thread
TaskId first_arrival_plus_one = 0;  // stack of arrivals; 0: none
std::uint64_t progress = 0;         // choices made, for the watch over the holder

// Index + 1 of the calling thread's task; 0: none.
thread_local constinit std::uint32_t self_plus_one [[gnu::tls_model("initial-exec")]] = 0;
thread_local constinit std::uint32_t no_preemption [[gnu::tls_model("initial-exec")]] = 0;

Scheduler& scheduler() { return *std::launder(reinterpret_cast<Scheduler*>(scheduler_room)); }
TaskId self() { return self_plus_one - 1; }

std::uint64_t real_now() {
  std::uint64_t now[2] = {};
  raw_syscall(SYS_clock_gettime, 1 /* CLOCK_MONOTONIC */, now);
  return now[0] * kSecond_ns + now[1] - started_ns;
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
    if (missed.contains(waiting.object)) *lost_wake_up = true;
    if (count == kMostWaiters) return;
    Waiter& waiter = waiters[count++];
    waiter.thread = seats[task].thread;
    waiter.object = reinterpret_cast<const volatile void*>(waiting.object);
    waiter.stack = seats[task].stack;
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
    waiter.thread = seats[task].thread;
    waiter.object = reinterpret_cast<const volatile void*>(operation.object);
    waiter.stack = seats[task].stack;
    waiter.operation = "running without getting on";
  });
  report_waiters(static_cast<std::uint8_t>(report::Kind::kLivelock), waiters, count);
  end_process();
}

// ---- the token

void give(TaskId task, std::uint32_t what) {
  if (what == kToken) holder = task;
  __atomic_store_n(&seats[task].given, what, __ATOMIC_RELEASE);
  futex_wake(&seats[task].given, 1);
}

void take_in_arrivals() {
  if (__atomic_load_n(&first_arrival_plus_one, __ATOMIC_RELAXED) == 0) return;
  TaskId arrived = __atomic_exchange_n(&first_arrival_plus_one, 0, __ATOMIC_ACQUIRE);
  while (arrived != 0) {
    const TaskId task = arrived - 1;
    arrived = seats[task].next_arrival_plus_one;
    scheduler().enter(task);
  }
}

// Nobody can go on now: sleeps until the next deadline in real time, or an arrival.
void idle() {
  const std::uint32_t seen = __atomic_load_n(&arrivals_count, __ATOMIC_ACQUIRE);
  if (__atomic_load_n(&first_arrival_plus_one, __ATOMIC_ACQUIRE) != 0) return;
  const std::uint64_t deadline = scheduler().next_deadline_ns();
  const std::uint64_t before = real_now();
  const std::uint64_t now = scheduler().now_ns();
  futex_wait(&arrivals_count, seen, deadline == kNever ? kNever : deadline - now);
  const std::uint64_t passed = real_now() - before;
  scheduler().advance_to(now + passed < deadline ? now + passed : deadline);
}

// Nobody can go on. Data may still be on their way to a descriptor, inside the kernel or from
// another process: false if nobody waits for one, or for too long for this process alone.
bool look_at_descriptors_again() {
  constexpr std::uint32_t kLooks = 20;
  static std::uint64_t looked_at_point = 0;
  static std::uint32_t looks = 0;
  if (looked_at_point != scheduler().stats().points) looks = 0;
  if (++looks > kLooks && !outside_may_write()) return false;
  const std::uint32_t seen = __atomic_load_n(&arrivals_count, __ATOMIC_ACQUIRE);
  if (looks > 1) futex_wait(&arrivals_count, seen, looks < kLooks ? 100'000 : 10'000'000);
  const std::uint32_t woken = scheduler().wake(name_of_object(descriptors_object()), kEveryone);
  looked_at_point = scheduler().stats().points + woken;  // if they find nothing
  return woken != 0;
}

// The task that goes on; the caller holds the token. Waits if it must.
TaskId choose() {
  ++progress;
  for (;;) {
    take_in_arrivals();
    take_in_outside_signals();
    if (real_time) scheduler().advance_to(real_now());
    const TaskId next = scheduler().next_task();
    if (next != kNoTask) return next;
    if (!scheduler().stuck() || waits_for_outside_signal()) {
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
  if (__atomic_load_n(&token_free, __ATOMIC_ACQUIRE) != 0) return false;
  const TaskId suspect = __atomic_load_n(&holder, __ATOMIC_ACQUIRE);
  Seat& seat = seats[suspect];
  if (suspect == me || seat.kernel_id == 0 || !asleep_in_kernel(seat.kernel_id)) return false;
  std::uint32_t expected = kInProgram;
  if (!__atomic_compare_exchange_n(&seat.place, &expected, kStolen, false, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE)) {
    return false;
  }
  holder = me;
  ++external_waits;
  note_external_wait("a call that the runtime does not know");
  scheduler().leave(suspect);
  return true;
}

// Sleeps until the calling task holds the token.
void park(TaskId me) {
  Seat& seat = seats[me];
  for (;;) {
    std::uint32_t given = __atomic_exchange_n(&seat.given, kNothing, __ATOMIC_ACQUIRE);
    if (given == kToken) return;
    if (given == kNothing) {
      const std::uint64_t before = __atomic_load_n(&progress, __ATOMIC_RELAXED);
      futex_wait(&seat.given, kNothing, kSecond_ns);
      if (__atomic_load_n(&seat.given, __ATOMIC_ACQUIRE) != kNothing) continue;
      if (__atomic_load_n(&progress, __ATOMIC_RELAXED) != before || !steal_token(me)) continue;
    } else {
      holder = me;
    }
    const TaskId next = choose();
    if (next == me) {
      holder = me;
      return;
    }
    give(next, kToken);
  }
}

// The calling task holds the token and stands at a point, waits or came back: somebody goes on, and
// some time it does again.
void pass_on(TaskId me) {
  const TaskId next = choose();
  if (next == me) return;
  give(next, kToken);
  park(me);
}

// The calling task comes from outside.
void arrive_from_outside(TaskId me) {
  Seat& seat = seats[me];
  TaskId first = __atomic_load_n(&first_arrival_plus_one, __ATOMIC_RELAXED);
  do {
    seat.next_arrival_plus_one = first;
  } while (!__atomic_compare_exchange_n(&first_arrival_plus_one, &first, me + 1, true,
                                        __ATOMIC_RELEASE, __ATOMIC_RELAXED));
  __atomic_fetch_add(&arrivals_count, 1, __ATOMIC_ACQ_REL);
  futex_wake(&arrivals_count, 1);
  if (__atomic_exchange_n(&token_free, 0, __ATOMIC_ACQ_REL) == 1) {
    holder = me;
    return pass_on(me);
  }
  park(me);
}

// The calling task holds the token and goes outside: somebody else gets the token, or the duty to
// wait for it, or nobody is there to have it.
void leave_to_outside(TaskId me) {
  scheduler().leave(me);
  ++progress;
  take_in_arrivals();
  const TaskId next = scheduler().next_task();
  if (next != kNoTask) return give(next, kToken);
  TaskId sleeper = kNoTask;
  scheduler().for_each_blocked([&](TaskId task, const Scheduler::Waiting&) {
    if (sleeper == kNoTask) sleeper = task;
  });
  if (sleeper != kNoTask) {
    __atomic_store_n(&holder, sleeper, __ATOMIC_RELEASE);
    return give(sleeper, kIdleDuty);
  }
  __atomic_store_n(&token_free, 1, __ATOMIC_SEQ_CST);
  // Whoever arrived before that saw no free token and sleeps.
  if (__atomic_load_n(&first_arrival_plus_one, __ATOMIC_SEQ_CST) == 0) return;
  if (__atomic_exchange_n(&token_free, 0, __ATOMIC_ACQ_REL) == 0) return;
  take_in_arrivals();
  give(scheduler().next_task(), kToken);
}

// The calling thread is in the runtime: nobody steals its token, and it may use the scheduler.
class Inside {
 public:
  Inside() : seat_(seats[self()]) {
    if (seat_.depth++ != 0) return;
    std::uint32_t expected = kInProgram;
    if (__atomic_compare_exchange_n(&seat_.place, &expected, kInRuntime, false, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE)) {
      return;
    }
    seat_.place = kInRuntime;
    arrive_from_outside(self());
  }
  ~Inside() {
    if (--seat_.depth == 0) __atomic_store_n(&seat_.place, kInProgram, __ATOMIC_RELEASE);
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Seat& seat_;
};

bool takes_part() { return controlled_internal::enabled && self_plus_one != 0 && !stopped; }

// ---- start-up

void on_decision(const Decision& decision, const Situation& situation, bool preemption) {
  if (!options().events) return;
  const StackId stack = situation.from == self() ? current_stack(VIGIL_CALLER_PC) : 0;
  write_decision(decision, situation, preemption, stack, scheduler().stats().hash);
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
  return new (replay_room) Replay(decisions, read.count);
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
  return strategy_room.begin(kind, settings);
}

void sit_down(TaskId task) {
  self_plus_one = task + 1;
  seats[task].kernel_id = static_cast<std::int32_t>(raw_syscall(SYS_gettid));
}

}  // namespace

void controlled_init() {
  started_ns = real_now();
  if (options().mode != Mode::kControlled) return;
  real_time = options().time == TimeMode::kReal;
  max_points = options().max_points;
  entropy = Random(options().seed ^ 0x656e'7472'6f70'7921);
  new (scheduler_room) Scheduler;
  scheduler().begin(strategy_of_options(),
                    {.decided = on_decision, .timer_fired = virtual_timer_fired}, real_time);
  sit_down(scheduler().add_task());
  controlled_internal::memory_enabled = options().points != Points::kSync;
  controlled_internal::enabled = true;
  controlled_internal::attention = 1;
}

// ---- points and waits

namespace controlled_internal {

void point(PointKind kind, const volatile void* object, std::uint64_t value) {
  if (!enabled) {
    deliver_signals();
    return;
  }
  if (self_plus_one == 0 || stopped || no_preemption != 0) return;
  const TaskId me = self();
  {
    const Inside inside;
    if (!scheduler().alone()) {
      scheduler().arrive(me, {kind, name_of_object(object)}, value);
      seats[me].stack = current_stack(VIGIL_CALLER_PC);
      if (scheduler().livelocked() || scheduler().stats().points > max_points) report_livelock();
      pass_on(me);
    }
  }
  deliver_signals();
}

}  // namespace controlled_internal

namespace {

WaitResult wait_once(const volatile void* object, std::uint64_t deadline_ns,
                     const char* operation) {
  const TaskId me = self();
  const Inside inside;
  Seat& seat = seats[me];
  scheduler().block(me, name_of_object(object), deadline_ns, operation, true);
  if (scheduler().stats().points > max_points) report_livelock();
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
  seats[self()].stack = current_stack(VIGIL_CALLER_PC);
  WaitResult result = WaitResult::kInterrupted;
  if (!signals_pending()) result = wait_once(object, deadline_ns, operation);
  if (interruptible || result != WaitResult::kInterrupted) return result;
  deliver_signals();
  return WaitResult::kWoken;
}

std::uint32_t wake(const volatile void* object, std::uint32_t count) {
  if (!takes_part()) return 0;
  const Inside inside;
  const std::uint32_t woken = scheduler().wake(name_of_object(object), count);
  if (woken != 0) {
    write_event(report::EventKind::kWake, seats[self()].thread, name_of_object(object),
                scheduler());
  }
  return woken;
}

std::uint32_t notify(const volatile void* object, std::uint32_t count) {
  const std::uint32_t woken = wake(object, count);
  if (!takes_part()) return woken;
  if (woken == 0) {
    missed.remember(name_of_object(object));
  } else {
    missed.forget(name_of_object(object));
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

void outside_signal_arrived() {
  __atomic_fetch_add(&arrivals_count, 1, __ATOMIC_ACQ_REL);
  futex_wake(&arrivals_count, 1);
}

// ---- time

std::uint64_t virtual_now() {
  if (!takes_part() || real_time) return real_now();
  const Inside inside;
  return scheduler().now_ns();
}

std::uint64_t look_at_virtual_clock() {
  if (!takes_part() || real_time) return real_now();
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

std::uint64_t controlled_random() { return entropy.next(); }

// ---- life of the process and its threads

std::uint32_t controlled_task_created(std::uint32_t thread) {
  const Inside inside;
  const TaskId task = scheduler().add_task();
  if (task == kNoTask) return kNoTask;
  seats[task] = Seat{};
  seats[task].thread = thread;
  signals_task_created(task);
  return task;
}

void controlled_task_abandoned(std::uint32_t task) {
  const Inside inside;
  scheduler().abandon(task);
}

void controlled_task_started(std::uint32_t task) {
  sit_down(task);
  seats[task].depth = 1;
  seats[task].place = kInRuntime;
  park(task);
  seats[task].depth = 0;
  write_event(report::EventKind::kThreadStart, seats[task].thread, 0, scheduler());
  __atomic_store_n(&seats[task].place, kInProgram, __ATOMIC_RELEASE);
}

void controlled_task_finished() {
  if (!takes_part()) return;
  const TaskId me = self();
  TaskId next = kNoTask;
  {
    const Inside inside;
    write_event(report::EventKind::kThreadEnd, seats[me].thread, 0, scheduler());
    signals_task_finished(me);
    scheduler().finish(me);
    if (scheduler().live_tasks() == 0) {
      stopped = true;
    } else {
      next = choose();
    }
  }
  self_plus_one = 0;
  if (next != kNoTask) give(next, kToken);  // from now on the seat may be another task's
}

bool is_task_of(std::int32_t kernel_id) {
  const Inside inside;
  bool found = false;
  const auto look = [&](TaskId task) { found |= seats[task].kernel_id == kernel_id; };
  scheduler().for_each_blocked([&](TaskId task, const Scheduler::Waiting&) { look(task); });
  scheduler().for_each_runnable([&](TaskId task, const Operation&) { look(task); });
  return found || scheduler().outside() != 0;
}

std::uint32_t controlled_task() { return takes_part() ? self() : kNoTask; }

void controlled_after_fork() {
  if (!takes_part()) return;
  const TaskId me = self();
  token_free = 0;
  first_arrival_plus_one = 0;
  holder = me;
  scheduler().keep_only(me);
  seats[me].kernel_id = static_cast<std::int32_t>(raw_syscall(SYS_gettid));
}

void controlled_stop() { stopped = true; }

ControlledSummary controlled_summary() {
  ControlledSummary summary = {};
  if (!controlled_internal::enabled) return summary;
  const SchedulerStats& stats = scheduler().stats();
  summary.points = stats.points;
  summary.switches = stats.switches;
  summary.preemptions = stats.preemptions;
  summary.virtual_ns = scheduler().now_ns();
  summary.schedule_hash = stats.hash;
  summary.event_hash = event_hash();
  summary.external_waits = external_waits;
  return summary;
}

std::uint64_t scheduling_points() {
  return controlled_internal::enabled ? scheduler().stats().points : 0;
}

// ---- scopes

NoPreemption::NoPreemption() { ++no_preemption; }
NoPreemption::~NoPreemption() { --no_preemption; }

ExternalWait::ExternalWait(const char* operation) : active_(takes_part()) {
  if (!active_) return;
  const TaskId me = self();
  {
    const Inside inside;
    if (scheduler().alone()) {
      active_ = false;  // nobody else could go on meanwhile
      return;
    }
    ++external_waits;
    note_external_wait(operation);
    seats[me].stack = current_stack(VIGIL_CALLER_PC);
  }
  seats[me].place = kInRuntime;
  leave_to_outside(me);
}

ExternalWait::~ExternalWait() {
  if (!active_) return;
  arrive_from_outside(self());
  __atomic_store_n(&seats[self()].place, kInProgram, __ATOMIC_RELEASE);
}

}  // namespace vigil::race
