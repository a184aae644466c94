// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/world/controlled_records.h"

#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/options.h"

namespace vigil::race {
namespace {

struct State {
  bool noted_external_wait;
};
constinit State state = {};

}  // namespace

void write_event(report::EventKind kind, std::uint32_t thread, std::uintptr_t object,
                 const Scheduler& scheduler) {
  if (!options().events) return;
  report::EventRecord record = {};
  record.header = {sizeof record, report::RecordKind::kEvent, 0};
  record.virtual_ns = scheduler.now_ns();
  record.scheduling_point = scheduler.stats().points;
  record.object = object;
  record.thread = thread;
  record.event = kind;
  write_record(&record.header);
}

void write_decision(const Decision& decision, const SchedulePoint& point, bool preemption,
                    StackId stack, std::uint64_t schedule_hash) {
  if (!options().events) return;
  report::DecisionRecord record = {};
  record.header = {sizeof record, report::RecordKind::kDecision, 0};
  record.scheduling_point = point.index;
  record.hash = schedule_hash;
  record.thread = decision.to;
  record.runnable = point.count;
  record.stack = stack;
  record.from = decision.from;
  record.step = decision.step;
  record.preemption = preemption ? 1 : 0;
  record.kind = static_cast<std::uint8_t>(decision.kind);
  write_record(&record.header);
}

void note_external_wait(const char* operation) {
  if (state.noted_external_wait) return;
  state.noted_external_wait = true;
  char text[160] = "not replayable: waited outside the schedule in ";
  const std::size_t length = raw_length(text);
  std::size_t i = 0;
  for (; operation[i] != '\0' && length + i + 1 < sizeof text; ++i) text[length + i] = operation[i];
  text[length + i] = '\0';
  report_note(text);
}

}  // namespace vigil::race
