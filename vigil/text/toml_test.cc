// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/toml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "vigil/text/toml_reader.h"

namespace vigil::text {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

std::string error_of(std::string_view text) {
  const Result<toml::table> parsed = parse_toml(text, "x.toml");
  return parsed ? "" : parsed.error().message;
}

std::string repeated(std::string_view part, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += part;
  return text;
}

TEST(TomlTest, LetsAnyCharacterStandInStringsAndComments) {
  EXPECT_EQ(error_of("# \xC3\xA4\na = \"\xC3\xA4\"\nb = '''\n\xC3\xA4'''\n"), "");
}

TEST(TomlTest, NamesThePlaceOfAStrayCharacter) {
  EXPECT_THAT(error_of("a = 1\nb = \xC3\xA4\n"), StartsWith("x.toml:2:5: found a character"));
}

TEST(TomlTest, TakesAQuoteForTheStartOfAStringOnlyWhereOneMayStart) {
  EXPECT_THAT(error_of("a = 1979-05-27T07:32:00'\xC3\xA4'\n"), HasSubstr("not ASCII"));
}

TEST(TomlTest, RefusesAHeaderInWhichNoKeyStands) {
  for (const char* const header :
       {"[<a]", "[\n", "[[\n", "[ .a]", "[[=]]", "  [#", "a = 1\n\t[ [a]", "\xEF\xBB\xBF[<",
        "a = [1]\n[,", "[\x01", "[[[a]]]"}) {
    EXPECT_THAT(error_of(header), HasSubstr("without a key")) << header;
  }
  for (const char* const good : {"[a]", "[[a]]", "[ \"a b\" ]", "['a']", "[-]", "a = [\n[1],\n[2]]",
                                 "a = \"\"\"\n[<\n\"\"\"", "# [<"}) {
    EXPECT_TRUE(parse_toml(good, "x")) << good;
  }
  EXPECT_THAT(error_of("[]"), Not(HasSubstr("without a key")));
  EXPECT_THAT(error_of("["), Not(HasSubstr("without a key")));
}

TEST(TomlTest, RefusesABraceThatClosesAnArray) {
  for (const char* const text :
       {"a = [}", "a = [1, }]", "a = [{b = [}]}]", "a = [ # x\n }", "[a}"}) {
    EXPECT_THAT(error_of(text), HasSubstr("where ']' would close")) << text;
  }
  EXPECT_TRUE(parse_toml("a = [{b = [1]}, {}]\nc = { d = [] }", "x"));
}

TEST(TomlTest, NamesThePlaceOfASyntaxError) {
  EXPECT_THAT(error_of("a = 1\n[server\n"), StartsWith("x.toml:2:8: "));
}

TEST(TomlTest, CountsColumnsInCharacters) {
  EXPECT_THAT(error_of("a = \"\xE4\xB8\xAD\" \xC3\xA4\n"), StartsWith("x.toml:1:9: "));
}

// Each form nests `depth` deep.
std::vector<std::string> nested(std::size_t depth) {
  return {
      "a" + repeated(".a", depth) + " = 1\n",
      "a" + repeated(" . \"a\"", depth) + " = 1\n",
      "a" + repeated(".'a'", depth) + " = 1\n",
      "[a" + repeated(".a", depth - 1) + "]\n",
      "[[a" + repeated(".a", depth - 2) + "]]\n",
      "a = " + repeated("[", depth) + repeated("]", depth) + "\n",
      "a = " + repeated("[\n", depth) + repeated("]\n", depth) + "\n",
      "a" + repeated(".a", depth - 1) + " = {b = 1}\n",
      "a = {b" + repeated(".b", depth - 1) + " = 1}\n",
      "a = [1.5, {b" + repeated(".b", depth - 2) + " = 1}]\n",
  };
}

// toml++ would use up the stack.
TEST(TomlTest, RefusesWhatIsNestedDeeperThanItsLimitInEveryForm) {
  for (const std::string& text : nested(kTomlDepthMax)) EXPECT_EQ(error_of(text), "") << text;
  for (const std::size_t depth : {kTomlDepthMax + 1, std::size_t{131'000}}) {
    for (const std::string& text : nested(depth)) {
      EXPECT_THAT(error_of("\n" + text), AllOf(StartsWith("x.toml:"), HasSubstr("than 128")))
          << text.substr(0, 100);
    }
  }
}

TEST(TomlTest, DotsThatDoNotNestAreNotCounted) {
  const std::string dots = repeated(".", 1000);
  EXPECT_EQ(error_of("a = [" + repeated("1.5, ", 1000) + "]\n"), "");
  EXPECT_EQ(error_of("a = [" + repeated("{b.c = 1, d = []}, ", 1000) + "]\n"), "");
  EXPECT_EQ(error_of("a = \"" + dots + "\" # " + dots + "\n"), "");
  EXPECT_EQ(error_of("a = \"\"\"\n" + dots + "[[[\"\"\"\n"), "");
  EXPECT_EQ(error_of("\"" + dots + "\" = 1\n"), "");
  EXPECT_EQ(error_of(repeated("[[a.b]]\nc.d = 1\n", 1000)), "");
  EXPECT_TRUE(check_toml_text(repeated("]", 1000), "x.toml"));  // the parser's to refuse
}

TEST(TomlReaderTest, NamesTheKeyAndThePlaceOfItsValue) {
  const Result<toml::table> root = parse_toml("a = 1\nb =  true\n", "x.toml");
  ASSERT_TRUE(root);
  TomlReader reader("x.toml", *root);
  EXPECT_EQ(reader.count("a"), 1U);
  EXPECT_EQ(reader.text("b"), "");
  EXPECT_EQ(reader.finish().error().message, "x.toml:2:6: b: expected a text in quotes");
}

TEST(TomlReaderTest, ReportsAKeyThatNothingAskedFor) {
  const Result<toml::table> root = parse_toml("a = 1\nunknown = 2\n", "x.toml");
  ASSERT_TRUE(root);
  TomlReader reader("x.toml", *root);
  EXPECT_EQ(reader.count("a"), 1U);
  EXPECT_EQ(reader.finish().error().message, "x.toml:2:11: unknown: unknown key; known here: a");
}

TEST(TomlReaderTest, ReportsTheMisspeltKeyAndNotTheOneThatIsMissing) {
  const Result<toml::table> root = parse_toml("nmae = \"x\"\n", "x.toml");
  ASSERT_TRUE(root);
  TomlReader reader("x.toml", *root);
  if (reader.text("name").empty()) reader.fail("name", "it needs a name");
  EXPECT_THAT(reader.finish().error().message, StartsWith("x.toml:1:8: nmae: unknown key"));
}

}  // namespace
}  // namespace vigil::text
