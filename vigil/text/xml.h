// SPDX-License-Identifier: Apache-2.0
//
// Text inside XML 1.0, between tags or in an attribute's quotes.
//
// Thread safety: pure functions. Exceptions: only bad_alloc of the string.
#pragma once

#include <string>
#include <string_view>

namespace vigil::text {

// `bytes` with `& < > "` escaped, repaired to UTF-8, and `?` for hidden characters (visible.h): XML
// cannot hold control characters and non-characters even escaped. Line feeds and tabs stay.
[[nodiscard]] std::string xml_text(std::string_view bytes);

}  // namespace vigil::text
