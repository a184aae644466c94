// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/options/unknown_command.h"

#include <gtest/gtest.h>

namespace vigil::tools {
namespace {

TEST(UnknownCommandTest, SuggestsWhatIsNear) {
  EXPECT_EQ(unknown_command_text("benhc", {"bench", "gate"}),
            "unknown command \"benhc\"; did you mean bench?");
  EXPECT_EQ(unknown_command_text("rnu", {"run", "replay"}),
            "unknown command \"rnu\"; did you mean run?");
  EXPECT_EQ(unknown_command_text("xyzzy-plugh", {"bench"}), "unknown command \"xyzzy-plugh\"");
}

TEST(UnknownCommandTest, IsAMistakeOfUse) {
  EXPECT_EQ(unknown_command("vigil", "benhc", {}), kUsage);
}

}  // namespace
}  // namespace vigil::tools
