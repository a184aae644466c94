// SPDX-License-Identifier: Apache-2.0
//
// Numbers in files: little-endian, at any address.
//
// Thread safety: pure functions.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>

namespace vigil::log {

static_assert(std::endian::native == std::endian::little,
              "files are written on such machines only");

template <std::unsigned_integral Number>
[[nodiscard]] Number load_little(const char* from) {
  Number number;
  std::memcpy(&number, from, sizeof number);
  return number;
}

template <std::unsigned_integral Number>
void store_little(char* to, Number number) {
  std::memcpy(to, &number, sizeof number);
}

}  // namespace vigil::log
