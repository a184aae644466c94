// SPDX-License-Identifier: Apache-2.0
//
// The runtime's own memory, straight from the kernel. Nothing here ever calls malloc, because
// malloc is ours.
//
// Context: signal, interceptor, init, unless a function says otherwise.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vigil::race {

inline constexpr std::size_t kPage = 4096;

// Zeroed memory that costs nothing until it is touched, at `address` if that is not 0. Ends the
// process with a sentence if the kernel has none.
void* map_reserved(std::size_t size, std::uintptr_t address = 0);

// Gives the pages back to the kernel: they are zero when they are touched again.
void drop_pages(std::uintptr_t begin, std::size_t size);

// Sets [begin, begin + size) to zero; whole pages in it are dropped if it is large.
void clear_memory(std::uintptr_t begin, std::size_t size);

// Small zeroed pieces (16-byte aligned) that are never given back. Thread safety: all.
void* allocate_forever(std::size_t size);

template <class T>
T* map_array(std::size_t count) {
  return static_cast<T*>(map_reserved(count * sizeof(T)));
}

// Writes the sentence to standard error and ends the process with exit code 3.
[[noreturn]] void fail(const char* sentence);

}  // namespace vigil::race
