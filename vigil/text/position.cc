// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/position.h"

#include <algorithm>

namespace vigil::text {

Position position_of(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::string_view line = before.substr(before.rfind('\n') + 1);
  const auto begins_character = [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  };
  Position where;
  where.line += static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
  where.column +=
      static_cast<std::size_t>(std::count_if(line.begin(), line.end(), begins_character));
  return where;
}

Error error_at(std::string_view name, Position where, std::string_view message) {
  return Error{std::string(name)
                   .append(":")
                   .append(std::to_string(where.line))
                   .append(":")
                   .append(std::to_string(where.column))
                   .append(": ")
                   .append(message)};
}

}  // namespace vigil::text
