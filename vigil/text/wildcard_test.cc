// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/wildcard.h"

#include <gtest/gtest.h>

#include <string>

#include "vigil/base/random.h"

namespace vigil::text {
namespace {

TEST(WildcardTest, TheWholeTextMustMatch) {
  EXPECT_TRUE(wildcard_match("Cache.Get", "Cache.Get"));
  EXPECT_FALSE(wildcard_match("Cache", "Cache.Get"));
  EXPECT_TRUE(wildcard_match("Cache*", "Cache.Get"));
  EXPECT_TRUE(wildcard_match("*", ""));
  EXPECT_TRUE(wildcard_match("**", "x"));
  EXPECT_TRUE(wildcard_match("", ""));
  EXPECT_FALSE(wildcard_match("", "x"));
  EXPECT_TRUE(wildcard_match("a*ab", "aab"));
  EXPECT_FALSE(wildcard_match("ab*ab", "ab"));
}

TEST(WildcardTest, AQuestionMarkIsOneByteOrItself) {
  EXPECT_TRUE(wildcard_match("a?c", "abc"));
  EXPECT_FALSE(wildcard_match("a?c", "ac"));
  EXPECT_FALSE(wildcard_match("a?c", "abc", {.question_mark = false}));
  EXPECT_TRUE(wildcard_match("a?c", "a?c", {.question_mark = false}));
}

TEST(WildcardTest, BracketsAreOrdinary) {
  EXPECT_TRUE(wildcard_match("F[...]", "F[...]"));
  EXPECT_FALSE(wildcard_match("[a]", "a"));
}

TEST(WildcardTest, LettersMatchInEitherCaseIfAsked) {
  EXPECT_FALSE(wildcard_match("*cron*", "svc.Cron.Run"));
  EXPECT_TRUE(wildcard_match("*cron*", "svc.Cron.Run", {.ignore_case = true}));
  EXPECT_FALSE(wildcard_match("std::*", "mystd::x", {.ignore_case = true}));
}

// The definition, word for word.
bool matches_by_definition(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    return matches_by_definition(pattern.substr(1), text) ||
           (!text.empty() && matches_by_definition(pattern, text.substr(1)));
  }
  if (text.empty() || (pattern.front() != '?' && pattern.front() != text.front())) return false;
  return matches_by_definition(pattern.substr(1), text.substr(1));
}

TEST(WildcardTest, AgreesWithTheDefinition) {
  const std::uint64_t seed = random_seed();
  SCOPED_TRACE("seed " + std::to_string(seed));
  Random random(seed);
  const auto word = [&](std::string_view alphabet) {
    std::string text;
    for (auto left = random.below(9); left > 0; --left) {
      text += alphabet[random.below(alphabet.size())];
    }
    return text;
  };
  for (int round = 0; round < 50'000; ++round) {
    const std::string pattern = word("ab*?");
    const std::string text = word("ab");
    ASSERT_EQ(wildcard_match(pattern, text), matches_by_definition(pattern, text))
        << pattern << " " << text;
  }
}

// A matcher that tries every way of sharing the text between the asterisks would not end.
TEST(WildcardTest, ManyAsterisksDoNotMultiplyTheWork) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_FALSE(wildcard_match(pattern + "b", std::string(20'000, 'a')));
}

// The definition, without thought for its cost.
bool model(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern[0] == '*') {
    return model(pattern.substr(1), text) || (!text.empty() && model(pattern, text.substr(1)));
  }
  return !text.empty() && (pattern[0] == '?' || pattern[0] == text[0]) &&
         model(pattern.substr(1), text.substr(1));
}

// Every pattern of up to 5 and every text of up to 5 out of a few characters.
TEST(WildcardTest, AgreesWithItsDefinition) {
  const auto all_of = [](std::string_view letters, std::size_t size_max) {
    std::vector<std::string> words = {""};
    for (std::size_t begin = 0, size = 0; size < size_max; ++size) {
      const std::size_t end = words.size();
      for (; begin < end; ++begin) {
        for (const char letter : letters) words.push_back(words[begin] + letter);
      }
    }
    return words;
  };
  for (const std::string& pattern : all_of("ab*?", 5)) {
    for (const std::string& text : all_of("ab", 5)) {
      ASSERT_EQ(wildcard_match(pattern, text), model(pattern, text)) << pattern << " " << text;
    }
  }
}

}  // namespace
}  // namespace vigil::text
