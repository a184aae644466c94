// SPDX-License-Identifier: Apache-2.0
//
// What -fsanitize=thread makes compilers call for plain memory accesses and functions (g++ 12,
// clang 14 and 19). Context: the program's own code, at any place.
#include <cstddef>

#include "vigil/race/rt/detector/threads.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/raw/started.h"
#include "vigil/race/rt/world/accesses.h"

namespace vigil::race {
namespace {

constexpr Cell kPlainRead = kReadCell;
constexpr Cell kPlainWrite = 0;

template <unsigned kSize, Cell kFlags>
[[gnu::always_inline]] inline void access_anywhere(Address address, Address pc) {
  if (__builtin_expect((address & 7) + kSize > 8, 0)) {
    access_range(address, kSize, kFlags, pc);
  } else {
    access<kSize, kFlags>(address, pc);
  }
}

template <Cell kFlags>
[[gnu::always_inline]] inline void access_two_words(Address address, Address pc) {
  access<8, kFlags>(address, pc);
  access<8, kFlags>(address + 8, pc);
}

}  // namespace
}  // namespace vigil::race

using namespace vigil::race;

// One entry point: name, and what it does to the address with the given place of the call.
#define VIGIL_ACCESS(name, ...)                                                             \
  extern "C" void __tsan_##name(Address address) { __VA_ARGS__(address, VIGIL_CALLER_PC); } \
  extern "C" void __tsan_##name##_pc(Address address, Address pc) { __VA_ARGS__(address, pc); }
#define VIGIL_ACCESSES(size)                                                     \
  VIGIL_ACCESS(read##size, access<size, kPlainRead>)                             \
  VIGIL_ACCESS(write##size, access<size, kPlainWrite>)                           \
  VIGIL_ACCESS(read_write##size, access<size, kPlainWrite>)                      \
  VIGIL_ACCESS(volatile_read##size, access<size, kPlainRead>)                    \
  VIGIL_ACCESS(volatile_write##size, access<size, kPlainWrite>)                  \
  VIGIL_ACCESS(unaligned_read##size, access_anywhere<size, kPlainRead>)          \
  VIGIL_ACCESS(unaligned_write##size, access_anywhere<size, kPlainWrite>)        \
  VIGIL_ACCESS(unaligned_read_write##size, access_anywhere<size, kPlainWrite>)   \
  VIGIL_ACCESS(unaligned_volatile_read##size, access_anywhere<size, kPlainRead>) \
  VIGIL_ACCESS(unaligned_volatile_write##size, access_anywhere<size, kPlainWrite>)

VIGIL_ACCESSES(1)
VIGIL_ACCESSES(2)
VIGIL_ACCESSES(4)
VIGIL_ACCESSES(8)

VIGIL_ACCESS(read16, access_two_words<kPlainRead>)
VIGIL_ACCESS(write16, access_two_words<kPlainWrite>)
VIGIL_ACCESS(read_write16, access_two_words<kPlainWrite>)
VIGIL_ACCESS(volatile_read16, access_two_words<kPlainRead>)
VIGIL_ACCESS(volatile_write16, access_two_words<kPlainWrite>)
VIGIL_ACCESS(unaligned_read16, access_anywhere<16, kPlainRead>)
VIGIL_ACCESS(unaligned_write16, access_anywhere<16, kPlainWrite>)
VIGIL_ACCESS(unaligned_read_write16, access_anywhere<16, kPlainWrite>)
VIGIL_ACCESS(unaligned_volatile_read16, access_anywhere<16, kPlainRead>)
VIGIL_ACCESS(unaligned_volatile_write16, access_anywhere<16, kPlainWrite>)

extern "C" {

void __tsan_init() { ensure_started(); }

void __tsan_read_range(Address address, std::size_t size) {
  access_range(address, size, kPlainRead, VIGIL_CALLER_PC);
}
void __tsan_write_range(Address address, std::size_t size) {
  access_range(address, size, kPlainWrite, VIGIL_CALLER_PC);
}
void __tsan_read_range_pc(Address address, std::size_t size, Address pc) {
  access_range(address, size, kPlainRead, pc);
}
void __tsan_write_range_pc(Address address, std::size_t size, Address pc) {
  access_range(address, size, kPlainWrite, pc);
}

void __tsan_vptr_read(Address vptr) { access<8, kPlainRead>(vptr, VIGIL_CALLER_PC); }

// Constructors and destructors store the same pointer again and again; only a change is a write
// that another thread could see.
void __tsan_vptr_update(Address vptr, Address value) {
  if (*reinterpret_cast<Address*>(vptr) != value) {
    access<8, kPlainWrite>(vptr, VIGIL_CALLER_PC);
  }
}

void __tsan_func_entry(Address pc) {
  Frame* const frame = thread_frame;
  if (__builtin_expect(frame == nullptr, 0)) return;
  frame[1] = {pc, 0};
  thread_frame = frame + 1;
}

// Frame 0 stands for the thread itself and is never left.
void __tsan_func_exit() {
  Frame* const frame = thread_frame;
  if (__builtin_expect(frame != nullptr && frame->pc != 0, 1)) thread_frame = frame - 1;
}

void __tsan_ignore_thread_begin() {
  if (thread_self != nullptr) ++thread_self->ignoring;
}
void __tsan_ignore_thread_end() {
  if (thread_self != nullptr) --thread_self->ignoring;
}

void* __tsan_memcpy(void* to, const void* from, std::size_t size) {
  read_range(from, size, VIGIL_CALLER_PC);
  write_range(to, size, VIGIL_CALLER_PC);
  raw_move(to, from, size);
  return to;
}
void* __tsan_memmove(void* to, const void* from, std::size_t size) {
  read_range(from, size, VIGIL_CALLER_PC);
  write_range(to, size, VIGIL_CALLER_PC);
  raw_move(to, from, size);
  return to;
}
void* __tsan_memset(void* to, int value, std::size_t size) {
  write_range(to, size, VIGIL_CALLER_PC);
  raw_fill(to, value, size);
  return to;
}

}  // extern "C"
