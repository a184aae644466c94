// SPDX-License-Identifier: Apache-2.0
//
// Text in UTF-16, as PowerShell's `>` writes it, becomes UTF-8.
//
// Thread safety: none. Memory: two pieces.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "vigil/tools/input/byte_source.h"

namespace vigil::tools::input {

enum class Utf16 : std::uint8_t { kLittleEndian, kBigEndian };

// By a byte order mark; without one, by the zero bytes that ASCII text has in UTF-16.
std::optional<Utf16> utf16_of(std::string_view head);

// A half of a surrogate pair becomes U+FFFD. Error: bytes that are no UTF-16, because a file that
// began in UTF-16 goes on in plain text or ends within a character.
class Utf16Source : public ByteSource {
 public:
  // The source outlives this one.
  Utf16Source(ByteSource& source, Utf16 order) : source_(source), order_(order) {}
  Result<std::string_view> read() override;

 private:
  void convert(std::string_view bytes);
  void put(char16_t unit);
  [[nodiscard]] Result<void> check_for_plain_text(std::string_view bytes);

  ByteSource& source_;
  Utf16 order_;
  std::optional<unsigned char> odd_;  // the first byte of a unit
  std::optional<char16_t> high_;      // the first half of a surrogate pair
  bool is_at_end_ = false;
  std::uint64_t position_ = 0;     // in the source
  std::uint64_t plain_bytes_ = 0;  // that look like plain text, up to here
  std::string text_;
};

}  // namespace vigil::tools::input
