// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/findings.h"

#include <algorithm>
#include <bit>

#include "vigil/race/rt/controlled.h"
#include "vigil/race/rt/heap.h"
#include "vigil/race/rt/memory.h"
#include "vigil/race/rt/options.h"
#include "vigil/race/rt/raw_memory.h"
#include "vigil/race/rt/raw_syscall.h"
#include "vigil/race/rt/records.h"
#include "vigil/report/report.h"

namespace vigil::race {
namespace {

using report::Kind;
using report::Operation;
using report::RecordKind;

constexpr std::size_t kPairs = 4096;  // of places that were told; further ones are not

struct Pair {
  Address first;
  Address second;
  Kind kind;
};

SpinLock lock;
Pair told[kPairs];
std::size_t told_count = 0;
std::uint32_t finding_count = 0;
bool summary_written = false;
// One finding at a time is put together; it is too large for a signal handler's stack.
Found draft;

bool is_news(Kind kind, StackId stack, StackId other) {
  Pair pair{stack_tree.pc(stack), stack_tree.pc(other), kind};
  if (pair.first > pair.second) std::swap(pair.first, pair.second);
  for (std::size_t index = 0; index < told_count; ++index) {
    const Pair& old = told[index];
    if (old.first == pair.first && old.second == pair.second && old.kind == kind) return false;
  }
  if (told_count == kPairs) return false;
  told[told_count++] = pair;
  return true;
}

// Ranges whose races the program called benign.
struct Range {
  Address begin;
  Address end;
};
constexpr std::size_t kBenignRanges = 4096;
Range benign[kBenignRanges];
std::size_t benign_count = 0;

bool is_benign(Address address) {
  for (std::size_t index = 0; index < benign_count; ++index) {
    if (address >= benign[index].begin && address < benign[index].end) return true;
  }
  return false;
}

Operation operation_of(Cell cell) {
  if (is_freed(cell)) return Operation::kFree;
  if (is_atomic(cell)) return is_read(cell) ? Operation::kAtomicRead : Operation::kAtomicWrite;
  return is_read(cell) ? Operation::kRead : Operation::kWrite;
}

void add_access(std::uint32_t thread, Cell cell, Address word, StackId stack) {
  report::AccessRecord& record = draft.accesses[draft.access_count++];
  const unsigned bytes = bytes_of(cell);
  record.thread = thread;
  record.address = word + static_cast<unsigned>(std::countr_zero(bytes));
  record.size = static_cast<std::uint32_t>(std::popcount(bytes));
  record.stack = stack;
  record.operation = static_cast<std::uint8_t>(operation_of(cell));
}

void locate(Address address, StackId freed_at) {
  using LocationKind = report::Location::Kind;
  draft.has_location = true;
  report::LocationRecord& location = draft.location;
  location.address = address;
  HeapBlock block{};
  if (heap_find(address, &block)) {
    location.kind = static_cast<std::uint8_t>(LocationKind::kHeap);
    location.address = block.begin;
    location.size = block.size;
    location.thread = block.thread;
    location.allocated_at = block.allocated_at;
    location.freed_at = freed_at;
  } else if (const Thread* const owner = thread_with_stack(address)) {
    location.kind = static_cast<std::uint8_t>(LocationKind::kStack);
    location.thread = owner->number;
  } else {
    location.kind = static_cast<std::uint8_t>(LocationKind::kGlobal);
  }
}

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
void record_references() {
  for (std::size_t index = 0; index < draft.access_count; ++index) {
    record_thread(draft.accesses[index].thread);
    record_stack(draft.accesses[index].stack);
  }
  if (draft.has_location) {
    record_thread(draft.location.thread);
    record_stack(draft.location.allocated_at);
    record_stack(draft.location.freed_at);
  }
  for (std::size_t index = 0; index < draft.waiter_count; ++index) {
    const report::WaiterRecord& waiter = draft.waiters[index];
    record_thread(waiter.thread);
    if (waiter.holder >= 0) record_thread(static_cast<std::uint32_t>(waiter.holder));
    record_stack(waiter.stack);
    record_stack(waiter.holder_stack);
  }
  if (draft.locks_of == nullptr) return;
  const std::uint32_t count = std::min(draft.locks_of->held_count, Thread::kHeldLocks);
  for (std::uint32_t index = 0; index < count; ++index) {
    record_stack(draft.locks_of->held[index].acquired_at);
  }
}

void record_draft() {
  record_references();
  report::FindingRecord finding{};
  finding.kind = draft.kind;
  finding.signal = draft.signal;
  finding.scheduling_point = scheduling_points();
  finding.virtual_ns = controlled() ? virtual_now() : 0;
  finding.address = draft.address;
  append_record(RecordKind::kFinding, &finding.header, sizeof(finding));
  for (std::size_t index = 0; index < draft.access_count; ++index) {
    report::AccessRecord& access = draft.accesses[index];
    append_record(RecordKind::kAccess, &access.header, sizeof(access));
  }
  if (draft.has_location) {
    append_record(RecordKind::kLocation, &draft.location.header, sizeof(draft.location));
  }
  for (std::size_t index = 0; index < draft.waiter_count; ++index) {
    report::WaiterRecord& waiter = draft.waiters[index];
    append_record(RecordKind::kWaiter, &waiter.header, sizeof(waiter));
  }
  if (draft.locks_of != nullptr) record_held_locks(*draft.locks_of);
  report::FindingEndRecord end{};
  append_record(RecordKind::kFindingEnd, &end.header, sizeof(end));
  flush_records();
}

void start_draft(Kind kind) {
  draft.kind = static_cast<std::uint8_t>(kind);
  draft.signal = 0;
  draft.address = 0;
  draft.access_count = 0;
  draft.has_location = false;
  draft.location = {};
  draft.waiter_count = 0;
  draft.locks_of = nullptr;
}

// REQUIRES: `lock`. Gives it back, because the program may end here.
void tell_draft() {
  ++finding_count;
  if (recording_to_file()) {
    record_draft();
  } else {
    print_finding(draft);
  }
  lock.unlock();
  if (!options().halt) return;
  raw_syscall(SYS_exit_group, finish_process(0));
}

}  // namespace

void report_memory_finding(const Thread& thread, const Access& current, Cell old, bool ordered) {
  const Kind kind = ordered ? Kind::kUseAfterFree : Kind::kRace;
  const unsigned both = bytes_of(current.cell) & bytes_of(old);
  const Address address = current.address + static_cast<unsigned>(std::countr_zero(both));
  lock.lock();
  if (is_benign(address) || !is_news(kind, current.stack, stack_of(old))) {
    lock.unlock();
    return;
  }
  start_draft(kind);
  draft.address = address;
  add_access(current.thread, current.cell, current.address, current.stack);
  add_access(thread_number_at(moment_of(old)), old, current.address, stack_of(old));
  locate(draft.address, is_freed(old) ? stack_of(old) : 0);
  draft.locks_of = &thread;
  tell_draft();
}

void report_bad_free(Address address, Address pc) {
  Thread* const thread = thread_self;
  if (thread == nullptr) return;
  const StackId stack = stack_at(*thread, pc);
  lock.lock();
  if (!is_news(Kind::kUseAfterFree, stack, stack)) {
    lock.unlock();
    return;
  }
  start_draft(Kind::kUseAfterFree);
  draft.address = address;
  add_access(thread->number, kFreedCell | cell_bytes(0, 1), address, stack);
  locate(address, 0);
  draft.locks_of = thread;
  tell_draft();
}

// ---- detector.h

void mark_benign(const volatile void* address, std::size_t size) {
  const SpinGuard guard(lock);
  if (benign_count == kBenignRanges) return;
  const auto begin = reinterpret_cast<Address>(address);
  benign[benign_count++] = {begin, begin + size};
}

void report_waiters(std::uint8_t kind, const Waiter* waiters, std::size_t count) {
  lock.lock();
  start_draft(static_cast<Kind>(kind));
  for (; draft.waiter_count < std::min(count, Found::kWaiters); ++draft.waiter_count) {
    const Waiter& waiter = waiters[draft.waiter_count];
    report::WaiterRecord& record = draft.waiters[draft.waiter_count];
    record.thread = waiter.thread;
    record.holder = waiter.holder;
    record.object = reinterpret_cast<Address>(waiter.object);
    record.stack = waiter.stack;
    record.holder_stack = waiter.holder_stack;
    raw_copy_text(record.operation, waiter.operation);
  }
  tell_draft();
}

void report_crash(int signal, Address fault_address, Address pc) {
  Thread* const thread = thread_self;
  lock.lock();
  start_draft(Kind::kCrash);
  draft.signal = signal;
  draft.address = fault_address;
  if (thread != nullptr) {
    report::AccessRecord& record = draft.accesses[draft.access_count++];
    record = {};
    record.thread = thread->number;
    record.address = fault_address;
    record.stack = stack_at(*thread, pc);
    draft.locks_of = thread;
  }
  tell_draft();
}

std::uint32_t findings() { return __atomic_load_n(&finding_count, __ATOMIC_RELAXED); }

int finish_process(int wanted) {
  lock.lock();
  if (!summary_written) {
    summary_written = true;
    const ControlledSummary schedule = controlled() ? controlled_summary() : ControlledSummary{};
    report::SummaryRecord summary{};
    summary.scheduling_points = schedule.points;
    summary.switches = schedule.switches;
    summary.preemptions = schedule.preemptions;
    summary.virtual_ns = schedule.virtual_ns;
    summary.schedule_hash = schedule.schedule_hash;
    summary.findings = finding_count;
    summary.threads = thread_count();
    summary.external_waits = schedule.external_waits;
    append_record(RecordKind::kSummary, &summary.header, sizeof(summary));
    flush_records();
  }
  lock.unlock();
  return finding_count != 0 ? static_cast<int>(options().exit_code) : wanted;
}

}  // namespace vigil::race
