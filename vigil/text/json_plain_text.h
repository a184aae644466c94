// SPDX-License-Identifier: Apache-2.0
//
// Which bytes stand for themselves in a JSON string (RFC 8259, section 7), eight at a time: what
// the writer of strings and their checker have in common.
//
// Thread safety: pure functions.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "vigil/text/utf8.h"

namespace vigil::text {

// ASCII that needs no escape: neither a control character, nor a quote, nor a backslash.
constexpr bool is_plain_json_character(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x80 &&
         c != '"' && c != '\\';
}

// The first byte of [at, end) that is not plain; `end` if there is none.
inline const char* skip_plain_json_ascii(const char* at, const char* end) {
  static_assert(std::endian::native == std::endian::little, "the first byte is the lowest");
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  // The high bit of each byte that is 0; above the first such byte also that of others.
  const auto zero_bytes = [](std::uint64_t word) { return (word - kOnes) & ~word & kHighBits; };
  while (static_cast<std::size_t>(end - at) >= sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    const std::uint64_t controls = (word - kOnes * 0x20) & ~word & kHighBits;
    const std::uint64_t special = controls | (word & kHighBits) | zero_bytes(word ^ kOnes * '"') |
                                  zero_bytes(word ^ kOnes * '\\');
    if (special != 0) return at + std::countr_zero(special) / 8;
    at += sizeof word;
  }
  while (at != end && is_plain_json_character(*at)) ++at;
  return at;
}

// The first byte of [at, end) that may not stand in a JSON string as it is: one to be escaped, or
// no part of a character of UTF-8. `end` if there is none.
inline const char* skip_plain_json(const char* at, const char* end) {
  while ((at = skip_plain_json_ascii(at, end)) != end) {
    while (at != end && static_cast<unsigned char>(*at) >= 0x80) {
      const std::size_t size = utf8_character_size({at, static_cast<std::size_t>(end - at)});
      if (size == 0) return at;
      at += size;
    }
    if (at != end && !is_plain_json_character(*at)) return at;
  }
  return at;
}

}  // namespace vigil::text
