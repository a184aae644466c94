// SPDX-License-Identifier: Apache-2.0
//
// Timers that act by themselves: timerfd, alarm, setitimer, timer_create. Controlled with virtual
// time, they are timers of the schedule; otherwise the kernel's.
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <ctime>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/descriptors.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/timers.h"
#include "vigil/race/rt/world/virtual_time.h"

namespace vigil::race {
namespace {

constinit Real<decltype(&::timerfd_create)> real_timerfd_create("timerfd_create");
constinit Real<decltype(&::timerfd_settime)> real_timerfd_settime("timerfd_settime");
constinit Real<decltype(&::timerfd_gettime)> real_timerfd_gettime("timerfd_gettime");
constinit Real<decltype(&::alarm)> real_alarm("alarm");
constinit Real<decltype(&::ualarm)> real_ualarm("ualarm");
constinit Real<int (*)(int, const itimerval*, itimerval*)> real_setitimer("setitimer");
constinit Real<int (*)(int, itimerval*)> real_getitimer("getitimer");
constinit Real<decltype(&::timer_create)> real_timer_create("timer_create");
constinit Real<decltype(&::timer_settime)> real_timer_settime("timer_settime");
constinit Real<decltype(&::timer_gettime)> real_timer_gettime("timer_gettime");
constinit Real<decltype(&::timer_getoverrun)> real_timer_getoverrun("timer_getoverrun");
constinit Real<decltype(&::timer_delete)> real_timer_delete("timer_delete");

struct State {
  Periodic* interval_timers[3];  // by ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF
};
constinit State state = {};

}  // namespace

// ---- timerfd

VIGIL_INTERCEPTOR int timerfd_create(clockid_t clock, int flags) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  int descriptor = -1;
  if (time_is_virtual()) {
    Periodic* periodic = take_periodic(add_expiration, clock);
    if (periodic == nullptr) {
      errno = EMFILE;
      return -1;
    }
    static_assert(int{TFD_NONBLOCK} == int{EFD_NONBLOCK} && int{TFD_CLOEXEC} == int{EFD_CLOEXEC});
    const long made = raw_syscall(SYS_eventfd2, 0, flags);
    if (made < 0) {
      give_back(*periodic);
      errno = static_cast<int>(-made);
      return -1;
    }
    descriptor = periodic->descriptor = static_cast<int>(made);
  } else {
    descriptor = real_timerfd_create(clock, flags);
  }
  if (descriptor >= 0) descriptor_opened(descriptor, DescriptorKind::kEvent, VIGIL_CALLER_PC);
  return descriptor;
}

VIGIL_INTERCEPTOR int timerfd_settime(int descriptor, int flags, const itimerspec* wanted,
                                      itimerspec* before) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  descriptor_writing(descriptor, VIGIL_CALLER_PC);
  Periodic* periodic = time_is_virtual() ? timer_of_descriptor(descriptor) : nullptr;
  if (periodic == nullptr) return real_timerfd_settime(descriptor, flags, wanted, before);
  scheduling_point(PointKind::kIo, descriptors_object());
  if (before != nullptr) *before = setting_of(*periodic);
  // Setting the timer forgets expirations that were not read.
  std::uint64_t unread = 0;
  pollfd readable = {descriptor, POLLIN, 0};
  if (raw_syscall(SYS_poll, &readable, 1, 0) > 0) {
    raw_syscall(SYS_read, descriptor, &unread, sizeof unread);
  }
  arm(*periodic, *wanted, (flags & TFD_TIMER_ABSTIME) != 0);
  return 0;
}

VIGIL_INTERCEPTOR int timerfd_gettime(int descriptor, itimerspec* setting) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  const Periodic* periodic = time_is_virtual() ? timer_of_descriptor(descriptor) : nullptr;
  if (periodic == nullptr) return real_timerfd_gettime(descriptor, setting);
  *setting = setting_of(*periodic);
  return 0;
}

// ---- alarm and setitimer

namespace {

constexpr int kIntervalSignals[] = {SIGALRM, SIGVTALRM, SIGPROF};

itimerspec set_interval_timer(int which, const itimerspec& setting) {
  Periodic*& periodic = state.interval_timers[which];
  if (periodic == nullptr) {
    periodic = take_periodic(send_signal, CLOCK_REALTIME);
    if (periodic == nullptr) return {};
    periodic->signal = kIntervalSignals[which];
    periodic->counts_running_time = which != ITIMER_REAL;
  }
  const itimerspec before = setting_of(*periodic);
  arm(*periodic, setting, false);
  return before;
}

}  // namespace

VIGIL_INTERCEPTOR unsigned alarm(unsigned seconds) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  if (!time_is_virtual()) return real_alarm(seconds);
  itimerspec setting = {};
  setting.it_value.tv_sec = seconds;
  const itimerspec before = set_interval_timer(ITIMER_REAL, setting);
  return static_cast<unsigned>(before.it_value.tv_sec + (before.it_value.tv_nsec != 0 ? 1 : 0));
}

VIGIL_INTERCEPTOR int setitimer(__itimer_which_t which, const itimerval* wanted,
                                itimerval* before) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  if (!time_is_virtual() || which > ITIMER_PROF || wanted == nullptr) {
    return real_setitimer(which, wanted, before);
  }
  itimerspec setting = {};
  TIMEVAL_TO_TIMESPEC(&wanted->it_interval, &setting.it_interval);
  TIMEVAL_TO_TIMESPEC(&wanted->it_value, &setting.it_value);
  const itimerspec old = set_interval_timer(which, setting);
  if (before != nullptr) {
    TIMESPEC_TO_TIMEVAL(&before->it_interval, &old.it_interval);
    TIMESPEC_TO_TIMEVAL(&before->it_value, &old.it_value);
  }
  return 0;
}

VIGIL_INTERCEPTOR useconds_t ualarm(useconds_t value, useconds_t interval) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  if (!time_is_virtual()) return real_ualarm(value, interval);
  constexpr useconds_t kSecond_us = 1'000'000;
  const auto duration = [](useconds_t microseconds) {
    return timespec{static_cast<time_t>(microseconds / kSecond_us),
                    static_cast<long>(microseconds % kSecond_us) * 1000};
  };
  const itimerspec before = set_interval_timer(
      ITIMER_REAL, {.it_interval = duration(interval), .it_value = duration(value)});
  return static_cast<useconds_t>(before.it_value.tv_sec) * kSecond_us +
         static_cast<useconds_t>(before.it_value.tv_nsec / 1000);
}

VIGIL_INTERCEPTOR int getitimer(__itimer_which_t which, itimerval* setting) noexcept {
  if (!time_is_virtual() || which > ITIMER_PROF) return real_getitimer(which, setting);
  const Periodic* periodic = state.interval_timers[which];
  const itimerspec now = periodic == nullptr ? itimerspec{} : setting_of(*periodic);
  TIMESPEC_TO_TIMEVAL(&setting->it_interval, &now.it_interval);
  TIMESPEC_TO_TIMEVAL(&setting->it_value, &now.it_value);
  return 0;
}

// ---- timer_create: the handle is the address of the Periodic

namespace {

void do_nothing(Periodic& /*periodic*/) {}

void wake_thread(Periodic& periodic) {
  ++periodic.expirations;
  wake(&periodic.expirations, kEveryone);
}

// SIGEV_THREAD: one thread per timer calls the function for each expiration.
void* call_function(void* argument) {
  auto& periodic = *static_cast<Periodic*>(argument);
  while (periodic.act == wake_thread) {
    if (periodic.expirations == 0) {
      block_on(&periodic.expirations, kNever, "timer thread");
      continue;
    }
    --periodic.expirations;
    periodic.function(periodic.value);
  }
  give_back(periodic);
  return nullptr;
}

int start_timer_thread(Periodic* periodic, const sigevent& event) {
  periodic->function = event.sigev_notify_function;
  periodic->value = event.sigev_value;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread = 0;
  const int error = pthread_create(&thread, &attributes, call_function, periodic);
  pthread_attr_destroy(&attributes);
  return error;
}

}  // namespace

VIGIL_INTERCEPTOR int timer_create(clockid_t clock, sigevent* event, timer_t* handle) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  if (!time_is_virtual()) return real_timer_create(clock, event, handle);
  const int notify = event == nullptr ? SIGEV_SIGNAL : event->sigev_notify;
  void (*act)(Periodic&) = send_signal;
  if (notify == SIGEV_NONE) act = do_nothing;
  if (notify == SIGEV_THREAD) act = wake_thread;
  Periodic* periodic = take_periodic(act, clock);
  if (periodic == nullptr) {
    errno = EAGAIN;
    return -1;
  }
  periodic->signal = event == nullptr ? SIGALRM : event->sigev_signo;
  if (event != nullptr) periodic->value = event->sigev_value;
  if (notify == SIGEV_THREAD_ID) periodic->kernel_thread = event->_sigev_un._tid;
  *handle = periodic;
  if (notify == SIGEV_THREAD) {
    if (const int error = start_timer_thread(periodic, *event); error != 0) {
      give_back(*periodic);
      errno = error;
      return -1;
    }
  }
  return 0;
}

VIGIL_INTERCEPTOR int timer_settime(timer_t handle, int flags, const itimerspec* wanted,
                                    itimerspec* before) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  Periodic* periodic = periodic_at(handle);
  if (periodic == nullptr) return real_timer_settime(handle, flags, wanted, before);
  scheduling_point(PointKind::kSync, periodic);
  if (before != nullptr) *before = setting_of(*periodic);
  arm(*periodic, *wanted, (flags & TIMER_ABSTIME) != 0);
  return 0;
}

VIGIL_INTERCEPTOR int timer_gettime(timer_t handle, itimerspec* setting) noexcept {
  const Periodic* periodic = periodic_at(handle);
  if (periodic == nullptr) return real_timer_gettime(handle, setting);
  *setting = setting_of(*periodic);
  return 0;
}

VIGIL_INTERCEPTOR int timer_getoverrun(timer_t handle) noexcept {
  return periodic_at(handle) == nullptr ? real_timer_getoverrun(handle) : 0;
}

VIGIL_INTERCEPTOR int timer_delete(timer_t handle) noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  Periodic* periodic = periodic_at(handle);
  if (periodic == nullptr) return real_timer_delete(handle);
  scheduling_point(PointKind::kSync, periodic);
  if (periodic->act == wake_thread) {
    periodic->act = do_nothing;  // its thread gives it back
    disarm(*periodic);
    wake(&periodic->expirations, kEveryone);
  } else {
    give_back(*periodic);
  }
  return 0;
}

}  // namespace vigil::race
