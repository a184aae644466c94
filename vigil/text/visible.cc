// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/visible.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "vigil/text/hex.h"
#include "vigil/text/utf8.h"

namespace vigil::text {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

// Ascending. Joiners (U+200C, U+200D) stay: scripts and emoji need them.
constexpr std::array<Range, 15> kHidden = {{
    {0x0000, 0x001F},    // C0
    {0x007F, 0x009F},    // DEL, C1
    {0x00AD, 0x00AD},    // soft hyphen
    {0x061C, 0x061C},    // Arabic letter mark
    {0x180E, 0x180E},    // Mongolian vowel separator
    {0x200B, 0x200B},    // zero width space
    {0x200E, 0x200F},    // marks of direction
    {0x2028, 0x202E},    // separators of lines and paragraphs; embeddings and overrides
    {0x2060, 0x206F},    // invisible operators, isolates
    {0xD800, 0xDFFF},    // surrogates
    {0xFDD0, 0xFDEF},    // non-characters
    {0xFEFF, 0xFEFF},    // byte order mark
    {0xFFF0, 0xFFFB},    // not assigned; interlinear annotations
    {0xFFFE, 0xFFFF},    // non-characters, as at the end of every plane
    {0xE0000, 0xE0FFF},  // tags, variation selectors
}};

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }

// REQUIRES: `bytes` is one character of UTF-8.
char32_t character_of(std::string_view bytes) {
  const auto lead = static_cast<unsigned char>(bytes[0]);
  if (bytes.size() == 1) return lead;
  char32_t character = lead & (0xFFU >> (bytes.size() + 1));
  for (const char c : bytes.substr(1)) {
    character = character << 6U | (static_cast<unsigned char>(c) & 0x3FU);
  }
  return character;
}

std::string visible(std::string_view bytes, bool keeps_lines) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t size = utf8_character_size(bytes);
    const std::string_view character = bytes.substr(0, std::max<std::size_t>(size, 1));
    const bool is_kept = keeps_lines && (bytes[0] == '\n' || bytes[0] == '\t');
    if (size == 0) {
      text.append(kReplacementCharacter);
    } else if (!is_kept && is_hidden(character_of(character))) {
      text.push_back('?');
    } else {
      text.append(character);
    }
    bytes.remove_prefix(character.size());
  }
  return text;
}

void append_unit(char32_t unit, std::string* out) {
  out->append("\\u");
  for (const unsigned shift : {12U, 8U, 4U, 0U})
    out->push_back(kUpperHexDigits[unit >> shift & 15U]);
}

void append_escaped(char32_t character, std::string* out) {
  constexpr char32_t kFirstAbove = 0x10000;
  if (character < kFirstAbove) return append_unit(character, out);
  const char32_t rest = character - kFirstAbove;
  append_unit(0xD800 + (rest >> 10U), out);
  append_unit(0xDC00 + (rest & 0x3FFU), out);
}

}  // namespace

bool is_hidden(char32_t character) {
  if ((character & 0xFFFEU) == 0xFFFE) return true;
  const auto* const range =
      std::lower_bound(kHidden.begin(), kHidden.end(), character,
                       [](const Range& each, char32_t value) { return each.last < value; });
  return range != kHidden.end() && range->first <= character;
}

std::string visible_text(std::string_view bytes) { return visible(bytes, false); }

std::string visible_lines(std::string_view bytes) { return visible(bytes, true); }

std::string visible_json(std::string_view json) {
  // Outside of strings there is only ASCII, and in them no control character but DEL.
  const auto is_plain = [](char c) { return is_ascii(c) && c != '\x7f'; };
  std::string text;
  text.reserve(json.size());
  while (!json.empty()) {
    const auto plain = static_cast<std::size_t>(
        std::find_if_not(json.begin(), json.end(), is_plain) - json.begin());
    text.append(json.substr(0, plain));
    json.remove_prefix(plain);
    if (json.empty()) break;
    const std::size_t size = std::max<std::size_t>(utf8_character_size(json), 1);
    const std::string_view character = json.substr(0, size);
    if (is_hidden(character_of(character))) {
      append_escaped(character_of(character), &text);
    } else {
      text.append(character);
    }
    json.remove_prefix(size);
  }
  return text;
}

}  // namespace vigil::text
