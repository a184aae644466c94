// SPDX-License-Identifier: Apache-2.0
//
// Where in a text something is, as editors count: from 1, in characters of UTF-8.
//
// Thread safety: pure functions. Complexity: linear in the text before the place.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "vigil/base/result.h"

namespace vigil::text {

struct Position {
  std::size_t line = 1;
  std::size_t column = 1;

  friend bool operator==(const Position&, const Position&) = default;
};

// Of the byte text[offset]; offset may be text.size().
[[nodiscard]] Position position_of(std::string_view text, std::size_t offset);

// "name:line:column: message", which editors and terminals make a link of.
[[nodiscard]] Error error_at(std::string_view name, Position where, std::string_view message);

}  // namespace vigil::text
