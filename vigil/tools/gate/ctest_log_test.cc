// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/ctest_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace vigil::tools::gate {
namespace {

using testing::ElementsAre;

constexpr std::string_view kLog = R"(Start testing: Nov 23 07:00 UTC
----------------------------------------------------------
1/3 Testing: good
1/3 Test: good
Command: "/usr/bin/setarch" "-R" "/b/good_test" "--name=a \"b\""
Directory: /b
"good" start time: Nov 23 07:00 UTC
Output:
----------------------------------------------------------
2/3 Testing: not a head, this is output
<end of output>
Test time =   0.01 sec
----------------------------------------------------------
Test Passed.
"good" end time: Nov 23 07:00 UTC
----------------------------------------------------------

2/3 Testing: racy
2/3 Test: racy
Command: "/b/racy_test"
Output:
----------------------------------------------------------
WARNING: ThreadSanitizer: data race (pid=7)
<end of output>
Test Failed.
----------------------------------------------------------

3/3 Testing: wrong
3/3 Test: wrong
Command: "/b/wrong_test"
Output:
----------------------------------------------------------
WARNING: ThreadSanitizer: data race (pid=8)
[  FAILED  ] X.Y (0 ms)
<end of output>
Test Failed.
)";

TEST(CtestLogTest, TellsWhichFailuresARaceExplains) {
  CtestLog log;
  log.feed(kLog);
  log.finish();
  ASSERT_EQ(log.tests().size(), 3U);
  EXPECT_EQ(log.tests()[0].name, "good");
  EXPECT_THAT(log.tests()[0].command,
              ElementsAre("/usr/bin/setarch", "-R", "/b/good_test", "--name=a \"b\""));
  EXPECT_FALSE(log.tests()[0].failed);
  EXPECT_TRUE(log.tests()[1].failed);
  EXPECT_TRUE(log.tests()[1].is_explained_by_race);
  EXPECT_TRUE(log.tests()[2].failed);
  EXPECT_FALSE(log.tests()[2].is_explained_by_race);
}

TEST(CtestLogTest, SurvivesALogCutAnywhere) {
  for (std::size_t size = 0; size < kLog.size(); ++size) {
    CtestLog log;
    log.feed(kLog.substr(0, size));
    log.finish();
    EXPECT_LE(log.tests().size(), 3U);
  }
}

}  // namespace
}  // namespace vigil::tools::gate
