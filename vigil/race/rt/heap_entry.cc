// SPDX-License-Identifier: Apache-2.0
//
// malloc and its family, operator new and operator delete. Context: interceptor, init.
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>

#include "vigil/race/rt/detector.h"
#include "vigil/race/rt/heap.h"
#include "vigil/race/rt/memory.h"

namespace std {
// A program in C has neither.
[[gnu::weak]] new_handler get_new_handler() noexcept;
[[noreturn, gnu::weak]] void __throw_bad_alloc();
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

bool is_power_of_two(std::size_t value) { return value != 0 && (value & (value - 1)) == 0; }

}  // namespace
}  // namespace vigil::race

using namespace vigil::race;

extern "C" {

void* malloc(std::size_t size) { return allocate_or_errno(size, 1, VIGIL_CALLER_PC); }

void free(void* block) {
  if (block != nullptr) heap_free(block, VIGIL_CALLER_PC);
}

void cfree(void* block) {
  if (block != nullptr) heap_free(block, VIGIL_CALLER_PC);
}

void* calloc(std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  void* block = nullptr;
  if (!__builtin_mul_overflow(count, size, &bytes)) {
    block = heap_allocate_zeroed(bytes, VIGIL_CALLER_PC);
  }
  if (block == nullptr) errno = ENOMEM;
  return block;
}

void* realloc(void* block, std::size_t size) {
  if (block == nullptr) return allocate_or_errno(size, 1, VIGIL_CALLER_PC);
  if (size == 0) {
    heap_free(block, VIGIL_CALLER_PC);
    return nullptr;
  }
  void* const grown = heap_reallocate(block, size, VIGIL_CALLER_PC);
  if (grown == nullptr) errno = ENOMEM;
  return grown;
}

void* reallocarray(void* block, std::size_t count, std::size_t size) {
  std::size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* const grown = block == nullptr ? heap_allocate(bytes, 1, VIGIL_CALLER_PC)
                                       : heap_reallocate(block, bytes, VIGIL_CALLER_PC);
  if (grown == nullptr) errno = ENOMEM;
  return grown;
}

void* memalign(std::size_t alignment, std::size_t size) {
  if (!is_power_of_two(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  return allocate_or_errno(size, alignment, VIGIL_CALLER_PC);
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  if (!is_power_of_two(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  return allocate_or_errno(size, alignment, VIGIL_CALLER_PC);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
  if (!is_power_of_two(alignment) || alignment % sizeof(void*) != 0) return EINVAL;
  void* const allocated = heap_allocate(size, alignment, VIGIL_CALLER_PC);
  if (allocated == nullptr) return ENOMEM;
  *block = allocated;
  return 0;
}

void* valloc(std::size_t size) { return allocate_or_errno(size, kPage, VIGIL_CALLER_PC); }

void* pvalloc(std::size_t size) {
  return allocate_or_errno((size + kPage - 1) / kPage * kPage, kPage, VIGIL_CALLER_PC);
}

std::size_t malloc_usable_size(void* block) { return heap_usable_size(block); }

}  // extern "C"

void* operator new(std::size_t size) { return allocate_or_throw(size, 1, VIGIL_CALLER_PC); }
void* operator new[](std::size_t size) { return allocate_or_throw(size, 1, VIGIL_CALLER_PC); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate_or_null(size, 1, VIGIL_CALLER_PC);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return allocate_or_null(size, 1, VIGIL_CALLER_PC);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment), VIGIL_CALLER_PC);
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment), VIGIL_CALLER_PC);
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate_or_null(size, static_cast<std::size_t>(alignment), VIGIL_CALLER_PC);
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate_or_null(size, static_cast<std::size_t>(alignment), VIGIL_CALLER_PC);
}

#define VIGIL_DELETE(...)                                    \
  void operator delete(void* block __VA_ARGS__) noexcept {   \
    if (block != nullptr) heap_free(block, VIGIL_CALLER_PC); \
  }                                                          \
  void operator delete[](void* block __VA_ARGS__) noexcept { \
    if (block != nullptr) heap_free(block, VIGIL_CALLER_PC); \
  }

VIGIL_DELETE()
VIGIL_DELETE(, std::size_t)
VIGIL_DELETE(, const std::nothrow_t&)
VIGIL_DELETE(, std::align_val_t)
VIGIL_DELETE(, std::size_t, std::align_val_t)
VIGIL_DELETE(, std::align_val_t, const std::nothrow_t&)
