// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/wildcard.h"

#include <cstddef>

namespace vigil::text {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool matches(char pattern, char c, WildcardRules rules) {
  if (pattern == '?' && rules.question_mark) return true;
  return pattern == c || (rules.ignore_case && lower(pattern) == lower(c));
}

}  // namespace

// Each * takes as little as possible. If the rest does not match then, only the last * has to take
// more: what stood before it matched with the least text already.
bool wildcard_match(std::string_view pattern, std::string_view text, WildcardRules rules) {
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;  // the last * seen
  std::size_t resume = 0;                     // where the text after that * begins
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && matches(pattern[p], text[t], rules)) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace vigil::text
