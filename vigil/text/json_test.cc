// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/json.h"

#include <gtest/gtest.h>

#include <string>

namespace vigil::text {
namespace {

TEST(JsonTest, AcceptsEveryKindOfValue) {
  for (const char* text :
       {"null", "true", "false", "0", "-0", "10", "-1.50", "1e400", "1E+2", "123456789012345678901",
        "\"\"", "\"a\\n\\u4e2d\\ud83d\\ude00\"", "\"订单\"", "[]", "{}", " [ 1 , [ ] , { } ] ",
        R"({"a":{"b":[1,2,{"c":null}]},"":0})"}) {
    EXPECT_TRUE(is_json(text)) << text;
  }
}

TEST(JsonTest, RejectsWhatOnlyLooksLikeJson) {
  for (const char* text : {"",
                           " ",
                           "nul",
                           "nullx",
                           "01",
                           "+1",
                           "1.",
                           ".5",
                           "1e",
                           "--1",
                           "- 1",
                           "NaN",
                           "Infinity",
                           "'a'",
                           "\"",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\\ud800\\u0041\"",
                           "\"a\nb\"",
                           "[",
                           "]",
                           "[1",
                           "[1,]",
                           "[,1]",
                           "[1 2]",
                           "{",
                           "{a:1}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{\"a\":1 \"b\":2}",
                           "[1}",
                           "{\"a\":1]",
                           "1 2",
                           "\"\xff\"",
                           "\"\xed\xa0\x80\"",
                           "\"\xc0\x80\"",
                           "// comment\n1"}) {
    EXPECT_FALSE(is_json(text)) << text;
  }
  EXPECT_FALSE(is_json(std::string_view("1\0", 2)));
}

TEST(JsonTest, NestingIsLimitedNotRecursive) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(is_json(nested(kJsonDepthMax)));
  EXPECT_FALSE(is_json(nested(kJsonDepthMax + 1)));
  EXPECT_FALSE(is_json(std::string(1'000'000, '[')));
}

}  // namespace
}  // namespace vigil::text
