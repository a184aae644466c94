// SPDX-License-Identifier: Apache-2.0
//
// Signals. A handler of the program never runs inside the runtime: the runtime's own handler marks
// an asynchronous signal as pending, and the thread runs the program's handler at the next point
// where it holds nothing (deliver_signals), or at once while it blocks in the kernel
// (SignalsAtOnce).
//
// Controlled: what the program sends to itself (raise, kill, pthread_kill, timers) does not go
// through the kernel, so that it arrives at the same point in every run. Signals of other processes
// arrive at the next point, and make the run not replayable.
//
// Context: interceptor, unless a function says otherwise.
#pragma once

#include <cstdint>

namespace vigil::race {

// Runs the handlers of the calling thread's pending signals. Cheap when there are none. True if one
// of them wants the system call that it interrupted to end (it was set without SA_RESTART).
bool deliver_signals();

// Whether the calling thread has a signal that deliver_signals() would handle.
bool signals_pending();

// Controlled: whether some thread waits for a signal that may come from another process.
bool waits_for_outside_signal();

// Controlled: gives the signals of other processes to whoever may handle them.
void take_in_outside_signals();

// Controlled: a signal for the process, as kill() by itself: by a timer, at its deadline.
void post_process_signal(int signal);

// The thread is in a call that a signal should end (it blocks in the kernel): handlers run at once.
class SignalsAtOnce {
 public:
  SignalsAtOnce();
  ~SignalsAtOnce();
  SignalsAtOnce(const SignalsAtOnce&) = delete;
  SignalsAtOnce& operator=(const SignalsAtOnce&) = delete;
};

// Reports crashes. Context: init.
void signals_init();

// A new task starts with its creator's mask and nothing pending. Context: the creating thread.
void signals_task_created(std::uint32_t task);
// An ended task takes no more signals.
void signals_task_finished(std::uint32_t task);

}  // namespace vigil::race
