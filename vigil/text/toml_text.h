// SPDX-License-Identifier: Apache-2.0
//
// What must be true of a text before toml++ 3.3 may parse it.
//
// Use when: anything reads TOML. Thread safety: a pure function. Complexity: linear.
#pragma once

#include <string_view>

#include "vigil/base/result.h"

namespace vigil {

// Refuses a character outside of strings and comments that is not ASCII: TOML 1.0 allows none, and
// the behaviour of toml++ 3.3 is undefined for some of them. The error begins with "name:line: ".
[[nodiscard]] Result<void> check_toml_text(std::string_view text, std::string_view name);

}  // namespace vigil
