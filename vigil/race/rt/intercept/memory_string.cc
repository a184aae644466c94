// SPDX-License-Identifier: Apache-2.0
//
// The functions on zero-terminated strings that programs race in. Those not named here (strtok,
// strcoll, ...) read memory that the detector does not see.
//
// Context: interceptor, init, signal.
#include <algorithm>
#include <cstddef>

#include "vigil/race/rt/detector/detector.h"
#include "vigil/race/rt/detector/heap.h"
#include "vigil/race/rt/intercept/interceptor.h"
#include "vigil/race/rt/raw/copy.h"
#include "vigil/race/rt/world/accesses.h"

using namespace vigil::race;

namespace {

std::size_t bounded_length(const char* text, std::size_t limit) {
  std::size_t length = 0;
  while (length < limit && text[length] != 0) ++length;
  return length;
}

// Compares at most `limit` characters after `map`ping each.
template <class Map>
int compare(const char* a, const char* b, std::size_t limit, Address pc, Map map) {
  std::size_t index = 0;
  int difference = 0;
  for (; index < limit; ++index) {
    difference = map(a[index]) - map(b[index]);
    if (difference != 0 || a[index] == 0) break;
  }
  const std::size_t looked = std::min(index + 1, limit);
  read_range(a, looked, pc);
  read_range(b, looked, pc);
  return difference;
}

int same(char character) { return static_cast<unsigned char>(character); }
int lower(char character) {
  return character >= 'A' && character <= 'Z' ? character - 'A' + 'a' : same(character);
}

// Copies `length` characters and a zero; returns its place.
char* copy_text(char* to, const char* from, std::size_t length, Address pc) {
  read_range(from, length + 1, pc);
  write_range(to, length + 1, pc);
  raw_move(to, from, length);
  to[length] = 0;
  return to + length;
}

char* duplicate(const char* text, std::size_t length, Address pc) {
  read_range(text, length + 1, pc);
  auto* const copy = static_cast<char*>(heap_allocate(length + 1, 1, pc));
  if (copy == nullptr) return nullptr;
  raw_move(copy, text, length);
  copy[length] = 0;
  return copy;
}

constexpr std::size_t kNoLimit = ~std::size_t{0};

}  // namespace

VIGIL_INTERCEPTOR std::size_t strlen(const char* text) {
  const std::size_t length = raw_length(text);
  read_range(text, length + 1, VIGIL_CALLER_PC);
  return length;
}
VIGIL_INTERCEPTOR std::size_t strnlen(const char* text, std::size_t limit) {
  const std::size_t length = bounded_length(text, limit);
  read_range(text, std::min(length + 1, limit), VIGIL_CALLER_PC);
  return length;
}

VIGIL_INTERCEPTOR int strcmp(const char* a, const char* b) {
  return compare(a, b, kNoLimit, VIGIL_CALLER_PC, same);
}
VIGIL_INTERCEPTOR int strncmp(const char* a, const char* b, std::size_t limit) {
  return compare(a, b, limit, VIGIL_CALLER_PC, same);
}
VIGIL_INTERCEPTOR int strcasecmp(const char* a, const char* b) {
  return compare(a, b, kNoLimit, VIGIL_CALLER_PC, lower);
}
VIGIL_INTERCEPTOR int strncasecmp(const char* a, const char* b, std::size_t limit) {
  return compare(a, b, limit, VIGIL_CALLER_PC, lower);
}

VIGIL_INTERCEPTOR char* strcpy(char* to, const char* from) {
  copy_text(to, from, raw_length(from), VIGIL_CALLER_PC);
  return to;
}
VIGIL_INTERCEPTOR char* __strcpy_chk(char* to, const char* from, std::size_t) {
  copy_text(to, from, raw_length(from), VIGIL_CALLER_PC);
  return to;
}
VIGIL_INTERCEPTOR char* stpcpy(char* to, const char* from) {
  return copy_text(to, from, raw_length(from), VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR char* strncpy(char* to, const char* from, std::size_t size) {
  const std::size_t length = bounded_length(from, size);
  read_range(from, std::min(length + 1, size), VIGIL_CALLER_PC);
  write_range(to, size, VIGIL_CALLER_PC);
  raw_move(to, from, length);
  raw_fill(to + length, 0, size - length);
  return to;
}
VIGIL_INTERCEPTOR char* strcat(char* to, const char* from) {
  const std::size_t length = raw_length(to);
  read_range(to, length + 1, VIGIL_CALLER_PC);
  copy_text(to + length, from, raw_length(from), VIGIL_CALLER_PC);
  return to;
}
VIGIL_INTERCEPTOR char* strncat(char* to, const char* from, std::size_t limit) {
  const std::size_t length = raw_length(to);
  const std::size_t added = bounded_length(from, limit);
  read_range(to, length + 1, VIGIL_CALLER_PC);
  read_range(from, std::min(added + 1, limit), VIGIL_CALLER_PC);
  write_range(to + length, added + 1, VIGIL_CALLER_PC);
  raw_move(to + length, from, added);
  to[length + added] = 0;
  return to;
}

VIGIL_INTERCEPTOR char* strchr(const char* text, int wanted) {
  std::size_t index = 0;
  const auto character = static_cast<char>(wanted);
  while (text[index] != 0 && text[index] != character) ++index;
  read_range(text, index + 1, VIGIL_CALLER_PC);
  return text[index] == character ? const_cast<char*>(text) + index : nullptr;
}
VIGIL_INTERCEPTOR char* strrchr(const char* text, int wanted) {
  const std::size_t length = raw_length(text);
  read_range(text, length + 1, VIGIL_CALLER_PC);
  for (std::size_t end = length + 1; end > 0; --end) {
    if (text[end - 1] == static_cast<char>(wanted)) return const_cast<char*>(text) + end - 1;
  }
  return nullptr;
}
VIGIL_INTERCEPTOR char* strstr(const char* text, const char* wanted) {
  const std::size_t length = raw_length(text);
  const std::size_t wanted_length = raw_length(wanted);
  read_range(text, length + 1, VIGIL_CALLER_PC);
  read_range(wanted, wanted_length + 1, VIGIL_CALLER_PC);
  for (std::size_t begin = 0; begin + wanted_length <= length; ++begin) {
    std::size_t matched = 0;
    while (matched < wanted_length && text[begin + matched] == wanted[matched]) ++matched;
    if (matched == wanted_length) return const_cast<char*>(text) + begin;
  }
  return nullptr;
}

VIGIL_INTERCEPTOR char* strdup(const char* text) {
  return duplicate(text, raw_length(text), VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR char* __strdup(const char* text) {
  return duplicate(text, raw_length(text), VIGIL_CALLER_PC);
}
VIGIL_INTERCEPTOR char* strndup(const char* text, std::size_t limit) {
  return duplicate(text, bounded_length(text, limit), VIGIL_CALLER_PC);
}
