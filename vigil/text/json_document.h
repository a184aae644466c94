// SPDX-License-Identifier: Apache-2.0
//
// JSON documents read as a whole: RapidJSON set up once, and the two look-ups that every reader
// makes.
//
//   const Result<rapidjson::Document> document = text::parse_json(bytes);
//   if (!document) return document.error();
//   for (const text::JsonValue& result : text::json_array(*document, "results")) {
//     use(text::json_text(result, "ruleId"));
//   }
//
// Use when: a document has a few known members. Use instead: is_json() to ask whether bytes are
// JSON; RapidJSON's Reader where a document must not be held in memory.
//
// Thread safety: pure functions. Complexity: linear; without recursion. Memory: a small multiple of
// the text.
#pragma once

#include <rapidjson/document.h>

#include <cstddef>
#include <string_view>

#include "vigil/base/result.h"

namespace vigil::text {

using JsonValue = rapidjson::Value;

// No program nests documents so deep; what does, costs memory at every level.
inline constexpr std::size_t kJsonDocumentDepthMax = 512;

// The error is "not JSON at line 3, column 14: ...". Strings must be UTF-8: give valid_utf8(bytes)
// where a foreign program may have written others.
[[nodiscard]] Result<rapidjson::Document> parse_json(std::string_view bytes);

// The member's value; nullptr if `value` is no object or has no such member.
[[nodiscard]] const JsonValue* json_member(const JsonValue& value, const char* name);

// The member's text; empty if there is no such member or it is no string. Lives as long as the
// document.
[[nodiscard]] std::string_view json_text(const JsonValue& value, const char* name);

// The member's elements; none if there is no such member or it is no array.
[[nodiscard]] JsonValue::ConstArray json_array(const JsonValue& value, const char* name);

}  // namespace vigil::text
