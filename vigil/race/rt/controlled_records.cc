// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/controlled_records.h"

#include "vigil/race/rt/options.h"
#include "vigil/race/rt/raw_memory.h"

namespace vigil::race {
namespace {

std::uint64_t hash = 0xcbf2'9ce4'8422'2325;
bool noted = false;

void add_to_hash(std::uint64_t value) { hash = (hash ^ value) * 0x0000'0100'0000'01b3; }

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
  add_to_hash(record.virtual_ns);
  add_to_hash(record.scheduling_point);
  add_to_hash(record.thread * 64 + static_cast<std::uint64_t>(kind));
  write_record(&record.header);
}

void write_decision(const Decision& decision, const Situation& situation, bool preemption,
                    StackId stack, std::uint64_t schedule_hash) {
  if (!options().events) return;
  report::DecisionRecord record = {};
  record.header = {sizeof record, report::RecordKind::kDecision, 0};
  record.scheduling_point = situation.point;
  record.hash = schedule_hash;
  record.thread = decision.to;
  record.runnable = situation.count;
  record.stack = stack;
  record.from = decision.from;
  record.step = decision.step;
  record.preemption = preemption ? 1 : 0;
  record.kind = static_cast<std::uint8_t>(decision.kind);
  write_record(&record.header);
}

void note_external_wait(const char* operation) {
  if (noted) return;
  noted = true;
  char text[160] = "not replayable: waited outside the schedule in ";
  const std::size_t length = raw_length(text);
  std::size_t i = 0;
  for (; operation[i] != '\0' && length + i + 1 < sizeof text; ++i) text[length + i] = operation[i];
  text[length + i] = '\0';
  report_note(text);
}

std::uint64_t event_hash() { return hash; }

}  // namespace vigil::race
