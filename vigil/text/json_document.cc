// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/json_document.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>

#include <cstddef>
#include <optional>
#include <string>

#include "vigil/text/position.h"

namespace vigil::text {
namespace {

constexpr unsigned kParseFlags = rapidjson::kParseIterativeFlag |
                                 rapidjson::kParseFullPrecisionFlag |
                                 rapidjson::kParseValidateEncodingFlag;

Error not_json(std::string_view bytes, std::size_t offset, std::string_view why) {
  const Position where = position_of(bytes, offset);
  return Error{"not JSON at line " + std::to_string(where.line) + ", column " +
               std::to_string(where.column) + ": " + std::string(why)};
}

// Where brackets are nested too deep: outside of strings, whose end is not looked for twice.
std::optional<std::size_t> too_deep_at(std::string_view bytes) {
  if (bytes.size() <= kJsonDocumentDepthMax) return std::nullopt;
  std::size_t depth = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char c = bytes[at];
    if (c == '"') {
      for (++at; at < bytes.size() && bytes[at] != '"'; ++at) at += bytes[at] == '\\' ? 1 : 0;
    } else if (c == '[' || c == '{') {
      if (++depth > kJsonDocumentDepthMax) return at;
    } else if (c == ']' || c == '}') {
      depth -= depth == 0 ? 0 : 1;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<rapidjson::Document> parse_json(std::string_view bytes) {
  if (const std::optional<std::size_t> at = too_deep_at(bytes)) {
    return not_json(bytes, *at,
                    "nested deeper than " + std::to_string(kJsonDocumentDepthMax) + " brackets");
  }
  rapidjson::Document document;
  rapidjson::MemoryStream stream(bytes.data(), bytes.size());
  document.ParseStream<kParseFlags>(stream);
  if (document.HasParseError()) {
    return not_json(bytes, document.GetErrorOffset(),
                    rapidjson::GetParseError_En(document.GetParseError()));
  }
  // The parser takes a NUL byte for the end of the text.
  if (stream.Tell() != bytes.size()) return not_json(bytes, stream.Tell(), "a NUL byte");
  return document;
}

const JsonValue* json_member(const JsonValue& value, const char* name) {
  if (!value.IsObject()) return nullptr;
  const auto found = value.FindMember(name);
  return found == value.MemberEnd() ? nullptr : &found->value;
}

std::string_view json_text(const JsonValue& value, const char* name) {
  const JsonValue* const member = json_member(value, name);
  if (member == nullptr || !member->IsString()) return {};
  return {member->GetString(), member->GetStringLength()};
}

JsonValue::ConstArray json_array(const JsonValue& value, const char* name) {
  static const JsonValue none(rapidjson::kArrayType);
  const JsonValue* const member = json_member(value, name);
  return (member != nullptr && member->IsArray() ? *member : none).GetArray();
}

}  // namespace vigil::text
