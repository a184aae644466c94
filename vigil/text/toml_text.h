// SPDX-License-Identifier: Apache-2.0
//
// What must be true of a text before toml++ 3.3 may parse it.
//
// Use when: anything reads TOML. Thread safety: a pure function. Complexity: linear.
#pragma once

#include <cstddef>
#include <string_view>

#include "vigil/base/result.h"

namespace vigil {

// How many parts of keys and brackets may lead to a value, counted from the start of its line's
// key.
inline constexpr std::size_t kTomlDepthMax = 128;

// Refuses what toml++ 3.3 does not survive, in an error that begins with "name:line: ":
//   - a character outside of strings and comments that is not ASCII: TOML 1.0 allows none, and the
//     behaviour of toml++ is undefined for some of them;
//   - depth: toml++ recurses over the parts of a key, and limits only the brackets. With
//     kTomlDepthMax no tree is deeper than twice that: a table's name, and a value in it.
[[nodiscard]] Result<void> check_toml_text(std::string_view text, std::string_view name);

}  // namespace vigil
