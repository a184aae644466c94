// SPDX-License-Identifier: Apache-2.0
//
// Wildcards of policies and suppressions: * is any text, ? one character; the whole text must fit.
// Brackets are ordinary characters, because Go's generic functions have them in their names.
//
// Thread safety: a pure function. Complexity: O(pattern * text).
#pragma once

#include <string_view>

namespace vigil::tools::gate {

[[nodiscard]] bool wildcard_match(std::string_view pattern, std::string_view text);

}  // namespace vigil::tools::gate
