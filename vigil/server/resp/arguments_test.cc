// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/resp/arguments.h"

#include <gtest/gtest.h>

#include <array>
#include <string_view>
#include <vector>

#include "vigil/server/resp/reply_errors.h"

namespace vigil::server {
namespace {

using Words = std::vector<std::string_view>;

enum class Colour { kRed, kBlue };
constexpr std::array kColours = {Choice<Colour>{"red", Colour::kRed},
                                 Choice<Colour>{"blue", Colour::kBlue}};

TEST(ArgumentsTest, ReadsFromLeftToRight) {
  const Words words = {"key", "-7", "1.5", "a", "b"};
  Arguments args(words);
  EXPECT_EQ(args.next(), "key");
  EXPECT_EQ(args.integer(), -7);
  EXPECT_EQ(args.number(), 1.5L);
  EXPECT_EQ(args.left(), 2U);
  const auto tail = args.tail();
  EXPECT_EQ(Words(tail.begin(), tail.end()), (Words{"a", "b"}));
  EXPECT_FALSE(args.more());
  EXPECT_TRUE(args.ok());
}

TEST(ArgumentsTest, WordsAreFoundInAnyCaseAndOnlyAtTheFront) {
  const Words words = {"Nx", "BLUE", "eX", "10"};
  Arguments args(words);
  EXPECT_FALSE(args.flag("xx"));
  EXPECT_TRUE(args.flag("nx"));
  EXPECT_EQ(args.one_of<Colour>(kColours), Colour::kBlue);
  EXPECT_EQ(args.one_of<Colour>(kColours), std::nullopt);
  EXPECT_TRUE(args.option("ex"));
  EXPECT_EQ(args.integer(), 10);
  EXPECT_TRUE(args.ok());
}

TEST(ArgumentsTest, AnOptionNeedsAValueAndAFlagDoesNot) {
  const Words words = {"ex"};
  Arguments args(words);
  EXPECT_FALSE(args.option("ex"));
  EXPECT_TRUE(args.ok());  // what it is instead is for the caller to say
  EXPECT_TRUE(args.flag("ex"));
}

TEST(ArgumentsTest, TheFirstErrorStaysAndEndsReading) {
  const Words words = {"x", "y", "ex", "10"};
  Arguments args(words);
  EXPECT_EQ(args.integer(), 0);
  EXPECT_EQ(args.error(), kNotAnInteger);
  EXPECT_FALSE(args.more());
  EXPECT_EQ(args.next(), "");
  EXPECT_EQ(args.number(), 0);
  EXPECT_FALSE(args.flag("y"));
  EXPECT_FALSE(args.option("ex"));
  EXPECT_TRUE(args.tail().empty());
  args.fail("ERR later");
  args.require(false);
  EXPECT_EQ(args.error(), kNotAnInteger);
}

TEST(ArgumentsTest, AMissingArgumentIsASyntaxError) {
  Arguments args({});
  EXPECT_TRUE(args.ok());
  EXPECT_EQ(args.next(), "");
  EXPECT_EQ(args.error(), kSyntaxError);
}

TEST(ArgumentsTest, ANumberReadAsTextIsJudgedAfterTheOptions) {
  const Words words = {"x", "nonsense"};
  Arguments args(words);
  const std::string_view text = args.next();
  args.require(args.flag("nx"));
  EXPECT_EQ(args.integer(text), 0);
  EXPECT_EQ(args.error(), kSyntaxError);
}

TEST(ArgumentsTest, NumbersAreReadAsStrictlyAsRedisReadsThem) {
  for (const std::string_view text : {"", " 1", "+1", "01", "1x", "9223372036854775808"}) {
    const Words words = {text};
    Arguments args(words);
    EXPECT_EQ(args.integer(), 0) << text;
    EXPECT_EQ(args.error(), kNotAnInteger) << text;
  }
  for (const std::string_view text : {"", " 1", "nan", "1x"}) {
    const Words words = {text};
    Arguments args(words);
    EXPECT_EQ(args.number(), 0) << text;
    EXPECT_EQ(args.error(), kNotAFloat) << text;
  }
}

}  // namespace
}  // namespace vigil::server
