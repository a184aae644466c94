// SPDX-License-Identifier: Apache-2.0
//
// Wildcards of policies, suppressions and rules of layers: * is any text, ? one byte of it; the
// whole text must match. Brackets are ordinary characters, because Go's generic functions have them
// in their names. Redis's patterns, which clients send, are another language (classes, escapes) and
// stay with the server that speaks it: vigil/server/resp/glob.h.
//
// Thread safety: a pure function. Complexity: O(pattern + text) without ? and with the case of
// letters, else O(pattern * text).
#pragma once

#include <string_view>

namespace vigil::text {

struct WildcardRules {
  bool question_mark = true;  // whether ? is a wildcard
  bool ignore_case = false;   // of ASCII letters
};

[[nodiscard]] bool wildcard_match(std::string_view pattern, std::string_view text,
                                  WildcardRules rules = {});

}  // namespace vigil::text
