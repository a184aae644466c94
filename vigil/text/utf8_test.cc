// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/utf8.h"

#include <gtest/gtest.h>

#include "vigil/text/base64.h"

namespace vigil::text {
namespace {

TEST(Utf8Test, IsCheckedAtItsEdges) {
  for (const char* good : {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf",
                           "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(good)) << base64(good);
    EXPECT_EQ(valid_utf8(good), good);
  }
  for (const char* bad :
       {"\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xc2", "\xe0\xa0", "\xf0\x90\x80", "\xc2\x41"}) {
    EXPECT_FALSE(is_utf8(bad)) << base64(bad);
    EXPECT_TRUE(is_utf8(valid_utf8(bad))) << base64(bad);
  }
}

TEST(Utf8Test, RepairReplacesEachByteThatIsNoPartOfACharacter) {
  EXPECT_EQ(valid_utf8("a\xff\xe4\xb8"), "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(valid_utf8("\xc2\x41"), "\xEF\xBF\xBD\x41");
}

}  // namespace
}  // namespace vigil::text
