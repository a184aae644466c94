// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/json_writer.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "vigil/base/random.h"
#include "vigil/text/json.h"

namespace vigil::text {
namespace {

template <class Value>
std::string written(const Value& value) {
  std::string out;
  JsonWriter(&out).value(value);
  return out;
}

std::string json_of(std::string_view text) { return written(text); }

// An object with everything that a layout treats differently.
std::string sample(JsonLayout layout) {
  std::string out;
  JsonWriter json(&out, layout);
  json.begin_object();
  json.member("a", 1);
  json.begin_array("list");
  json.value("x");
  json.value(true);
  json.begin_object();
  json.member("b", true);
  json.end_object();
  json.end_array();
  json.begin_array("none");
  json.end_array();
  json.begin_object("empty");
  json.end_object();
  json.key("raw");
  json.json("[1]");
  json.end_object();
  return out;
}

TEST(JsonWriterTest, CompactHasNoSpaces) {
  EXPECT_EQ(sample({}), R"({"a":1,"list":["x",true,{"b":true}],"none":[],"empty":{},"raw":[1]})");
}

TEST(JsonWriterTest, IndentedHasOneMemberAndElementPerLine) {
  EXPECT_EQ(sample({.indent = 2}), R"({
  "a": 1,
  "list": [
    "x",
    true,
    {
      "b": true
    }
  ],
  "none": [],
  "empty": {},
  "raw": [1]
})");
}

TEST(JsonWriterTest, ArraysMayStayOnOneLine) {
  EXPECT_EQ(sample({.indent = 2, .arrays_on_one_line = true}), R"({
  "a": 1,
  "list": ["x", true, {
      "b": true
    }],
  "none": [],
  "empty": {},
  "raw": [1]
})");
}

TEST(JsonWriterTest, EscapesWhatJsonDoesNotTake) {
  EXPECT_EQ(json_of("a\"b\\c\b\f\n\r\t\x01\x1f\x7f/订单"),
            "\"a\\\"b\\\\c\\b\\f\\n\\r\\t\\u0001\\u001F\x7f/订单\"");
  EXPECT_EQ(json_of(std::string_view("\0", 1)), "\"\\u0000\"");
}

TEST(JsonWriterTest, RepairsBytesThatAreNotUtf8) {
  EXPECT_EQ(json_of("a\xff\xe4\xb8"), "\"a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  std::string out;
  JsonWriter json(&out);
  json.begin_object();
  json.member(JsonName(std::string_view("\xff\"")), 1);
  json.end_object();
  EXPECT_EQ(out, "{\"\xEF\xBF\xBD\\\"\":1}");
}

// Eight bytes are looked at together: each kind of byte at each place of two such words.
TEST(JsonWriterTest, NoByteEscapesItsEscapeByItsPlace) {
  for (int byte = 0; byte < 256; ++byte) {
    for (std::size_t size = 1; size <= 17; ++size) {
      for (std::size_t at = 0; at < size; ++at) {
        std::string text(size, 'x');
        text[at] = static_cast<char>(byte);
        const std::string rest(size - at - 1, 'x');
        const std::string alone = json_of(text.substr(at, 1));
        ASSERT_EQ(json_of(text),
                  "\"" + text.substr(0, at) + alone.substr(1, alone.size() - 2) + rest + "\"");
        ASSERT_TRUE(is_json(json_of(text)));
      }
    }
  }
}

// Small pieces are gathered before they are appended: none may be lost or change places at a
// border.
TEST(JsonWriterTest, PiecesOfAnySizeKeepTheirOrder) {
  for (std::size_t size = 0; size < 600; ++size) {
    const std::string text(size, 'x');
    std::string out = "<";
    JsonWriter json(&out);
    json.begin_array();
    for (int i = 0; i < 3; ++i) {
      json.value(i);
      json.value(text);
      json.json(text + "1");
    }
    json.end_array();
    std::string expected;
    for (const char* number : {"0", "1", "2"}) {
      expected.append(expected.empty() ? "" : ",").append(number);
      expected.append(",\"").append(text).append("\",").append(text).append("1");
    }
    ASSERT_EQ(out, "<[" + expected + "]");
  }
}

TEST(JsonWriterTest, NumbersKeepTheirWholeRange) {
  EXPECT_EQ(written(std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(written(std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(written(std::uint8_t{7}), "7");
}

TEST(JsonWriterTest, FractionsAreShortAndReadBack) {
  EXPECT_EQ(written(0.0), "0.0");
  EXPECT_EQ(written(3600.0), "3600.0");
  EXPECT_EQ(written(-0.5), "-0.5");
  EXPECT_EQ(written(0.000001), "0.000001");
  EXPECT_EQ(written(1e20), "100000000000000000000.0");
  EXPECT_TRUE(is_json(written(5e-324)));
  EXPECT_TRUE(is_json(written(1.7976931348623157e308)));
  EXPECT_EQ(written(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(written(std::numeric_limits<double>::quiet_NaN()), "null");
  const std::uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  for (int round = 0; round < 10'000; ++round) {
    const double number = static_cast<double>(random.below(1U << 30)) / 997;
    ASSERT_EQ(std::stod(written(number)), number);
  }
}

}  // namespace
}  // namespace vigil::text
