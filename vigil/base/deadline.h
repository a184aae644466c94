// SPDX-License-Identifier: Apache-2.0
//
// Deadline: the moment from which on an entry of a map counts as absent, or never. A type of its
// own, so that neither a duration ("60'000") nor a count of something else can be passed for one.
//
// Use when: an entry expires. Use instead: std::chrono where a moment is not a deadline.
//
// Resolution: milliseconds of Unix time, by the clock of vigil/base/clock.h.
// Thread safety: a plain value.
//
// Example:
//   using namespace std::chrono_literals;
//   const vigil::Deadline soon = vigil::Deadline::after(60s);
//   assert(!soon.is_never() && soon.unix_ms() > vigil::unix_ms());
//   assert(vigil::Deadline::never() == vigil::Deadline());
//   const vigil::Deadline moment = std::chrono::sys_seconds(1'700'000'000s);
//   assert(moment == vigil::Deadline::at_unix_ms(1'700'000'000'000));
//   const vigil::Deadline tomorrow = std::chrono::system_clock::now() + 24h;
//   assert(tomorrow.unix_ms() > soon.unix_ms());
#pragma once

#include <chrono>
#include <cstdint>

#include "vigil/base/clock.h"

namespace vigil {

class Deadline {
 public:
  // Never.
  constexpr Deadline() noexcept = default;
  // A moment between two milliseconds is rounded up: no entry expires too early.
  template <class Duration>
  // NOLINTNEXTLINE(google-explicit-constructor): a moment is a deadline
  constexpr Deadline(std::chrono::sys_time<Duration> moment)
      : Deadline(at_unix_ms(
            std::chrono::ceil<std::chrono::milliseconds>(moment).time_since_epoch().count())) {}

  [[nodiscard]] static constexpr Deadline never() noexcept { return {}; }
  // From now on, by vigil::unix_ms().
  [[nodiscard]] static Deadline after(std::chrono::milliseconds duration) noexcept {
    return at_unix_ms(vigil::unix_ms() + duration.count());
  }
  // The beginning of 1970 stands for "never" inside, so that moment is taken for the next.
  [[nodiscard]] static constexpr Deadline at_unix_ms(std::int64_t unix_ms) noexcept {
    Deadline deadline;
    deadline.unix_ms_ = unix_ms == kNever ? 1 : unix_ms;
    return deadline;
  }

  [[nodiscard]] constexpr bool is_never() const noexcept { return unix_ms_ == kNever; }
  // 0: never.
  [[nodiscard]] constexpr std::int64_t unix_ms() const noexcept { return unix_ms_; }

  friend constexpr bool operator==(Deadline, Deadline) noexcept = default;

 private:
  static constexpr std::int64_t kNever = 0;

  std::int64_t unix_ms_ = kNever;
};

}  // namespace vigil
