// SPDX-License-Identifier: Apache-2.0
#include "vigil/tools/race/suppressions.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "vigil/base/files.h"
#include "vigil/text/wildcard.h"

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

bool frame_matches(std::string_view wildcard, const Frame& frame) {
  return suppression_matches(wildcard, frame.function) ||
         suppression_matches(wildcard, frame.file) || suppression_matches(wildcard, frame.module);
}

bool stack_matches(std::string_view wildcard, const Stack& stack) {
  return std::any_of(stack.begin(), stack.end(),
                     [&](const Frame& frame) { return frame_matches(wildcard, frame); });
}

bool race_matches(std::string_view wildcard, const Finding& finding) {
  return suppression_matches(wildcard, finding.location.object) ||
         stack_matches(wildcard, finding.location.allocated_at) ||
         std::any_of(
             finding.accesses.begin(), finding.accesses.end(),
             [&](const report::Access& access) { return stack_matches(wildcard, access.stack); });
}

bool top_matches(std::string_view wildcard, const Finding& finding) {
  return std::any_of(
      finding.accesses.begin(), finding.accesses.end(), [&](const report::Access& access) {
        return !access.stack.empty() && frame_matches(wildcard, access.stack.front());
      });
}

// The access itself, or its caller, is in the library.
bool called_from(std::string_view wildcard, const Finding& finding) {
  constexpr std::size_t kFrames = 2;
  for (const report::Access& access : finding.accesses) {
    for (std::size_t i = 0; i < std::min(kFrames, access.stack.size()); ++i) {
      if (suppression_matches(wildcard, access.stack[i].module)) return true;
    }
  }
  return false;
}

bool waiters_match(std::string_view wildcard, const Finding& finding) {
  return std::any_of(
      finding.threads.begin(), finding.threads.end(), [&](const report::Thread& thread) {
        if (stack_matches(wildcard, thread.stack)) return true;
        return std::any_of(thread.locks.begin(), thread.locks.end(), [&](const report::Lock& lock) {
          return suppression_matches(wildcard, lock.name) ||
                 stack_matches(wildcard, lock.acquired_at);
        });
      });
}

bool is_race(Kind kind) { return kind == Kind::kRace || kind == Kind::kUseAfterFree; }
bool is_stuck(Kind kind) {
  return kind == Kind::kDeadlock || kind == Kind::kLostWakeUp || kind == Kind::kLivelock;
}

}  // namespace

std::string suppression_wildcard(std::string_view pattern) {
  const bool from_start = pattern.starts_with('^');
  if (from_start) pattern.remove_prefix(1);
  const bool to_end = pattern.ends_with('$');
  if (to_end) pattern.remove_suffix(1);
  return std::string(from_start ? "" : "*").append(pattern).append(to_end ? "" : "*");
}

bool suppression_matches(std::string_view wildcard, std::string_view text) {
  return !text.empty() && text::wildcard_match(wildcard, text, {.question_mark = false});
}

bool Suppressions::names(std::string_view name, Type* type) {
  static constexpr std::array<std::pair<std::string_view, Type>, 8> kTypes = {{
      {"race", Type::kRace},
      {"race_top", Type::kRaceTop},
      {"called_from_lib", Type::kCalledFromLib},
      {"deadlock", Type::kDeadlock},
      {"crash", Type::kCrash},
      {"thread", Type::kOther},
      {"mutex", Type::kMutex},
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
    if (colon + 1 == line.size()) return Error{origin + ": the pattern is empty"};
    parsed.wildcard = suppression_wildcard(line.substr(colon + 1));
    parsed.origin = origin;
    lines_.push_back(std::move(parsed));
  }
  return {};
}

Result<void> Suppressions::add_file(const std::string& path) {
  const Result<std::string> text = read_file(path, kConfigurationBytesMax);
  if (!text) return text.error();
  return add(*text, path);
}

bool Suppressions::matches(const Line& line, const Finding& finding) {
  switch (line.type) {
    case Type::kRace:
      return is_race(finding.kind) && race_matches(line.wildcard, finding);
    case Type::kRaceTop:
      return is_race(finding.kind) && top_matches(line.wildcard, finding);
    case Type::kCalledFromLib:
      return is_race(finding.kind) && called_from(line.wildcard, finding);
    case Type::kDeadlock:
      if (finding.kind == Kind::kLockMisuse) return race_matches(line.wildcard, finding);
      return is_stuck(finding.kind) && waiters_match(line.wildcard, finding);
    case Type::kMutex:
      return finding.kind == Kind::kLockMisuse && race_matches(line.wildcard, finding);
    case Type::kCrash:
      return finding.kind == Kind::kCrash && race_matches(line.wildcard, finding);
    case Type::kOther:
      return false;
  }
  return false;
}

bool Suppressions::suppress(const Finding& finding) {
  for (Line& line : lines_) {
    if (!matches(line, finding)) continue;
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
