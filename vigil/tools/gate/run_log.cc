// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/run_log.h"

#include <algorithm>
#include <charconv>

#include "vigil/text/json_document.h"
#include "vigil/text/utf8.h"
#include "vigil/tools/gate/detector_proof.h"

namespace vigil::tools::gate {
namespace {

constexpr std::size_t kNowhere = std::string_view::npos;

bool contains(std::string_view text, std::string_view part) { return text.find(part) != kNowhere; }

std::optional<std::uint64_t> number_at(std::string_view text) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// "[==========] 12 tests from 3 test suites ran."
std::optional<std::uint64_t> gtest_count(std::string_view text) {
  constexpr std::string_view kBar = "[==========] ";
  const std::size_t at = text.find(kBar);
  if (at == kNowhere || !contains(text, " ran.")) return std::nullopt;
  return number_at(text.substr(at + kBar.size()));
}

// "100% tests passed, 0 tests failed out of 12"
std::optional<std::uint64_t> ctest_count(std::string_view text) {
  if (text.starts_with("No tests were found!!!")) return 0;
  constexpr std::string_view kOutOf = " tests failed out of ";
  const std::size_t at = text.find(kOutOf);
  if (at == kNowhere || !contains(text, "% tests passed")) return std::nullopt;
  return number_at(text.substr(at + kOutOf.size()));
}

std::size_t indentation_of(std::string_view text) {
  return std::min(text.find_first_not_of(" \t"), text.size());
}

}  // namespace

void RunLog::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (partial_.size() < kLineBytesMax) {
      partial_.append(piece.substr(0, kLineBytesMax - partial_.size()));
    }
    if (end == kNowhere) return;
    bytes.remove_prefix(end + 1);
    line(partial_);
    partial_.clear();
  }
}

void RunLog::finish() {
  if (!partial_.empty()) line(partial_);
  partial_.clear();
  close_go_failures(0);
}

void RunLog::line(std::string_view text) {
  if (text.ends_with('\r')) text.remove_suffix(1);
  if (text.starts_with('{') && contains(text, "\"Action\"")) {
    go_event(text);
  } else {
    text_line(text);
  }
}

void RunLog::go_event(std::string_view json) {
  // Not an error: a line that only looks like an event is text of the program.
  const Result<rapidjson::Document> event = text::parse_json(text::valid_utf8(json));
  if (!event) return text_line(json);
  if (text::json_text(*event, "Action") != "output") return;
  std::string_view output = text::json_text(*event, "Output");
  if (output.ends_with('\n')) output.remove_suffix(1);
  text_line(output);
}

void RunLog::text_line(std::string_view text) {
  go_failure_line(text);
  saw_race_ = saw_race_ || is_race_headline(text);
  if (const auto count = gtest_count(text)) add_tests(*count);
  if (const auto count = ctest_count(text)) tests_run_ = *count;
  if (contains(text, "[  FAILED  ]")) add_failure(std::string(text));
  if (contains(text, "FATAL: ThreadSanitizer")) add_failure(std::string(text));
  if (text.starts_with("exit status 66")) exit_66_in_package_ = true;
  constexpr std::string_view kFolder = "Test project ";
  if (text.starts_with(kFolder) && ctest_folder_.empty()) {
    ctest_folder_ = text.substr(kFolder.size());
  }
  if (go_race_command_.empty() && shows_go_race_command(text)) go_race_command_ = text;
  go_package(text);
}

// "ok  \tpkg\t0.1s", "FAIL\tpkg\t0.1s", "FAIL\tpkg [build failed]", "?   \tpkg\t[no test files]"
void RunLog::go_package(std::string_view text) {
  if (text.starts_with("ok  \t")) {
    add_tests(contains(text, "[no tests to run]") ? 0 : 1);
  } else if (text.starts_with("?   \t") && contains(text, "[no test files]")) {
    add_tests(0);
  } else if (text.starts_with("FAIL\t")) {
    const bool built = !contains(text, "[build failed]") && !contains(text, "[setup failed]");
    add_tests(built ? 1 : 0);
    if (!built || (go_failures_in_package_ == 0 && !exit_66_in_package_)) {
      add_failure(std::string(text));
    }
  } else {
    return;
  }
  go_failures_in_package_ = 0;
  exit_66_in_package_ = false;
}

void RunLog::go_failure_line(std::string_view text) {
  const std::size_t indentation = indentation_of(text);
  const std::string_view content = text.substr(indentation);
  constexpr std::string_view kFail = "--- FAIL: ";
  if (content.starts_with(kFail)) {
    close_go_failures(indentation);
    if (!go_failures_.empty()) go_failures_.back().has_failed_subtest = true;
    const std::string_view name = content.substr(kFail.size());
    go_failures_.push_back({std::string(name.substr(0, name.find(' '))), indentation});
    ++go_failures_in_package_;
    return;
  }
  if (go_failures_.empty() || content.empty()) return;
  close_go_failures(indentation);
  if (go_failures_.empty()) return;
  GoFailure& failure = go_failures_.back();
  if (contains(content, "race detected during execution of test")) {
    failure.has_race = true;
  } else if (!content.starts_with("--- ") && !content.starts_with("=== ")) {
    failure.has_other = true;
  }
}

// Those whose lines are indented more than `indentation` are complete.
void RunLog::close_go_failures(std::size_t indentation) {
  while (!go_failures_.empty() && go_failures_.back().indentation >= indentation) {
    const GoFailure failure = std::move(go_failures_.back());
    go_failures_.pop_back();
    if (failure.has_other || (!failure.has_race && !failure.has_failed_subtest)) {
      add_failure(failure.test + " failed, and not only because of a race");
    } else if (failure.has_race) {
      ++failures_by_race_;
    }
  }
}

void RunLog::add_failure(std::string sentence) {
  if (other_failures_.size() < kFailuresMax) other_failures_.push_back(std::move(sentence));
}

}  // namespace vigil::tools::gate
