// SPDX-License-Identifier: Apache-2.0
//
// TOML documents: toml++ 3.3 set up once, guarded against the texts that it does not survive, and
// errors with their position: "gate.toml:3:12: stage: expected a text in quotes".
//
//   const Result<toml::table> root = text::parse_toml(bytes, "gate.toml");
//
// Use when: anything reads TOML; TomlReader (toml_reader.h) for typed values by key.
//
// Thread safety: pure functions. Complexity: linear. Memory: a small multiple of the text.
#pragma once

#include <cstddef>
#include <string_view>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "vigil/base/result.h"

namespace vigil::text {

// How many parts of keys and brackets may lead to a value, counted from the start of its line's
// key. toml++ recurses over the parts of a key, and limits only the brackets; with this limit no
// tree is deeper than twice that: a table's name, and a value in it.
inline constexpr std::size_t kTomlDepthMax = 128;

// `name` is what errors call the text.
[[nodiscard]] Result<toml::table> parse_toml(std::string_view text, std::string_view name);

// What parse_toml() refuses before toml++ sees it: a character outside of strings and comments that
// is not ASCII (TOML 1.0 allows none, and the behaviour of toml++ 3.3 is undefined for some of
// them), a table's header without a key and a '}' in an array (likewise), and what is nested deeper
// than kTomlDepthMax.
[[nodiscard]] Result<void> check_toml_text(std::string_view text, std::string_view name);

// An error about a key; about its place only if `key` is empty.
[[nodiscard]] Error toml_error(std::string_view name, const toml::source_region& where,
                               std::string_view key, std::string_view message);

}  // namespace vigil::text
