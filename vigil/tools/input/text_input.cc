// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/input/text_input.h"

#include <algorithm>
#include <iterator>

#include "vigil/base/check.h"

namespace vigil::tools::input {

namespace {

constexpr std::string_view kUtf8Mark = "\xef\xbb\xbf";

std::uint64_t lines_in(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

// No text has it: neither white space nor what terminals obey.
bool is_control(char byte) {
  const auto code = static_cast<unsigned char>(byte);
  return (code > 0 && code < '\a') || (code > '\r' && code < ' ' && code != '\x1b') || code == 0x7f;
}

bool is_binary(std::string_view block) {
  const auto zeros = static_cast<std::size_t>(std::count(block.begin(), block.end(), '\0'));
  const auto controls =
      static_cast<std::size_t>(std::count_if(block.begin(), block.end(), is_control));
  constexpr std::size_t kTextBytesPerControl = 32;
  return controls * kTextBytesPerControl > block.size() - zeros;
}

}  // namespace

std::string_view without_zero_bytes(std::string_view bytes, std::string* buffer) {
  if (bytes.find('\0') == std::string_view::npos) return bytes;
  buffer->clear();
  std::copy_if(bytes.begin(), bytes.end(), std::back_inserter(*buffer),
               [](char byte) { return byte != '\0'; });
  return *buffer;
}

TextInput::TextInput(HeadedSource& source, OnText on_text)
    : source_(source), on_text_(std::move(on_text)) {
  if (const std::optional<Utf16> order = utf16_of(source.head())) utf16_.emplace(source, *order);
}

void TextInput::fill(std::size_t bytes_min) {
  if (ahead_.empty()) ahead_ = next_piece();
  while (ahead_.size() < bytes_min && !is_at_end_) {
    std::string joined(ahead_);
    joined.append(next_piece());
    joined_ = std::move(joined);
    ahead_ = joined_;
  }
}

// Empty only at the end.
std::string_view TextInput::next_piece() {
  std::string_view text;
  while (text.empty() && !is_at_end_) {
    Result<std::string_view> piece = utf16_ ? utf16_->read() : source_.read();
    if (!piece) error_ = piece.error();
    is_at_end_ = !piece || piece->empty();
    if (is_at_end_) break;
    if (is_at_begin_ && piece->starts_with(kUtf8Mark)) piece->remove_prefix(kUtf8Mark.size());
    look_for_binary(*piece);
    text = without_zero_bytes(*piece, &without_zero_bytes_);
    count_zero_bytes(*piece, text);
    lines_read_ += lines_in(text);
    bytes_ += text.size();
    is_at_begin_ = false;
  }
  if (on_text_ && !text.empty()) on_text_(text);
  return text;
}

// Programs, images and compressed data have zero bytes and other control characters everywhere.
void TextInput::look_for_binary(std::string_view piece) {
  if (binary_line_ || piece.find('\0') == std::string_view::npos) return;
  constexpr std::size_t kBlockBytes = 4096;
  constexpr std::size_t kTooFewBytes = 512;  // to judge by, unless there is no more
  std::uint64_t line = lines_read_;
  for (std::string_view rest = piece; !rest.empty();) {
    const std::string_view block = rest.substr(0, kBlockBytes);
    rest.remove_prefix(block.size());
    if ((is_at_begin_ || block.size() >= kTooFewBytes) && is_binary(block)) {
      binary_line_ = line;
      return;
    }
    line += lines_in(block);
  }
}

void TextInput::count_zero_bytes(std::string_view piece, std::string_view text) {
  if (piece.size() == text.size()) return;
  if (zero_bytes_ == 0)
    first_zero_line_ = lines_read_ + lines_in(piece.substr(0, piece.find('\0')));
  zero_bytes_ += piece.size() - text.size();
}

void TextInput::take(std::size_t bytes) {
  VIGIL_CHECK(bytes <= ahead_.size(), "only what is ahead can be taken");
  line_ += lines_in(ahead_.substr(0, bytes));
  ahead_.remove_prefix(bytes);
}

Result<std::string> TextInput::take_all(std::size_t bytes_max) {
  std::string text;
  while (!ahead().empty()) {
    if (text.size() + ahead_.size() > bytes_max) {
      return Error{"is larger than " + std::to_string(bytes_max >> 20) + " MiB"};
    }
    text.append(ahead_);
    take(ahead_.size());
  }
  if (error_) return *error_;
  return text;
}

}  // namespace vigil::tools::input
