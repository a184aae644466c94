// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/virtual_time.h"

#include <pthread.h>

#include "vigil/race/rt/raw/options.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/cancellation.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/sched/timer_heap.h"

namespace vigil::race {
namespace {

constexpr std::uint64_t kRealTimeStart_s = 1'767'225'600;  // 2026-01-01 00:00:00 UTC
constexpr std::uint64_t kMonotonicStart_s = 1'000;

struct Timer {
  void (*fire)(std::uintptr_t);
  std::uintptr_t argument;
};

struct State {
  Timer timers[kTimersMax];
};
constinit State state = {};

std::uint64_t real_time_of(clockid_t clock) {
  timespec now = {};
  raw_syscall(SYS_clock_gettime, clock, &now);
  return nanoseconds_of(now);
}

// What the clock shows at virtual time 0.
std::uint64_t start_of(clockid_t clock) {
  if (options().time == TimeMode::kReal) return real_time_of(clock) - virtual_now();
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
      return kRealTimeStart_s * kSecond_ns;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
      return kMonotonicStart_s * kSecond_ns;
    default:
      return 0;  // the time that a process or thread used
  }
}

}  // namespace

bool time_is_virtual() {
  return controlled_task() != kNoTask && options().time == TimeMode::kVirtual;
}

bool is_valid_time(const timespec* time) {
  return time == nullptr ||
         (time->tv_nsec >= 0 && static_cast<std::uint64_t>(time->tv_nsec) < kSecond_ns);
}

std::uint64_t nanoseconds_of(const timespec& duration) {
  return static_cast<std::uint64_t>(duration.tv_sec) * kSecond_ns +
         static_cast<std::uint64_t>(duration.tv_nsec);
}

timespec timespec_of(std::uint64_t duration_ns) {
  return {static_cast<time_t>(duration_ns / kSecond_ns),
          static_cast<long>(duration_ns % kSecond_ns)};
}

std::uint64_t deadline_at(clockid_t clock, const timespec* time) {
  if (time == nullptr) return kNever;
  if (time->tv_sec < 0) return 0;
  constexpr auto kLatest_s = static_cast<time_t>(kNever / kSecond_ns / 4);
  if (time->tv_sec > kLatest_s) return kNever;
  const std::uint64_t start = start_of(clock);
  const std::uint64_t wanted = nanoseconds_of(*time);
  return wanted > start ? wanted - start : 0;
}

std::uint64_t deadline_after(std::uint64_t duration_ns) {
  const std::uint64_t now = virtual_now();
  return duration_ns < kNever - now ? now + duration_ns : kNever;
}

timespec shown_by(clockid_t clock, std::uint64_t time_ns) {
  return timespec_of(start_of(clock) + time_ns);
}

bool sleep_until(std::uint64_t deadline_ns, const char* operation) {
  test_cancellation();
  const WaitResult result = block_on(nullptr, deadline_ns, operation, true);
  if (result != WaitResult::kInterrupted) return true;
  test_cancellation();
  deliver_signals();
  return false;
}

// ---- timers of the schedule

std::uint32_t take_timer(void (*fire)(std::uintptr_t), std::uintptr_t argument) {
  for (std::uint32_t timer = 0; timer < kTimersMax; ++timer) {
    if (state.timers[timer].fire != nullptr) continue;
    state.timers[timer] = Timer{fire, argument};
    return timer;
  }
  return kNoTimer;
}

void give_back_timer(std::uint32_t timer) {
  set_virtual_timer(timer, kNever);
  state.timers[timer] = Timer{};
}

void virtual_timer_fired(std::uint32_t timer) {
  const Timer fired = state.timers[timer];
  if (fired.fire != nullptr) fired.fire(fired.argument);
}

}  // namespace vigil::race
