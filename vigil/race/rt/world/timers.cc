// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/timers.h"

#include <unistd.h>

#include "vigil/race/rt/raw/syscall.h"
#include "vigil/race/rt/world/controlled.h"
#include "vigil/race/rt/world/descriptors.h"
#include "vigil/race/rt/world/signals.h"
#include "vigil/race/rt/world/virtual_time.h"

namespace vigil::race {
namespace {

constexpr std::uint32_t kPeriodics = 256;

struct State {
  Periodic periodics[kPeriodics];
};
constinit State state = {};

// Signals come in time: many programs set an alarm to be ended by when they hang.
void set_deadline(const Periodic& periodic) {
  TimerKind kind = periodic.act == send_signal ? TimerKind::kPunctual : TimerKind::kOrdinary;
  if (periodic.counts_running_time) kind = TimerKind::kRunning;
  set_virtual_timer(periodic.timer, periodic.next_ns, kind);
}

void expired(std::uintptr_t argument) {
  auto& periodic = *reinterpret_cast<Periodic*>(argument);
  periodic.next_ns = periodic.interval_ns == 0 ? kNever : periodic.next_ns + periodic.interval_ns;
  set_deadline(periodic);
  periodic.act(periodic);
}

}  // namespace

Periodic* take_periodic(void (*act)(Periodic&), clockid_t clock) {
  for (Periodic& periodic : state.periodics) {
    if (periodic.act != nullptr) continue;
    const std::uint32_t timer = take_timer(expired, reinterpret_cast<std::uintptr_t>(&periodic));
    if (timer == kNoTimer) return nullptr;
    periodic = Periodic{};
    periodic.act = act;
    periodic.timer = timer;
    periodic.clock = clock;
    periodic.next_ns = kNever;
    return &periodic;
  }
  return nullptr;
}

void give_back(Periodic& periodic) {
  give_back_timer(periodic.timer);
  periodic.act = nullptr;
}

Periodic* periodic_at(void* address) {
  auto* periodic = static_cast<Periodic*>(address);
  const bool ours = periodic >= state.periodics && periodic < state.periodics + kPeriodics;
  return ours ? periodic : nullptr;
}

itimerspec setting_of(const Periodic& periodic) {
  itimerspec setting = {};
  setting.it_interval = timespec_of(periodic.interval_ns);
  if (periodic.next_ns != kNever) {
    const std::uint64_t now = virtual_now();
    setting.it_value = timespec_of(periodic.next_ns > now ? periodic.next_ns - now : 1);
  }
  return setting;
}

void arm(Periodic& periodic, const itimerspec& setting, bool absolute) {
  periodic.interval_ns = nanoseconds_of(setting.it_interval);
  const std::uint64_t value = nanoseconds_of(setting.it_value);
  if (value == 0) {
    periodic.next_ns = kNever;
  } else {
    periodic.next_ns =
        absolute ? deadline_at(periodic.clock, &setting.it_value) : deadline_after(value);
  }
  set_deadline(periodic);
}

void disarm(Periodic& periodic) { set_virtual_timer(periodic.timer, kNever); }

void send_signal(Periodic& periodic) {
  set_signal_value(periodic.signal, periodic.value);
  if (periodic.kernel_thread != 0) {
    kill_kernel_thread(static_cast<int>(raw_syscall(SYS_getpid)), periodic.kernel_thread,
                       periodic.signal);
  } else {
    post_process_signal(periodic.signal);
  }
}

void add_expiration(Periodic& periodic) {
  const std::uint64_t one = 1;
  raw_syscall(SYS_write, periodic.descriptor, &one, sizeof one);
  descriptors_changed();
}

Periodic* timer_of_descriptor(int descriptor) {
  for (Periodic& periodic : state.periodics) {
    if (periodic.act == add_expiration && periodic.descriptor == descriptor) return &periodic;
  }
  return nullptr;
}

void timerfd_closing(int descriptor) {
  if (kind_of_descriptor(descriptor) != DescriptorKind::kEvent) return;
  if (Periodic* periodic = timer_of_descriptor(descriptor)) give_back(*periodic);
}

}  // namespace vigil::race
