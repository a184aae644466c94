// SPDX-License-Identifier: Apache-2.0
//
// Base64: the standard alphabet with padding (RFC 4648, section 4).
//
// Thread safety: a pure function. Complexity: linear.
#pragma once

#include <string>
#include <string_view>

namespace vigil::text {

[[nodiscard]] std::string base64(std::string_view bytes);

}  // namespace vigil::text
