// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/json.h"

#include <array>
#include <bitset>
#include <charconv>

namespace vigil::server {

namespace {

constexpr std::array<std::uint8_t, 256> plain_string_bytes() {
  std::array<std::uint8_t, 256> plain{};
  for (std::size_t c = 0x20; c < 0x80; ++c) plain[c] = 1;
  plain['"'] = plain['\\'] = 0;
  return plain;
}

// 1 for a byte that stands for itself in a JSON string and is ASCII.
constexpr std::array<std::uint8_t, 256> kPlain = plain_string_bytes();

std::uint8_t byte_at(const char* at) { return static_cast<std::uint8_t>(*at); }
bool continuation(const char* at) { return (byte_at(at) & 0xC0) == 0x80; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The length of the UTF-8 sequence at `at`, 0 if it is malformed.
std::size_t utf8_sequence(const char* at, const char* end) {
  const std::uint8_t lead = byte_at(at);
  const auto left = static_cast<std::size_t>(end - at);
  if (lead < 0x80) return 1;
  if (lead < 0xC2) return 0;
  if (lead < 0xE0) return left >= 2 && continuation(at + 1) ? 2 : 0;
  if (lead < 0xF0) {
    if (left < 3 || !continuation(at + 1) || !continuation(at + 2)) return 0;
    const std::uint8_t second = byte_at(at + 1);
    const bool overlong = lead == 0xE0 && second < 0xA0;
    const bool surrogate = lead == 0xED && second >= 0xA0;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead > 0xF4 || left < 4) return 0;
  if (!continuation(at + 1) || !continuation(at + 2) || !continuation(at + 3)) return 0;
  const std::uint8_t second = byte_at(at + 1);
  const bool overlong = lead == 0xF0 && second < 0x90;
  const bool too_large = lead == 0xF4 && second >= 0x90;
  return overlong || too_large ? 0 : 4;
}

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
    if (depth_ == kMaxJsonDepth) return false;
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
      while (more() && kPlain[byte_at(at_)] != 0) ++at_;
      if (!more()) return false;
      if (*at_ == '"') {
        ++at_;
        return true;
      }
      if (*at_ == '\\') {
        if (!escape()) return false;
      } else {
        const std::size_t length = byte_at(at_) < 0x20 ? 0 : utf8_sequence(at_, end_);
        if (length == 0) return false;
        at_ += length;
      }
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
  std::bitset<kMaxJsonDepth> in_object_;
};

void append_escaped(char c, std::string* out) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
    case '\\':
      out->push_back('\\');
      out->push_back(c);
      return;
    case '\n':
      out->append("\\n");
      return;
    case '\r':
      out->append("\\r");
      return;
    case '\t':
      out->append("\\t");
      return;
    default:
      out->append("\\u00");
      out->push_back(kHex[static_cast<std::uint8_t>(c) >> 4]);
      out->push_back(kHex[static_cast<std::uint8_t>(c) & 0xF]);
  }
}

bool needs_escape(char c) { return static_cast<std::uint8_t>(c) < 0x20 || c == '"' || c == '\\'; }

}  // namespace

bool is_utf8(std::string_view bytes) {
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (at != end) {
    const std::size_t length = utf8_sequence(at, end);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

bool is_json(std::string_view bytes) { return JsonChecker(bytes).check(); }

void append_json_string(std::string_view text, std::string* out) {
  out->push_back('"');
  std::size_t start = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!needs_escape(text[i])) continue;
    out->append(text, start, i - start);
    append_escaped(text[i], out);
    start = i + 1;
  }
  out->append(text, start);
  out->push_back('"');
}

void append_json_string_lossy(std::string_view bytes, std::string* out) {
  std::string text;
  text.reserve(bytes.size());
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  while (at != end) {
    const std::size_t length = utf8_sequence(at, end);
    text.append(length == 0 ? std::string_view("\xEF\xBF\xBD") : std::string_view(at, length));
    at += length == 0 ? 1 : length;
  }
  append_json_string(text, out);
}

void append_integer(std::int64_t value, std::string* out) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out->append(digits.data(), end);
}

void append_unsigned(std::uint64_t value, std::string* out) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out->append(digits.data(), end);
}

void append_base64(std::string_view bytes, std::string* out) {
  static constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < left ? byte_at(bytes.data() + i + k) : 0U);
    }
    out->push_back(kAlphabet[group >> 18]);
    out->push_back(kAlphabet[group >> 12 & 63]);
    out->push_back(left > 1 ? kAlphabet[group >> 6 & 63] : '=');
    out->push_back(left > 2 ? kAlphabet[group & 63] : '=');
  }
}

}  // namespace vigil::server
