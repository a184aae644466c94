// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/json.h"

#include <bitset>
#include <charconv>
#include <cstdint>

#include "vigil/text/json_plain_text.h"

namespace vigil::text {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Walks one JSON text without recursion: the open brackets are one bit each.
class JsonChecker {
 public:
  explicit JsonChecker(std::string_view text) : at_(text.data()), end_(at_ + text.size()) {}

  bool check() {
    skip_space();
    if (!value()) return false;
    while (depth_ != 0) {
      if (!(in_object_[depth_ - 1] ? next_member() : next_element())) return false;
    }
    skip_space();
    return at_ == end_;
  }

 private:
  bool more() const { return at_ != end_; }
  bool take(char expected) {
    if (!more() || *at_ != expected) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (more() && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  // A scalar, or an opening bracket with the first value inside it.
  bool value() {
    while (more()) {
      switch (*at_) {
        case '"':
          return string();
        case '{':
          if (!open(true)) return false;
          if (take('}')) return close();
          if (!name()) return false;
          break;  // the member's value
        case '[':
          if (!open(false)) return false;
          if (take(']')) return close();
          break;  // the first element
        case 't':
          return word("true");
        case 'f':
          return word("false");
        case 'n':
          return word("null");
        default:
          return number();
      }
    }
    return false;
  }

  bool open(bool object) {
    if (depth_ == kJsonDepthMax) return false;
    in_object_[depth_++] = object;
    ++at_;
    skip_space();
    return true;
  }
  bool close() {
    --depth_;
    return true;
  }

  // After a value inside an object: the end, or a comma and another member.
  bool next_member() {
    skip_space();
    if (take('}')) return close();
    if (!take(',')) return false;
    skip_space();
    return name() && value();
  }
  bool next_element() {
    skip_space();
    if (take(']')) return close();
    if (!take(',')) return false;
    skip_space();
    return value();
  }
  bool name() {
    if (!more() || *at_ != '"' || !string()) return false;
    skip_space();
    if (!take(':')) return false;
    skip_space();
    return true;
  }

  bool word(std::string_view expected) {
    if (static_cast<std::size_t>(end_ - at_) < expected.size()) return false;
    if (std::string_view(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  bool digits() {
    const char* const start = at_;
    while (more() && is_digit(*at_)) ++at_;
    return at_ != start;
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (more() && (*at_ | 0x20) == 'e') {
      ++at_;
      if (!take('+')) take('-');
      return digits();
    }
    return true;
  }

  bool string() {
    ++at_;
    for (;;) {
      at_ = skip_plain_json(at_, end_);
      if (take('"')) return true;
      if (!more() || *at_ != '\\' || !escape()) return false;
    }
  }

  bool escape() {
    ++at_;
    if (!more()) return false;
    const char kind = *at_++;
    if (kind != 'u') return std::string_view("\"\\/bfnrt").find(kind) != std::string_view::npos;
    std::uint32_t unit = 0;
    if (!hex4(&unit) || (unit & 0xFC00) == 0xDC00) return false;
    if ((unit & 0xFC00) != 0xD800) return true;
    // A high surrogate alone stands for no character: the low one must follow.
    return take('\\') && take('u') && hex4(&unit) && (unit & 0xFC00) == 0xDC00;
  }
  bool hex4(std::uint32_t* unit) {
    if (end_ - at_ < 4) return false;
    const auto [stop, error] = std::from_chars(at_, at_ + 4, *unit, 16);
    if (error != std::errc() || stop != at_ + 4) return false;
    at_ += 4;
    return true;
  }

  const char* at_;
  const char* end_;
  std::size_t depth_ = 0;
  std::bitset<kJsonDepthMax> in_object_;
};

}  // namespace

bool is_json(std::string_view bytes) { return JsonChecker(bytes).check(); }

}  // namespace vigil::text
