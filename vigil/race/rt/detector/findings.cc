// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/findings.h"

#include <algorithm>
#include <bit>

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/detector/finding_records.h"
#include "vigil/race/rt/detector/heap.h"
#include "vigil/race/rt/detector/named_report.h"
#include "vigil/race/rt/detector/plain_report.h"
#include "vigil/race/rt/detector/records.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/options.h"
#include "vigil/race/rt/raw/syscall.h"
#include "vigil/report/report.h"

namespace vigil::race {
namespace {

using report::Kind;
using report::Operation;
using report::RecordKind;

constexpr std::size_t kPairs = 4096;  // of places that were reported; further ones are not
constexpr std::size_t kBenignRanges = 4096;

struct Pair {
  Address first;
  Address second;
  Kind kind;
};

struct Range {
  Address begin;
  Address end;
};

struct State {
  SpinLock lock;
  Schedule schedule;
  Pair reported_pairs[kPairs];
  std::size_t reported_count;
  Range benign[kBenignRanges];  // whose races the program called benign
  std::size_t benign_count;
  std::uint32_t finding_count;
  bool summary_written;
  // One finding at a time is put together; it is too large for a signal handler's stack.
  Finding finding;
};
constinit State state = {};

bool is_first_report(Kind kind, StackId stack, StackId other) {
  Pair pair{stack_tree.pc(stack), stack_tree.pc(other), kind};
  if (pair.first > pair.second) std::swap(pair.first, pair.second);
  for (std::size_t index = 0; index < state.reported_count; ++index) {
    const Pair& old = state.reported_pairs[index];
    if (old.first == pair.first && old.second == pair.second && old.kind == kind) return false;
  }
  if (state.reported_count == kPairs) return false;
  state.reported_pairs[state.reported_count++] = pair;
  return true;
}

bool is_benign(Address address) {
  for (std::size_t index = 0; index < state.benign_count; ++index) {
    if (address >= state.benign[index].begin && address < state.benign[index].end) return true;
  }
  return false;
}

Operation operation_of(Cell cell) {
  if (is_freed(cell)) return Operation::kFree;
  if (is_atomic(cell)) return is_read(cell) ? Operation::kAtomicRead : Operation::kAtomicWrite;
  return is_read(cell) ? Operation::kRead : Operation::kWrite;
}

void add_access(std::uint32_t thread, Cell cell, Address word, StackId stack) {
  report::AccessRecord& record = state.finding.accesses[state.finding.access_count++];
  const unsigned bytes = bytes_of(cell);
  record.thread = thread;
  record.address = word + static_cast<unsigned>(std::countr_zero(bytes));
  record.size = static_cast<std::uint32_t>(std::popcount(bytes));
  record.stack = stack;
  record.operation = static_cast<std::uint8_t>(operation_of(cell));
}

// Where a thread is, rather than what it reads or writes there.
void add_place(std::uint32_t thread, Address address, StackId stack) {
  report::AccessRecord& record = state.finding.accesses[state.finding.access_count++];
  record = {};
  record.thread = thread;
  record.address = address;
  record.stack = stack;
  record.operation = static_cast<std::uint8_t>(Operation::kUnknown);
}

void locate(Address address, StackId freed_at) {
  using LocationKind = report::Location::Kind;
  state.finding.has_location = true;
  report::LocationRecord& location = state.finding.location;
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

void start_finding(Kind kind) {
  state.finding.kind = static_cast<std::uint8_t>(kind);
  state.finding.signal = 0;
  state.finding.misuse = 0;
  state.finding.address = 0;
  state.finding.at =
      state.schedule.position != nullptr ? state.schedule.position() : SchedulePosition{};
  state.finding.access_count = 0;
  state.finding.has_location = false;
  state.finding.location = {};
  state.finding.waiter_count = 0;
  state.finding.locks_of = nullptr;
}

// False if the program's own suppressions name the finding.
bool write_finding() {
  if (!recording_to_file()) {
    print_finding(state.finding);
    return true;
  }
  record_finding(state.finding);
  if (options().out[0] != 0) return true;
  const NamedReport report = print_named(record_file());
  if (report == NamedReport::kFailed) print_finding(state.finding);
  return report != NamedReport::kSuppressed;
}

// REQUIRES: the lock. Gives it back, because the program may end here.
void emit() {
  const bool counts = write_finding();
  state.finding_count += counts ? 1 : 0;
  state.lock.unlock();
  if (!counts || !options().halt) return;
  raw_syscall(SYS_exit_group, finish_process(0));
}

}  // namespace

void findings_under(const Schedule& schedule) { state.schedule = schedule; }

void report_memory_finding(const Thread& thread, const Access& current, Cell old, bool ordered) {
  const Kind kind = ordered ? Kind::kUseAfterFree : Kind::kRace;
  const unsigned both = bytes_of(current.cell) & bytes_of(old);
  const Address address = current.address + static_cast<unsigned>(std::countr_zero(both));
  state.lock.lock();
  if (is_benign(address) || !is_first_report(kind, current.stack, stack_of(old))) {
    state.lock.unlock();
    return;
  }
  start_finding(kind);
  state.finding.address = address;
  add_access(current.thread, current.cell, current.address, current.stack);
  add_access(thread_number_at(moment_of(old)), old, current.address, stack_of(old));
  locate(state.finding.address, is_freed(old) ? stack_of(old) : 0);
  state.finding.locks_of = &thread;
  emit();
}

void report_lock_finding(const Thread& thread, std::uint8_t misuse, Address lock, StackId stack,
                         std::int32_t other, StackId other_stack) {
  state.lock.lock();
  if (!is_first_report(Kind::kLockMisuse, stack, other_stack)) {
    state.lock.unlock();
    return;
  }
  start_finding(Kind::kLockMisuse);
  state.finding.misuse = misuse;
  state.finding.address = lock;
  add_place(thread.number, lock, stack);
  if (other >= 0 && other_stack != 0) {
    add_place(static_cast<std::uint32_t>(other), lock, other_stack);
  }
  locate(lock, 0);
  state.finding.locks_of = &thread;
  emit();
}

// ---- detector.h

void mark_benign(const volatile void* address, std::size_t size) {
  const SpinGuard guard(state.lock);
  if (state.benign_count == kBenignRanges) return;
  const auto begin = reinterpret_cast<Address>(address);
  state.benign[state.benign_count++] = {begin, begin + size};
}

void report_bad_free(const void* block, Address pc) {
  Thread* const thread = thread_self;
  if (thread == nullptr) return;
  const auto address = reinterpret_cast<Address>(block);
  const StackId stack = stack_at(*thread, pc);
  state.lock.lock();
  if (!is_first_report(Kind::kUseAfterFree, stack, stack)) {
    state.lock.unlock();
    return;
  }
  start_finding(Kind::kUseAfterFree);
  state.finding.address = address;
  add_access(thread->number, kFreedCell | cell_bytes(0, 1), address, stack);
  locate(address, 0);
  state.finding.locks_of = thread;
  emit();
}

void report_waiters(std::uint8_t kind, const Waiter* waiters, std::size_t count) {
  state.lock.lock();
  start_finding(static_cast<Kind>(kind));
  for (; state.finding.waiter_count < std::min(count, Finding::kWaiters);
       ++state.finding.waiter_count) {
    const Waiter& waiter = waiters[state.finding.waiter_count];
    report::WaiterRecord& record = state.finding.waiters[state.finding.waiter_count];
    record.thread = waiter.thread;
    record.holder = waiter.holder;
    record.object = reinterpret_cast<Address>(waiter.object);
    record.stack = waiter.stack;
    record.holder_stack = waiter.holder_stack;
    raw_copy_text(record.operation, waiter.operation);
  }
  emit();
}

void report_crash(int signal, Address fault_address, Address pc) {
  Thread* const thread = thread_self;
  state.lock.lock();
  start_finding(Kind::kCrash);
  state.finding.signal = signal;
  state.finding.address = fault_address;
  if (thread != nullptr) {
    report::AccessRecord& record = state.finding.accesses[state.finding.access_count++];
    record = {};
    record.thread = thread->number;
    record.address = fault_address;
    record.stack = stack_at(*thread, pc);
    state.finding.locks_of = thread;
  }
  emit();
}

std::uint32_t findings() { return __atomic_load_n(&state.finding_count, __ATOMIC_RELAXED); }

int finish_process(int wanted) {
  state.lock.lock();
  if (!state.summary_written) {
    state.summary_written = true;
    const ScheduleSummary schedule =
        state.schedule.summary != nullptr ? state.schedule.summary() : ScheduleSummary{};
    report::SummaryRecord summary{};
    summary.scheduling_points = schedule.points;
    summary.switches = schedule.switches;
    summary.preemptions = schedule.preemptions;
    summary.virtual_ns = schedule.virtual_ns;
    summary.schedule_hash = schedule.schedule_hash;
    summary.findings = state.finding_count;
    summary.threads = thread_count();
    summary.external_waits = schedule.external_waits;
    append_record(RecordKind::kSummary, &summary.header, sizeof(summary));
    flush_records();
  }
  state.lock.unlock();
  return state.finding_count != 0 ? static_cast<int>(options().exit_code) : wanted;
}

}  // namespace vigil::race
