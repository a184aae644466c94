// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/finding_records.h"

#include <algorithm>

#include "vigil/race/rt/detector/records.h"
#include "vigil/race/rt/raw/copy.h"

namespace vigil::race {
namespace {

using report::RecordKind;

const char* name_of(LockKind kind) {
  switch (kind) {
    case LockKind::kMutex:
      return "mutex";
    case LockKind::kReadLock:
      return "shared mutex (read)";
    case LockKind::kWriteLock:
      return "shared mutex (write)";
    case LockKind::kSpinLock:
      return "spin lock";
  }
  return "lock";
}

void record_held_locks(const Thread& thread) {
  const std::uint32_t count = std::min(thread.held_count, Thread::kHeldLocks);
  for (std::uint32_t index = 0; index < count; ++index) {
    const HeldLock& held = thread.held[index];
    report::LockRecord record{};
    record.thread = thread.number;
    record.acquired_at = held.acquired_at;
    record.address = held.address;
    raw_copy_text(record.kind, name_of(held.kind));
    append_record(RecordKind::kLock, &record.header, sizeof(record));
  }
}

// Everything the finding's records refer to comes before them.
void record_references(const Finding& finding) {
  for (std::size_t index = 0; index < finding.access_count; ++index) {
    record_thread(finding.accesses[index].thread);
    record_stack(finding.accesses[index].stack);
  }
  if (finding.has_location) {
    record_thread(finding.location.thread);
    record_stack(finding.location.allocated_at);
    record_stack(finding.location.freed_at);
  }
  for (std::size_t index = 0; index < finding.waiter_count; ++index) {
    const report::WaiterRecord& waiter = finding.waiters[index];
    record_thread(waiter.thread);
    if (waiter.holder >= 0) record_thread(static_cast<std::uint32_t>(waiter.holder));
    record_stack(waiter.stack);
    record_stack(waiter.holder_stack);
  }
  if (finding.locks_of == nullptr) return;
  const std::uint32_t count = std::min(finding.locks_of->held_count, Thread::kHeldLocks);
  for (std::uint32_t index = 0; index < count; ++index) {
    record_stack(finding.locks_of->held[index].acquired_at);
  }
}

}  // namespace

void record_finding(Finding& finding) {
  record_references(finding);
  report::FindingRecord record{};
  record.kind = finding.kind;
  record.signal = finding.signal;
  record.misuse = finding.misuse;
  record.scheduling_point = finding.at.points;
  record.virtual_ns = finding.at.virtual_ns;
  record.address = finding.address;
  append_record(RecordKind::kFinding, &record.header, sizeof(record));
  for (std::size_t index = 0; index < finding.access_count; ++index) {
    report::AccessRecord& access = finding.accesses[index];
    append_record(RecordKind::kAccess, &access.header, sizeof(access));
  }
  if (finding.has_location) {
    append_record(RecordKind::kLocation, &finding.location.header, sizeof(finding.location));
  }
  for (std::size_t index = 0; index < finding.waiter_count; ++index) {
    report::WaiterRecord& waiter = finding.waiters[index];
    append_record(RecordKind::kWaiter, &waiter.header, sizeof(waiter));
  }
  if (finding.locks_of != nullptr) record_held_locks(*finding.locks_of);
  report::FindingEndRecord end{};
  append_record(RecordKind::kFindingEnd, &end.header, sizeof(end));
  flush_records();
}

}  // namespace vigil::race
