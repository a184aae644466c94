// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/base64.h"

#include <gtest/gtest.h>

namespace vigil::text {
namespace {

TEST(Base64Test, MatchesTheRfcVectors) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foob"), "Zm9vYg==");
  EXPECT_EQ(base64("\xff\xfe\xfd"), "//79");
}

}  // namespace
}  // namespace vigil::text
