// SPDX-License-Identifier: Apache-2.0
//
// The program's clocks as times of the schedule, for every interceptor that takes a deadline.
//
// In controlled mode with virtual time the real-time clock starts on 2026-01-01 00:00:00 UTC, the
// monotonic clocks at 1,000 s, and all run with virtual time.
//
// Thread safety: pure but for the time itself. Context: interceptor.
#pragma once

#include <cstdint>
#include <ctime>

namespace vigil::race {

inline constexpr std::uint64_t kSecond_ns = 1'000'000'000;

// Whether the calling thread lives in virtual time: if not, its clocks and timers are the kernel's.
bool time_is_virtual();

// Virtual time (as virtual_now()) at which `clock` shows `time`; kNever for a null pointer. What
// lies in the past is 0.
std::uint64_t deadline_at(clockid_t clock, const timespec* time);

// The same for a duration from now.
std::uint64_t deadline_after(std::uint64_t duration_ns);

// Whether waits accept it; a null pointer means no deadline.
bool is_valid_time(const timespec* time);

std::uint64_t nanoseconds_of(const timespec& duration);
timespec timespec_of(std::uint64_t duration_ns);

// What `clock` shows at virtual time `time_ns`.
timespec shown_by(clockid_t clock, std::uint64_t time_ns);

// Controlled: waits until the deadline. False if a signal ended it early.
bool sleep_until(std::uint64_t deadline_ns, const char* operation);

// A timer of the schedule that does `fire(argument)` at its deadline, in the thread that holds the
// token. kNoTimer when all are in use.
inline constexpr std::uint32_t kNoTimer = ~std::uint32_t{0};
std::uint32_t take_timer(void (*fire)(std::uintptr_t), std::uintptr_t argument);
void give_back_timer(std::uint32_t timer);

// For the schedule (ScheduleCallbacks).
void virtual_timer_fired(std::uint32_t timer);

}  // namespace vigil::race
