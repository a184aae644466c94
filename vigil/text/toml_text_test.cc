// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/toml_text.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace vigil
