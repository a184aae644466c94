// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/json_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace vigil::text {
namespace {

using ::testing::StartsWith;

std::string error_of(std::string_view bytes) {
  const Result<rapidjson::Document> document = parse_json(bytes);
  return document ? "" : document.error().message;
}

TEST(JsonDocumentTest, MembersAreFoundOrEmpty) {
  const Result<rapidjson::Document> document =
      parse_json(R"({"a":"x\u0000y","n":3,"list":[1,2],"o":{}})");
  ASSERT_TRUE(document) << document.error().message;
  EXPECT_EQ(json_text(*document, "a"), std::string_view("x\0y", 3));
  EXPECT_EQ(json_text(*document, "n"), "");
  EXPECT_EQ(json_text(*document, "absent"), "");
  EXPECT_EQ(json_array(*document, "list").Size(), 2U);
  EXPECT_EQ(json_array(*document, "o").Size(), 0U);
  EXPECT_EQ(json_member(*json_member(*document, "n"), "a"), nullptr);
}

TEST(JsonDocumentTest, AnErrorNamesLineAndColumn) {
  EXPECT_THAT(error_of(""), StartsWith("not JSON at line 1, column 1: "));
  EXPECT_THAT(error_of("{\n  \"\xE4\xB8\xAD\": }"), StartsWith("not JSON at line 2, column 8: "));
  EXPECT_THAT(error_of("{} {}"), StartsWith("not JSON at line 1, column 4: "));
  EXPECT_THAT(error_of("[\"\xFF\"]"), StartsWith("not JSON at line 1, column 3: "));
}

TEST(JsonDocumentTest, NothingHidesBehindANulByte) {
  EXPECT_EQ(error_of(std::string_view("{}\0{}", 5)), "not JSON at line 1, column 3: a NUL byte");
}

TEST(JsonDocumentTest, NestingIsNotRecursive) {
  constexpr std::size_t kDepth = 1'000'000;
  EXPECT_EQ(error_of(std::string(kDepth, '[') + std::string(kDepth, ']')), "");
}

}  // namespace
}  // namespace vigil::text
