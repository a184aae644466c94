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

#include <csignal>
#include <cstdint>

#include "vigil/race/rt/world/controlled.h"

namespace vigil::race {

using SignalSet = std::uint64_t;  // bit n-1: signal n
constexpr SignalSet bit_of(int signal) { return SignalSet{1} << (signal - 1); }
inline SignalSet set_of(const sigset_t* set) { return *reinterpret_cast<const SignalSet*>(set); }
bool is_signal(int number);

// ---- delivery

// Runs the handlers of the calling thread's pending signals. Cheap when there are none. True if one
// of them wants the system call that it interrupted to end (it was set without SA_RESTART).
bool deliver_signals();

// Whether the calling thread has a signal that deliver_signals() would handle.
bool signals_pending();

// The thread is in a call that a signal should end (it blocks in the kernel): handlers run at once.
class SignalsAtOnce {
 public:
  SignalsAtOnce();
  ~SignalsAtOnce();
  SignalsAtOnce(const SignalsAtOnce&) = delete;
  SignalsAtOnce& operator=(const SignalsAtOnce&) = delete;
};

// ---- actions

// What sigaction() does. REQUIRES: is_signal(signal).
int set_action(int signal, const struct sigaction* wanted, struct sigaction* before);
bool has_handler(int signal);

// The address of the happens-before from setting an action, and from sending, to the handler.
// REQUIRES: is_signal(signal).
const char* signal_edge(int signal);

// ---- sending within the process, controlled

// True if the signal is dealt with; false if the kernel has to (its default ends the process).
bool send_to_task(std::uint32_t task, int signal);
// What sigqueue() gives with the signal.
void set_signal_value(int signal, sigval value);
// As kill() and tgkill() with the calling process's number: the system call's result.
long kill_process(pid_t process, int signal);
long kill_kernel_thread(pid_t process, std::int32_t kernel_thread, int signal);
// To a thread that does not block it: the calling one, or one whose wait it can end, or the next
// that comes to a point.
bool send_to_process(int signal);
// As kill() by the process itself: by a timer, at its deadline.
void post_process_signal(int signal);
// The process is about to end by this signal of the kernel's: writes what is to be written.
void finish_before_death(int signal);

// ---- masks and waiting, controlled, of the calling task

SignalSet signal_mask();
void set_signal_mask(SignalSet mask);
// Sent to the task or the process, but blocked.
SignalSet blocked_signals();
// The lowest signal that was sent and that `wanted` contains; taken. 0: none.
int take_sent_signal(SignalSet wanted);
// What its handler or its waiter is told of it.
siginfo_t info_of_sent(int signal);
// A signal descriptor shows these: while they are blocked, the kernel gets them, too.
void signals_shown_by_descriptor(SignalSet set);

// Another mask for the time of a wait (pselect, sigsuspend): those that it lets in are handled
// before the old one is back.
class WaitMask {
 public:
  explicit WaitMask(const sigset_t* set);  // null: as it is
  ~WaitMask();
  WaitMask(const WaitMask&) = delete;
  WaitMask& operator=(const WaitMask&) = delete;

  // A signal that it let in ended the wait before it began.
  bool interrupted() const { return interrupted_; }

 private:
  bool active_;
  bool interrupted_ = false;
  SignalSet before_ = 0;
};

// The calling thread waits for a signal: block_on(awaited_signal()).
class SignalWait {
 public:
  SignalWait();
  ~SignalWait();
  SignalWait(const SignalWait&) = delete;
  SignalWait& operator=(const SignalWait&) = delete;
};
const void* awaited_signal();

// ---- the program's own end

// Reports the crash and ends the process by the signal.
void end_by_crash(int signal, siginfo_t* info, void* context);

// ---- for the schedule (ScheduleCallbacks)

void take_in_outside_signals();
bool waits_for_outside_signal();
// A new task starts with its creator's mask and nothing pending.
void signals_task_created(std::uint32_t task);
// An ended task takes no more signals.
void signals_task_finished(std::uint32_t task);

// Reports crashes. `shown_by_descriptor` is called when a signal was sent that a signal descriptor
// may show. Context: init.
void signals_init(void (*shown_by_descriptor)());

}  // namespace vigil::race
