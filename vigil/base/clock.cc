// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/clock.h"

#include <ctime>

namespace vigil {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kNanosPerMilli = 1'000'000;

std::int64_t read_ns(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * kNanosPerSecond + now.tv_nsec;
}

}  // namespace

std::int64_t monotonic_ns() noexcept { return read_ns(CLOCK_MONOTONIC); }

std::int64_t unix_ms() noexcept { return unix_ms_at(monotonic_ns()); }

std::int64_t unix_ms_at(std::int64_t monotonic_ns) noexcept {
  static const std::int64_t offset_ns = read_ns(CLOCK_REALTIME) - read_ns(CLOCK_MONOTONIC);
  return (monotonic_ns + offset_ns) / kNanosPerMilli;
}

}  // namespace vigil
