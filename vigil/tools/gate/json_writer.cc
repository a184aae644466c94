// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/json_writer.h"

#include <cstddef>

namespace vigil::tools::gate {
namespace {

// Bytes of the well-formed character at the start of `bytes`; 0 if there is none (Unicode 15,
// table 3-7).
std::size_t character_size(std::string_view bytes) {
  const auto at = [&](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
  };
  const auto is_tail = [&](std::size_t i) { return (at(i) & 0xC0U) == 0x80U; };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return is_tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool is_overlong = lead == 0xE0 && at(1) < 0xA0;
    const bool is_surrogate = lead == 0xED && at(1) > 0x9F;
    return is_tail(1) && is_tail(2) && !is_overlong && !is_surrogate ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool is_overlong = lead == 0xF0 && at(1) < 0x90;
    const bool is_too_large = lead == 0xF4 && at(1) > 0x8F;
    return is_tail(1) && is_tail(2) && is_tail(3) && !is_overlong && !is_too_large ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string valid_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t size = character_size(bytes);
    text.append(size != 0 ? bytes.substr(0, size) : "\xEF\xBF\xBD");
    bytes.remove_prefix(size != 0 ? size : 1);
  }
  return text;
}

}  // namespace vigil::tools::gate
