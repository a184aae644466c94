// SPDX-License-Identifier: Apache-2.0
#include "vigil/server/reactor/fault.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>
#include <string>
#include <vector>

namespace vigil::server {
namespace {

const FaultPlace kPlace{"RESP connection", 7};

TEST(FaultTest, WhatDoesNotThrowIsNoFault) {
  FaultLog log;
  Counter counter;
  bool ran = false;
  EXPECT_TRUE(contain_faults(log, counter, kPlace, [&] { ran = true; }));
  EXPECT_TRUE(ran);
  EXPECT_EQ(counter.value(), 0U);
}

template <class Work>
std::string line_of(Work work) {
  FaultLog log;
  Counter counter;
  std::string line;
  log.set_sink([&](std::string_view text) { line = text; });
  EXPECT_FALSE(contain_faults(log, counter, kPlace, work));
  EXPECT_EQ(counter.value(), 1U);
  return line;
}

TEST(FaultTest, AFaultOfEveryTypeIsCountedAndNamed) {
  EXPECT_EQ(line_of([] { throw std::length_error("field value too large"); }),
            "RESP connection 7 ended by std::length_error: field value too large; faults without "
            "a line: 0");
  EXPECT_EQ(line_of([] { throw std::bad_alloc(); }),
            "RESP connection 7 ended by std::bad_alloc: std::bad_alloc; faults without a line: 0");
  EXPECT_EQ(line_of([] { throw 7; }), "RESP connection 7 ended by int; faults without a line: 0");
}

TEST(FaultTest, TheLineIsShortAndPlainWhateverTheReasonQuotes) {
  const std::string line = line_of(
      [] { throw std::runtime_error("a\nb\x1b[31m\xe2\x80\xae" + std::string(5000, 'x')); });
  EXPECT_NE(line.find("a?b?[31m???xx"), std::string::npos) << line;
  EXPECT_LT(line.size(), 400U);
}

TEST(FaultTest, ManyFaultsHaveOneLine) {
  FaultLog log;
  Counter counter;
  std::vector<std::string> lines;
  log.set_sink([&](std::string_view text) { lines.emplace_back(text); });
  for (int i = 0; i < 1000; ++i) {
    EXPECT_FALSE(contain_faults(log, counter, kPlace, [] { throw 7; }));
  }
  EXPECT_EQ(counter.value(), 1000U);
  EXPECT_LT(lines.size(), 10U);  // a second passes for each
}

TEST(FaultTest, ASinkThatThrowsIsContainedAsWell) {
  FaultLog log;
  Counter counter;
  log.set_sink([](std::string_view) { throw std::runtime_error("the disk is full"); });
  EXPECT_FALSE(contain_faults(log, counter, kPlace, [] { throw 7; }));
  EXPECT_EQ(counter.value(), 1U);
}

}  // namespace
}  // namespace vigil::server
