// SPDX-License-Identifier: Apache-2.0
//
// UTF-8 (Unicode 15, table 3-7): whether bytes are it, and text that is it from any bytes.
//
// Use when: bytes of unknown origin (a key, a path, a line of a log) go where only text may stand.
// Use instead: JsonWriter, which repairs what it writes by itself.
//
// Thread safety: pure functions. Complexity: linear. Exceptions: only bad_alloc of the string.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace vigil::text {

// U+FFFD, which stands for a byte that is no part of a character.
inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";

// Well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view bytes);

// The same bytes if they are UTF-8; else with U+FFFD for each byte that is no part of a character.
[[nodiscard]] std::string valid_utf8(std::string_view bytes);

// The length of the character at the start of `bytes`, 0 if they start with none.
// REQUIRES: !bytes.empty().
[[nodiscard]] inline std::size_t utf8_character_size(std::string_view bytes) {
  const auto byte = [bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const auto continues = [byte](std::size_t i) { return (byte(i) & 0xC0U) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return bytes.size() >= 2 && continues(1) ? 2 : 0;
  if (lead < 0xF0) {
    if (bytes.size() < 3 || !continues(1) || !continues(2)) return 0;
    const bool overlong = lead == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = lead == 0xED && byte(1) >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead > 0xF4 || bytes.size() < 4) return 0;
  if (!continues(1) || !continues(2) || !continues(3)) return 0;
  const bool overlong = lead == 0xF0 && byte(1) < 0x90;
  const bool too_large = lead == 0xF4 && byte(1) >= 0x90;
  return overlong || too_large ? 0 : 4;
}

}  // namespace vigil::text
