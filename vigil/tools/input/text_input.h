// SPDX-License-Identifier: Apache-2.0
//
// TextInput: the text of one file in pieces, in UTF-8 or whatever 8-bit encoding it has, with the
// number of the line at hand.
//
// A log may hold zero bytes: a hole that the rotation of logs left, a damaged block. They are taken
// out and counted, and what stands around them is text as before. UTF-16 is converted; a byte order
// mark is taken off.
//
// Thread safety: none. Memory: two pieces of kPieceBytes.
// Errors: latched; the text then ends, and error() says why.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/base/result.h"
#include "vigil/tools/input/byte_source.h"
#include "vigil/tools/input/encoding.h"

namespace vigil::tools::input {

// The text without them; the buffer holds it if there were any.
std::string_view without_zero_bytes(std::string_view bytes, std::string* buffer);

class TextInput {
 public:
  // Sees all of the text once, whoever takes it, before it is taken.
  using OnText = std::function<void(std::string_view)>;

  // The source outlives the input.
  explicit TextInput(HeadedSource& source, OnText on_text = {});

  // What can be read without taking it, at least so many bytes unless the text ends; valid until
  // the next call.
  std::string_view ahead(std::size_t bytes_min = 1) {
    if (ahead_.size() < bytes_min) fill(bytes_min);
    return ahead_;
  }
  // REQUIRES: bytes <= ahead().size()
  void take(std::size_t bytes);
  // Everything that is left. Error: that is more than `bytes_max`, or cannot be read.
  Result<std::string> take_all(std::size_t bytes_max);

  // The line, from 1, that the next byte belongs to.
  [[nodiscard]] std::uint64_t line() const { return line_; }
  // Why the text ended early.
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

  // Of what was read so far, whether it was taken or not.
  [[nodiscard]] bool is_empty() const { return bytes_ == 0; }  // but for zero bytes
  [[nodiscard]] std::uint64_t zero_bytes() const { return zero_bytes_; }
  [[nodiscard]] std::uint64_t first_zero_line() const { return first_zero_line_; }
  // Where something begins that is no text, such as a program or an image.
  [[nodiscard]] const std::optional<std::uint64_t>& binary_line() const { return binary_line_; }

 private:
  void fill(std::size_t bytes_min);
  [[nodiscard]] std::string_view next_piece();
  void count_zero_bytes(std::string_view piece, std::string_view text);
  void look_for_binary(std::string_view piece);

  HeadedSource& source_;
  OnText on_text_;
  std::optional<Utf16Source> utf16_;
  std::string_view ahead_;
  std::string without_zero_bytes_;
  std::string joined_;  // pieces of which more than one is ahead
  std::uint64_t line_ = 1;
  std::uint64_t lines_read_ = 1;
  std::uint64_t bytes_ = 0;
  std::uint64_t zero_bytes_ = 0;
  std::uint64_t first_zero_line_ = 0;
  std::optional<std::uint64_t> binary_line_;
  std::optional<Error> error_;
  bool is_at_end_ = false;
  bool is_at_begin_ = true;
};

}  // namespace vigil::tools::input
