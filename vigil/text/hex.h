// SPDX-License-Identifier: Apache-2.0
//
// Hexadecimal digits. Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::text {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";
inline constexpr std::string_view kUpperHexDigits = "0123456789ABCDEF";

// "0x1f", as addresses are written: no leading zeros.
[[nodiscard]] std::string hex_number(std::uint64_t number);

// Two digits per byte, the most significant byte first: 16 of them.
[[nodiscard]] std::string hex_digits(std::uint64_t number);

}  // namespace vigil::text
