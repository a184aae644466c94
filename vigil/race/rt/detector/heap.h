// SPDX-License-Identifier: Apache-2.0
//
// The program's heap: malloc and operator new end here. Addresses depend on nothing but the order
// of the calls, every address finds its block by arithmetic, and no bookkeeping lies between the
// program's blocks (it would take shadow, too).
//
//   kHeapBegin           44 size classes, 16 GiB of addresses each: block b of class c begins at
//                        c * 16 GiB + b * size; its description is entry b of the class's table
//   kHeapBegin + 1 TiB   blocks of more than 64 KiB, in whole pages
//
// A freed block waits in its thread's queue (heap_cache.h) before it is used again. Until then an
// access to it is a finding.
//
// Thread safety: all functions. Context: interceptor, init.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/heap_block.h"
#include "vigil/race/rt/detector/heap_cache.h"

namespace vigil::race {

// Null if there is no memory. `alignment` is a power of two.
void* heap_allocate(std::size_t size, std::size_t alignment, Address pc);
void* heap_allocate_zeroed(std::size_t size, Address pc);
// False if the address is the heap's but no block in use begins there: the caller reports it.
[[nodiscard]] bool heap_free(void* block, Address pc);

// What the program may use of a block; 0 for anything else.
std::size_t heap_usable_size(const void* block);

// The block that the address lies in, freed or not.
bool heap_find(Address address, HeapBlock* block);

// The thread's free blocks may be any thread's again.
void heap_thread_finished(HeapCache& cache);

// Around fork(): no other thread is inside.
void heap_lock();
void heap_unlock();

}  // namespace vigil::race
