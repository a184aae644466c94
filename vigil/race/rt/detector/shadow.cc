// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/shadow.h"

#include <algorithm>

#include "vigil/race/detect/evicted_cells.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/raw/options.h"

namespace vigil::race {
namespace {

// Of an allocation only so much is marked as written, of a freed block as freed: marking touches
// four times as much memory.
constexpr std::size_t kMarkedMax = 64 << 10;
constexpr std::size_t kFreedMax = 1024;
constexpr std::uint32_t kEvictedMax = 1 << 22;
constexpr unsigned kEvictedHeadsLog2 = 20;

struct State {
  // Controlled mode forgets nothing: what is pushed out of a shadow word is kept here.
  EvictedCells evicted;
  bool keeps_evicted = false;
  ReportConflict* report = nullptr;
};
constinit State state;

Address word_begin(Address address) { return address & ~Address{7}; }

// What a finding needs to know of the access that meets an old one.
Access current_access(const Thread& thread, Cell cell, Address address) {
  return {.thread = thread.number,
          .cell = cell,
          .address = word_begin(address),
          .stack = stack_of(cell)};
}

void found(const Thread& thread, Cell old, Cell access, Address address) {
  const bool ordered = is_freed(old) && is_ordered(old, access, thread.clock);
  state.report(thread, current_access(thread, access, address), old, ordered);
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
    if (state.keeps_evicted) state.evicted.add(word_begin(address), old);
  });
  if (__builtin_expect(!state.evicted.empty(), 0)) {
    state.evicted.check(word_begin(address), access, thread.clock, on_found);
  }
}

Cell base_of(const Thread& thread) {
  return thread.has_slot ? cell_base(thread.slot, thread.clock.epoch(thread.slot)) : 0;
}

}  // namespace

void shadow_init(ReportConflict* report) {
  map_shadow_memory();
  state.report = report;
  state.keeps_evicted = options().mode == Mode::kControlled;
  state.evicted.init(map_array<EvictedCells::Entry>(kEvictedMax), kEvictedMax,
                     map_array<std::uint32_t>(std::size_t{1} << kEvictedHeadsLog2),
                     kEvictedHeadsLog2);
}

[[gnu::noinline]] void record_access(ShadowWord* word, Cell access, Address address, Address pc) {
  Thread* const thread = thread_self;
  if (!is_recording(thread)) return;
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
  if (state.keeps_evicted) state.evicted.reset(begin, end);
}

void mark_written(Thread& thread, Address address, std::size_t size, StackId stack) {
  if (size > kMarkedMax || !thread.has_slot) return forget_accesses(address, size);
  const InsideScope inside(thread);
  const Cell cell = base_of(thread) | kAllBytes | stack;
  ShadowWord* word = shadow_word(address);
  for (ShadowWord* const end = shadow_word(address + size + 7); word != end; ++word) {
    word->reset(cell);
  }
  if (state.keeps_evicted) state.evicted.reset(word_begin(address), address + size);
}

void record_free(Thread& thread, Address address, std::size_t size, Address pc) {
  size = std::min(size, kFreedMax);
  const InsideScope inside(thread);
  const Cell base = base_of(thread) | kAllBytes;
  const StackId stack = stack_at(thread, pc);
  const Cell freed = thread.has_slot ? base | kFreedCell | stack : 0;
  Address at = word_begin(address);
  for (ShadowWord* word = shadow_word(address); at < address + size; at += 8, ++word) {
    // Mostly no other thread ever touched it.
    const Cell first = word->load(0);
    if (__builtin_expect(word->has_one_at_most() && !is_freed(first) &&
                             (first == 0 || slot_of(first) == thread.slot) && state.evicted.empty(),
                         1)) {
      word->store(0, freed);
      continue;
    }
    const auto on_found = [&](Cell old) { found(thread, old, base | kFreedCell | stack, at); };
    check_only(*word, base, thread.clock, on_found);
    if (__builtin_expect(!state.evicted.empty(), 0))
      state.evicted.check(at, base, thread.clock, on_found);
    word->reset(freed);
  }
  if (state.keeps_evicted) state.evicted.reset(word_begin(address), address + size);
}

// ---- detector.h

void memory_reset(const volatile void* address, std::size_t size) {
  forget_accesses(reinterpret_cast<Address>(address), size);
  sync_destroyed(address, size);
}

}  // namespace vigil::race
