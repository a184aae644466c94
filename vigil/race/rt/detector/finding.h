// SPDX-License-Identifier: Apache-2.0
//
// What is known of one finding, for both ways of reporting it: finding_records.h and
// plain_report.h.
//
// Context: plain data of the thread that reports.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/threads.h"

namespace vigil::race {

// Where the schedule stands; all zero in free mode.
struct SchedulePosition {
  std::uint64_t points = 0;  // scheduling points so far
  std::uint64_t virtual_ns = 0;
};

struct Finding {
  static constexpr std::size_t kAccesses = 2;
  static constexpr std::size_t kWaiters = 64;

  std::uint8_t kind = 0;  // report::Kind
  int signal = 0;
  std::uint8_t misuse = 0;  // LockMisuse
  Address address = 0;
  SchedulePosition at;
  std::size_t access_count = 0;
  report::AccessRecord accesses[kAccesses] = {};
  bool has_location = false;
  report::LocationRecord location = {};
  std::size_t waiter_count = 0;
  report::WaiterRecord waiters[kWaiters] = {};
  const Thread* locks_of = nullptr;  // whose held locks are reported
};

}  // namespace vigil::race
