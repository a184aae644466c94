// SPDX-License-Identifier: Apache-2.0
//
// memcpy and its family: compilers call them for what the program copies, and do not instrument the
// calls. Context: interceptor, init, signal.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/world/accesses.h"

using namespace vigil::race;

namespace {

void* copy(void* to, const void* from, std::size_t size, Address pc) {
  read_range(from, size, pc);
  write_range(to, size, pc);
  raw_move(to, from, size);
  return to;
}

// How many bytes of the two decide the comparison.
std::size_t compared(const unsigned char* a, const unsigned char* b, std::size_t size) {
  std::size_t index = 0;
  while (index < size && a[index] == b[index]) ++index;
  return std::min(index + 1, size);
}

}  // namespace

VIGIL_INTERCEPTOR void* memcpy(void* to, const void* from, std::size_t size) {
  return copy(to, from, size, VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR void* memmove(void* to, const void* from, std::size_t size) {
  return copy(to, from, size, VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR void* __memcpy_chk(void* to, const void* from, std::size_t size, std::size_t) {
  return copy(to, from, size, VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR void* __memmove_chk(void* to, const void* from, std::size_t size, std::size_t) {
  return copy(to, from, size, VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR void* mempcpy(void* to, const void* from, std::size_t size) {
  return static_cast<char*>(copy(to, from, size, VIGIL_CALLER_PC)) + size;
}
VIGIL_INTERCEPTOR void bcopy(const void* from, void* to, std::size_t size) {
  copy(to, from, size, VIGIL_CALLER_PC);
}

VIGIL_INTERCEPTOR void* memset(void* to, int value, std::size_t size) {
  write_range(to, size, VIGIL_CALLER_PC);
  raw_fill(to, value, size);
  return to;
}
VIGIL_INTERCEPTOR void* __memset_chk(void* to, int value, std::size_t size, std::size_t) {
  write_range(to, size, VIGIL_CALLER_PC);
  raw_fill(to, value, size);
  return to;
}
VIGIL_INTERCEPTOR void bzero(void* to, std::size_t size) {
  write_range(to, size, VIGIL_CALLER_PC);
  raw_fill(to, 0, size);
}

VIGIL_INTERCEPTOR int memcmp(const void* a, const void* b, std::size_t size) {
  const auto* first = static_cast<const unsigned char*>(a);
  const auto* second = static_cast<const unsigned char*>(b);
  const std::size_t looked = compared(first, second, size);
  read_range(first, looked, VIGIL_CALLER_PC);
  read_range(second, looked, VIGIL_CALLER_PC);
  return looked == 0 ? 0 : first[looked - 1] - second[looked - 1];
}
VIGIL_INTERCEPTOR int bcmp(const void* a, const void* b, std::size_t size) {
  const auto* first = static_cast<const unsigned char*>(a);
  const auto* second = static_cast<const unsigned char*>(b);
  const std::size_t looked = compared(first, second, size);
  read_range(first, looked, VIGIL_CALLER_PC);
  read_range(second, looked, VIGIL_CALLER_PC);
  return looked == 0 ? 0 : first[looked - 1] - second[looked - 1];
}

VIGIL_INTERCEPTOR void* memchr(const void* memory, int value, std::size_t size) {
  auto* bytes = static_cast<unsigned char*>(const_cast<void*>(memory));
  std::size_t index = 0;
  while (index < size && bytes[index] != static_cast<unsigned char>(value)) ++index;
  read_range(bytes, std::min(index + 1, size), VIGIL_CALLER_PC);
  return index < size ? bytes + index : nullptr;
}
