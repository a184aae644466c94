// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/shell_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vigil::tools::race {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ShellWordsTest, PlainWordsAreNotQuoted) {
  EXPECT_EQ(shell_command({"./a.out", "--port=0", "x:y"}), "./a.out --port=0 x:y");
}

TEST(ShellWordsTest, ACommandIsTakenApartIntoItsWordsAgain) {
  const std::vector<std::string> words = {"a b", "", "it's", "\"", "\\", "$HOME", "*", "-x", "\n"};
  EXPECT_EQ(split_words(shell_command(words), Quoting::kShell), words);
}

TEST(ShellWordsTest, WordsAreQuotedAndEscapedAsInResponseFiles) {
  EXPECT_THAT(split_words(" -O2 'two words'\n\"a b\\\"c\" ", Quoting::kResponseFile),
              ElementsAre("-O2", "two words", "a b\"c"));
  EXPECT_THAT(split_words("'a\\'b'", Quoting::kResponseFile), ElementsAre("a'b"));
  EXPECT_THAT(split_words(" \t\n", Quoting::kShell), IsEmpty());
}

TEST(ShellWordsTest, AnOpenQuoteOrALastBackslashEndsWithTheText) {
  EXPECT_THAT(split_words("'a b", Quoting::kShell), ElementsAre("a b"));
  EXPECT_THAT(split_words("a\\", Quoting::kShell), ElementsAre("a"));
}

}  // namespace
}  // namespace vigil::tools::race
