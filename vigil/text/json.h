// SPDX-License-Identifier: Apache-2.0
//
// Whether bytes are JSON (RFC 8259), without a document tree and without recursion.
//
// Use when: stored bytes may be embedded in an answer only if they are JSON. Use instead:
// json_writer.h to write, json_document.h to read what a document holds.
//
// Thread safety: a pure function. Complexity: linear. Exceptions: none.
#pragma once

#include <cstddef>
#include <string_view>

namespace vigil::text {

inline constexpr std::size_t kJsonDepthMax = 64;

// Exactly one JSON value, white space around it allowed, strings in UTF-8, nested at most
// kJsonDepthMax deep. Numbers may have any size.
[[nodiscard]] bool is_json(std::string_view bytes);

}  // namespace vigil::text
