// SPDX-License-Identifier: Apache-2.0
//
// Testing/Temporary/LastTest.log of a ctest build folder. ctest shows the output of a failed test
// only if asked to, and of a passed one not at all: a race under exitcode=0 would be swallowed.
// The log has all of it, and the command line of every test.
//
// Thread safety: none. Memory: that of one line, and names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vigil/tools/gate/run_log.h"

namespace vigil::tools::gate {

class CtestLog {
 public:
  struct Test {
    std::string name;
    std::vector<std::string> command;
    bool failed = false;
    // Of a failed test: its output has a race and shows no other failure.
    bool is_explained_by_race = false;
  };

  void feed(std::string_view bytes);
  void finish();

  [[nodiscard]] const std::vector<Test>& tests() const { return tests_; }

 private:
  void line(std::string_view text);
  void close_test();

  std::string partial_;
  std::vector<Test> tests_;
  RunLog output_;  // of the test being read
  bool in_output_ = false;
};

// The words of `Command: "/x/y" "a b"`.
std::vector<std::string> quoted_words(std::string_view text);

}  // namespace vigil::tools::gate
