// SPDX-License-Identifier: Apache-2.0
//
// What controlled mode writes to the record file besides findings: decisions and events (option
// `events`), and the note that a run waited outside.
//
// Thread safety: the caller holds the token. Context: interceptor.
#pragma once

#include <cstdint>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/sched/scheduler.h"

namespace vigil::race {

void write_event(report::EventKind kind, std::uint32_t thread, std::uintptr_t object,
                 const Scheduler& scheduler);

void write_decision(const Decision& decision, const SchedulePoint& point, bool preemption,
                    StackId stack, std::uint64_t hash);

// Once for each process, for the first such wait.
void note_external_wait(const char* operation);

}  // namespace vigil::race
