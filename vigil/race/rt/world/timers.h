// SPDX-License-Identifier: Apache-2.0
//
// The program's own timers (timerfd, alarm, setitimer, timer_create) in virtual time: timers of the
// schedule that may repeat.
//
// A timer descriptor is an event descriptor in disguise: reading gives the number of expirations
// and starts again from zero, which is what an eventfd does with what is added to it.
//
// Thread safety: the caller holds the token. Context: interceptor.
#pragma once

#include <csignal>
#include <cstdint>
#include <ctime>

namespace vigil::race {

// One timer of the program. The same for all kinds; `act` says what its expiration means.
struct Periodic {
  void (*act)(Periodic& timer);  // null: unused
  std::uint32_t timer;           // of the schedule
  clockid_t clock;
  std::uint64_t next_ns;  // kNever: not armed
  std::uint64_t interval_ns;
  int descriptor;             // timerfd
  int signal;                 // alarm, setitimer, timer_create
  int kernel_thread;          // SIGEV_THREAD_ID; 0: the process
  bool counts_running_time;   // ITIMER_VIRTUAL and ITIMER_PROF
  std::uint32_t expirations;  // SIGEV_THREAD: not yet handled
  void (*function)(sigval);
  sigval value;
};

// Null when all are in use.
Periodic* take_periodic(void (*act)(Periodic&), clockid_t clock);
void give_back(Periodic& periodic);
// The timer at the address (timer_create's handles are addresses); null if there is none.
Periodic* periodic_at(void* address);

itimerspec setting_of(const Periodic& periodic);
void arm(Periodic& periodic, const itimerspec& setting, bool absolute);
void disarm(Periodic& periodic);

// ---- what expirations mean

void send_signal(Periodic& periodic);
void add_expiration(Periodic& periodic);  // to a timer descriptor

// ---- timer descriptors

// Null if the descriptor is none.
Periodic* timer_of_descriptor(int descriptor);
void timerfd_closing(int descriptor);

}  // namespace vigil::race
