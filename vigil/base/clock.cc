// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/clock.h"

#include <atomic>
#include <ctime>

#include "vigil/base/check.h"

namespace vigil {
namespace {

constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::int64_t kNanosPerMilli = 1'000'000;

std::int64_t read_ns(clockid_t clock) noexcept {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::int64_t>(now.tv_sec) * kNanosPerSecond + now.tv_nsec;
}

std::atomic<std::int64_t> first_behind_ms{0};
std::atomic<bool> was_read{false};

std::int64_t read_behind_ms() noexcept {
  was_read.store(true);
  return first_behind_ms.load();
}

}  // namespace

std::int64_t monotonic_ns() noexcept { return read_ns(CLOCK_MONOTONIC); }

std::int64_t unix_ms() noexcept { return unix_ms_at(monotonic_ns()); }

std::int64_t unix_ms_at(std::int64_t monotonic_ns) noexcept {
  static const std::int64_t offset_ns =
      read_ns(CLOCK_REALTIME) - read_ns(CLOCK_MONOTONIC) - read_behind_ms() * kNanosPerMilli;
  return (monotonic_ns + offset_ns) / kNanosPerMilli;
}

void begin_unix_ms_behind_wall_clock(std::int64_t behind_ms) {
  VIGIL_CHECK(!was_read.load(), "unix_ms() was read before its beginning was set");
  first_behind_ms.store(behind_ms);
}

}  // namespace vigil
