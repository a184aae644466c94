// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/shadow.h"

#include <algorithm>

#include "vigil/race/detect/evicted_cells.h"
#include "vigil/race/rt/conflict_places.h"
#include "vigil/race/rt/controlled.h"
#include "vigil/race/rt/findings.h"
#include "vigil/race/rt/memory.h"
#include "vigil/race/rt/sync.h"

namespace vigil::race {
namespace {

// Of an allocation only so much is marked as written, of a freed block as freed: marking touches
// four times as much memory.
constexpr std::size_t kImitatedMax = 16 << 10;
constexpr std::size_t kFreedMax = 1024;
constexpr std::uint32_t kEvictedMax = 1 << 22;

EvictedCells evicted;

Address word_begin(Address address) { return address & ~Address{7}; }

// What a finding needs to know of the access that meets an old one.
Access current_access(const Thread& thread, Cell cell, Address address) {
  return {.thread = thread.number,
          .cell = cell,
          .address = word_begin(address),
          .stack = stack_of(cell)};
}

void found(Thread& thread, Cell old, Cell access, Address address) {
  if (is_freed(old)) {
    const bool ordered = is_ordered(old, access, thread.clock);
    report_memory_finding(thread, current_access(thread, access, address), old, ordered);
  } else {
    report_memory_finding(thread, current_access(thread, access, address), old, false);
  }
}

template <class Stack>
[[gnu::always_inline]] inline void record_inside(Thread& thread, ShadowWord& word, Cell access,
                                                 Address address, Stack&& stack) {
  const auto on_found = [&](Cell old) { found(thread, old, access | stack(), address); };
  if (__builtin_expect(!thread.has_slot, 0)) {
    check_only(word, access, thread.clock, on_found);
    return;
  }
  record(word, access, thread.clock, thread.lane++, stack, on_found, [&](Cell old) {
    if (controlled()) evicted.add(word_begin(address), old);
  });
  if (__builtin_expect(!evicted.empty(), 0)) {
    evicted.check(word_begin(address), access, thread.clock, on_found);
  }
}

Cell base_of(const Thread& thread) {
  return thread.has_slot ? cell_base(thread.slot, thread.clock.epoch(thread.slot)) : 0;
}

}  // namespace

void shadow_init() {
  map_reserved(kSyncShadowSize, kSyncShadow);
  map_reserved(kWordShadowSize, kWordShadow);
  evicted.init(map_array<EvictedCells::Entry>(kEvictedMax), kEvictedMax);
}

[[gnu::noinline]] void record_access(ShadowWord* word, Cell access, Address address, Address pc) {
  Thread* const thread = thread_self;
  if (!is_recording(thread)) return;
  if (__builtin_expect(points_at_memory(), 0) && is_memory_point(pc)) {
    const IgnoreScope ignore;
    scheduling_point(is_read(access) ? PointKind::kMemoryRead : PointKind::kMemoryWrite,
                     reinterpret_cast<void*>(address));
  }
  const InsideScope inside(*thread);
  record_inside(*thread, *word, access | base_of(*thread), address,
                [&] { return Cell{stack_at(*thread, pc)}; });
}

namespace {

template <Cell kFlags>
void record_words(Thread& thread, Address address, Address end, StackId stack) {
  const Cell base = base_of(thread) | kFlags;
  while (address < end) {
    const Address next = std::min(word_begin(address) + 8, end);
    const Cell access = base | cell_bytes(address & 7, static_cast<unsigned>(next - address));
    ShadowWord& word = *shadow_word(address);
    if (!is_recorded<kFlags>(word, access)) {
      record_inside(thread, word, access, address, [&] { return Cell{stack}; });
    }
    address = next;
  }
}

}  // namespace

void record_range(Address address, std::size_t size, Cell flags, Address pc) {
  Thread* const thread = thread_self;
  if (size == 0 || !is_recording(thread)) return;
  if (__builtin_expect(points_at_memory(), 0) && is_memory_point(pc)) {
    const IgnoreScope ignore;
    scheduling_point((flags & kReadCell) != 0 ? PointKind::kMemoryRead : PointKind::kMemoryWrite,
                     reinterpret_cast<void*>(address));
  }
  const InsideScope inside(*thread);
  const StackId stack = stack_at(*thread, pc);
  const Address end = address + size;
  switch (flags) {
    case 0:
      return record_words<0>(*thread, address, end, stack);
    case kReadCell:
      return record_words<kReadCell>(*thread, address, end, stack);
    case kAtomicCell:
      return record_words<kAtomicCell>(*thread, address, end, stack);
    default:
      return record_words<kAtomicCell | kReadCell>(*thread, address, end, stack);
  }
}

void forget_accesses(Address address, std::size_t size) {
  if (size == 0) return;
  const Address begin = word_begin(address);
  const Address end = word_begin(address + size + 7);
  clear_memory(reinterpret_cast<Address>(shadow_word(begin)), (end - begin) * 4);
  if (controlled()) evicted.reset(begin, end);
}

void imitate_write(Thread& thread, Address address, std::size_t size, StackId stack) {
  if (size > kImitatedMax || !thread.has_slot) return forget_accesses(address, size);
  const InsideScope inside(thread);
  const Cell cell = base_of(thread) | kAllBytes | stack;
  ShadowWord* word = shadow_word(address);
  for (ShadowWord* const end = shadow_word(address + size + 7); word != end; ++word) {
    word->reset(cell);
  }
  if (controlled()) evicted.reset(word_begin(address), address + size);
}

void record_free(Thread& thread, Address address, std::size_t size, Address pc) {
  size = std::min(size, kFreedMax);
  const InsideScope inside(thread);
  const Cell base = base_of(thread) | kAllBytes;
  const StackId stack = stack_at(thread, pc);
  const Cell freed = thread.has_slot ? base | kFreedCell | stack : 0;
  Address at = word_begin(address);
  for (ShadowWord* word = shadow_word(address); at < address + size; at += 8, ++word) {
    // Mostly nobody but this thread ever touched it.
    const Cell first = word->load(0);
    if (__builtin_expect(word->has_one_at_most() && !is_freed(first) &&
                             (first == 0 || slot_of(first) == thread.slot) && evicted.empty(),
                         1)) {
      word->store(0, freed);
      continue;
    }
    const auto on_found = [&](Cell old) { found(thread, old, base | kFreedCell | stack, at); };
    check_only(*word, base, thread.clock, on_found);
    if (__builtin_expect(!evicted.empty(), 0)) evicted.check(at, base, thread.clock, on_found);
    word->reset(freed);
  }
  if (controlled()) evicted.reset(word_begin(address), address + size);
}

void forget_all_accesses() { drop_pages(kWordShadow, kWordShadowSize); }

// ---- detector.h

void read_range(const volatile void* address, std::size_t size, Address pc) {
  record_range(reinterpret_cast<Address>(address), size, kReadCell, pc);
}
void write_range(const volatile void* address, std::size_t size, Address pc) {
  record_range(reinterpret_cast<Address>(address), size, 0, pc);
}
void atomic_read(const volatile void* address, std::size_t size, Address pc) {
  record_range(reinterpret_cast<Address>(address), size, kReadCell | kAtomicCell, pc);
}
void atomic_write(const volatile void* address, std::size_t size, Address pc) {
  record_range(reinterpret_cast<Address>(address), size, kAtomicCell, pc);
}

void memory_reset(const volatile void* address, std::size_t size) {
  forget_accesses(reinterpret_cast<Address>(address), size);
  sync_destroyed(address, size);
}

}  // namespace vigil::race
