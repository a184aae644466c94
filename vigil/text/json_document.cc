// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/json_document.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>

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

}  // namespace

Result<rapidjson::Document> parse_json(std::string_view bytes) {
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
