// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/toml_text.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace vigil {
namespace {

TEST(TomlTextTest, LetsAnyCharacterStandInStringsAndComments) {
  EXPECT_TRUE(check_toml_text("# \xC3\xA4\na = \"\xC3\xA4\"\nb = '''\n\xC3\xA4'''\n", "x.toml"));
}

TEST(TomlTextTest, NamesTheLineOfAStrayCharacter) {
  const Result<void> checked = check_toml_text("a = 1\nb = \xC3\xA4\n", "x.toml");
  ASSERT_FALSE(checked);
  EXPECT_TRUE(checked.error().message.starts_with("x.toml:2: ")) << checked.error().message;
}

TEST(TomlTextTest, TakesAQuoteForTheStartOfAStringOnlyWhereOneMayStart) {
  EXPECT_FALSE(check_toml_text("a = 1979-05-27T07:32:00'\xC3\xA4'\n", "x.toml"));
}

std::string repeated(std::string_view text, std::size_t times) {
  std::string all;
  for (std::size_t i = 0; i < times; ++i) all += text;
  return all;
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

TEST(TomlTextTest, RefusesWhatIsNestedDeeperThanItsLimitInEveryForm) {
  for (const std::string& text : nested(kTomlDepthMax)) {
    EXPECT_TRUE(check_toml_text(text, "x.toml")) << text;
  }
  for (const std::size_t depth : {kTomlDepthMax + 1, std::size_t{131'000}}) {
    for (const std::string& text : nested(depth)) {
      const Result<void> checked = check_toml_text("\n" + text, "x.toml");
      ASSERT_FALSE(checked) << text.substr(0, 100);
      EXPECT_TRUE(checked.error().message.starts_with("x.toml:")) << checked.error().message;
      EXPECT_NE(checked.error().message.find("deeper than 128"), std::string::npos);
    }
  }
}

TEST(TomlTextTest, DotsThatDoNotNestAreNotCounted) {
  const std::string dots = repeated(".", 1000);
  EXPECT_TRUE(check_toml_text("a = [" + repeated("1.5, ", 1000) + "]\n", "x.toml"));
  EXPECT_TRUE(check_toml_text(repeated("a.b = 1.5\n", 1000), "x.toml"));
  EXPECT_TRUE(check_toml_text(repeated("[a.b]\n", 1000), "x.toml"));
  EXPECT_TRUE(check_toml_text("a = [" + repeated("{b.c = 1, d = []}, ", 1000) + "]\n", "x.toml"));
  EXPECT_TRUE(check_toml_text("a = \"" + dots + "\" # " + dots + "\n", "x.toml"));
  EXPECT_TRUE(check_toml_text("a = \"\"\"\n" + dots + "[[[\"\"\"\n", "x.toml"));
  EXPECT_TRUE(check_toml_text("\"" + dots + "\" = 1\n", "x.toml"));
  EXPECT_TRUE(check_toml_text(repeated("]", 1000), "x.toml"));  // the parser's to refuse
}

}  // namespace
}  // namespace vigil
