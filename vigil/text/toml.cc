// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/toml.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "vigil/text/position.h"

namespace vigil::text {
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

// Counts the parts of keys and the brackets that lead to the present place of a text.
class Depth {
 public:
  // What is no delimiter leaves the depth as it is.
  void take(char c) {
    if (c == '.') ++parts_;
    if (c == '\n' || c == ',') parts_ = 0;
    if (c == '[' || c == '{') open(c);
    if (c == ']' || c == '}') close();
  }
  [[nodiscard]] std::size_t value() const { return above_ + parts_; }
  [[nodiscard]] bool is_outside() const { return brackets_.empty(); }
  [[nodiscard]] bool is_in_array() const {
    return !brackets_.empty() && brackets_.back().kind == '[';
  }

 private:
  struct Bracket {
    char kind;
    std::size_t parts;  // before it, and itself
  };

  void open(char kind) {
    brackets_.push_back({kind, parts_ + 1});
    above_ += parts_ + 1;
    parts_ = 0;
  }
  void close() {
    parts_ = 0;
    if (brackets_.empty()) return;  // an error, which the parser words better
    above_ -= brackets_.back().parts;
    brackets_.pop_back();
  }

  std::size_t parts_ = 0;          // dots of the key, or number, at hand
  std::vector<Bracket> brackets_;  // the open ones
  std::size_t above_ = 0;          // the sum of their parts
};

bool starts_line(std::string_view text, std::size_t at) {
  while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '\t')) --at;
  return at == 0 || text[at - 1] == '\n' || static_cast<unsigned char>(text[at - 1]) >= 0x80;
}

// Whether text[at] opens the header of a table in which something else stands where the key should:
// toml++ takes for granted that it is one. A header that is empty or ends early, it finds itself.
bool is_header_without_key(std::string_view text, std::size_t at) {
  constexpr std::string_view kBegins =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-\"']";
  if (text[at] != '[' || !starts_line(text, at)) return false;
  at += text.substr(at).starts_with("[[") ? 2 : 1;
  at = text.find_first_not_of(" \t", at);
  return at != std::string_view::npos && kBegins.find(text[at]) == std::string_view::npos;
}

}  // namespace

Result<void> check_toml_text(std::string_view text, std::string_view name) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  Depth depth;
  std::size_t at = text.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0;
  while (at < text.size()) {
    if (static_cast<unsigned char>(text[at]) >= 0x80) {
      return error_at(name, position_of(text, at),
                      "found a character that is not ASCII outside of a string or comment; put it "
                      "in quotes");
    }
    if (depth.is_outside() && is_header_without_key(text, at)) {
      return error_at(name, position_of(text, at), "found a header of a table without a key");
    }
    if (depth.is_in_array() && text[at] == '}') {
      return error_at(name, position_of(text, at), "found '}' where ']' would close the brackets");
    }
    const std::size_t end = skip_string_or_comment(text, at);
    if (end == at) depth.take(text[at]);
    if (depth.value() > kTomlDepthMax) {
      return error_at(name, position_of(text, at),
                      "found keys and brackets nested deeper than " +
                          std::to_string(kTomlDepthMax) + ", expected less");
    }
    at = std::max(at + 1, end);
  }
  return {};
}

Result<toml::table> parse_toml(std::string_view text, std::string_view name) {
  if (Result<void> checked = check_toml_text(text, name); !checked) return checked.error();
  toml::parse_result parsed = toml::parse(text);
  if (!parsed) return toml_error(name, parsed.error().source(), "", parsed.error().description());
  return std::move(parsed).table();
}

Error toml_error(std::string_view name, const toml::source_region& where, std::string_view key,
                 std::string_view message) {
  const Position position{where.begin.line, where.begin.column};
  return error_at(name, position, std::string(key).append(key.empty() ? "" : ": ").append(message));
}

}  // namespace vigil::text
