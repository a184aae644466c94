// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/decision_text.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <string_view>

namespace vigil::race {
namespace {

class DecisionTextTest : public testing::Test {
 protected:
  DecisionText read(std::string_view text) {
    return read_decisions(text.data(), text.size(), decisions_.data(), decisions_.size());
  }
  std::array<Decision, 3> decisions_;
};

TEST_F(DecisionTextTest, ReadsEveryKindOfLine) {
  const DecisionText text = read("# recipe\n\nrun 1 17 2\r\n  clock 0 3\nchoice 4 0 1");
  EXPECT_EQ(text.bad_line, 0U);
  ASSERT_EQ(text.count, 3U);
  EXPECT_EQ(decisions_[0].kind, Decision::Kind::kRun);
  EXPECT_EQ(decisions_[0].from, 1U);
  EXPECT_EQ(decisions_[0].step, 17U);
  EXPECT_EQ(decisions_[0].to, 2U);
  EXPECT_EQ(decisions_[1].kind, Decision::Kind::kClock);
  EXPECT_EQ(decisions_[1].step, 3U);
  EXPECT_EQ(decisions_[2].kind, Decision::Kind::kChoice);
  EXPECT_EQ(decisions_[2].to, 1U);
}

TEST_F(DecisionTextTest, NamesTheFirstBadLine) {
  for (const std::string_view bad : {"walk 1 2 3", "run 1 2", "run 1 2 3 4", "clock 1", "run a b c",
                                     "runs 1 2 3", "run 1 2 -3", "run 1 2 4294967296", "choice"}) {
    EXPECT_EQ(read(std::string("run 0 0 1\n") + std::string(bad) + "\n").bad_line, 2U) << bad;
  }
}

TEST_F(DecisionTextTest, StopsWhereTheRoomEnds) {
  const DecisionText text = read("clock 0 1\nclock 0 2\nclock 0 3\nclock 0 4\n");
  EXPECT_EQ(text.count, 3U);
  EXPECT_EQ(text.bad_line, 4U);
}

}  // namespace
}  // namespace vigil::race
