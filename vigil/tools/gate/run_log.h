// SPDX-License-Identifier: Apache-2.0
//
// RunLog: what the output of a test run says besides its race reports: how many tests ran, whether
// anything failed for another reason than a race, and where ctest keeps the output that it did not
// print. It knows GoogleTest, `go test` (text and -json) and ctest.
//
// A failed Go test is explained by a race if all that it printed is that a race was detected; a
// test that also logged something may have failed on its own, which the output cannot tell.
//
// Thread safety: none. Memory: one line and the names of failures (at most kFailuresMax).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace vigil::tools::gate {

class RunLog {
 public:
  static constexpr std::size_t kFailuresMax = 20;
  static constexpr std::size_t kLineBytesMax = 64 << 10;

  void feed(std::string_view bytes);
  void finish();

  // Tests (of `go test` without -v: packages with tests) that ran; nullopt: no known runner spoke.
  [[nodiscard]] std::optional<std::uint64_t> tests_run() const { return tests_run_; }
  // Failures that no race explains, as sentences.
  [[nodiscard]] const std::vector<std::string>& other_failures() const { return other_failures_; }
  [[nodiscard]] bool saw_race() const { return saw_race_; }
  // Go tests that failed for nothing but a race.
  [[nodiscard]] std::uint64_t failures_by_race() const { return failures_by_race_; }
  // The line in which the log shows a `go test -race` being started (`set -x`), if tests then ran.
  [[nodiscard]] std::string go_race_command() const { return tests_run_ ? go_race_command_ : ""; }
  // The build folder that ctest named.
  [[nodiscard]] const std::string& ctest_folder() const { return ctest_folder_; }

 private:
  // A "--- FAIL:" of Go whose lines are being read.
  struct GoFailure {
    std::string test;
    std::size_t indentation = 0;
    bool has_race = false;
    bool has_failed_subtest = false;
    bool has_other = false;
  };

  void line(std::string_view text);
  void go_event(std::string_view json);
  void text_line(std::string_view text);
  void go_package(std::string_view text);
  void go_failure_line(std::string_view text);
  void close_go_failures(std::size_t indentation);
  void add_tests(std::uint64_t count) { tests_run_ = tests_run_.value_or(0) + count; }
  void add_failure(std::string sentence);

  std::string partial_;
  std::optional<std::uint64_t> tests_run_;
  std::vector<std::string> other_failures_;
  std::vector<GoFailure> go_failures_;  // nested
  std::uint64_t failures_by_race_ = 0;
  std::uint64_t go_failures_in_package_ = 0;
  bool exit_66_in_package_ = false;
  bool saw_race_ = false;
  std::string go_race_command_;
  std::string ctest_folder_;
};

}  // namespace vigil::tools::gate
