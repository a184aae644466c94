// SPDX-License-Identifier: Apache-2.0
//
// A thread's own free blocks, in front of the heap (heap.h): for each size class a short list to
// allocate from, and a queue of freed blocks that wait before they may be allocated again, so that
// a use after free meets memory that still says so.
//
// Thread safety: one thread.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vigil::race {

inline constexpr unsigned kHeapClasses = 44;

// A block of a size class: its class and its number there.
struct BlockName {
  std::uint32_t block;
  std::uint32_t size_class;
};

struct HeapCache {
  static constexpr std::uint32_t kFreedBlocks = 512;
  static constexpr std::size_t kFreedBytes = 64 << 10;

  struct List {
    std::uint32_t first;  // block number + 1; linked through the blocks' descriptions
    std::uint32_t count;
  };

  List free[kHeapClasses] = {};
  std::uint32_t freed_begin = 0;
  std::uint32_t freed_end = 0;
  std::size_t freed_bytes = 0;
  BlockName freed[kFreedBlocks] = {};
};

}  // namespace vigil::race
