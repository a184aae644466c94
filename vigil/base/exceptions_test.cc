// SPDX-License-Identifier: Apache-2.0
#include "vigil/base/exceptions.h"

#include <gtest/gtest.h>

namespace vigil {
namespace {

TEST(ExceptionsTest, WhatIsThrownIsThrown) {
  EXPECT_THROW(throw_length_error("full"), std::length_error);
  EXPECT_THROW(throw_bad_alloc(), std::bad_alloc);
}

TEST(ExceptionsTest, WhatRunThrewIsHandedBackAndNothingIfItDidNot) {
  int runs = 0;
  EXPECT_EQ(exception_of([&] { ++runs; }), nullptr);
  const std::exception_ptr thrown = exception_of([&] {
    ++runs;
    throw std::length_error("full");
  });
  ASSERT_NE(thrown, nullptr);
  EXPECT_THROW(std::rethrow_exception(thrown), std::length_error);
  EXPECT_EQ(runs, 2);
}

}  // namespace
}  // namespace vigil
