// SPDX-License-Identifier: Apache-2.0
//
// Scanner: reads a line from left to right. Nothing throws; what is not there is not taken.
//
//   Scanner scan("Read of size 8 at 0x10 by thread T2:");
//   if (scan.accept("Read of size ")) size = scan.number();
//
// Thread safety: a plain value.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace vigil::tools::evidence {

class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  [[nodiscard]] std::string_view rest() const { return rest_; }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }

  bool accept(std::string_view prefix) {
    if (!rest_.starts_with(prefix)) return false;
    rest_.remove_prefix(prefix.size());
    return true;
  }

  void skip_spaces() {
    const std::size_t first = rest_.find_first_not_of(" \t");
    rest_.remove_prefix(first == std::string_view::npos ? rest_.size() : first);
  }

  // Decimal; nothing if no digit stands here or the number is too large.
  std::optional<std::uint64_t> number() { return digits(10); }

  // "0x1f" or "0X1F".
  std::optional<std::uint64_t> hex() {
    if (!rest_.starts_with("0x") && !rest_.starts_with("0X")) return std::nullopt;
    rest_.remove_prefix(2);
    return digits(16);
  }

  // What stands before `mark`, and goes past the mark; nothing if there is no such mark.
  std::optional<std::string_view> until(std::string_view mark) {
    const std::size_t at = rest_.find(mark);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view before = rest_.substr(0, at);
    rest_.remove_prefix(at + mark.size());
    return before;
  }

 private:
  std::optional<std::uint64_t> digits(int base) {
    std::uint64_t value = 0;
    const char* const end = rest_.data() + rest_.size();
    const std::from_chars_result result = std::from_chars(rest_.data(), end, value, base);
    if (result.ec != std::errc()) return std::nullopt;
    rest_.remove_prefix(static_cast<std::size_t>(result.ptr - rest_.data()));
    return value;
  }

  std::string_view rest_;
};

// "dir/file.cc:12:7" -> file, line, column; a text without numbers is only a file.
struct FilePosition {
  std::string_view file;
  int line = 0;
  int column = 0;
};

inline FilePosition file_position(std::string_view text) {
  FilePosition position{.file = text};
  int numbers[2] = {0, 0};
  int count = 0;
  while (count < 2) {
    const std::size_t colon = position.file.rfind(':');
    if (colon == std::string_view::npos || colon == 0) break;
    const std::string_view tail = position.file.substr(colon + 1);
    int value = 0;
    const auto [end, error] = std::from_chars(tail.data(), tail.data() + tail.size(), value);
    if (error != std::errc() || end != tail.data() + tail.size() || value < 0) break;
    numbers[count++] = value;
    position.file = position.file.substr(0, colon);
  }
  position.line = count == 2 ? numbers[1] : numbers[0];
  position.column = count == 2 ? numbers[0] : 0;
  return position;
}

}  // namespace vigil::tools::evidence
