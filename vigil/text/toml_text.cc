// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/toml_text.h"

#include <algorithm>
#include <cstddef>
#include <string>

namespace vigil {
namespace {

// The end of the string or comment that opens at text[at]; `at` itself if none does.
std::size_t skip_string_or_comment(std::string_view text, std::size_t at) {
  const char quote = text[at];
  if (quote == '#') return std::min(text.find('\n', at), text.size());
  if (quote != '"' && quote != '\'') return at;
  constexpr std::string_view kBeforeString = " \t\r\n=[{,.";
  if (at != 0 && kBeforeString.find(text[at - 1]) == std::string_view::npos) return at;
  const std::string multiline(3, quote);
  const bool is_multiline = text.substr(at).starts_with(multiline);
  const std::string_view closing = is_multiline ? std::string_view(multiline) : text.substr(at, 1);
  for (std::size_t i = at + closing.size(); i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (text.substr(i).starts_with(closing)) {
      return i + closing.size();
    } else if (text[i] == '\n' && !is_multiline) {
      return i;  // an error, which the parser words better
    }
  }
  return text.size();
}

}  // namespace

Result<void> check_toml_text(std::string_view text, std::string_view name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  std::size_t at = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  while (at < text.size()) {
    if (static_cast<unsigned char>(text[at]) >= 0x80) {
      const std::string_view before = text.substr(0, at);
      const auto line = 1 + std::count(before.begin(), before.end(), '\n');
      return Error{std::string(name) + ":" + std::to_string(line) +
                   ": found a character that is not ASCII outside of a string or comment; put it "
                   "in quotes"};
    }
    at = std::max(at + 1, skip_string_or_comment(text, at));
  }
  return {};
}

}  // namespace vigil
