// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/json_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace vigil::text {
namespace {

using ::testing::HasSubstr;
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

TEST(JsonDocumentTest, NestingHasALimitInEveryForm) {
  const auto nested = [](std::string_view open, std::string_view close, std::size_t depth) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += open;
    text += "0";
    for (std::size_t i = 0; i < depth; ++i) text += close;
    return text;
  };
  for (const auto& [open, close] :
       {std::pair("[", "]"), std::pair("{\"]\":", "}"), std::pair("[[],\"\\\"[\",", "]")}) {
    EXPECT_EQ(error_of(nested(open, close, kJsonDocumentDepthMax - 1)), "") << open;
    for (const std::size_t depth : {kJsonDocumentDepthMax + 1, std::size_t{300'000}}) {
      EXPECT_THAT(error_of(nested(open, close, depth)),
                  HasSubstr(": nested deeper than 512 brackets"))
          << open;
    }
  }
  const std::string brackets(10'000, '[');
  EXPECT_EQ(error_of("[\"" + brackets + "\"]"), "");
}

}  // namespace
}  // namespace vigil::text
