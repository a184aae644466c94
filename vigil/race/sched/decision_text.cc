// SPDX-License-Identifier: Apache-2.0
#include "vigil/race/sched/decision_text.h"

namespace vigil::race {
namespace {

// What is left of one line.
struct Line {
  const char* at;
  const char* end;

  void skip_blanks() {
    while (at != end && (*at == ' ' || *at == '\t' || *at == '\r')) ++at;
  }
  bool at_end() {
    skip_blanks();
    return at == end;
  }
  bool word(const char* expected) {
    skip_blanks();
    const char* from = at;
    while (*expected != '\0' && from != end && *from == *expected) ++from, ++expected;
    if (*expected != '\0' || (from != end && *from != ' ' && *from != '\t')) return false;
    at = from;
    return true;
  }
  bool number(std::uint32_t* value) {
    skip_blanks();
    const char* from = at;
    std::uint64_t read = 0;
    while (at != end && *at >= '0' && *at <= '9' && read <= ~std::uint32_t{0}) {
      read = read * 10 + static_cast<std::uint64_t>(*at++ - '0');
    }
    *value = static_cast<std::uint32_t>(read);
    return at != from && read <= ~std::uint32_t{0};
  }
};

bool read_line(Line line, Decision* decision) {
  if (line.word("run")) {
    decision->kind = Decision::Kind::kRun;
  } else if (line.word("clock")) {
    decision->kind = Decision::Kind::kClock;
  } else if (line.word("choice")) {
    decision->kind = Decision::Kind::kChoice;
  } else {
    return false;
  }
  if (!line.number(&decision->from) || !line.number(&decision->step)) return false;
  decision->to = 0;
  if (decision->kind != Decision::Kind::kClock && !line.number(&decision->to)) return false;
  return line.at_end();
}

}  // namespace

DecisionText read_decisions(const char* text, std::size_t size, Decision* decisions,
                            std::size_t capacity) {
  DecisionText result;
  const char* const end = text + size;
  std::size_t line_number = 0;
  while (text != end) {
    ++line_number;
    Line line{text, text};
    while (line.end != end && *line.end != '\n') ++line.end;
    text = line.end == end ? end : line.end + 1;
    if (line.at_end() || *line.at == '#') continue;
    if (result.count == capacity || !read_line(line, &decisions[result.count])) {
      result.bad_line = line_number;
      return result;
    }
    ++result.count;
  }
  return result;
}

}  // namespace vigil::race
