// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/layers/plain_name.h"

#include <array>
#include <cstddef>

#include "vigil/text/wildcard.h"

namespace vigil::tools::layers {

namespace {

constexpr std::string_view kAnonymous = "(anonymous namespace)";
constexpr std::string_view kOperator = "operator";

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// ".isra.0", ".constprop.0", ".part.0", ".cold" and what follows them.
std::string_view without_suffix(std::string_view name) {
  static constexpr std::array<std::string_view, 8> kMarks = {
      " [clone", ".isra.", ".constprop.", ".part.", ".cold", ".llvm.", ".lto_priv", "@@"};
  for (const std::string_view mark : kMarks) {
    const std::size_t at = name.find(mark);
    if (at != std::string_view::npos && at > 0) name = name.substr(0, at);
  }
  // Go's bound methods.
  if (name.ends_with("-fm")) name.remove_suffix(3);
  return name;
}

bool is_go(std::string_view name) {
  if (name.find("::") != std::string_view::npos) return false;
  const std::size_t parameters = name.find_first_of("(<");
  const std::size_t dot = name.find('.');
  return dot != std::string_view::npos &&
         (parameters == std::string_view::npos || dot < parameters);
}

std::string plain_go_name(std::string_view name) {
  std::string plain;
  int depth = 0;
  for (const char c : name) {
    if (c == '[') ++depth;
    if (depth == 0) plain += c;
    if (c == ']' && depth > 0) --depth;
  }
  return plain;
}

// Reads a demangled C++ name from left to right.
class CxxName {
 public:
  explicit CxxName(std::string_view text) : text_(text) {}

  std::string plain() {
    while (at_ < text_.size() && !done_) step();
    return std::move(plain_);
  }

 private:
  void step() {
    const std::string_view rest = text_.substr(at_);
    const char c = rest.front();
    if (rest.starts_with(kAnonymous)) return copy(kAnonymous.size());
    if (rest.starts_with(kOperator) && starts_a_word()) return copy_operator();
    if (c == '<') return skip('<', '>');
    if (c == '{') return copy_braces();
    if (c == '(') return parameters();
    if (rest.starts_with(" <")) {
      // "operator< <int>"
      ++at_;
      return;
    }
    if (c == ' ') {
      // What stood before was a return type, or "virtual thunk to".
      plain_.clear();
      ++at_;
      return;
    }
    if (c == '*' || c == '&') {
      ++at_;
      return;
    }
    copy(1);
  }

  [[nodiscard]] bool starts_a_word() const {
    const std::size_t end = at_ + kOperator.size();
    return (at_ == 0 || !is_word(text_[at_ - 1])) && (end >= text_.size() || !is_word(text_[end]));
  }

  void copy(std::size_t count) {
    plain_.append(text_.substr(at_, count));
    at_ += count;
  }

  void copy_operator() {
    static constexpr std::array<std::string_view, 14> kSymbols = {
        "()", "[]", "<=>", "<<=", ">>=", "->*", "<<", ">>", "<=", ">=", "->", "<", ">", "\"\""};
    copy(kOperator.size());
    for (const std::string_view symbol : kSymbols) {
      if (text_.substr(at_).starts_with(symbol)) return copy(symbol.size());
    }
    // "operator new(...)", "operator bool() const", "operator+(...)"
    while (at_ < text_.size() && text_[at_] != '(' && text_[at_] != '<') copy(1);
  }

  // Leaves out the parenthesised text that starts here.
  void skip(char open, char close) {
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const bool arrow = text_[at_] == '>' && at_ > 0 && text_[at_ - 1] == '-';
      if (text_[at_] == open) ++depth;
      if (text_[at_] == close && !arrow && --depth == 0) {
        ++at_;
        return;
      }
    }
  }

  // "{lambda(int)#1}" -> "{lambda#1}"
  void copy_braces() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '(') {
        skip('(', ')');
        continue;
      }
      copy(1);
      if (c == '}') return;
    }
  }

  // A parameter list ends the name, unless it names a scope: "main(int)::Local::run()".
  void parameters() {
    if (plain_ == "decltype" || plain_ == "decltype ") {
      plain_.clear();
      return skip('(', ')');
    }
    skip('(', ')');
    constexpr std::string_view kConst = " const";
    std::string_view rest = text_.substr(at_);
    if (rest.starts_with(kConst)) rest.remove_prefix(kConst.size());
    if (!rest.starts_with("::")) {
      done_ = !plain_.empty();
      return;
    }
    at_ = text_.size() - rest.size();
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool done_ = false;
  std::string plain_;
};

}  // namespace

std::string plain_name(std::string_view function) {
  const std::string_view name = without_suffix(function);
  if (is_go(name)) return plain_go_name(name);
  std::string plain = CxxName(name).plain();
  return plain.empty() ? std::string(name) : plain;
}

std::string short_name(std::string_view function) {
  const std::string plain = plain_name(function);
  if (const std::size_t slash = plain.rfind('/'); slash != std::string::npos) {
    const std::size_t dot = plain.find('.', slash);
    return dot == std::string::npos ? plain.substr(slash + 1) : plain.substr(dot + 1);
  }
  const std::size_t last = plain.rfind("::");
  if (last == std::string::npos || last == 0) {
    const std::size_t dot = is_go(plain) ? plain.find('.') : std::string::npos;
    return dot == std::string::npos || dot + 1 == plain.size() ? plain : plain.substr(dot + 1);
  }
  const std::size_t before = plain.rfind("::", last - 1);
  return before == std::string::npos ? plain : plain.substr(before + 2);
}

bool name_matches(std::string_view pattern, std::string_view name) {
  return text::wildcard_match(pattern, name, {.ignore_case = true});
}

}  // namespace vigil::tools::layers
