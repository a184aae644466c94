// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/input/encoding.h"

#include <algorithm>
#include <array>

namespace vigil::tools::input {

namespace {

constexpr std::string_view kLittleEndianMark = "\xff\xfe";
constexpr std::string_view kBigEndianMark = "\xfe\xff";
constexpr char32_t kReplacement = 0xfffd;
constexpr char32_t kByteOrderMark = 0xfeff;

bool is_high(char16_t unit) { return unit >= 0xd800 && unit < 0xdc00; }
bool is_low(char16_t unit) { return unit >= 0xdc00 && unit < 0xe000; }

bool is_plain_text(char byte) {
  return (byte >= ' ' && byte <= '~') || byte == '\n' || byte == '\r' || byte == '\t';
}

void append_utf8(char32_t code, std::string* text) {
  const auto add = [text](char32_t byte) { text->push_back(static_cast<char>(byte)); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xc0 | code >> 6);
  } else {
    if (code < 0x10000) {
      add(0xe0 | code >> 12);
    } else {
      add(0xf0 | code >> 18);
      add(0x80 | (code >> 12 & 0x3f));
    }
    add(0x80 | (code >> 6 & 0x3f));
  }
  add(0x80 | (code & 0x3f));
}

}  // namespace

std::optional<Utf16> utf16_of(std::string_view head) {
  if (head.starts_with(kLittleEndianMark)) return Utf16::kLittleEndian;
  if (head.starts_with(kBigEndianMark)) return Utf16::kBigEndian;
  const std::size_t units = head.size() / 2;
  std::array<std::size_t, 2> zeros = {};
  for (std::size_t i = 0; i < 2 * units; ++i) zeros[i % 2] += head[i] == '\0' ? 1 : 0;
  // Most characters are ASCII, and none is U+0000.
  const auto is_high_byte = [&](std::size_t which) {
    return units >= 4 && zeros[which] * 2 > units && zeros[1 - which] * 50 < units;
  };
  if (is_high_byte(1)) return Utf16::kLittleEndian;
  if (is_high_byte(0)) return Utf16::kBigEndian;
  return std::nullopt;
}

Result<std::string_view> Utf16Source::read() {
  text_.clear();
  while (text_.empty() && !is_at_end_) {
    const Result<std::string_view> bytes = source_.read();
    if (!bytes) return bytes.error();
    if (Result<void> checked = check_for_plain_text(*bytes); !checked) return checked.error();
    is_at_end_ = bytes->empty();
    convert(*bytes);
    if (is_at_end_ && (odd_ || high_)) return Error{"UTF-16: the text ends within a character"};
  }
  return std::string_view(text_);
}

// No text in UTF-16 has that many bytes in a row which all look like ASCII, not even Chinese.
Result<void> Utf16Source::check_for_plain_text(std::string_view bytes) {
  constexpr std::uint64_t kPlainBytesMax = 64;
  for (const char byte : bytes) {
    ++position_;
    plain_bytes_ = is_plain_text(byte) ? plain_bytes_ + 1 : 0;
    if (plain_bytes_ == kPlainBytesMax) {
      return Error{"begins in UTF-16, but goes on in plain text from byte " +
                   std::to_string(position_ - kPlainBytesMax) + " on"};
    }
  }
  return {};
}

void Utf16Source::convert(std::string_view bytes) {
  for (const char byte : bytes) {
    const auto now = static_cast<unsigned char>(byte);
    if (!odd_) {
      odd_ = now;
      continue;
    }
    const bool little = order_ == Utf16::kLittleEndian;
    put(static_cast<char16_t>(little ? *odd_ | now << 8 : *odd_ << 8 | now));
    odd_.reset();
  }
}

void Utf16Source::put(char16_t unit) {
  if (high_ && is_low(unit)) {
    append_utf8(0x10000 + ((*high_ - 0xd800U) << 10) + (unit - 0xdc00U), &text_);
    high_.reset();
    return;
  }
  if (high_) append_utf8(kReplacement, &text_);
  high_.reset();
  if (is_high(unit)) {
    high_ = unit;
  } else if (is_low(unit)) {
    append_utf8(kReplacement, &text_);
  } else if (unit != kByteOrderMark) {
    append_utf8(unit, &text_);
  }
}

}  // namespace vigil::tools::input
