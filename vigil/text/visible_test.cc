// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/visible.h"

#include <gtest/gtest.h>

#include "vigil/text/json_document.h"
#include "vigil/text/json_writer.h"
#include "vigil/text/utf8.h"
#include "vigil/text/xml.h"

namespace vigil::text {
namespace {

constexpr char32_t kCharacterMax = 0x10FFFF;

bool is_surrogate(char32_t c) { return c >= 0xD800 && c <= 0xDFFF; }

std::string utf8_of(char32_t c) {
  const auto byte = [](char32_t bits) { return static_cast<char>(bits); };
  if (c < 0x80) return {byte(c)};
  if (c < 0x800) return {byte(0xC0 | c >> 6), byte(0x80 | (c & 0x3F))};
  if (c < 0x10000) {
    return {byte(0xE0 | c >> 12), byte(0x80 | (c >> 6 & 0x3F)), byte(0x80 | (c & 0x3F))};
  }
  return {byte(0xF0 | c >> 18), byte(0x80 | (c >> 12 & 0x3F)), byte(0x80 | (c >> 6 & 0x3F)),
          byte(0x80 | (c & 0x3F))};
}

// Said a second time, from the standards and not from the table.
bool must_not_pass(char32_t c) {
  const bool is_control = c < 0x20 || (c >= 0x7F && c < 0xA0);
  const bool is_bidi = c == 0x61C || c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
                       (c >= 0x2066 && c <= 0x2069);
  const bool is_separator = c == 0x2028 || c == 0x2029;
  const bool is_no_character = (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFF) >= 0xFFFE;
  const bool is_tag = c >= 0xE0000 && c <= 0xE007F;
  return is_control || is_bidi || is_separator || is_no_character || is_tag;
}

TEST(VisibleTest, NoControlBidiOrNonCharacterPassesAndLettersDo) {
  for (char32_t c = 0; c <= kCharacterMax; ++c) {
    if (is_surrogate(c)) continue;
    const std::string name = "a" + utf8_of(c) + "b";
    const std::string text = visible_text(name);
    if (must_not_pass(c)) {
      ASSERT_EQ(text, "a?b") << std::hex << static_cast<unsigned>(c);
    } else {
      ASSERT_TRUE(text == name || text == "a?b") << std::hex << static_cast<unsigned>(c);
    }
  }
  EXPECT_EQ(visible_text("Grüße, 世界 👩\u200D👩 → naïve"), "Grüße, 世界 👩\u200D👩 → naïve");
}

TEST(VisibleTest, WhatIsNoUtf8IsReplaced) {
  EXPECT_EQ(visible_text("a\xFF"), "a\uFFFD");
  EXPECT_EQ(visible_text("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a lone surrogate
  EXPECT_EQ(visible_text("\xC0\xAF"), "\uFFFD\uFFFD");            // overlong
  EXPECT_EQ(visible_text("\xF4\x90\x80\x80"), "\uFFFD\uFFFD\uFFFD\uFFFD");
  EXPECT_EQ(visible_text("\xE2\x80"), "\uFFFD\uFFFD");
  for (int byte = 0x80; byte <= 0xFF; ++byte) {
    EXPECT_EQ(visible_text(std::string(1, static_cast<char>(byte))), "\uFFFD");
  }
}

TEST(VisibleTest, LinesStayOnlyWhereTheyAreAskedFor) {
  EXPECT_EQ(visible_text("a\n\tb\r"), "a??b?");
  EXPECT_EQ(visible_lines("a\n\tb\r\x85"), "a\n\tb?\uFFFD");
}

TEST(VisibleTest, JsonLosesNothingAndHidesNothing) {
  for (char32_t c = 0; c <= kCharacterMax; ++c) {
    if (is_surrogate(c) || !is_hidden(c)) continue;
    std::string json;
    append_json_string("a" + utf8_of(c), &json);
    const std::string shown = visible_json("{\"v\":" + json + "}");
    ASSERT_EQ(visible_text(shown), shown) << std::hex << static_cast<unsigned>(c);
    const Result<rapidjson::Document> document = parse_json(shown);
    ASSERT_TRUE(document) << std::hex << static_cast<unsigned>(c);
    ASSERT_EQ(json_text(*document, "v"), "a" + utf8_of(c));
  }
  EXPECT_EQ(visible_json("\"é\""), "\"é\"");
}

// XML 1.0, 2.2: #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] | [#x10000-#x10FFFF].
TEST(XmlTextTest, NoCharacterBreaksADocument) {
  for (char32_t c = 0; c <= kCharacterMax; ++c) {
    if (is_surrogate(c)) continue;
    const std::string text = xml_text(utf8_of(c));
    ASSERT_TRUE(is_utf8(text));
    if (must_not_pass(c) && c != '\n' && c != '\t') {
      ASSERT_EQ(text, "?") << std::hex << static_cast<unsigned>(c);
    }
  }
}

}  // namespace
}  // namespace vigil::text
