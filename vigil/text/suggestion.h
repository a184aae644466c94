// SPDX-License-Identifier: Apache-2.0
//
// What a person may have meant by a name that is not known.
//
// Thread safety: a pure function. Complexity: O(name * candidate) for each candidate.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vigil::text {

// "; did you mean X?" for the candidate nearest to `name`, if one is near; else nothing. The
// measure is Levenshtein's distance with swapped neighbours counted once.
[[nodiscard]] std::string suggestion(std::string_view name,
                                     const std::vector<std::string_view>& candidates);

}  // namespace vigil::text
