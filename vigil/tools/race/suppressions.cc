// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/suppressions.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <fstream>
#include <iterator>
#include <utility>

namespace vigil::tools::race {
namespace {

using report::Finding;
using report::Frame;
using report::Kind;
using report::Stack;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const std::size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool frame_fits(std::string_view pattern, const Frame& frame) {
  return suppression_fits(pattern, frame.function) || suppression_fits(pattern, frame.file) ||
         suppression_fits(pattern, frame.module);
}

bool stack_fits(std::string_view pattern, const Stack& stack) {
  return std::any_of(stack.begin(), stack.end(),
                     [&](const Frame& frame) { return frame_fits(pattern, frame); });
}

bool race_fits(std::string_view pattern, const Finding& finding) {
  return suppression_fits(pattern, finding.location.object) ||
         stack_fits(pattern, finding.location.allocated_at) ||
         std::any_of(
             finding.accesses.begin(), finding.accesses.end(),
             [&](const report::Access& access) { return stack_fits(pattern, access.stack); });
}

bool top_fits(std::string_view pattern, const Finding& finding) {
  return std::any_of(finding.accesses.begin(), finding.accesses.end(),
                     [&](const report::Access& access) {
                       return !access.stack.empty() && frame_fits(pattern, access.stack.front());
                     });
}

// The access itself, or its caller, is in the library.
bool called_from(std::string_view pattern, const Finding& finding) {
  constexpr std::size_t kFrames = 2;
  for (const report::Access& access : finding.accesses) {
    for (std::size_t i = 0; i < std::min(kFrames, access.stack.size()); ++i) {
      if (suppression_fits(pattern, access.stack[i].module)) return true;
    }
  }
  return false;
}

bool waiters_fit(std::string_view pattern, const Finding& finding) {
  return std::any_of(
      finding.threads.begin(), finding.threads.end(), [&](const report::Thread& thread) {
        if (stack_fits(pattern, thread.stack)) return true;
        return std::any_of(thread.locks.begin(), thread.locks.end(), [&](const report::Lock& lock) {
          return suppression_fits(pattern, lock.name) || stack_fits(pattern, lock.acquired_at);
        });
      });
}

bool is_race(Kind kind) { return kind == Kind::kRace || kind == Kind::kUseAfterFree; }
bool is_stuck(Kind kind) {
  return kind == Kind::kDeadlock || kind == Kind::kLostWakeUp || kind == Kind::kLivelock;
}

}  // namespace

bool suppression_fits(std::string_view pattern, std::string_view text) {
  if (text.empty() || pattern.empty()) return false;
  const bool from_start = pattern.front() == '^';
  if (from_start) pattern.remove_prefix(1);
  const bool to_end = !pattern.empty() && pattern.back() == '$';
  if (to_end) pattern.remove_suffix(1);
  // The pieces between the asterisks follow each other; taking each as early as possible leaves the
  // most room for the rest, and the last one may be tied to the end.
  bool first = true;
  for (;;) {
    const std::size_t star = pattern.find('*');
    const std::string_view piece = pattern.substr(0, star);
    const bool last = star == std::string_view::npos;
    if (first && from_start && !text.starts_with(piece)) return false;
    if (last && to_end) {
      const bool whole = first && from_start;
      return whole ? text == piece : text.ends_with(piece);
    }
    const std::size_t at = text.find(piece);
    if (at == std::string_view::npos) return false;
    if (last) return true;
    text.remove_prefix(at + piece.size());
    pattern.remove_prefix(star + 1);
    first = false;
  }
}

bool Suppressions::names(std::string_view name, Type* type) {
  static constexpr std::array<std::pair<std::string_view, Type>, 8> kTypes = {{
      {"race", Type::kRace},
      {"race_top", Type::kRaceTop},
      {"called_from_lib", Type::kCalledFromLib},
      {"deadlock", Type::kDeadlock},
      {"crash", Type::kCrash},
      {"thread", Type::kOther},
      {"mutex", Type::kOther},
      {"signal", Type::kOther},
  }};
  const auto* const found = std::find_if(kTypes.begin(), kTypes.end(),
                                         [&](const auto& known) { return known.first == name; });
  if (found == kTypes.end()) return false;
  *type = found->second;
  return true;
}

Result<void> Suppressions::add(std::string_view text, std::string_view name) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.empty() || line.front() == '#') continue;
    const std::string origin = std::string(name) + ":" + std::to_string(number);
    const std::size_t colon = line.find(':');
    Line parsed;
    if (colon == std::string_view::npos || !names(line.substr(0, colon), &parsed.type)) {
      return Error{origin + ": expected TYPE:PATTERN with a type of race, race_top, " +
                   "called_from_lib, deadlock, crash, thread, mutex or signal, not \"" +
                   std::string(line) + "\""};
    }
    parsed.text = line;
    parsed.pattern = line.substr(colon + 1);
    if (parsed.pattern.empty()) return Error{origin + ": the pattern is empty"};
    parsed.origin = origin;
    lines_.push_back(std::move(parsed));
  }
  return {};
}

Result<void> Suppressions::add_file(const std::string& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file.is_open() || file.bad()) return Error{"cannot read the suppressions file " + path};
  return add(text, path);
}

bool Suppressions::fits(const Line& line, const Finding& finding) {
  switch (line.type) {
    case Type::kRace:
      return is_race(finding.kind) && race_fits(line.pattern, finding);
    case Type::kRaceTop:
      return is_race(finding.kind) && top_fits(line.pattern, finding);
    case Type::kCalledFromLib:
      return is_race(finding.kind) && called_from(line.pattern, finding);
    case Type::kDeadlock:
      return is_stuck(finding.kind) && waiters_fit(line.pattern, finding);
    case Type::kCrash:
      return finding.kind == Kind::kCrash && race_fits(line.pattern, finding);
    case Type::kOther:
      return false;
  }
  return false;
}

bool Suppressions::suppress(const Finding& finding) {
  for (Line& line : lines_) {
    if (!fits(line, finding)) continue;
    ++line.uses;
    return true;
  }
  return false;
}

std::vector<std::string> Suppressions::unused() const {
  std::vector<std::string> result;
  for (const Line& line : lines_) {
    if (line.uses == 0) result.push_back(line.text + " (" + line.origin + ")");
  }
  return result;
}

std::uint64_t Suppressions::uses() const {
  std::uint64_t sum = 0;
  for (const Line& line : lines_) sum += line.uses;
  return sum;
}

}  // namespace vigil::tools::race
