// SPDX-License-Identifier: Apache-2.0
//
// Preemption: while one exists, a timer interrupts the threads that allow it every 50 microseconds
// of their running, wherever they are, and they yield the processor.
//
// Use when: a test wants operations of several threads to overlap. Operations last less than a
// microsecond: on a busy machine, or with one processor, threads run one after the other for
// milliseconds, and hardly any two operations meet.
//
//   Preemption preemption;                            // before the threads
//   std::thread([] { Preemption::allow_here(); ... })
//
// Thread safety: one object at a time in the process; allow_here() on any thread. SIGALRM is used
// up, system calls are restarted.
#pragma once

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

#include <cerrno>

namespace vigil::testing {

class Preemption {
 public:
  // Blocks the signal on this thread and those it starts, so that only those get it that ask.
  Preemption() {
    change_mask(SIG_BLOCK);
    struct sigaction action = {};
    action.sa_handler = [](int) {
      const int saved_errno = errno;
      sched_yield();
      errno = saved_errno;
    };
    action.sa_flags = SA_RESTART;
    sigaction(SIGALRM, &action, &previous_);
    const itimerval interval = {{0, kInterval_us}, {0, kInterval_us}};
    setitimer(ITIMER_REAL, &interval, nullptr);
  }
  ~Preemption() {
    const itimerval never = {};
    setitimer(ITIMER_REAL, &never, nullptr);
    // Drops a signal that is still pending.
    signal(SIGALRM, SIG_IGN);
    sigaction(SIGALRM, &previous_, nullptr);
    change_mask(SIG_UNBLOCK);
  }
  Preemption(const Preemption&) = delete;
  Preemption& operator=(const Preemption&) = delete;

  static void allow_here() { change_mask(SIG_UNBLOCK); }

 private:
  static constexpr suseconds_t kInterval_us = 50;

  static void change_mask(int how) {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGALRM);
    pthread_sigmask(how, &signals, nullptr);
  }

  struct sigaction previous_ = {};
};

}  // namespace vigil::testing
