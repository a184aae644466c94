// SPDX-License-Identifier: Apache-2.0
//
// Numbers as RESP clients write and read them: the strict decimal integers and the long doubles of
// Redis 7 (its string2ll, string2ld and "human" long double format), so that every edge case
// (leading zeroes, "+1", " 1", overflow, "-0") answers the same.
//
// Thread safety: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vigil::server {

// An optional minus sign and digits without leading zeroes, within 64 bits; nothing else.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

// What strtold() accepts as a whole, except leading white space and NaN.
[[nodiscard]] std::optional<long double> parse_long_double(std::string_view text);

// 17 digits after the point, without trailing zeroes and without an exponent. REQUIRES: finite.
[[nodiscard]] std::string format_long_double(long double value);

// ASCII case-insensitive comparison.
[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace vigil::server
