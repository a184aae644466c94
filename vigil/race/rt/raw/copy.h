// SPDX-License-Identifier: Apache-2.0
//
// Copying and filling without libc, which the runtime intercepts. Small sizes are moved by a few
// overlapping loads and stores, large ones by the processor's string instructions.
//
// Context: signal, interceptor, init.
#pragma once

#include <cstddef>
#include <cstdint>

namespace vigil::race {

namespace raw_internal {
using Vector [[gnu::vector_size(16)]] = long long;

// With a constant size these are single instructions, not calls.
template <class Unit>
inline Unit load(const char* from) {
  Unit value;
  __builtin_memcpy(&value, from, sizeof(Unit));
  return value;
}
template <class Unit>
inline void store(char* to, Unit value) {
  __builtin_memcpy(to, &value, sizeof(Unit));
}

template <class Unit>
inline void move_ends(char* to, const char* from, std::size_t size) {
  const Unit first = load<Unit>(from);
  const Unit last = load<Unit>(from + size - sizeof(Unit));
  store(to, first);
  store(to + size - sizeof(Unit), last);
}

// Up to 32 bytes; the ranges may overlap.
inline void move_small(char* to, const char* from, std::size_t size) {
  if (size >= 16) return move_ends<Vector>(to, from, size);
  if (size >= 8) return move_ends<std::uint64_t>(to, from, size);
  if (size >= 4) return move_ends<std::uint32_t>(to, from, size);
  if (size >= 2) return move_ends<std::uint16_t>(to, from, size);
  if (size == 1) *to = *from;
}

inline void move_backwards(char* to, const char* from, std::size_t size) {
  while (size >= sizeof(Vector)) {
    size -= sizeof(Vector);
    store(to + size, load<Vector>(from + size));
  }
  while (size > 0) {
    --size;
    to[size] = from[size];
  }
}
}  // namespace raw_internal

// The ranges may overlap.
inline void raw_move(void* to, const void* from, std::size_t size) {
  auto* target = static_cast<char*>(to);
  const auto* source = static_cast<const char*>(from);
  if (size <= 32) return raw_internal::move_small(target, source, size);
  const auto distance =
      reinterpret_cast<std::uintptr_t>(target) - reinterpret_cast<std::uintptr_t>(source);
  if (distance < size) return raw_internal::move_backwards(target, source, size);
  if (size <= 512) {
    using raw_internal::Vector;
    // Forwards with the last vector loaded first: it may be overwritten by the loop.
    const auto last = raw_internal::load<Vector>(source + size - sizeof(Vector));
    for (std::size_t done = 0; done + sizeof(Vector) < size; done += sizeof(Vector)) {
      raw_internal::store(target + done, raw_internal::load<Vector>(source + done));
    }
    raw_internal::store(target + size - sizeof(Vector), last);
    return;
  }
  asm volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(size) : : "memory");
}

inline void raw_fill(void* to, int value, std::size_t size) {
  auto* target = static_cast<char*>(to);
  if (size <= 256) {
    while (size >= 16) {
      using raw_internal::Vector;
      const auto word = 0x0101'0101'0101'0101LL * static_cast<unsigned char>(value);
      raw_internal::store(target, Vector{word, word});
      target += 16;
      size -= 16;
    }
    for (; size > 0; --size) {
      *target = static_cast<char>(value);
      asm volatile("" : : : "memory");  // or the compiler makes it a call of memset
      ++target;
    }
    return;
  }
  asm volatile("rep stosb" : "+D"(target), "+c"(size) : "a"(value) : "memory");
}

inline std::size_t raw_length(const char* text) {
  std::size_t length = 0;
  while (text[length] != 0) {
    ++length;
    asm volatile("" : : : "memory");  // or the compiler makes it a call of strlen
  }
  return length;
}

inline bool raw_equal(const char* a, const char* b) {
  for (; *a == *b; ++a, ++b) {
    if (*a == 0) return true;
  }
  return false;
}

// Copies a text, cut to the array's size.
template <std::size_t kSize>
inline void raw_copy_text(char (&to)[kSize], const char* from) {
  std::size_t length = 0;
  for (; length + 1 < kSize && from[length] != 0; ++length) to[length] = from[length];
  to[length] = 0;
}

}  // namespace vigil::race
