// SPDX-License-Identifier: Apache-2.0
//
// malloc and its family, operator new and operator delete. Context: interceptor, init.
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/heap.h"
#include "vigil/race/rt/detector/lock_misuse.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/memory.h"

namespace std {
// A program in C has neither.
[[gnu::weak]] new_handler get_new_handler() noexcept;
[[gnu::noreturn, gnu::weak]] void __throw_bad_alloc();
}  // namespace std

namespace vigil::race {
namespace {

void* allocate_or_errno(std::size_t size, std::size_t alignment, Address pc) {
  void* const block = heap_allocate(size, alignment, pc);
  if (block == nullptr) errno = ENOMEM;
  return block;
}

void* allocate_or_null(std::size_t size, std::size_t alignment, Address pc) {
  while (true) {
    if (void* const block = heap_allocate(size, alignment, pc)) return block;
    const std::new_handler handler =
        std::get_new_handler != nullptr ? std::get_new_handler() : nullptr;
    if (handler == nullptr) return nullptr;
    handler();
  }
}

void* allocate_or_throw(std::size_t size, std::size_t alignment, Address pc) {
  if (void* const block = allocate_or_null(size, alignment, pc)) return block;
  std::__throw_bad_alloc();
}

void release(void* block, Address pc) {
  if (block == nullptr) return;
  if (holds_locks()) check_locks_in(block, heap_usable_size(block), pc);
  if (!heap_free(block, pc)) report_bad_free(block, pc);
}

// Null if there is no memory; the block is as it was then.
void* reallocate(void* block, std::size_t size, Address pc) {
  void* const grown = heap_allocate(size, 1, pc);
  if (grown == nullptr || block == nullptr) return grown;
  raw_move(grown, block, std::min(size, heap_usable_size(block)));
  release(block, pc);
  return grown;
}

bool is_power_of_two(std::size_t value) { return value != 0 && (value & (value - 1)) == 0; }

}  // namespace
}  // namespace vigil::race

using namespace vigil::race;

VIGIL_INTERCEPTOR void* malloc(std::size_t size) {
  return allocate_or_errno(size, 1, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR void free(void* block) { release(block, VIGIL_CALLER_PC); }

VIGIL_INTERCEPTOR void cfree(void* block) { release(block, VIGIL_CALLER_PC); }

VIGIL_INTERCEPTOR void* calloc(std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  void* block = nullptr;
  if (!__builtin_mul_overflow(count, size, &bytes)) {
    block = heap_allocate_zeroed(bytes, VIGIL_CALLER_PC);
  }
  if (block == nullptr) errno = ENOMEM;
  return block;
}

VIGIL_INTERCEPTOR void* realloc(void* block, std::size_t size) {
  if (block != nullptr && size == 0) {
    release(block, VIGIL_CALLER_PC);
    return nullptr;
  }
  void* const grown = reallocate(block, size, VIGIL_CALLER_PC);
  if (grown == nullptr) errno = ENOMEM;
  return grown;
}

VIGIL_INTERCEPTOR void* reallocarray(void* block, std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* const grown = reallocate(block, bytes, VIGIL_CALLER_PC);
  if (grown == nullptr) errno = ENOMEM;
  return grown;
}

VIGIL_INTERCEPTOR void* memalign(std::size_t alignment, std::size_t size) {
  if (!is_power_of_two(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  return allocate_or_errno(size, alignment, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR void* aligned_alloc(std::size_t alignment, std::size_t size) {
  if (!is_power_of_two(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  return allocate_or_errno(size, alignment, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
  if (!is_power_of_two(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
  void* const allocated = heap_allocate(size, alignment, VIGIL_CALLER_PC);
  if (allocated == nullptr) return ENOMEM;
  *block = allocated;
  return 0;
}

VIGIL_INTERCEPTOR void* valloc(std::size_t size) {
  return allocate_or_errno(size, kPage, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR void* pvalloc(std::size_t size) {
  return allocate_or_errno((size + kPage - 1) / kPage * kPage, kPage, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR std::size_t malloc_usable_size(void* block) { return heap_usable_size(block); }

VIGIL_INTERCEPTOR_CXX void* operator new(std::size_t size) {
  return allocate_or_throw(size, 1, VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR_CXX void* operator new[](std::size_t size) {
  return allocate_or_throw(size, 1, VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR_CXX void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate_or_null(size, 1, VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR_CXX void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return allocate_or_null(size, 1, VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR_CXX void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment), VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR_CXX void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment), VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR_CXX void* operator new(std::size_t size, std::align_val_t alignment,
                                         const std::nothrow_t&) noexcept {
  return allocate_or_null(size, static_cast<std::size_t>(alignment), VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR_CXX void* operator new[](std::size_t size, std::align_val_t alignment,
                                           const std::nothrow_t&) noexcept {
  return allocate_or_null(size, static_cast<std::size_t>(alignment), VIGIL_CALLER_PC);
}

#define VIGIL_DELETE(...)                                                          \
  VIGIL_INTERCEPTOR_CXX void operator delete(void* block __VA_ARGS__) noexcept {   \
    release(block, VIGIL_CALLER_PC);                                               \
  }                                                                                \
  VIGIL_INTERCEPTOR_CXX void operator delete[](void* block __VA_ARGS__) noexcept { \
    release(block, VIGIL_CALLER_PC);                                               \
  }

VIGIL_DELETE()
VIGIL_DELETE(, std::size_t)
VIGIL_DELETE(, const std::nothrow_t&)
VIGIL_DELETE(, std::align_val_t)
VIGIL_DELETE(, std::size_t, std::align_val_t)
VIGIL_DELETE(, std::align_val_t, const std::nothrow_t&)
