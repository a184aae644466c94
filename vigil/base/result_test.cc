// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

namespace vigil {
namespace {

Result<int> parse_digit(char c) {
  if (c < '0' || c > '9') return Error{std::string("'") + c + "' is not a digit"};
  return c - '0';
}

TEST(ResultTest, HoldsTheValueOfASuccess) {
  const Result<int> digit = parse_digit('7');
  ASSERT_TRUE(digit);
  EXPECT_TRUE(digit.has_value());
  EXPECT_EQ(*digit, 7);
  EXPECT_EQ(digit.value(), 7);
}

TEST(ResultTest, HoldsTheErrorOfAFailure) {
  const Result<int> digit = parse_digit('x');
  ASSERT_FALSE(digit);
  EXPECT_EQ(digit.error().message, "'x' is not a digit");
}

TEST(ResultTest, ValueCanBeChangedInPlace) {
  Result<std::string> text = std::string("order");
  text->append(":1");
  *text += "!";
  EXPECT_EQ(*text, "order:1!");
}

TEST(ResultTest, MoveOnlyValueIsMovedOut) {
  Result<std::unique_ptr<int>> owner = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = *std::move(owner);
  EXPECT_EQ(*taken, 5);
}

TEST(ResultTest, ErrorSaysWhatWasBeingDone) {
  const Error error{"expected a number"};
  EXPECT_EQ(error.while_doing("reading vigild.toml").message,
            "while reading vigild.toml: expected a number");
}

TEST(ResultTest, VoidSucceedsByDefaultAndCarriesAnError) {
  EXPECT_TRUE(Result<void>());
  const Result<void> failed = Error{"disk full"};
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "disk full");
}

TEST(ResultDeathTest, ReadingTheWrongAlternativeStops) {
  const Result<int> failed = parse_digit('x');
  const Result<int> succeeded = parse_digit('1');
  EXPECT_DEATH(static_cast<void>(*failed), "Result that holds an error");
  EXPECT_DEATH(static_cast<void>(succeeded.error()), "Result that holds a value");
  EXPECT_DEATH(static_cast<void>(Result<void>().error()), "Result that succeeded");
}

}  // namespace
}  // namespace vigil
