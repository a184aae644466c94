// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/hex.h"

#include <array>
#include <charconv>
#include <cstddef>

namespace vigil::text {

std::string hex_number(std::uint64_t number) {
  std::array<char, 2 * sizeof number> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  return std::string("0x").append(digits.data(), static_cast<std::size_t>(end - digits.data()));
}

std::string hex_digits(std::uint64_t number) {
  std::string digits;
  for (int shift = 8 * sizeof number - 4; shift >= 0; shift -= 4) {
    digits.push_back(kHexDigits[number >> shift & 15U]);
  }
  return digits;
}

}  // namespace vigil::text
