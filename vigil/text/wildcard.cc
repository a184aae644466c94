// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/wildcard.h"

#include <cstddef>
#include <cstring>

namespace vigil::text {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// What stands between two *: matches exactly as many bytes as it has.
class Piece {
 public:
  Piece(std::string_view pattern, WildcardRules rules)
      : pattern_(pattern),
        rules_(rules),
        is_literal_(!rules.ignore_case &&
                    (!rules.question_mark || pattern.find('?') == std::string_view::npos)) {}

  [[nodiscard]] std::size_t size() const { return pattern_.size(); }

  // REQUIRES: at + size() <= text.size().
  [[nodiscard]] bool matches_at(std::string_view text, std::size_t at) const {
    if (is_literal_) return text.compare(at, size(), pattern_) == 0;
    for (std::size_t i = 0; i < size(); ++i) {
      if (!matches(pattern_[i], text[at + i])) return false;
    }
    return true;
  }

  // The first place from `from` on.
  [[nodiscard]] std::size_t find_in(std::string_view text, std::size_t from) const {
    if (text.size() - from < size()) return kNowhere;
    if (is_literal_) {
      const void* const found =
          memmem(text.data() + from, text.size() - from, pattern_.data(), size());
      return found == nullptr
                 ? kNowhere
                 : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
    }
    for (std::size_t at = from; at + size() <= text.size(); ++at) {
      if (matches_at(text, at)) return at;
    }
    return kNowhere;
  }

 private:
  [[nodiscard]] bool matches(char pattern, char c) const {
    if (pattern == '?' && rules_.question_mark) return true;
    return pattern == c || (rules_.ignore_case && lower(pattern) == lower(c));
  }

  std::string_view pattern_;
  WildcardRules rules_;
  bool is_literal_;
};

}  // namespace

// The first piece stands at the start, the last one at the end; each other one where it is found
// first, which leaves the most text for those behind it.
bool wildcard_match(std::string_view pattern, std::string_view text, WildcardRules rules) {
  const std::size_t first_star = pattern.find('*');
  const Piece head(pattern.substr(0, first_star), rules);
  if (first_star == kNowhere) return head.size() == text.size() && head.matches_at(text, 0);
  const std::size_t last_star = pattern.rfind('*');
  const Piece tail(pattern.substr(last_star + 1), rules);
  if (head.size() + tail.size() > text.size() || !head.matches_at(text, 0) ||
      !tail.matches_at(text, text.size() - tail.size())) {
    return false;
  }
  const std::string_view middle = text.substr(0, text.size() - tail.size());
  std::size_t at = head.size();
  for (std::size_t star = first_star; star != last_star;) {
    const std::size_t next = pattern.find('*', star + 1);
    const Piece piece(pattern.substr(star + 1, next - star - 1), rules);
    at = piece.find_in(middle, at);
    if (at == kNowhere) return false;
    at += piece.size();
    star = next;
  }
  return true;
}

}  // namespace vigil::text
