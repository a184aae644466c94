// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/rt/detector/heap_large.h"

#include <algorithm>
#include <bit>

#include "vigil/race/detect/spin_lock.h"
#include "vigil/race/rt/detector/shadow.h"
#include "vigil/race/rt/raw/memory.h"

namespace vigil::race {
namespace {

constexpr Address kBegin = kHeapBegin + kHeapSize / 2;
constexpr Address kSize = kHeapSize / 2;
constexpr std::size_t kPages = kSize / kPage;
constexpr std::uint32_t kBlocks = 1 << 24;
constexpr unsigned kStepBits = 3;  // eight sizes per doubling
constexpr unsigned kBins = (28 + 1) << kStepBits;

struct LargeBlock {
  Address begin;
  std::size_t pages;
  std::size_t size;
  StackId allocated_at;
  std::uint32_t thread;
  std::uint32_t next_free;
  bool freed;
};

struct State {
  SpinLock lock;
  LargeBlock* blocks = nullptr;            // number 0 is not used
  std::uint32_t* block_at_page = nullptr;  // the block that begins at the page
  std::uint32_t blocks_used = 1;
  Address next_begin = kBegin;
  std::uint32_t free_in_bin[kBins] = {};
};
constinit State state;

// Sizes of a bin share their highest four bits.
unsigned bin_of(std::size_t pages) {
  const auto top = static_cast<unsigned>(std::bit_width(pages) - 1);
  if (top <= kStepBits) return static_cast<unsigned>(pages);
  const unsigned shift = top - kStepBits;
  return ((shift + 1) << kStepBits) + static_cast<unsigned>(pages >> shift) - (1U << kStepBits);
}

// The largest size of the same bin: every block of a bin fits every request of it.
std::size_t round_to_bin(std::size_t pages) {
  const auto top = static_cast<unsigned>(std::bit_width(pages) - 1);
  if (top <= kStepBits) return pages;
  const std::size_t unit = std::size_t{1} << (top - kStepBits);
  return (pages + unit - 1) / unit * unit;
}

std::uint32_t take_free(std::size_t pages, std::size_t alignment) {
  std::uint32_t* link = &state.free_in_bin[bin_of(pages)];
  for (int looked = 0; *link != 0 && looked < 16; ++looked) {
    LargeBlock& block = state.blocks[*link];
    if (block.pages == pages && block.begin % alignment == 0) {
      const std::uint32_t number = *link;
      *link = block.next_free;
      return number;
    }
    link = &block.next_free;
  }
  return 0;
}

std::uint32_t take_fresh(std::size_t pages, std::size_t alignment) {
  const Address begin = (state.next_begin + alignment - 1) / alignment * alignment;
  if (state.blocks_used == kBlocks || begin + pages * kPage > kBegin + kSize) return 0;
  state.next_begin = begin + pages * kPage;
  const std::uint32_t number = state.blocks_used++;
  state.blocks[number].begin = begin;
  state.blocks[number].pages = pages;
  state.block_at_page[(begin - kBegin) / kPage] = number;
  return number;
}

}  // namespace

void large_init() {
  state.blocks = map_array<LargeBlock>(kBlocks);
  state.block_at_page = map_array<std::uint32_t>(kPages);
}

bool is_large(Address address) { return address - kBegin < kSize; }

Address large_allocate(std::size_t size, std::size_t alignment, StackId stack,
                       std::uint32_t thread) {
  if (size >= kSize || alignment >= kSize) return 0;
  const std::size_t pages = round_to_bin(std::max<std::size_t>((size + kPage - 1) / kPage, 1));
  const SpinGuard guard(state.lock);
  std::uint32_t number = take_free(pages, alignment);
  if (number == 0) number = take_fresh(pages, std::max(alignment, kPage));
  if (number == 0) return 0;
  LargeBlock& block = state.blocks[number];
  block.size = size;
  block.allocated_at = stack;
  block.thread = thread;
  block.freed = false;
  return block.begin;
}

void large_free(Address begin) {
  const SpinGuard guard(state.lock);
  const std::uint32_t number = state.block_at_page[(begin - kBegin) / kPage];
  LargeBlock& block = state.blocks[number];
  const std::size_t bytes = block.pages * kPage;
  drop_pages(begin, bytes);
  // The first page's history says that the block was freed.
  forget_accesses(begin + kPage, bytes - kPage);
  block.freed = true;
  std::uint32_t& bin = state.free_in_bin[bin_of(block.pages)];
  block.next_free = bin;
  bin = number;
}

bool large_find(Address address, HeapBlock* found) {
  const SpinGuard guard(state.lock);
  if (address >= state.next_begin) return false;
  std::size_t page = (address - kBegin) / kPage;
  while (state.block_at_page[page] == 0) {
    if (page == 0) return false;
    --page;
  }
  const LargeBlock& block = state.blocks[state.block_at_page[page]];
  if (address >= block.begin + block.pages * kPage) return false;
  *found = {.begin = block.begin,
            .size = block.size,
            .allocated_at = block.allocated_at,
            .thread = block.thread,
            .freed = block.freed};
  return true;
}

void large_lock() { state.lock.lock(); }
void large_unlock() { state.lock.unlock(); }

}  // namespace vigil::race
