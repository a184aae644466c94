// SPDX-License-Identifier: Apache-2.0
#include "vigil/text/xml.h"

#include <gtest/gtest.h>

namespace vigil::text {
namespace {

TEST(XmlTest, NoByteEndsATagOrAnAttribute) {
  EXPECT_EQ(xml_text("a<b> & \"c\""), "a&lt;b&gt; &amp; &quot;c&quot;");
}

TEST(XmlTest, WhatXmlCannotHoldIsReplaced) {
  EXPECT_EQ(xml_text(std::string_view("\0\x1b\t\n\xff", 5)), "??\t\n\xEF\xBF\xBD");
}

}  // namespace
}  // namespace vigil::text
