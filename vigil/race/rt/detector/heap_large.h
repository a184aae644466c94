// SPDX-License-Identifier: Apache-2.0
//
// The heap's blocks of more than 64 KiB: whole pages, in sizes of eight steps per doubling, so that
// a freed block fits the next request of about its size. Memory and shadow of a large freed block
// go back to the kernel; its addresses stay for the next one.
//
// Thread safety: all functions. Context: interceptor.
#pragma once

#include <cstddef>
#include <cstdint>

#include "vigil/race/rt/detector/heap_block.h"

namespace vigil::race {

void large_init();
bool is_large(Address address);

// 0 if there are no addresses left. The memory is zero.
Address large_allocate(std::size_t size, std::size_t alignment, StackId stack,
                       std::uint32_t thread);
// REQUIRES: the block is in use.
void large_free(Address begin);
bool large_find(Address address, HeapBlock* block);

void large_lock();
void large_unlock();

}  // namespace vigil::race
