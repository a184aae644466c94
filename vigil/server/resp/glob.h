// SPDX-License-Identifier: Apache-2.0
//
// glob_match: the patterns of KEYS, SCAN MATCH, PSUBSCRIBE and CONFIG GET, as Redis 7 defines them.
//
//   *        any bytes, also none            ?        one byte
//   [abc]    one of these                    [^a-c]   none of these
//   \x       the byte x itself, also inside brackets
//
// An unclosed bracket ends with the pattern; a reversed range is turned around.
//
// Complexity: O(pattern x text): only the last star is ever tried again, so no pattern makes it
// exponential. Thread safety: a pure function.
#pragma once

#include <string_view>

namespace vigil::server {

[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text,
                              bool ignore_case = false);

}  // namespace vigil::server
