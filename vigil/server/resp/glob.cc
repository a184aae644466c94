// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/glob.h"

#include <cstddef>
#include <utility>

namespace vigil::server {

namespace {

unsigned char fold(char c, bool ignore_case) {
  if (ignore_case && c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return static_cast<unsigned char>(c);
}

// Matches `byte` against the bracket expression whose '[' is at pattern[*at]; moves *at behind it.
bool match_bracket(std::string_view pattern, std::size_t* at, char byte, bool ignore_case) {
  std::size_t i = *at + 1;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  const unsigned char wanted = fold(byte, ignore_case);
  bool found = false;
  for (; i < pattern.size() && pattern[i] != ']'; ++i) {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      ++i;
      found |= fold(pattern[i], ignore_case) == wanted;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      unsigned char low = fold(pattern[i], ignore_case);
      unsigned char high = fold(pattern[i + 2], ignore_case);
      if (low > high) std::swap(low, high);
      found |= low <= wanted && wanted <= high;
      i += 2;
    } else {
      found |= fold(pattern[i], ignore_case) == wanted;
    }
  }
  *at = i < pattern.size() ? i + 1 : i;
  return found != negated;
}

// Matches one byte against the element (not a star) at pattern[*at]; moves *at behind it.
bool match_one(std::string_view pattern, std::size_t* at, char byte, bool ignore_case) {
  if (pattern[*at] == '?') {
    ++*at;
    return true;
  }
  if (pattern[*at] == '[') return match_bracket(pattern, at, byte, ignore_case);
  if (pattern[*at] == '\\' && *at + 1 < pattern.size()) ++*at;
  return fold(pattern[(*at)++], ignore_case) == fold(byte, ignore_case);
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text, bool ignore_case) {
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = kNone;   // position behind the last star
  std::size_t star_text = 0;  // where that star's match ends at the moment
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_text = t;
      continue;
    }
    if (p < pattern.size() && match_one(pattern, &p, text[t], ignore_case)) {
      ++t;
      continue;
    }
    if (star == kNone) return false;
    p = star;
    t = ++star_text;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace vigil::server
