// SPDX-License-Identifier: Apache-2.0
//
// Clocks and sleeping.
#include <pthread.h>
#include <sched.h>
#include <sys/time.h>
#include <sys/times.h>
#include <threads.h>
#include <unistd.h>

#include <cerrno>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/world/accesses.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/real_function.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/virtual_time.h"

namespace vigil::race {
namespace {

constinit Real<decltype(&::clock_gettime)> real_clock_gettime("clock_gettime");
constinit Real<int (*)(timeval*, void*)> real_gettimeofday("gettimeofday");
constinit Real<decltype(&::time)> real_time("time");
constinit Real<decltype(&::clock)> real_clock("clock");
constinit Real<decltype(&::times)> real_times("times");
constinit Real<decltype(&::timespec_get)> real_timespec_get("timespec_get");
constinit Real<decltype(&::nanosleep)> real_nanosleep("nanosleep");
constinit Real<decltype(&::clock_nanosleep)> real_clock_nanosleep("clock_nanosleep", "GLIBC_2.17");
constinit Real<decltype(&::sleep)> real_sleep("sleep");
constinit Real<decltype(&::usleep)> real_usleep("usleep");
constinit Real<decltype(&::sched_yield)> real_sched_yield("sched_yield");

// Sleeps; what is left when a signal ended it.
std::uint64_t sleep_for(std::uint64_t duration_ns, const char* operation) {
  const std::uint64_t deadline = deadline_after(duration_ns);
  if (sleep_until(deadline, operation)) return 0;
  const std::uint64_t now = virtual_now();
  return now < deadline ? deadline - now : 0;
}

bool is_valid(const timespec* time) {
  return time->tv_sec >= 0 && time->tv_nsec >= 0 && time->tv_nsec < static_cast<long>(kSecond_ns);
}

int clock_sleep(clockid_t clock, int flags, const timespec* time, timespec* left) {
  if (!is_valid(time)) return EINVAL;
  if ((flags & TIMER_ABSTIME) != 0) {
    return sleep_until(deadline_at(clock, time), "clock_nanosleep") ? 0 : EINTR;
  }
  const std::uint64_t rest = sleep_for(nanoseconds_of(*time), "nanosleep");
  if (rest == 0) return 0;
  if (left != nullptr) *left = timespec_of(rest);
  return EINTR;
}

}  // namespace

// ---- sleeping

VIGIL_INTERCEPTOR int nanosleep(const timespec* time, timespec* left) {
  const FrameScope frame(VIGIL_CALLER_PC);
  if (controlled_task() == kNoTask) {
    const SignalsAtOnce signals;
    return real_nanosleep(time, left);
  }
  const int error = clock_sleep(CLOCK_MONOTONIC, 0, time, left);
  if (error == 0) return 0;
  errno = error;
  return -1;
}

VIGIL_INTERCEPTOR int clock_nanosleep(clockid_t clock, int flags, const timespec* time,
                                      timespec* left) {
  const FrameScope frame(VIGIL_CALLER_PC);
  if (controlled_task() != kNoTask) return clock_sleep(clock, flags, time, left);
  const SignalsAtOnce signals;
  return real_clock_nanosleep(clock, flags, time, left);
}

VIGIL_INTERCEPTOR unsigned sleep(unsigned seconds) {
  const FrameScope frame(VIGIL_CALLER_PC);
  if (controlled_task() == kNoTask) {
    const SignalsAtOnce signals;
    return real_sleep(seconds);
  }
  return static_cast<unsigned>((sleep_for(seconds * kSecond_ns, "sleep") + kSecond_ns - 1) /
                               kSecond_ns);
}

VIGIL_INTERCEPTOR int usleep(useconds_t microseconds) {
  const FrameScope frame(VIGIL_CALLER_PC);
  if (controlled_task() == kNoTask) {
    const SignalsAtOnce signals;
    return real_usleep(microseconds);
  }
  if (sleep_for(std::uint64_t{microseconds} * 1000, "usleep") == 0) return 0;
  errno = EINTR;
  return -1;
}

VIGIL_INTERCEPTOR int thrd_sleep(const timespec* time, timespec* left) {
  const FrameScope frame(VIGIL_CALLER_PC);
  int error = 0;
  if (controlled_task() == kNoTask) {
    const SignalsAtOnce signals;
    error = real_clock_nanosleep(CLOCK_MONOTONIC, 0, time, left);
  } else {
    error = clock_sleep(CLOCK_MONOTONIC, 0, time, left);
  }
  if (error == 0) return 0;
  return error == EINTR ? -1 : -2;
}

VIGIL_INTERCEPTOR int sched_yield() noexcept {
  const FrameScope frame(VIGIL_CALLER_PC);
  if (controlled_task() == kNoTask) return real_sched_yield();
  scheduling_point(PointKind::kYield, nullptr);
  return 0;
}

VIGIL_INTERCEPTOR void thrd_yield() { sched_yield(); }

// ---- clocks

VIGIL_INTERCEPTOR int clock_gettime(clockid_t clock, timespec* time) noexcept {
  if (!time_is_virtual()) return real_clock_gettime(clock, time);
  *time = shown_by(clock, read_virtual_clock());
  write_range(time, sizeof *time, VIGIL_CALLER_PC);
  return 0;
}

VIGIL_INTERCEPTOR int gettimeofday(timeval* time, void* zone) noexcept {
  if (!time_is_virtual()) return real_gettimeofday(time, zone);
  const timespec now = shown_by(CLOCK_REALTIME, read_virtual_clock());
  *time = {now.tv_sec, now.tv_nsec / 1000};
  return 0;
}

VIGIL_INTERCEPTOR time_t time(time_t* result) noexcept {
  if (!time_is_virtual()) return real_time(result);
  const time_t now = shown_by(CLOCK_REALTIME, read_virtual_clock()).tv_sec;
  if (result != nullptr) *result = now;
  return now;
}

VIGIL_INTERCEPTOR int timespec_get(timespec* time, int base) noexcept {
  if (!time_is_virtual() || base != TIME_UTC) return real_timespec_get(time, base);
  *time = shown_by(CLOCK_REALTIME, read_virtual_clock());
  return base;
}

VIGIL_INTERCEPTOR clock_t clock() noexcept {
  if (!time_is_virtual()) return real_clock();
  return static_cast<clock_t>(read_virtual_clock() / (kSecond_ns / CLOCKS_PER_SEC));
}

VIGIL_INTERCEPTOR clock_t times(tms* used) noexcept {
  if (!time_is_virtual()) return real_times(used);
  const auto ticks = static_cast<clock_t>(read_virtual_clock() / (kSecond_ns / 100));
  if (used != nullptr) *used = {ticks, 0, 0, 0};
  return ticks;
}

}  // namespace vigil::race
