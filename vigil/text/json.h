// SPDX-License-Identifier: Apache-2.0
//
// JSON text (RFC 8259) in and out: what the hot path of the HTTP side needs and no document tree.
//
// Use when: writing an answer, or asking whether stored bytes may be embedded in one. Use instead:
// json_order.h to read what a client sent.
//
// Thread safety: pure functions. Complexity: linear. Exceptions: only bad_alloc of the string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace vigil::server {

inline constexpr std::size_t kMaxJsonDepth = 64;

// Well-formed UTF-8: no overlong form, no surrogate, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view bytes);

// Exactly one JSON value, white space around it allowed, strings in UTF-8, nested at most
// kMaxJsonDepth deep. Numbers may have any size.
[[nodiscard]] bool is_json(std::string_view bytes);

// Appends a quoted string. REQUIRES: is_utf8(text).
void append_json_string(std::string_view text, std::string* out);

// Appends a quoted string for a person: bytes that are not UTF-8 appear as U+FFFD.
void append_json_string_lossy(std::string_view bytes, std::string* out);

void append_integer(std::int64_t value, std::string* out);
void append_unsigned(std::uint64_t value, std::string* out);

// Appends the standard alphabet with padding (RFC 4648, section 4).
void append_base64(std::string_view bytes, std::string* out);

}  // namespace vigil::server
