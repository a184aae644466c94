// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/gate/ctest_log.h"

#include <cstddef>

namespace vigil::tools::gate {

void CtestLog::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (partial_.size() < RunLog::kLineBytesMax) {
      partial_.append(piece.substr(0, RunLog::kLineBytesMax - partial_.size()));
    }
    if (end == std::string_view::npos) return;
    bytes.remove_prefix(end + 1);
    line(partial_);
    partial_.clear();
  }
}

void CtestLog::finish() {
  if (!partial_.empty()) line(partial_);
  partial_.clear();
  close_test();
}

void CtestLog::line(std::string_view text) {
  constexpr std::string_view kTesting = " Testing: ";
  constexpr std::string_view kCommand = "Command: ";
  const std::size_t testing = text.find(kTesting);
  const bool is_head =
      testing != std::string_view::npos && testing != 0 &&
      text.substr(0, testing).find_first_not_of("0123456789/ ") == std::string_view::npos;
  if (!in_output_ && is_head) {
    close_test();
    tests_.push_back({std::string(text.substr(testing + kTesting.size())), {}});
  } else if (tests_.empty()) {
    return;
  } else if (!in_output_ && text.starts_with(kCommand)) {
    tests_.back().command = quoted_words(text.substr(kCommand.size()));
  } else if (!in_output_ && text == "Output:") {
    in_output_ = true;
  } else if (text == "<end of output>") {
    in_output_ = false;
  } else if (in_output_) {
    output_.feed(text);
    output_.feed("\n");
  } else if (text.starts_with("Test Failed")) {
    tests_.back().failed = true;
  }
}

void CtestLog::close_test() {
  output_.finish();
  if (!tests_.empty()) {
    tests_.back().is_explained_by_race =
        tests_.back().failed && output_.saw_race() && output_.other_failures().empty();
  }
  output_ = RunLog();
  in_output_ = false;
}

std::vector<std::string> quoted_words(std::string_view text) {
  std::vector<std::string> words;
  bool in_quotes = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      in_quotes = !in_quotes;
      if (in_quotes) words.emplace_back();
    } else if (in_quotes) {
      if (text[i] == '\\' && i + 1 < text.size()) ++i;
      words.back() += text[i];
    }
  }
  return words;
}

}  // namespace vigil::tools::gate
