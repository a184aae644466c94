// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/terminal.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

namespace vigil::tools {
namespace {

TEST(OutputLineTest, NoServiceTakesItForACommand) {
  EXPECT_EQ(output_line("::error::forged"), "?:error::forged");
  EXPECT_EQ(output_line("   ::warning file=a::b"), "   ?:warning file=a::b");
  EXPECT_EQ(output_line("a ##[error]x ##[group]"), "a #?[error]x #?[group]");
  EXPECT_EQ(output_line("##vso[task.complete]"), "#?vso[task.complete]");
  EXPECT_EQ(output_line("x ##teamcity[testFailed]"), "x #?teamcity[testFailed]");
  EXPECT_EQ(output_line("section_start:1:x\r\x1b[0K"), "section_start:1:x??[0K");
}

TEST(OutputLineTest, WhatACommandIsHiddenBehindIsTakenAwayFirst) {
  EXPECT_EQ(output_line("#\r#[error]"), "#?#[error]");
  EXPECT_EQ(output_line("\x1b::error::"), "?::error::");
  EXPECT_EQ(output_line("\n::error::"), "?::error::");
  EXPECT_EQ(output_line("###[error]"), "##?[error]");
}

TEST(OutputLineTest, NamesStayAsTheyAre) {
  EXPECT_EQ(output_line("std::map<int>::at  a/b.cc:3"), "std::map<int>::at  a/b.cc:3");
  EXPECT_EQ(output_line(""), "");
  EXPECT_EQ(output_line("  "), "  ");
}

class TerminalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    master_ = posix_openpt(O_RDWR | O_NOCTTY);
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) GTEST_SKIP();
    terminal_ = open(ptsname(master_), O_RDWR | O_NOCTTY);
    if (terminal_ < 0) GTEST_SKIP();
    setenv("TERM", "xterm", 1);
    unsetenv("NO_COLOR");
  }
  void TearDown() override {
    close(terminal_);
    close(master_);
  }

  int master_ = -1;
  int terminal_ = -1;
};

TEST_F(TerminalTest, OnlyATerminalThatCanMoveItsCursorGetsColours) {
  EXPECT_TRUE(has_cursor(terminal_));
  EXPECT_TRUE(has_colour(terminal_));
  setenv("NO_COLOR", "1", 1);
  EXPECT_TRUE(has_cursor(terminal_));
  EXPECT_FALSE(has_colour(terminal_));
  unsetenv("NO_COLOR");
  for (const char* const dumb : {"dumb", ""}) {
    setenv("TERM", dumb, 1);
    EXPECT_FALSE(has_cursor(terminal_)) << dumb;
    EXPECT_FALSE(has_colour(terminal_)) << dumb;
  }
  unsetenv("TERM");
  EXPECT_FALSE(has_colour(terminal_));
}

}  // namespace
}  // namespace vigil::tools
