// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/heap.h"

#include <algorithm>
#include <bit>

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/detector/c_library.h"
#include "vigil/race/rt/detector/heap_large.h"
#include "vigil/race/rt/detector/shadow.h"
#include "vigil/race/rt/detector/threads.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/memory.h"
#include "vigil/race/rt/raw/started.h"

namespace vigil::race {
namespace {

constexpr Address kClassBytes = Address{1} << 34;
constexpr std::size_t kSmallStep = 16;
constexpr std::size_t kSmallMax = 128;                        // one class per step up to here
constexpr std::size_t kClassSizeMax = std::size_t{64} << 10;  // then four per doubling
constexpr std::uint32_t kRefillMax = 32;
constexpr std::size_t kRefillBytes = 8 << 10;

enum class BlockState : std::uint8_t { kNever, kLive, kFreed, kFree };

struct Block {
  StackId allocated_at : kStackBits;
  std::uint32_t state : 8;
  std::uint32_t thread;
  std::uint32_t size;
  std::uint32_t link;  // next free block + 1
};
static_assert(sizeof(Block) == 16);

struct alignas(64) SizeClass {
  SpinLock lock;
  std::uint32_t size;
  std::uint64_t reciprocal;  // of size, times 2^64, rounded up
  Address begin;
  Block* blocks;
  std::uint32_t used;  // blocks ever handed out
  std::uint32_t free;  // first free block + 1
};

struct State {
  SizeClass classes[kHeapClasses];
  std::uint8_t class_of_steps[kClassSizeMax / kSmallStep + 1];
  bool ready;
};
constinit State state = {};

std::size_t class_size(unsigned index) {
  if (index < kSmallMax / kSmallStep) return (index + 1) * kSmallStep;
  const auto above = static_cast<unsigned>(index - kSmallMax / kSmallStep);
  const std::size_t base = kSmallMax << (above / 4);
  return base + base / 4 * (above % 4 + 1);
}

void init_heap() {
  if (state.ready) return;
  map_reserved(kHeapSize, kHeapBegin);
  unsigned next = 0;
  for (unsigned index = 0; index < kHeapClasses; ++index) {
    SizeClass& size_class = state.classes[index];
    const std::size_t size = class_size(index);
    size_class.size = static_cast<std::uint32_t>(size);
    size_class.reciprocal = ~std::uint64_t{0} / size + 1;
    size_class.begin = kHeapBegin + index * kClassBytes;
    size_class.blocks = map_array<Block>(kClassBytes / size);
    for (; next <= size / kSmallStep; ++next)
      state.class_of_steps[next] = static_cast<std::uint8_t>(index);
  }
  large_init();
  state.ready = true;
}

SizeClass& class_for(std::size_t size) {
  return state.classes[state.class_of_steps[(size + kSmallStep - 1) / kSmallStep]];
}

unsigned index_of(const SizeClass& size_class) {
  return static_cast<unsigned>(&size_class - state.classes);
}

std::uint32_t block_number(const SizeClass& size_class, Address address) {
  using Wide = unsigned __int128;
  return static_cast<std::uint32_t>(Wide{address - size_class.begin} * size_class.reciprocal >> 64);
}

Address block_begin(const SizeClass& size_class, std::uint32_t number) {
  return size_class.begin + Address{number} * size_class.size;
}

bool in_classes(Address address) { return address - kHeapBegin < kHeapClasses * kClassBytes; }

// ---- lists

// REQUIRES: the class's lock. Returns number + 1, or 0 if the class is full.
std::uint32_t take_shared(SizeClass& size_class) {
  if (const std::uint32_t first = size_class.free; first != 0) {
    size_class.free = size_class.blocks[first - 1].link;
    return first;
  }
  if (size_class.used >= kClassBytes / size_class.size) return 0;
  return ++size_class.used;
}

std::uint32_t refill_count(const SizeClass& size_class) {
  const auto fitting = static_cast<std::uint32_t>(kRefillBytes / size_class.size);
  return std::clamp<std::uint32_t>(fitting, 1, kRefillMax);
}

std::uint32_t take_block(HeapCache* cache, SizeClass& size_class) {
  if (cache == nullptr) {
    const SpinGuard guard(size_class.lock);
    return take_shared(size_class);
  }
  HeapCache::List& list = cache->free[index_of(size_class)];
  if (__builtin_expect(list.first == 0, 0)) {
    const SpinGuard guard(size_class.lock);
    for (std::uint32_t left = refill_count(size_class); left > 0; --left) {
      const std::uint32_t taken = take_shared(size_class);
      if (taken == 0) break;
      size_class.blocks[taken - 1].link = list.first;
      list.first = taken;
      ++list.count;
    }
    if (list.first == 0) return 0;
  }
  const std::uint32_t taken = list.first;
  list.first = size_class.blocks[taken - 1].link;
  --list.count;
  return taken;
}

void give_shared(SizeClass& size_class, HeapCache::List& list, std::uint32_t count) {
  const SpinGuard guard(size_class.lock);
  for (; count > 0; --count) {
    const std::uint32_t first = list.first;
    list.first = size_class.blocks[first - 1].link;
    size_class.blocks[first - 1].link = size_class.free;
    size_class.free = first;
    --list.count;
  }
}

void make_free(HeapCache& cache, BlockName name) {
  SizeClass& size_class = state.classes[name.size_class];
  Block& block = size_class.blocks[name.block];
  HeapCache::List& list = cache.free[name.size_class];
  block.state = static_cast<std::uint8_t>(BlockState::kFree);
  block.link = list.first;
  list.first = name.block + 1;
  const std::uint32_t batch = refill_count(size_class);
  if (++list.count > 4 * batch) give_shared(size_class, list, 2 * batch);
}

void leave_queue(HeapCache& cache) {
  const BlockName name = cache.freed[cache.freed_begin++ % HeapCache::kFreedBlocks];
  cache.freed_bytes -= state.classes[name.size_class].size;
  make_free(cache, name);
}

void enter_queue(HeapCache& cache, BlockName name) {
  if (cache.freed_end - cache.freed_begin == HeapCache::kFreedBlocks) leave_queue(cache);
  cache.freed[cache.freed_end++ % HeapCache::kFreedBlocks] = name;
  cache.freed_bytes += state.classes[name.size_class].size;
  while (cache.freed_bytes > HeapCache::kFreedBytes) leave_queue(cache);
}

void give_without_thread(BlockName name) {
  SizeClass& size_class = state.classes[name.size_class];
  const SpinGuard guard(size_class.lock);
  Block& block = size_class.blocks[name.block];
  block.state = static_cast<std::uint8_t>(BlockState::kFree);
  block.link = size_class.free;
  size_class.free = name.block + 1;
}

// ---- one block

// The part of a block that has a history: of an empty one the first byte, which tells its frees.
std::size_t recorded_size(std::size_t size) { return size != 0 ? size : 1; }

// The new block's history: the allocation wrote it, or nobody did.
void* begin_life(Thread* thread, Address begin, std::size_t size, StackId stack, Address pc) {
  if (thread == nullptr || !detection_on) return reinterpret_cast<void*>(begin);
  if (__builtin_expect(called_by_c_library(pc), 0)) {
    forget_accesses(begin, recorded_size(size));
  } else {
    mark_written(*thread, begin, recorded_size(size), stack);
  }
  return reinterpret_cast<void*>(begin);
}

StackId place_of_call(Thread* thread, Address pc) {
  return thread != nullptr ? stack_at(*thread, pc) : 0;
}

void* allocate_small(SizeClass& size_class, std::size_t size, Address pc, bool zero) {
  Thread* const thread = thread_self;
  const std::uint32_t taken = take_block(thread != nullptr ? &thread->heap : nullptr, size_class);
  if (taken == 0) return nullptr;
  Block& block = size_class.blocks[taken - 1];
  const bool fresh = block.state == static_cast<std::uint8_t>(BlockState::kNever);
  const StackId stack = place_of_call(thread, pc);
  block.allocated_at = stack & kStackMask;
  block.state = static_cast<std::uint8_t>(BlockState::kLive);
  block.thread = thread != nullptr ? thread->number : 0;
  block.size = static_cast<std::uint32_t>(size);
  const Address begin = block_begin(size_class, taken - 1);
  if (zero && !fresh) raw_fill(reinterpret_cast<void*>(begin), 0, size);
  return begin_life(thread, begin, size, stack, pc);
}

void* allocate_large(std::size_t size, std::size_t alignment, Address pc) {
  Thread* const thread = thread_self;
  const StackId stack = place_of_call(thread, pc);
  const Address begin =
      large_allocate(size, alignment, stack, thread != nullptr ? thread->number : 0);
  if (begin == 0) return nullptr;
  return begin_life(thread, begin, size, stack, pc);
}

void* allocate(std::size_t size, std::size_t alignment, Address pc, bool zero) {
  if (__builtin_expect(!state.ready, 0)) init_heap();
  ensure_started();
  if (__builtin_expect(size <= kClassSizeMax && alignment <= kSmallStep, 1)) {
    return allocate_small(class_for(size), size, pc, zero);
  }
  if (size <= kClassSizeMax && alignment <= kPage) {
    // Blocks of a class begin at multiples of its size: a power of two is as aligned as it is
    // large.
    const std::size_t rounded = std::bit_ceil(std::max(size, alignment));
    return allocate_small(class_for(rounded), size, pc, zero);
  }
  return allocate_large(size, alignment, pc);
}

// The freed memory's history: the free wrote it, and nothing may touch it any more.
void end_life(Thread* thread, Address begin, std::size_t size, Address pc) {
  sync_destroyed(reinterpret_cast<void*>(begin), size);
  if (is_recording(thread) && !called_by_c_library(pc))
    record_free(*thread, begin, recorded_size(size), pc);
}

bool free_small(Address address, Address pc) {
  SizeClass& size_class = state.classes[(address - kHeapBegin) / kClassBytes];
  const std::uint32_t number = block_number(size_class, address);
  Block& block = size_class.blocks[number];
  Thread* const thread = thread_self;
  if (address != block_begin(size_class, number) ||
      block.state != static_cast<std::uint8_t>(BlockState::kLive)) {
    return false;
  }
  end_life(thread, address, block.size, pc);
  block.state = static_cast<std::uint8_t>(BlockState::kFreed);
  const BlockName name{number, index_of(size_class)};
  if (thread != nullptr) {
    enter_queue(thread->heap, name);
  } else {
    give_without_thread(name);
  }
  return true;
}

bool free_large(Address address, Address pc) {
  HeapBlock block{};
  if (!large_find(address, &block) || block.begin != address || block.freed) return false;
  end_life(thread_self, address, block.size, pc);
  large_free(address);
  return true;
}

}  // namespace

void* heap_allocate(std::size_t size, std::size_t alignment, Address pc) {
  return allocate(size, alignment, pc, false);
}

void* heap_allocate_zeroed(std::size_t size, Address pc) { return allocate(size, 1, pc, true); }

bool heap_free(void* block, Address pc) {
  const auto address = reinterpret_cast<Address>(block);
  if (in_classes(address)) return free_small(address, pc);
  return !is_large(address) || free_large(address, pc);
}

std::size_t heap_usable_size(const void* block) {
  HeapBlock found{};
  return heap_find(reinterpret_cast<Address>(block), &found) ? found.size : 0;
}

bool heap_find(Address address, HeapBlock* found) {
  if (!in_classes(address)) return is_large(address) && large_find(address, found);
  const SizeClass& size_class = state.classes[(address - kHeapBegin) / kClassBytes];
  const std::uint32_t number = block_number(size_class, address);
  const Block& block = size_class.blocks[number];
  if (block.state == static_cast<std::uint8_t>(BlockState::kNever)) return false;
  *found = {.begin = block_begin(size_class, number),
            .size = block.size,
            .allocated_at = block.allocated_at,
            .thread = block.thread,
            .freed = block.state != static_cast<std::uint8_t>(BlockState::kLive)};
  return true;
}

void heap_thread_finished(HeapCache& cache) {
  while (cache.freed_begin != cache.freed_end) leave_queue(cache);
  for (unsigned index = 0; index < kHeapClasses; ++index) {
    HeapCache::List& list = cache.free[index];
    if (list.count != 0) give_shared(state.classes[index], list, list.count);
  }
}

void heap_lock() {
  for (SizeClass& size_class : state.classes) size_class.lock.lock();
  large_lock();
}

void heap_unlock() {
  large_unlock();
  for (SizeClass& size_class : state.classes) size_class.lock.unlock();
}

}  // namespace vigil::race
