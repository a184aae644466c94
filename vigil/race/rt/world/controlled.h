// SPDX-License-Identifier: Apache-2.0
//
// Controlled mode, as the rest of the runtime sees it: one thread at a time holds the token, and at
// each scheduling point a seeded strategy says which one goes on. Time is virtual.
//
// Every function may be called in free mode and before start-up: then a scheduling point is a test
// of one word, and the functions marked "controlled" must not be called.
//
// Blocking: an interceptor tries the real operation without blocking. If it would block, it waits
// by block_on() and tries again (wait_for.h has the loop); the thread that changes the object calls
// wake():
//
//   ... real_unlock(mutex); wake(mutex, kEveryone);
//
// Invariants:
//   1. Of the registered threads only the holder of the token runs, except those that wait outside
//      (ExternalWait) and those whose NoPreemption keeps them from giving it up.
//   2. All results depend on the seed, the options and the program, as long as nothing waits
//      outside.
//
// Thread safety: the token orders everything. Context: interceptor; scheduling_point() also from a
// signal handler of the program, which runs only where a point could be.
#pragma once

#include <cstdint>

#include "vigil/race/rt/detector/findings.h"
#include "vigil/race/sched/operation.h"
#include "vigil/race/sched/scheduler.h"

namespace vigil::race {

enum class WaitResult : std::uint8_t {
  kWoken,
  kTimedOut,
  kInterrupted,  // a signal or a cancellation is pending; only of interruptible waits
};

inline constexpr std::uint32_t kEveryone = ~std::uint32_t{0};  // wake: all waiters

namespace controlled_internal {
struct Switches {
  bool enabled;         // set once at start-up, before a second thread exists
  bool memory_enabled;  // plain accesses may be points
  // What a point has to look after: 1 in controlled mode, and in free mode the number of signals
  // that wait for their threads to be where a handler may run.
  std::uint32_t attention;
};
extern Switches switches;
void point(PointKind kind, const volatile void* object, std::uint64_t value);
}  // namespace controlled_internal

// Whether the process runs under the scheduler.
inline bool controlled() { return controlled_internal::switches.enabled; }

// Whether plain accesses may be scheduling points (accesses.h).
inline bool points_at_memory() { return controlled_internal::switches.memory_enabled; }

// Whether a scheduling point does anything: to spare the work for its arguments.
inline bool points_wanted() {
  return __atomic_load_n(&controlled_internal::switches.attention, __ATOMIC_RELAXED) != 0;
}

// May give the token to another thread; call it *before* the operation. `value` of an atomic load
// is what was there when the thread arrived: repeated loads of an unchanged value are a spin loop,
// whose thread is then demoted.
inline void scheduling_point(PointKind kind, const volatile void* object, std::uint64_t value = 0) {
  if (__builtin_expect(
          __atomic_load_n(&controlled_internal::switches.attention, __ATOMIC_RELAXED) != 0, 0)) {
    controlled_internal::point(kind, object, value);
  }
}

// Controlled: waits for wake(object) or for virtual time `deadline_ns` (as virtual_now()).
// `operation` is a literal for reports. A signal or a cancellation ends an interruptible wait. In
// any other the signal's handler runs, and then the caller is woken to try again.
WaitResult block_on(const volatile void* object, std::uint64_t deadline_ns, const char* operation,
                    bool interruptible = false);

// Controlled: lets up to `count` waiters of the object go on; which ones is the strategy's choice.
// Returns how many.
std::uint32_t wake(const volatile void* object, std::uint32_t count);

// Controlled: a wake() that says something and is lost if no thread waits: the condition variable's
// and the futex's. Remembered, to tell lost wake-ups from deadlocks.
std::uint32_t notify(const volatile void* object, std::uint32_t count);

// Controlled: ends the task's wait with kInterrupted if it is interruptible; false if it is not.
bool interrupt(std::uint32_t task);
// The same for the longest waiting task that `may` accepts.
bool interrupt_one(bool (*may)(std::uint32_t task));

// In free mode: a signal waits for its thread to be at a point, or was handled there. Context:
// signal.
void signal_waits();
void signal_handled();

// A signal of another process is pending: the thread that idles looks after it. Context: signal.
void outside_signal_arrived();

// Nanoseconds of virtual time since the program's start (real ones in free mode or with time=real).
std::uint64_t virtual_now();

// The same for the program's own reading of a clock, which takes some virtual time: a loop over it
// would not end otherwise.
std::uint64_t read_virtual_clock();

// Controlled: timers apart from waits (timerfd, alarm, timer_create), named by 0..kTimersMax-1;
// kNever disarms. At the deadline ScheduleCallbacks::timer_fired is called in the thread that has
// the token.
void set_virtual_timer(std::uint32_t timer, std::uint64_t deadline_ns,
                       TimerKind kind = TimerKind::kOrdinary);

// Controlled: the seeded generator behind getrandom() and the like; apart from the strategy's.
std::uint64_t controlled_random();
void fill_with_random(void* bytes, std::size_t size);

// ---- life of the process and its threads

// What the schedule asks of signals, descriptors and timers, which stand above it and wait in it.
// Each is called with the token, but in free mode deliver_signals().
struct ScheduleCallbacks {
  bool (*signals_pending)();  // of the calling thread
  bool (*deliver_signals)();  // to the calling thread: runs their handlers
  // Of other processes: gives those that came to threads that may handle them.
  void (*take_in_outside_signals)();
  bool (*waits_for_outside_signal)();  // some thread does
  void (*task_created)(std::uint32_t task);
  void (*task_finished)(std::uint32_t task);
  void (*timer_fired)(std::uint32_t timer);
  const void* (*descriptors_object)();  // what waiters for descriptors wait for
  bool (*outside_may_write)();          // another process may make a descriptor ready
};

// In controlled mode the calling thread becomes task 0 and holds the token. Context: init, before
// threads_init().
void controlled_init(const ScheduleCallbacks& callbacks);

// Controlled, in the creating thread: a task that is runnable but has no thread yet; `thread` is
// its number in records. kNoTask when there are too many.
std::uint32_t controlled_task_created(std::uint32_t thread);
// The creation failed: forget it.
void controlled_task_abandoned(std::uint32_t task);
// In the new thread, first of all: waits for the token.
void controlled_task_started(std::uint32_t task);
// In the ending thread, last of all: gives the token away for good.
void controlled_task_finished();
// Task of the calling thread; kNoTask if it has none.
std::uint32_t controlled_task();
// Controlled: the kernel's number of the task's thread, and the task of such a number; kNoTask if
// it is none.
std::int32_t kernel_thread_of(std::uint32_t task);
std::uint32_t task_of_kernel_thread(std::int32_t kernel_id);
// Controlled: whether the kernel's thread is one of the tasks (which have not ended).
bool is_task_of(std::int32_t kernel_id);

// In the child of fork(): only the calling thread is left.
void controlled_after_fork();

// The calling thread may be cancelled at any place: then it does not keep the token for longer than
// a second without a point.
void controlled_cancellable_anywhere(bool anywhere);

// The program ends: no more switches; the calling thread keeps the token.
void controlled_stop();

// ---- scopes

// Keeps the token in this thread: around callbacks that libc makes while it holds a lock.
class NoPreemption {
 public:
  NoPreemption();
  ~NoPreemption();
  NoPreemption(const NoPreemption&) = delete;
  NoPreemption& operator=(const NoPreemption&) = delete;
};

// A call that may really block in the kernel, outside the scheduler's world: gives the token away
// and waits for it again at the end. Counted; the run is noted as not replayable.
class ExternalWait {
 public:
  explicit ExternalWait(const char* operation);
  ~ExternalWait();
  ExternalWait(const ExternalWait&) = delete;
  ExternalWait& operator=(const ExternalWait&) = delete;

 private:
  bool active_;
};

// The calling thread goes on where the runtime does not see it wait: it gives the token away, and
// waits for it again when it enters the runtime the next time.
void controlled_step_outside(const char* operation);

}  // namespace vigil::race
