// SPDX-License-Identifier: Apache-2.0
//
// What the heap knows of a block of either kind, small (heap.h) or large (heap_large.h).
//
// Context: plain data.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/rt/detector/detector.h"

namespace vigil::race {

struct HeapBlock {
  Address begin;
  std::size_t size;
  StackId allocated_at;
  std::uint32_t thread;  // number of the allocating thread
  bool freed;
};

}  // namespace vigil::race
