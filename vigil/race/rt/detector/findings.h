// SPDX-License-Identifier: Apache-2.0
//
// What is found is reported here: once per pair of places, to the record file or, without one, as
// text to standard error. detector.h declares what others report.
//
// Thread safety: all functions. Context: interceptor.
#pragma once

#include <cstdint>

#include "vigil/race/rt/detector/finding.h"
#include "vigil/race/rt/detector/shadow.h"

namespace vigil::race {

// What the summary record says of the schedule.
struct ScheduleSummary {
  std::uint64_t points = 0;
  std::uint64_t switches = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t virtual_ns = 0;
  std::uint64_t schedule_hash = 0;
  std::uint32_t external_waits = 0;
};

// The schedule under which the process runs, as findings and the summary ask for it.
struct Schedule {
  SchedulePosition (*position)();
  ScheduleSummary (*summary)();
};

// Hands the schedule in; without one the process runs freely. Context: init.
void findings_under(const Schedule& schedule);

// `current` met `old`: a race, or (`ordered`) a use after free. A ReportConflict.
void report_memory_finding(const Thread& thread, const Access& current, Cell old, bool ordered);

// The thread misuses the lock at `stack`, as the number of a LockMisuse says; `other` (-1: nobody)
// did its part at `other_stack`.
void report_lock_finding(const Thread& thread, std::uint8_t misuse, Address lock, StackId stack,
                         std::int32_t other, StackId other_stack);

}  // namespace vigil::race
